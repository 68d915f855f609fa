//! The promise: an app under test is up while somebody holds a lease, whatever becomes of it is known at once and by its
//! cause, and nothing of it is left after the last lease.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proctor::actors::apps::{
    AppError, AppLease, AppState, Apps, AppsArguments, AppsServer, RunningApps, Workshop,
};
use proctor::actors::egress::{Ask, Fetcher, Limits, Tls};
use proctor::actors::supervise::{ChildSpec, Strategy, Supervisor, SupervisorSpec};
use proctor::config::{BuildNetwork, Config, Pull};
use proctor::domain::app::PlanError;
use proctor::domain::outcome::FailureReason;
use proctor::domain::scope::Place;
use proctor::domain::target::{AppSource, AppSpec};
use rustls::RootCertStore;

use super::docker_world::{BASE, PATIENCE, World as EngineWorld, docker, fixture, soon, until};

/// A server in shell and perl, which the base image has: answers each path with what the script says.
const SERVER: &str = r#"
use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 5, ReuseAddr => 1) or die "no port: $!";
print STDERR "listening\n";
while (my $client = $server->accept()) {
  my $line = <$client> // "";
  my ($path) = $line =~ /^GET (\S+)/;
  while (my $more = <$client>) { last if $more =~ /^\r?\n$/ }
  my $status = $path eq "/sick" ? "503 Sick" : "200 OK";
  print $client "HTTP/1.1 $status\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
  close $client;
  exit 3 if $path eq "/die";
}
"#;

struct World {
    engine: EngineWorld,
    apps: Apps,
    supervisor: Supervisor,
}

impl World {
    async fn boot() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let engine = EngineWorld::boot().await;
        let mut config = Config::with_data_dir(Path::new("/nonexistent")).unwrap();
        config.docker.pull = Pull::Never;
        config.apps.build_network = BuildNetwork::None;
        config.apps.memory_mib = 128;
        config.apps.linger = Duration::ZERO;
        config.apps.images_kept = 0;
        config.apps.start = Duration::from_secs(60);
        change(&mut config);
        let workshop = Workshop {
            docker: engine.docker.clone(),
            roots: vec![engine.folder.path().canonicalize().unwrap()],
            apps: config.apps,
            images: config.docker.clone(),
            making: Arc::default(),
        };
        let (apps, running) = (Apps::default(), RunningApps::default());
        let arguments = AppsArguments { workshop, running: running.clone() };
        let manager = ChildSpec::server_in::<AppsServer>("leases", apps.slot(), move || arguments.clone());
        let spec = SupervisorSpec::new("apps", Strategy::OneForAll)
            .child(running.row(config.apps.running_max))
            .child(manager);
        let supervisor = Supervisor::start(spec).await.unwrap();
        supervisor.booted().await.unwrap();
        Self { engine, apps, supervisor }
    }

    /// A directory with a Dockerfile that runs the server; `last` is its last line.
    fn directory(&self, name: &str, last: &str) -> AppSpec {
        fixture(&self.engine, &format!("{name}/server.pl"), SERVER);
        let dockerfile = format!("FROM {BASE}\nCOPY server.pl /server.pl\nEXPOSE 8000\n{last}\n");
        let file = fixture(&self.engine, &format!("{name}/Dockerfile"), &dockerfile);
        let directory = file.parent().unwrap().display().to_string();
        AppSpec { source: AppSource::Dockerfile { directory }, port: None, health: None }
    }

    fn server(&self, name: &str) -> AppSpec {
        self.directory(name, r#"CMD ["perl", "/server.pl"]"#)
    }

    fn compose(&self, name: &str, text: &str) -> AppSpec {
        let file = fixture(&self.engine, &format!("{name}/compose.yml"), text).display().to_string();
        AppSpec { source: AppSource::Compose { file, service: None }, port: None, health: None }
    }

    async fn lease(&self, spec: &AppSpec) -> Result<AppLease, AppError> {
        soon("the app", self.apps.lease(spec, &|_| {})).await
    }

    /// Ends in good order; nothing may be left, images of ours included.
    async fn close(self) {
        for view in self.apps.list().await.unwrap() {
            self.apps.stop(&view.spec).await.unwrap();
        }
        until("the removal", || self.engine.left().is_empty()).await;
        until("the removal of images", || self.images().is_empty()).await;
        self.supervisor.shutdown(PATIENCE).await;
        self.engine.close().await;
    }

    /// How many names images have that were built here.
    fn names(&self) -> usize {
        let filter = format!("label=proctor.daemon={}", self.engine.identity.daemon);
        docker(&["images", "--filter", &filter, "--format", "{{.Repository}}"]).lines().count()
    }

    /// Images that were built here.
    fn images(&self) -> Vec<String> {
        let filter = format!("label=proctor.daemon={}", self.engine.identity.daemon);
        docker(&["images", "-q", "--filter", &filter]).lines().map(str::to_owned).collect()
    }
}

async fn get(lease: &AppLease, path: &str) -> Result<String, String> {
    let tls = Tls::trusting(Arc::new(RootCertStore::empty()));
    let fetcher = Fetcher::new(Arc::new(lease.scope()), tls, Limits::default());
    let place = Place::parse(&format!("{}{}", lease.url(), path.trim_start_matches('/'))).unwrap();
    fetcher
        .fetch(Ask::get(place))
        .await
        .map(|page| page.text().into_owned())
        .map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_built_started_shared_and_removed_after_the_last_lease() {
    let world = World::boot().await;
    let spec = world.server("My Shop");
    let steps = Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = Arc::clone(&steps);
    let progress = move |step: &str| told.lock().unwrap().push(step.to_owned());
    let first = soon("the app", world.apps.lease(&spec, &progress)).await.unwrap();
    assert_eq!(first.url(), "http://my-shop.app.internal:8000/");
    assert_eq!(get(&first, "/").await.as_deref(), Ok("hello"));
    assert!(!steps.lock().unwrap().is_empty());
    let second = world.lease(&spec).await.unwrap();
    assert_eq!((second.address(), world.apps.list().await.unwrap().len()), (first.address(), 1));
    assert_eq!(world.apps.list().await.unwrap()[0].leases, 2);
    assert!(first.log_tail().await.contains("listening"));

    drop(first);
    assert_eq!(get(&second, "/").await.as_deref(), Ok("hello"), "the second lease keeps it up");
    assert_eq!(world.engine.left().len(), 2, "a container and its network");
    drop(second);
    until("the removal", || world.engine.left().is_empty()).await;
    assert!(world.apps.list().await.unwrap().is_empty());
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_the_start_is_known_at_once_with_its_last_words() {
    let world = World::boot().await;
    let spec = world.directory("crash", r#"CMD ["sh", "-c", "echo last words; exit 7"]"#);
    let began = Instant::now();
    match world.lease(&spec).await {
        Err(AppError::Died { service, exit, tail }) => {
            assert_eq!((service.as_str(), exit.code), ("app", 7));
            assert!(tail.contains("last words"), "{tail:?}");
        }
        other => panic!("{other:?}"),
    }
    assert!(began.elapsed() < Duration::from_secs(40), "not only when the time for the start was over");
    until("the removal", || world.engine.left().is_empty()).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_never_answers_fails_in_its_time_and_says_what_was_last() {
    let world = World::with(|config| config.apps.start = Duration::from_secs(6)).await;
    let deaf = world.directory("deaf", r#"CMD ["sleep", "1000"]"#);
    match world.lease(&deaf).await {
        Err(error @ AppError::NotReady { .. }) => assert_eq!(error.reason(), FailureReason::AppFailed),
        other => panic!("{other:?}"),
    }
    let sick = AppSpec { health: Some("/sick".into()), ..world.server("sick") };
    match world.lease(&sick).await {
        Err(AppError::NotReady { last, tail, .. }) => {
            assert!(last.contains("503") && tail.contains("listening"), "{last} {tail}");
        }
        other => panic!("{other:?}"),
    }
    let unwell =
        "HEALTHCHECK --interval=500ms --timeout=2s --retries=1 CMD false\nCMD [\"perl\", \"/server.pl\"]";
    match world.lease(&world.directory("unwell", unwell)).await {
        Err(AppError::Unhealthy { .. } | AppError::NotReady { .. }) => {}
        other => panic!("{other:?}"),
    }
    until("the removal", || world.engine.left().is_empty()).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_dies_under_a_lease_says_so_and_the_next_lease_gets_a_new_one() {
    let world = World::boot().await;
    let spec = world.server("mortal");
    let lease = world.lease(&spec).await.unwrap();
    assert_eq!(lease.lost(), None);
    get(&lease, "/die").await.unwrap();
    match soon("its end", lease.ended()).await {
        lost @ AppError::Lost { .. } => {
            assert_eq!(lost.reason(), FailureReason::TargetLost);
            assert!(lost.to_string().contains("ended with 3") && lost.log_tail().contains("listening"));
            assert_eq!(lease.lost(), Some(lost));
        }
        other => panic!("{other:?}"),
    }
    let next = world.lease(&spec).await.unwrap();
    assert_eq!(get(&next, "/").await.as_deref(), Ok("hello"));
    assert_eq!(next.authority(), lease.authority(), "it is called the same in each life");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_any_more_is_not_made() {
    let world = World::boot().await;
    let spec = world.directory("slow", r#"CMD ["sleep", "1000"]"#);
    let given_up = tokio::time::timeout(Duration::from_secs(8), world.apps.lease(&spec, &|_| {})).await;
    assert!(given_up.is_err(), "it never comes up");
    until("the removal", || world.engine.left().is_empty()).await;
    assert!(world.apps.list().await.unwrap().is_empty());
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compose_file_runs_as_one_app_on_one_network() {
    let world = World::boot().await;
    world.server("stack/web");
    let text = format!(
        "services:\n  web:\n    build: web\n    command: sh -c 'cat /work/word && getent hosts db && exec perl /server.pl'\n    \
         volumes: ['./shared:/work:ro']\n    depends_on:\n      db: {{condition: service_healthy}}\n      \
         job: {{condition: service_completed_successfully}}\n    ports: ['80:8000']\n  db:\n    image: {BASE}\n    \
         command: sh -c 'sleep 1; touch /tmp/ready; exec sleep 1000'\n    \
         healthcheck: {{test: [CMD, test, -f, /tmp/ready], interval: 500ms, retries: 60}}\n  \
         job:\n    image: {BASE}\n    command: 'true'\n"
    );
    fixture(&world.engine, "stack/shared/word", "from outside\n");
    let lease = world.lease(&world.compose("stack", &text)).await.unwrap();
    assert_eq!(lease.url(), "http://stack.app.internal:8000/");
    assert_eq!(get(&lease, "/").await.as_deref(), Ok("hello"));
    let log = lease.log_tail().await;
    assert!(log.contains("from outside") && log.contains("== db") && log.contains(" db"), "{log}");
    assert_eq!(world.engine.left().len(), 4, "three containers, one network");
    drop(lease);
    until("the removal", || world.engine.left().is_empty()).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compose_file_that_reaches_for_the_machine_is_refused_and_nothing_is_started() {
    let world = World::boot().await;
    let service = |rest: &str| format!("services:\n  web:\n    image: {BASE}\n    ports: [80]\n    {rest}\n");
    let refused = [
        "privileged: true",
        "network_mode: host",
        "pid: host",
        "devices: [/dev/kvm]",
        "cap_add: [SYS_ADMIN]",
        "volumes: ['/var/run/docker.sock:/var/run/docker.sock']",
        "volumes: ['.:/app']",
    ];
    for (number, rest) in refused.into_iter().enumerate() {
        let spec = world.compose(&format!("refused{number}"), &service(rest));
        match world.lease(&spec).await {
            Err(error @ AppError::Refused { .. }) => {
                assert_eq!(error.reason(), FailureReason::AppFailed, "{rest}")
            }
            other => panic!("{rest}: {other:?}"),
        }
    }
    for rest in ["volumes: ['/etc:/host:ro']", "volumes: ['../../:/up:ro']", "env_file: /etc/hostname"] {
        let spec = world.compose("outside", &service(rest));
        assert!(matches!(world.lease(&spec).await, Err(AppError::Source { .. })), "{rest}");
    }
    let odd = world.compose("odd", &service("secrets: [a]"));
    assert!(matches!(world.lease(&odd).await, Err(AppError::Plan(PlanError::Service { .. }))));
    until("the removal", || world.engine.left().is_empty()).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_fails_shows_its_last_lines() {
    let world = World::boot().await;
    let spec = world.directory("broken", "RUN echo so far && false");
    match world.lease(&spec).await {
        Err(AppError::Build { tail, .. }) => assert!(tail.contains("so far"), "{tail}"),
        other => panic!("{other:?}"),
    }
    let modern = world.directory("modern", "RUN --mount=type=cache,target=/cache true");
    match world.lease(&modern).await {
        Err(AppError::Build { why, .. }) => {
            assert!(
                why.contains("line 4 of Dockerfile has `RUN --mount`") && why.contains("docker build -t"),
                "{why}"
            );
        }
        other => panic!("{other:?}"),
    }
    let missing = AppSpec {
        source: AppSource::Image { image: "127.0.0.1:1/nothing:1".into() },
        port: Some(80),
        health: None,
    };
    let error = world.lease(&missing).await.unwrap_err();
    assert_eq!(error.reason(), FailureReason::ImageMissing, "{error}");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_have_a_bound_and_can_be_stopped_whoever_holds_them() {
    let world = World::with(|config| config.apps.running_max = 1).await;
    let spec = world.server("one");
    let lease = world.lease(&spec).await.unwrap();
    assert!(matches!(world.lease(&world.server("two")).await, Err(AppError::Full { limit: 1 })));
    assert!(matches!(world.apps.list().await.unwrap()[0].state, AppState::Up(_)));
    assert_eq!(world.apps.stop(&spec).await, Ok(true));
    assert_eq!(soon("its end", lease.ended()).await, AppError::Stopped);
    until("the removal", || world.engine.left().is_empty()).await;
    assert_eq!(world.apps.stop(&spec).await, Ok(false));
    let again = world.lease(&world.server("two")).await.unwrap();
    assert_eq!(get(&again, "/").await.as_deref(), Ok("hello"));
    drop((lease, again));
    world.close().await;
}

/// An image that two apps share has two names, and goes with the last of them.
#[tokio::test(flavor = "multi_thread")]
async fn apps_of_the_same_content_leave_no_image() {
    let world = World::boot().await;
    let one = world.lease(&world.server("one")).await.unwrap();
    let two = world.lease(&world.server("two")).await.unwrap();
    assert_eq!(world.names(), 2);
    drop((one, two));
    world.close().await;
}

/// Edited while it lingers, while it is kept up, while somebody looks at it: who wants it next gets what is there now.
#[tokio::test(flavor = "multi_thread")]
async fn an_edited_app_is_another() {
    let world = World::with(|config| config.apps.linger = Duration::from_secs(600)).await;
    let spec = world.server("shop");
    let edit = |answer: &str| fixture(&world.engine, "shop/server.pl", &SERVER.replace("hello", answer));
    let of = async || get(&world.lease(&spec).await.unwrap(), "/").await.unwrap();
    assert_eq!((of().await.as_str(), of().await.as_str()), ("hello", "hello"));
    assert_eq!(world.apps.list().await.unwrap().len(), 1, "it lingers, and is used again");

    edit("world");
    assert_eq!(of().await, "world");
    assert_eq!(world.apps.list().await.unwrap().len(), 1, "what nobody needs any more is ended");

    world.apps.keep(&spec).await.unwrap();
    edit("today");
    assert_eq!(of().await, "today");
    assert_eq!(world.apps.list().await.unwrap()[0].leases, 1, "what was kept up is kept up as it is now");

    let held = world.lease(&spec).await.unwrap();
    edit("later");
    let other = world.lease(&spec).await.unwrap();
    assert_eq!(
        (get(&held, "/").await.as_deref(), get(&other, "/").await.as_deref()),
        (Ok("today"), Ok("later"))
    );
    drop((held, other));
    assert_eq!(world.apps.stop(&spec).await, Ok(true));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_again_for_an_app_to_be_kept_gets_all_of_the_time() {
    let world = World::with(|config| config.apps.keep = Duration::from_secs(3)).await;
    let spec = world.server("shop");
    world.apps.keep(&spec).await.unwrap();
    let lease = world.lease(&spec).await.unwrap();
    let leases = async || world.apps.list().await.unwrap().iter().map(|app| app.leases).sum::<usize>();
    while leases().await > 1 {
        tokio::task::yield_now().await;
    }
    world.apps.keep(&spec).await.unwrap();
    assert_eq!(leases().await, 2);
    drop(lease);
    assert_eq!(get(&world.lease(&spec).await.unwrap(), "/").await.as_deref(), Ok("hello"));
    until("the removal", || world.engine.left().is_empty()).await;
    world.close().await;
}
