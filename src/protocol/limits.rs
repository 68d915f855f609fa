//! Every limit of the wire, with its unit and its reason. The daemon's configuration may replace the fields of
//! [`Limits`]; the constants are the defaults and what cannot be changed.

use std::time::Duration;

/// Longest request id, in bytes of JSON: real ones are numbers or a UUID, and each is kept while its request lives.
pub const ID_BYTES_MAX: usize = 256;
/// Headers of a request: real ones have a dozen.
pub const HEADERS_MAX: usize = 64;
/// Read buffer of a socket, in bytes: tungstenite's default of 128 KiB is wholly resident, 139 KiB per idle session.
pub const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Bytes gathered before a batch is written: several small answers leave in one system call.
pub const WRITE_BUFFER_BYTES: usize = 16 * 1024;
/// Kernel send buffer of a socket, in bytes: small, so that a peer that does not read is felt early.
pub const SEND_BUFFER_BYTES: u32 = 256 * 1024;
/// Fragments of one message: real clients send one; a flood of 1-byte fragments costs a peer nothing.
pub const FRAGMENTS_MAX: u32 = 1_024;
/// Control frames (ping, pong, close) in [`CONTROL_FRAMES_WINDOW`]: real clients send one in 20 s.
pub const CONTROL_FRAMES_MAX: u32 = 50;
pub const CONTROL_FRAMES_WINDOW: Duration = Duration::from_secs(10);
/// Connections beyond the session limit that are let in to be answered: probes, metrics, and a 503 that arrives.
pub const HTTP_CONNECTIONS_EXTRA: usize = 64;
/// The same for one address.
pub const HTTP_CONNECTIONS_EXTRA_PER_ADDRESS: usize = 16;
/// How long a closing socket is read and thrown away, so that our close frame is not lost to a TCP reset.
pub const LINGER: Duration = Duration::from_secs(2);
/// Bytes thrown away in that time.
pub const LINGER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long a full outbound queue may take to let a close frame through, before the socket is cut.
pub const CLOSE_DEADLINE: Duration = Duration::from_secs(1);
/// Shortest time between two progress notifications of one call: a person cannot follow more.
pub const PROGRESS_INTERVAL_MIN: Duration = Duration::from_millis(250);
/// Longest silence of a call whose caller asked for progress: clients give a silent call up after 60 s and less.
pub const PROGRESS_INTERVAL_MAX: Duration = Duration::from_secs(15);

/// What a daemon may set otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sessions in all: at 25 KiB each idle, 25 MiB.
    pub sessions: usize,
    /// Sessions from one network address.
    pub sessions_per_address: usize,
    /// Sessions of one principal.
    pub sessions_per_principal: usize,
    /// Requests of one session that are worked on at once.
    pub in_flight_per_session: usize,
    /// Requests of one principal, over all its sessions.
    pub in_flight_per_principal: usize,
    /// Requests in all.
    pub in_flight: usize,
    /// Requests of one session that wait for their turn; beyond them its socket is not read.
    pub parked_per_session: usize,
    /// Bytes of the requests that wait or are worked on, per session.
    pub parked_bytes_per_session: usize,
    /// Requests per second and principal, over time and at once.
    pub rate_per_second: u32,
    pub rate_burst: u32,
    /// Largest message taken in, in bytes.
    pub message_in_bytes: usize,
    /// Largest message sent, in bytes: the Python `websockets` library kills its session at 1 MiB a message.
    pub message_out_bytes: usize,
    /// Deepest nesting of a message, in objects and arrays: ours need 8; far below what would strain a stack.
    pub json_depth: usize,
    /// Header block of an HTTP request, in bytes: real ones are under 1 KiB.
    pub header_bytes: usize,
    /// Messages and bytes that wait for one session's socket.
    pub outbound_messages: usize,
    pub outbound_bytes: usize,
    /// Time from a connection's start, or from its last answer, to the end of a request's header.
    pub header_deadline: Duration,
    /// Time one message may take to leave.
    pub write_deadline: Duration,
    /// Silence after which the peer is pinged, and silence after that ping until it counts as gone.
    pub ping_after: Duration,
    pub pong_deadline: Duration,
    /// Time one call may take; longer work is a job.
    pub call_deadline: Duration,
    /// Time a peer has to answer our close frame.
    pub close_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 1_024,
            sessions_per_address: 64,
            sessions_per_principal: 16,
            in_flight_per_session: 8,
            in_flight_per_principal: 16,
            in_flight: 64,
            parked_per_session: 64,
            parked_bytes_per_session: 1024 * 1024,
            rate_per_second: 20,
            rate_burst: 40,
            message_in_bytes: 4 * 1024 * 1024,
            message_out_bytes: 1_000_000,
            json_depth: 64,
            header_bytes: 16 * 1024,
            outbound_messages: 256,
            outbound_bytes: 1024 * 1024,
            header_deadline: Duration::from_secs(5),
            write_deadline: Duration::from_secs(10),
            ping_after: Duration::from_secs(20),
            pong_deadline: Duration::from_secs(20),
            call_deadline: Duration::from_secs(120),
            close_deadline: Duration::from_secs(2),
        }
    }
}
