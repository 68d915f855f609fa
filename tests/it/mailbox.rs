//! A mailbox is bounded, wakes everybody, loses no wake-up, and lets control overtake.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proctor::actors::mailbox::{Address, CallError, Lane, Message, Reply, SendError};
use proctor::actors::server::{Context, Server, Spawned, StartError, Stop, spawn};
use proctor::actors::supervise::Exit;

const LIMIT: usize = 8;
const SECOND: Duration = Duration::from_secs(1);

/// Notes what it handles; sleeps, panics and ends on request.
struct Clerk(tokio::sync::mpsc::UnboundedSender<u32>);

enum Job {
    Note(u32),
    Urgent(u32),
    Work(Duration),
    Answer(Reply<u32>),
    Forget(Reply<u32>),
    Later(Duration, u32),
    Beside(Arc<AtomicBool>),
    Panic,
    Finish,
}

impl Message for Job {
    fn lane(&self) -> Lane {
        match self {
            Job::Urgent(_) => Lane::Control,
            _ => Lane::Data,
        }
    }
}

impl Server for Clerk {
    const NAME: &'static str = "clerk";
    const MAILBOX_LIMIT: usize = LIMIT;
    type Message = Job;
    type Arguments = tokio::sync::mpsc::UnboundedSender<u32>;

    async fn init(notes: Self::Arguments, _: &Context<Job>) -> Result<Self, StartError> {
        Ok(Self(notes))
    }

    async fn handle(&mut self, job: Job, context: &Context<Job>) -> Result<(), Stop> {
        match job {
            Job::Note(n) | Job::Urgent(n) => drop(self.0.send(n)),
            Job::Work(time) => tokio::time::sleep(time).await,
            Job::Answer(reply) => reply.send(42),
            Job::Forget(reply) => drop(reply),
            Job::Later(delay, n) => context.send_after(delay, Job::Urgent(n)),
            Job::Beside(lives) => context.spawn(async move {
                let _guard = Guard(lives);
                std::future::pending::<()>().await;
            }),
            Job::Panic => panic!("as asked"),
            Job::Finish => return Err(Stop::Normal),
        }
        Ok(())
    }
}

struct Guard(Arc<AtomicBool>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

async fn clerk() -> (Spawned<Job>, Address<Job>, tokio::sync::mpsc::UnboundedReceiver<u32>) {
    let (notes, read) = tokio::sync::mpsc::unbounded_channel();
    let spawned = spawn::<Clerk>(notes).await.unwrap();
    let address = spawned.address.clone();
    (spawned, address, read)
}

/// Lets everything that can happen now happen.
async fn calm() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// An actor in the middle of a long job, with a full mailbox.
async fn busy_and_full() -> (Spawned<Job>, Address<Job>) {
    let (spawned, address, _) = clerk().await;
    address.try_send(Job::Work(SECOND * 3_600)).unwrap();
    calm().await;
    for n in 1..LIMIT {
        address.try_send(Job::Note(n as u32)).unwrap();
    }
    (spawned, address)
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_refuses_and_counts() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let (_spawned, address) = busy_and_full().await;
    assert_eq!((address.depth(), address.limit(), address.refused()), (LIMIT, LIMIT, 0));
    metrics::with_local_recorder(&recorder, || {
        for _ in 0..3 {
            assert!(matches!(address.try_send(Job::Note(9)), Err(SendError::Full(Job::Note(9)))));
        }
    });
    assert_eq!(address.refused(), 3);
    let text = recorder.handle().render();
    assert!(text.contains("proctor_mailbox_refused_total{actor=\"clerk\"} 3"), "{text}");
    let late = address.send_timeout(Job::Note(9), SECOND).await;
    assert!(matches!(late, Err(SendError::Full(Job::Note(9)))));
    let busy = address.call(Job::Answer, SECOND).await;
    assert_eq!((busy, address.refused()), (Err(CallError::Full { actor: "clerk" }), 5));
}

#[tokio::test(start_paused = true)]
async fn blocked_senders_all_wake_however_the_actor_dies() {
    type End = fn(&Spawned<Job>);
    let ends: [(&str, End); 2] = [("kill", |it| it.address.kill()), ("stop", |it| it.stop())];
    for (how, end) in ends {
        let (spawned, address) = busy_and_full().await;
        let mut senders = tokio::task::JoinSet::new();
        for n in 0..50 {
            let address = address.clone();
            senders.spawn(async move { address.send(Job::Note(n)).await });
        }
        calm().await;
        end(&spawned);
        // At once, though a stop lets the handler finish its hour.
        while let Some(sent) = senders.join_next().await {
            assert!(matches!(sent, Ok(Err(SendError::Closed(_)))), "{how}");
        }
        assert_eq!(tokio::time::timeout(SECOND, address.closed()).await.is_ok(), how == "kill");
        address.closed().await;
        assert_eq!(address.depth(), 0, "{how}: every place is free again");
    }
}

#[tokio::test(start_paused = true)]
async fn blocked_senders_all_wake_after_a_panic_and_the_places_come_back() {
    let (spawned, address, _) = clerk().await;
    address.try_send(Job::Work(SECOND)).unwrap();
    address.try_send(Job::Panic).unwrap();
    for n in 2..LIMIT {
        address.try_send(Job::Note(n as u32)).unwrap();
    }
    let mut senders = tokio::task::JoinSet::new();
    for n in 0..50 {
        let address = address.clone();
        senders.spawn(async move { address.send(Job::Note(n)).await });
    }
    let mut closed = 0;
    while let Some(sent) = senders.join_next().await {
        closed += usize::from(matches!(sent, Ok(Err(SendError::Closed(_)))));
    }
    // One of them had got the place of the finished work: it is told like the others.
    assert_eq!((closed, address.depth()), (50, 0));
    assert_eq!(spawned.ended().await, Exit::Abnormal("panicked: as asked".to_owned()));
    assert!(matches!(address.try_send(Job::Note(0)), Err(SendError::Closed(_))));
    assert_eq!(address.call(Job::Answer, SECOND).await, Err(CallError::Closed { actor: "clerk" }));
}

#[tokio::test(start_paused = true)]
async fn control_overtakes_data_and_needs_no_place() {
    let (_spawned, address, mut notes) = clerk().await;
    address.try_send(Job::Work(SECOND)).unwrap();
    calm().await;
    for n in 1..LIMIT {
        address.try_send(Job::Note(n as u32)).unwrap();
    }
    assert!(matches!(address.try_send(Job::Note(0)), Err(SendError::Full(_))));
    for n in 100..103 {
        address.try_send(Job::Urgent(n)).unwrap();
    }
    let mut order = Vec::new();
    for _ in 0..LIMIT + 2 {
        order.push(notes.recv().await.unwrap());
    }
    assert_eq!(order, [100, 101, 102, 1, 2, 3, 4, 5, 6, 7]);
}

/// Between two messages of one batch, too: what is urgent waits for one message, never for a batch.
#[tokio::test(start_paused = true)]
async fn control_interrupts_a_batch() {
    let (_spawned, address, mut notes) = clerk().await;
    for n in 1..=4 {
        address.try_send(Job::Work(SECOND)).unwrap();
        address.try_send(Job::Note(n)).unwrap();
    }
    tokio::time::sleep(SECOND * 3 / 2).await;
    address.try_send(Job::Urgent(100)).unwrap();
    let mut order = Vec::new();
    for _ in 0..5 {
        order.push(notes.recv().await.unwrap());
    }
    assert_eq!(order, [1, 100, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn control_has_a_limit_of_its_own() {
    let (_spawned, address) = busy_and_full().await;
    let taken = (0..5_000).filter(|&n| address.try_send(Job::Urgent(n)).is_ok()).count();
    assert_eq!((taken, address.refused()), (1_024, 3_976));
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_what_is_queued() {
    let (spawned, address, mut notes) = clerk().await;
    address.try_send(Job::Work(SECOND)).unwrap();
    for n in 1..LIMIT {
        address.try_send(Job::Note(n as u32)).unwrap();
    }
    calm().await;
    spawned.stop();
    assert_eq!(spawned.ended().await, Exit::Shutdown);
    assert!(notes.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_what_is_queued_and_admits_nobody() {
    let (spawned, address, mut notes) = clerk().await;
    for n in 0..LIMIT {
        address.try_send(Job::Note(n as u32)).unwrap();
    }
    let (late, drained) = {
        let blocked = address.send(Job::Note(99));
        tokio::pin!(blocked);
        assert!(futures_util::poll!(&mut blocked).is_pending());
        spawned.drain();
        (blocked.await, spawned.ended().await)
    };
    assert!(matches!(late, Err(SendError::Closed(_))));
    assert_eq!(drained, Exit::Shutdown);
    let mut order = Vec::new();
    while let Ok(n) = notes.try_recv() {
        order.push(n as usize);
    }
    assert_eq!(order, (0..LIMIT).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_idle_actor_drains_at_once() {
    let (spawned, _, _) = clerk().await;
    spawned.drain();
    assert_eq!(spawned.ended().await, Exit::Shutdown);
}

#[tokio::test(start_paused = true)]
async fn calls_are_answered_time_out_or_learn_of_the_end() {
    let (spawned, address, _) = clerk().await;
    let closed = CallError::Closed { actor: "clerk" };
    assert_eq!(address.call(Job::Answer, SECOND).await, Ok(42));
    assert_eq!(address.call(Job::Forget, SECOND).await, Err(closed));
    address.try_send(Job::Work(SECOND * 2)).unwrap();
    let late = address.call(Job::Answer, SECOND).await;
    assert_eq!(late, Err(CallError::Timeout { actor: "clerk", after: SECOND }));
    let (called, ()) = tokio::join!(address.call(Job::Answer, SECOND * 60), async {
        calm().await;
        address.kill();
    });
    assert_eq!((called, spawned.ended().await), (Err(closed), Exit::Killed));
}

#[tokio::test(start_paused = true)]
async fn work_beside_the_handler_and_timers_end_with_the_actor() {
    for end in [Job::Panic, Job::Finish] {
        let (spawned, address, mut notes) = clerk().await;
        let lives = Arc::new(AtomicBool::new(true));
        address.try_send(Job::Beside(Arc::clone(&lives))).unwrap();
        address.try_send(Job::Later(SECOND, 7)).unwrap();
        address.try_send(Job::Later(SECOND * 9, 8)).unwrap();
        assert_eq!(notes.recv().await, Some(7));
        address.try_send(end).unwrap();
        drop(spawned.ended().await);
        assert!(!lives.load(Ordering::SeqCst));
        assert_eq!(notes.recv().await, None, "the second timer went with its actor");
    }
}

/// Counts its messages alive, so that "bounded" is exact and not a matter of megabytes.
struct Tracked {
    alive: Arc<Alive>,
    _payload: [u64; 32],
}

#[derive(Default)]
struct Alive {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Tracked {
    fn new(alive: &Arc<Alive>) -> Self {
        let now = alive.now.fetch_add(1, Ordering::Relaxed) + 1;
        alive.most.fetch_max(now, Ordering::Relaxed);
        Self { alive: Arc::clone(alive), _payload: [7; 32] }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.alive.now.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Message for Tracked {}

/// Takes about two microseconds for a message.
struct Slow(usize);

impl Server for Slow {
    const NAME: &'static str = "slow";
    const MAILBOX_LIMIT: usize = 1_024;
    type Message = Tracked;
    type Arguments = ();

    async fn init((): (), _: &Context<Tracked>) -> Result<Self, StartError> {
        Ok(Self(0))
    }

    async fn handle(&mut self, _: Tracked, _: &Context<Tracked>) -> Result<(), Stop> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_micros(2) {
            std::hint::spin_loop();
        }
        self.0 += 1;
        if self.0 == FLOOD { Err(Stop::Normal) } else { Ok(()) }
    }
}

const FLOOD: usize = 1_000_000;
const PRODUCERS: usize = 4;
/// A million messages of 264 bytes in an unbounded mailbox are over 300 MiB.
const GROWTH_MIB_MAX: u64 = 48;

fn resident_mib() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096 / (1 << 20)
}

/// Sends the flood; returns the most messages alive at once and how far the resident memory grew.
async fn flood() -> (usize, u64) {
    let spawned = spawn::<Slow>(()).await.unwrap();
    let alive = Arc::new(Alive::default());
    let before = resident_mib();
    let mut producers = tokio::task::JoinSet::new();
    for _ in 0..PRODUCERS {
        let (address, alive) = (spawned.address.clone(), Arc::clone(&alive));
        producers.spawn(async move {
            let mut peak = 0;
            for n in 0..FLOOD / PRODUCERS {
                address.send(Tracked::new(&alive)).await.unwrap();
                if n % 10_000 == 0 {
                    peak = peak.max(resident_mib());
                }
            }
            peak
        });
    }
    let peak = producers.join_all().await.into_iter().max().unwrap();
    assert_eq!(spawned.ended().await, Exit::Normal);
    (alive.most.load(Ordering::Relaxed), peak.saturating_sub(before))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_messages_to_a_slow_actor_leave_memory_flat() {
    let mut grown = Vec::new();
    // Other tests of this process allocate, too: one quiet attempt proves the bound, which a leak fails every time.
    for _ in 0..5 {
        let (most, growth) = flood().await;
        assert!(most <= Slow::MAILBOX_LIMIT + PRODUCERS, "{most} messages alive at once");
        grown.push(growth);
        if growth <= GROWTH_MIB_MAX {
            return;
        }
    }
    panic!("resident memory grew by {grown:?} MiB");
}

/// Sums what it is sent.
struct Tally(u64);

enum Count {
    Add(u64),
    Nudge,
    Total(Reply<u64>),
}

impl Message for Count {
    fn lane(&self) -> Lane {
        match self {
            Count::Nudge => Lane::Control,
            Count::Add(_) | Count::Total(_) => Lane::Data,
        }
    }
}

impl Server for Tally {
    const NAME: &'static str = "tally";
    const MAILBOX_LIMIT: usize = 3;
    type Message = Count;
    type Arguments = ();

    async fn init((): (), _: &Context<Count>) -> Result<Self, StartError> {
        Ok(Self(0))
    }

    async fn handle(&mut self, count: Count, _: &Context<Count>) -> Result<(), Stop> {
        match count {
            Count::Add(n) => self.0 += n,
            Count::Nudge => tokio::task::yield_now().await,
            Count::Total(reply) => reply.send(self.0),
        }
        Ok(())
    }
}

/// A mailbox of three, eight producers on two threads, and control in between: every message is handled. A lost
/// wake-up would leave one lying, and its sender's successors waiting for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_wake_up_is_lost() {
    let spawned = spawn::<Tally>(()).await.unwrap();
    let mut producers = tokio::task::JoinSet::new();
    for producer in 0..8_u64 {
        let address = spawned.address.clone();
        producers.spawn(async move {
            for n in 0..20_000 {
                address.send(Count::Add(n)).await.unwrap();
                if n % 50 == producer {
                    drop(address.try_send(Count::Nudge));
                }
                if n % 1_000 == 0 {
                    // Lets the actor run dry, so that the next message must ring.
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    let all = tokio::time::timeout(SECOND * 60, producers.join_all()).await;
    assert!(all.is_ok(), "a sender waits for ever: depth {}", spawned.address.depth());
    let total = spawned.address.call(Count::Total, SECOND * 10).await;
    assert_eq!(total, Ok(8 * (0..20_000).sum::<u64>()));
}
