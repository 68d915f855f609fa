//! What the tests of ZAP share: the real ZAP of `tests/images`, behind the actors that the daemon has, and small targets. Each
//! world is a daemon of its own; what it leaves in the engine fails its test.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use proctor::actors::breakers::{Breakers, BreakersArguments, BreakersServer};
use proctor::actors::docker::image::Pull;
use proctor::actors::docker::{Container, Network};
use proctor::actors::egress::Site;
use proctor::actors::journal::Journal;
use proctor::actors::supervise::{ChildSpec, Strategy, Supervisor, SupervisorSpec};
use proctor::actors::zap::{Settings, Zap, ZapArguments, ZapOrder, ZapServer};
use proctor::domain::breaker::Rules;
use proctor::domain::container::{
    Attachment, ContainerLimits, ContainerSpec, FileIn, NetworkSpec, Owner, Purpose, Reach,
};
use proctor::domain::finding::Finding;
use proctor::domain::ids::ToolName;
use proctor::domain::outcome::FailureReason;
use proctor::domain::scope::Authority;
use proctor::domain::target::{Phase, WebPlan};
use proctor::domain::verdict::{WebEnding, WebEvidence};
use proctor::domain::zap::phases::{Limits, Progress, Stage};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::docker_world::{self, PATIENCE, docker};

pub const IMAGE: &str = "proctor-test/zap:2.17.0";
const SHOP: &str = "proctor-test/shop:latest";
const TARGET_PORT: u16 = 5000;
/// A ZAP starts in 3 s on a quiet machine, and in more than 90 s on one with ten builds beside it.
const START: Duration = Duration::from_secs(240);
/// A scan of a small page takes seconds; a machine that does much else takes its time.
const SCAN: Duration = Duration::from_secs(600);

/// Waits for what needs a ZAP to start.
pub async fn patiently<T>(what: &str, wait: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(START, wait).await;
    waited.unwrap_or_else(|_| panic!("{what} did not come within {START:?}"))
}

/// Waits until `holds` does, where that needs a ZAP to start.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    patiently(what, waiting).await;
}

/// Settings of a ZAP that is quick to lose patience.
pub fn settings(options: &[&str]) -> Settings {
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    Settings {
        image: IMAGE.parse().unwrap(),
        pull: Pull::Never,
        memory_bytes: 1 << 30,
        cpu_milli: 2000,
        disk_bytes: 1 << 30,
        at_once: 2,
        warm: 0,
        ready: START,
        limits: Limits { spider: minutes(2), passive: minutes(1), active: minutes(2) },
        stuck: Duration::from_secs(6),
        rule_minutes: 2,
        strength: "MEDIUM",
        options: options.iter().map(|option| (*option).to_owned()).collect(),
    }
}

/// The actors of a daemon that a scan needs.
pub struct World {
    pub base: docker_world::World,
    pub zap: Zap,
    pub breakers: Breakers,
    services: Supervisor,
}

impl World {
    /// With a ZAP of these `-config` settings.
    pub async fn boot(options: &[&str]) -> Self {
        Self::of(settings(options)).await
    }

    pub async fn of(settings: Settings) -> Self {
        let minute = Duration::from_secs(60);
        Self::with_breaker(settings, Rules { failures_max: 3, reset: minute, reset_max: minute }).await
    }

    pub async fn with_breaker(settings: Settings, rules: Rules) -> Self {
        Self::on(docker_world::World::boot().await, settings, rules).await
    }

    /// With a ZAP that is ready and nobody's.
    pub async fn with_a_spare() -> Self {
        let mut settings = settings(&[]);
        settings.warm = 1;
        let world = Self::of(settings).await;
        patiently("a spare", world.zap.spares().wait_for(|spares| *spares == 1)).await.unwrap();
        world
    }

    pub async fn on(base: docker_world::World, settings: Settings, rules: Rules) -> Self {
        let breakers = Breakers::default();
        let held = BreakersArguments { rules, door: breakers.clone(), journal: Journal::default() };
        let zap = Zap::new(settings, base.docker.clone(), breakers.clone());
        let arguments = ZapArguments { door: zap.clone(), docker: base.docker.clone() };
        let spec = SupervisorSpec::new("services", Strategy::OneForOne)
            .child(ChildSpec::server_in::<BreakersServer>("breakers", breakers.slot(), move || held.clone()))
            .child(ChildSpec::server_in::<ZapServer>("zap", zap.slot(), move || arguments.clone()));
        let services = Supervisor::start(spec).await.unwrap();
        Self { base, zap, breakers, services }
    }

    /// A page with one hole of each kind: `tests/images/page.py`.
    pub async fn page(&self, name: &str) -> Target {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/images/page.py");
        let file = FileIn {
            path: "/tmp/page.py".to_owned(),
            mode: 0o644,
            owner: (0, 0),
            content: std::fs::read(page).unwrap(),
        };
        let command = ["python3", "/tmp/page.py"].map(str::to_owned).to_vec();
        self.target(name, |spec| ContainerSpec { command: Some(command), files: vec![file], ..spec }).await
    }

    /// examples/shop.
    pub async fn shop(&self) -> Target {
        self.target("shop", |spec| spec).await
    }

    async fn target(&self, name: &str, with: impl FnOnce(ContainerSpec) -> ContainerSpec) -> Target {
        let engine = self.base.wait_ready().await;
        let owner = Owner::default();
        let spec = NetworkSpec { word: name.to_owned(), owner, reach: Reach::Internal };
        let network = engine.network(&spec).await.unwrap();
        let limits = ContainerLimits { memory_bytes: 512 << 20, cpu_milli: 1000, pids: 256 };
        let mut spec = with(ContainerSpec::new(name, Purpose::App, SHOP.parse().unwrap(), limits));
        spec.network = Some(Attachment { network: network.name().to_owned(), aliases: Vec::new() });
        let container =
            engine.start(&spec).await.unwrap_or_else(|error| panic!("{error} (run ./tests/images/all)"));
        let address = SocketAddr::new(container.address().unwrap(), TARGET_PORT);
        let authority = Authority::new(&format!("{name}.app.internal"), TARGET_PORT).unwrap();
        let target = Target { authority, address, container, network };
        target.site(WebPlan::default()).probe().await.unwrap();
        target
    }

    pub fn order(&self, site: Site) -> ZapOrder {
        ZapOrder {
            site,
            tool: ToolName("zap".to_owned()),
            owner: Owner::default(),
            deadline: Instant::now() + SCAN,
            cancel: CancellationToken::new(),
            progress: watch::Sender::new(None),
        }
    }

    pub async fn scan(&self, target: &Target, phase: Phase) -> WebEvidence {
        let order = self.order(target.site(WebPlan { phase, ..WebPlan::default() }));
        tokio::time::timeout(SCAN * 2, self.zap.scan(order)).await.expect("a scan is over with its deadline")
    }

    /// A scan that goes on while the test does something to it.
    pub fn begin(&self, target: &Target, phase: Phase) -> Scan {
        let order = self.order(target.site(WebPlan { phase, ..WebPlan::default() }));
        let (zap, progress, cancel) = (self.zap.clone(), order.progress.subscribe(), order.cancel.clone());
        #[expect(clippy::disallowed_methods, reason = "a test is at the root of its own tree")]
        let ended = tokio::task::spawn(async move { zap.scan(order).await });
        Scan { progress, cancel, ended }
    }

    /// The id of the only ZAP there is.
    pub fn the_zap(&self) -> String {
        let ids = self.zaps();
        assert_eq!(ids.len(), 1, "{ids:?}");
        ids[0].clone()
    }

    /// Waits for the ZAP that follows this one; its id.
    pub async fn next_zap(&self, before: &str) -> String {
        until("another ZAP", || self.zaps().iter().any(|id| id != before)).await;
        self.zaps().into_iter().find(|id| id != before).unwrap()
    }

    pub fn zaps(&self) -> Vec<String> {
        let filter = format!("label=proctor.daemon={}", self.base.identity.daemon);
        let ids = docker(&["ps", "--quiet", "--filter", &filter, "--filter", &format!("ancestor={IMAGE}")]);
        ids.lines().map(str::to_owned).collect()
    }

    /// Ends in good order; nothing may be left then.
    pub async fn close(self) {
        self.services.shutdown(PATIENCE).await;
        self.base.close().await;
    }
}

/// Something that is scanned.
pub struct Target {
    pub authority: Authority,
    pub address: SocketAddr,
    pub container: Container,
    network: Network,
}

impl Target {
    pub fn site(&self, plan: WebPlan) -> Site {
        Site::of_app(self.authority.clone(), self.address, plan).unwrap()
    }

    pub fn network_name(&self) -> String {
        self.network.name().to_owned()
    }

    pub async fn remove(self) {
        self.container.remove().await.unwrap();
        self.network.remove().await.unwrap();
    }
}

/// A scan under way.
pub struct Scan {
    progress: watch::Receiver<Option<Progress>>,
    pub cancel: CancellationToken,
    ended: JoinHandle<WebEvidence>,
}

impl Scan {
    /// Waits until it has come to this stage, or past it.
    pub async fn comes_to(&mut self, stage: Stage) {
        let there =
            self.progress.wait_for(|progress| progress.is_some_and(|progress| progress.stage >= stage));
        patiently(stage.word(), there).await.unwrap();
    }

    /// The same, once more: it has begun anew.
    pub async fn comes_back_to(&mut self, stage: Stage) {
        let anew = self.progress.wait_for(|progress| progress.is_some_and(|progress| progress.stage < stage));
        patiently("a new beginning", anew).await.unwrap();
        self.comes_to(stage).await;
    }

    pub async fn ends(self) -> WebEvidence {
        tokio::time::timeout(SCAN * 2, self.ended).await.expect("a scan is over with its deadline").unwrap()
    }
}

/// One call to the ZAP at this address, in a few lines that share nothing with the client.
pub fn ask_by_hand(address: &str, key: &str, path: &str) -> Option<serde_json::Value> {
    let mut stream = TcpStream::connect((address, 8080)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!("GET /JSON/{path} HTTP/1.0\r\nHost: zap\r\nX-ZAP-API-Key: {key}\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
}

/// Where a container is on its one network.
pub fn address_of(container: &str) -> String {
    docker(&["inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container])
}

/// `(rule, path and query names, parameter)` of each finding, in order.
pub fn places(evidence: &WebEvidence) -> Vec<(String, String, String)> {
    let place = |finding: &Finding| {
        let url = url::Url::parse(&finding.location.path).unwrap();
        let param = finding.web.as_ref().and_then(|web| web.param.clone()).unwrap_or_default();
        (finding.rule.clone(), url.path().to_owned(), param)
    };
    let mut places: Vec<_> = evidence.findings.iter().map(place).collect();
    places.sort();
    places
}

pub fn reason(evidence: &WebEvidence) -> FailureReason {
    match &evidence.ending {
        WebEnding::Failed { reason, .. } => *reason,
        other => panic!("{other:?}, {:?}, {:?}", evidence.degraded, places(evidence)),
    }
}

pub fn finished(evidence: &WebEvidence) {
    assert_eq!(evidence.ending, WebEnding::Finished, "{:?}", evidence.degraded);
}

/// Whether something of this kind is in what is said of a scan.
pub fn says(evidence: &WebEvidence, word: &str) -> bool {
    evidence.degraded.iter().any(|said| said.starts_with(word))
}
