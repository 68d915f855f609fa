//! A world of its own for each test: scripted children, the trace of what they did, and how to reach the present ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proctor::actors::mailbox::{Address, Message, Reply, Slot};
use proctor::actors::server::{Context, Server, StartError, Stop};
use proctor::actors::supervise::{
    ChildSpec, Intensity, Restart, Shutdown, Strategy, Supervisor, SupervisorSpec,
};

/// Virtual time after which a condition that was waited for counts as never coming true.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Clone, Default)]
pub struct World {
    trace: Arc<Mutex<Vec<String>>>,
    slots: Arc<Mutex<HashMap<String, Slot<Say>>>>,
    births: Arc<Mutex<HashMap<String, usize>>>,
}

/// What a child's n-th start (from 1) does.
#[derive(Clone, Copy)]
pub enum Init {
    Fine,
    Ignore,
    Permanent,
    Transient,
    Panic,
    /// Takes so long, then is fine.
    Slow(Duration),
}

pub enum Say {
    Ping(Reply<()>),
    End(Stop),
    Panic,
    /// Waits in the handler: deaf to a stop, not to a kill.
    Sleep(Duration),
    /// Blocks its thread in the handler, in real time: deaf to everything.
    Block(Duration),
}

impl Message for Say {}

pub struct Probe {
    name: String,
    world: World,
}

impl World {
    /// A child that always starts: permanent, 1 s to stop.
    pub fn child(&self, name: &str) -> ChildSpec {
        self.scripted(name, |_| Init::Fine)
    }

    pub fn temporary(&self, name: &str) -> ChildSpec {
        self.child(name).restart(Restart::Temporary)
    }

    pub fn transient(&self, name: &str) -> ChildSpec {
        self.child(name).restart(Restart::Transient)
    }

    pub fn scripted(&self, name: &str, script: impl Fn(usize) -> Init + Send + Sync + 'static) -> ChildSpec {
        let (world, script, owned) = (self.clone(), Arc::new(script), name.to_owned());
        let arguments = move || {
            let nth = world.bear(&owned);
            world.note(format!("start {owned}"));
            (owned.clone(), world.clone(), script(nth))
        };
        ChildSpec::server_in::<Probe>(name, &self.slot(name), arguments)
            .shutdown(Shutdown::Stop(Duration::from_secs(1)))
    }

    pub fn slot(&self, name: &str) -> Slot<Say> {
        self.slots.lock().unwrap().entry(name.to_owned()).or_default().clone()
    }

    /// The present life of a child.
    pub fn probe(&self, name: &str) -> Address<Say> {
        self.slot(name).get().unwrap_or_else(|| panic!("{name} does not run"))
    }

    pub fn is_up(&self, name: &str) -> bool {
        self.slot(name).get().is_some()
    }

    /// Says something that ends the child, and waits until that life is over.
    pub async fn end(&self, name: &str, last_word: Say) {
        let probe = self.probe(name);
        probe.try_send(last_word).unwrap();
        probe.closed().await;
    }

    pub async fn crash(&self, name: &str) {
        self.end(name, Say::Panic).await;
    }

    /// Crashes it and waits until it, or its successor, runs again.
    pub async fn crash_and_recover(&self, name: &str) {
        let births = self.births(name);
        self.crash(name).await;
        until(|| self.births(name) > births && self.is_up(name)).await;
    }

    /// Starts, failed ones included, since the world began.
    pub fn births(&self, name: &str) -> usize {
        self.births.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    fn bear(&self, name: &str) -> usize {
        let mut births = self.births.lock().unwrap();
        let nth = births.entry(name.to_owned()).or_default();
        *nth += 1;
        *nth
    }

    /// How often something happened since it was last told.
    pub fn count(&self, word: &str) -> usize {
        self.trace.lock().unwrap().iter().filter(|line| *line == word).count()
    }

    pub fn note(&self, line: String) {
        self.trace.lock().unwrap().push(line);
    }

    /// What happened so far; forgotten after it was told.
    pub fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.trace.lock().unwrap())
    }
}

impl Server for Probe {
    const NAME: &'static str = "probe";
    const MAILBOX_LIMIT: usize = 16;
    type Message = Say;
    type Arguments = (String, World, Init);

    async fn init((name, world, init): Self::Arguments, _: &Context<Say>) -> Result<Self, StartError> {
        match init {
            Init::Fine => {}
            Init::Slow(time) => tokio::time::sleep(time).await,
            Init::Ignore => return Err(StartError::Ignore),
            Init::Permanent => return Err(StartError::Permanent("no such binary".to_owned())),
            Init::Transient => return Err(StartError::Transient("port is taken".to_owned())),
            Init::Panic => panic!("init of {name}"),
        }
        world.note(format!("up {name}"));
        Ok(Self { name, world })
    }

    async fn handle(&mut self, say: Say, _: &Context<Say>) -> Result<(), Stop> {
        match say {
            Say::Ping(reply) => reply.send(()),
            Say::End(stop) => return Err(stop),
            Say::Panic => panic!("{} was told to", self.name),
            Say::Sleep(time) => tokio::time::sleep(time).await,
            Say::Block(time) => {
                self.world.note(format!("blocked {}", self.name));
                let began = Instant::now();
                while let Some(left) = time.checked_sub(began.elapsed()) {
                    std::thread::park_timeout(left);
                }
            }
        }
        Ok(())
    }

    async fn terminate(&mut self, _: &Context<Say>) {
        self.world.note(format!("terminate {}", self.name));
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.world.note(format!("down {}", self.name));
    }
}

/// OTP's `{ok, {{Strategy, 2, 3600}, Children}}`, booted.
pub async fn supervisor(strategy: Strategy, children: Vec<ChildSpec>) -> Supervisor {
    supervisor_within(2, strategy, children).await
}

pub async fn supervisor_within(restarts: u32, strategy: Strategy, children: Vec<ChildSpec>) -> Supervisor {
    let supervisor = Supervisor::start(table(restarts, strategy, children)).await.unwrap();
    supervisor.booted().await.unwrap();
    supervisor
}

pub fn table(restarts: u32, strategy: Strategy, children: Vec<ChildSpec>) -> SupervisorSpec {
    let intensity = Intensity { restarts, period: Duration::from_secs(3600) };
    let empty = SupervisorSpec::new("sup_test", strategy).intensity(intensity);
    children.into_iter().fold(empty, SupervisorSpec::child)
}

pub const DYNAMIC: Strategy = Strategy::Dynamic { cap: 100_000 };

/// `which_children`, as `name: state`.
pub fn children(supervisor: &Supervisor) -> Vec<String> {
    let word =
        |child: proctor::actors::supervise::ChildView| format!("{}: {}", child.id, child.status.word());
    supervisor.which_children().into_iter().map(word).collect()
}

/// `count_children`, in OTP's order: specs, active, supervisors, workers.
pub fn counts(supervisor: &Supervisor) -> [usize; 4] {
    let counts = supervisor.count_children();
    [counts.specs, counts.active, counts.supervisors, counts.workers]
}

/// Waits for a condition in virtual time.
pub async fn until(condition: impl Fn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    waited.await.expect("the condition never came true");
}

/// Lets everything that is due happen: time passes only when nobody has anything to do.
pub async fn calm() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// What this thread has computed so far: with paused time all actors of a test run on it, and it does not matter who
/// else keeps the machine busy.
pub fn cpu_time() -> Duration {
    use nix::sys::resource::{UsageWho, getrusage};
    let used = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    let micros = |time: nix::sys::time::TimeVal| time.tv_sec() as u64 * 1_000_000 + time.tv_usec() as u64;
    Duration::from_micros(micros(used.user_time()) + micros(used.system_time()))
}
