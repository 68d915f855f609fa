//! The promise: a daemon killed with signal 9 while it holds an app, a tool in a container and a build leaves nothing in the engine for
//! long. Its next life removes all of it and nothing of anybody else's, takes its jobs up again, and each ends once.

use std::path::Path;

use proctor::cli::client::Client;
use proctor::protocol::api::{JobAnswer, JobArguments, ScanArguments};
use proctor::protocol::web::AppArguments;
use serde_json::Value;

use crate::cli::Home;
use crate::cli_scan::Served;
use crate::contained_tools::Image;
use crate::docker_world::{BASE, World as EngineWorld, docker, filter_of, shell, until};
use crate::support::rest_of_manifest;

/// A server that answers every request and keeps something in a volume.
const SERVER: &str = r#"
use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 5, ReuseAddr => 1) or die "no port: $!";
while (my $client = $server->accept()) {
  while (my $more = <$client>) { last if $more =~ /^\r?\n$/ }
  print $client "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
  close $client;
}
"#;
/// Jobs under way: an app that is looked at, a tree that a tool in a container reads, an app that is built.
const JOBS: usize = 3;

/// The manifest of a tool for what runs, which never ends.
pub fn watches() -> String {
    let head = r#"
name = "watches"
summary = "looks for ever"
network = true
[version]
pinned = "1"
args = ["--version"]
[applies]
target = "web"
[web]
intrusion = "passive"
[run]
program = "/bin/sleep"
args = ["600"]
cwd = "neutral"
"#;
    format!("{head}{}", rest_of_manifest(600))
}

/// A home whose daemon has such work, and a word that only its build says.
struct Scene {
    home: Home,
    _image: Image,
    word: String,
}

impl Scene {
    fn set() -> Self {
        let home = Home::new();
        let image = Image::build(home.path());
        let word = format!("build-of-{}", image.name.rsplit(['-', ':']).nth(1).unwrap());
        home.write("target/tree/app.py", "x = 1\n");
        let app = |last: &str| format!("FROM {BASE}\nCOPY server.pl /\nEXPOSE 8000\nVOLUME /data\n{last}\n");
        for (name, last) in [
            ("shop", "CMD [\"perl\", \"/server.pl\"]".to_owned()),
            ("slow", format!("RUN : {word}; sleep 600")),
        ] {
            home.write(&format!("target/{name}/server.pl"), SERVER);
            home.write(&format!("target/{name}/Dockerfile"), &app(&last));
        }
        home.write("manifests/watches.toml", &watches());
        home.write("manifests/reads.toml", &image.manifest("hang", 600));
        home.write(
            ".config/proctor/proctor.toml",
            &format!(
                "[daemon]\nmanifests_dir = {:?}\n[gateway]\nlisten = \"127.0.0.1:0\"\n[docker]\npull = \"never\"\n\
                 [apps]\nbuild_network = \"none\"\nimages_kept = 0\nlinger_s = 0\nmemory_mib = 128\n",
                home.path().join("manifests")
            ),
        );
        Self { home, _image: image, word }
    }

    fn path(&self, name: &str) -> Option<String> {
        self.home.path().join("target").join(name).to_str().map(str::to_owned)
    }

    /// Submits all of the jobs.
    async fn submit(&self) -> Vec<String> {
        let app = |name: &str| Some(AppArguments { dockerfile: self.path(name), ..AppArguments::default() });
        let orders = [
            ScanArguments { app: app("shop"), tools: vec!["watches".into()], ..ScanArguments::default() },
            ScanArguments {
                path: self.path("tree"),
                tools: vec!["fake-hang".into()],
                ..ScanArguments::default()
            },
            ScanArguments { app: app("slow"), tools: vec!["watches".into()], ..ScanArguments::default() },
        ];
        let mut client = connect(&self.home).await;
        let mut jobs = Vec::new();
        for order in orders {
            let order = ScanArguments { wait_s: Some(0), deadline_s: Some(500), ..order };
            jobs.push(client.call::<JobAnswer>("scan", &order, |_| {}).await.unwrap().job);
        }
        jobs
    }

    fn data(&self) -> std::path::PathBuf {
        self.home.path().join(".local/state/proctor")
    }

    fn filter(&self) -> String {
        filter_of(&self.data())
    }

    /// Ids of what the daemon has in the engine: containers, those of its builds, networks, images.
    fn left(&self) -> Vec<String> {
        let filter = self.filter();
        let mut all = lines(&["ps", "-aq", "--no-trunc", "--filter", &filter]);
        all.extend(lines(&["network", "ls", "-q", "--no-trunc", "--filter", &filter]));
        all.extend(lines(&["images", "-q", "--no-trunc", "--filter", &filter]));
        all.extend(self.builds());
        all
    }

    /// Volumes of the containers; an image asks for them, and they carry no label.
    fn volumes(&self) -> Vec<String> {
        let format = "{{range .Mounts}}{{if eq .Type \"volume\"}}{{println .Name}}{{end}}{{end}}";
        let containers = lines(&["ps", "-q", "--filter", &self.filter()]);
        let words: Vec<&str> = ["inspect", "--format", format]
            .into_iter()
            .chain(containers.iter().map(String::as_str))
            .collect();
        lines(&words).into_iter().filter(|name| !name.is_empty()).collect()
    }

    fn builds(&self) -> Vec<String> {
        let all = lines(&["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Command}}"]);
        let ours = all.iter().filter(|line| line.contains(&self.word));
        ours.filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
    }

    /// A container of the app, one of the tool, their build's, the app's network.
    async fn until_busy(&self) {
        until("two containers, a network and a build", || {
            let filter = self.filter();
            let running = lines(&["ps", "-q", "--filter", &filter]).len();
            running == 2 && self.builds().len() == 1 && watched(&self.data()) == 1
        })
        .await;
    }
}

fn lines(words: &[&str]) -> Vec<String> {
    docker(words).lines().map(str::to_owned).collect()
}

/// How many tools look at the app.
fn watched(data: &Path) -> usize {
    let runs = format!("HOME={}", data.join("runs").display());
    let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    all.filter(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        line.starts_with(b"/bin/sleep\0")
            && environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(runs.as_bytes()))
    })
    .count()
}

async fn connect(home: &Home) -> Client {
    let data = home.path().join(".local/state/proctor");
    let announced = std::fs::read_to_string(data.join("daemon.json")).unwrap();
    let announced: Value = serde_json::from_str(&announced).unwrap();
    let token = std::fs::read_to_string(data.join("token")).unwrap();
    Client::connect(announced["address"].as_str().unwrap().parse().unwrap(), token.trim()).await.unwrap()
}

async fn status(client: &mut Client, job: &str) -> JobAnswer {
    let arguments = JobArguments { job: job.to_owned(), wait_s: Some(0) };
    client.call("job_status", &arguments, |_| {}).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_with_its_hands_full_leaves_nothing_and_its_jobs_go_on() {
    let others = EngineWorld::boot().await;
    let bystander = others.engine().await.start(&shell("sleep 1000")).await.unwrap();
    let scene = Scene::set();
    let served = Served::start(&scene.home);
    let jobs = scene.submit().await;
    scene.until_busy().await;
    let (before, volumes) = (scene.left(), scene.volumes());
    assert_eq!(volumes.len(), 1);
    served.kill();
    let containers = lines(&["ps", "-q", "--filter", &scene.filter()]);
    assert_eq!(containers.len(), 2, "the dead one could not clear up");

    let served = Served::start(&scene.home);
    until("the removal of what the dead one had", || {
        let mut now = scene.left();
        now.extend(lines(&["volume", "ls", "-q"]));
        !before.iter().chain(&volumes).any(|id| now.contains(id))
    })
    .await;
    scene.until_busy().await;
    let mut client = connect(&scene.home).await;
    for job in &jobs {
        let again = status(&mut client, job).await;
        assert_eq!((again.state.as_str(), again.attempt), ("running", 2), "{again:#?}");
        let arguments = JobArguments { job: job.clone(), wait_s: Some(20) };
        let ended: JobAnswer = client.call("job_cancel", &arguments, |_| {}).await.unwrap();
        assert_eq!((ended.state.as_str(), ended.attempt), ("cancelled", 2), "{ended:#?}");
    }
    assert_eq!(jobs.len(), JOBS);
    until("the removal of all", || scene.left().is_empty()).await;
    drop(client);
    assert_eq!(served.stop(), Some(0));
    assert!(!bystander.state().borrow().is_over(), "another daemon's container lives");
    drop(bystander);
    others.close().await;
}
