//! What the gateway is told at start: limits, doors, tokens. Read from the configuration by [`Settings::new`].

use metrics_exporter_prometheus::PrometheusHandle;

use super::origin::Doors;
use super::token::Tokens;
use crate::config::Gateway as Config;
use crate::protocol::limits::Limits;

/// What the gateway is told at start.
#[derive(Clone)]
pub struct Settings {
    pub limits: Limits,
    pub doors: Doors,
    pub tokens: Tokens,
    /// Whether `?token=` opens the door. It may end up in a proxy's log; ours never holds it.
    pub query_token: bool,
    /// What `/metrics` shows; absent when nobody records.
    pub metrics: Option<PrometheusHandle>,
}

impl Settings {
    pub fn new(config: &Config, tokens: Tokens, metrics: Option<PrometheusHandle>) -> Self {
        let mut doors = Doors::default();
        doors.hosts.push(config.listen.ip().to_string());
        doors.hosts.extend(config.allowed_hosts.iter().cloned());
        doors.origins.extend(config.allowed_origins.iter().cloned());
        Self { limits: limits(config), doors, tokens, query_token: config.query_token, metrics }
    }
}

fn limits(config: &Config) -> Limits {
    Limits {
        sessions: config.connections_max,
        sessions_per_address: config.connections_per_address_max,
        sessions_per_principal: config.connections_per_principal_max,
        in_flight_per_session: config.in_flight_per_session_max,
        in_flight_per_principal: config.in_flight_per_principal_max,
        in_flight: config.in_flight_max,
        rate_per_second: config.requests_per_s,
        rate_burst: config.requests_burst,
        message_in_bytes: config.message_in_bytes_max,
        message_out_bytes: config.message_out_bytes_max,
        json_depth: config.json_depth_max,
        header_bytes: config.header_bytes_max,
        outbound_messages: config.outbound_messages_max,
        outbound_bytes: config.outbound_bytes_max,
        header_deadline: config.header_timeout,
        write_deadline: config.write_timeout,
        ping_after: config.ping_interval,
        pong_deadline: config.pong_timeout,
        ..Limits::default()
    }
}
