//! The promise: a tool that brings a container image ends as one of this machine would: same outcomes, limits and cancel, and
//! nothing of it is left in the engine.

use std::path::Path;

use proctor::config::Pull;
use proctor::domain::container::labels;

use crate::docker_world::{BASE, docker, left_of, soon, until};
use crate::whole::{World, fake, fake_manifest};

/// The mode of the fake tool, seconds it may take, and how its run must end.
const ENDS: &[(&str, u32, &str)] = &[
    ("report 2", 60, "findings"),
    ("hang", 3, "timed_out"),
    ("ignore-term", 3, "timed_out"),
    ("flood", 60, "output_flood"),
    ("garbage", 60, "unreadable_report"),
    ("fail 77", 60, "unexpected_exit"),
    ("die SEGV", 60, "signalled"),
    ("fill", 60, "disk_limit"),
];

/// An image with the fake tool in it; gone with the test.
pub struct Image {
    pub name: String,
}

impl Image {
    pub fn build(folder: &Path) -> Self {
        let mut bytes = [0; 6];
        getrandom::fill(&mut bytes).unwrap();
        let name = format!(
            "proctor-test/fake-{:012x}:1",
            u64::from_be_bytes([0, 0, bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]])
        );
        let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bin/fake-tool");
        std::fs::copy(tool, folder.join("fake-tool")).unwrap();
        let dockerfile = format!(
            "FROM {BASE}\nCOPY --chown=0:0 fake-tool /opt/fake-tool\nUSER 65534\nVOLUME /data\nENTRYPOINT [\"/bin/false\"]\n"
        );
        std::fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
        docker(&["build", "--quiet", "--tag", &name, folder.to_str().unwrap()]);
        Self { name }
    }

    pub fn manifest(&self, mode: &str, wall_s: u32) -> String {
        let here = fake_manifest(mode, wall_s);
        let program = here.lines().find(|line| line.starts_with("program = ")).unwrap();
        here.replace(program, &format!("program = \"/opt/fake-tool\"\nimage = \"{}\"", self.name))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        docker(&["rmi", "--force", &self.name]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_in_an_image_ends_as_one_of_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let image = Image::build(folder.path());
    let mut manifests: Vec<String> =
        ENDS.iter().map(|(mode, wall_s, _)| image.manifest(mode, *wall_s)).collect();
    manifests.push(image.manifest("nowhere", 60).replace(&image.name, "proctor-test/nowhere:1"));
    let world = World::with(&manifests, |config| {
        config.docker.pull = Pull::Never;
        config.docker.disk_mib = 8;
    })
    .await;
    let target = world.target("app", &[("app.py", "x = 1\n")]);
    let names: Vec<String> = ENDS.iter().map(|(mode, ..)| fake(mode)).chain([fake("nowhere")]).collect();
    let tools: Vec<&str> = names.iter().map(String::as_str).collect();
    let job = world.scan(&target, &tools).await;
    let ends = ENDS.iter().map(|(mode, _, end)| (*mode, *end)).chain([("nowhere", "image_missing")]);
    for (mode, end) in ends {
        let run = job.runs.iter().find(|run| run.tool == fake(mode)).unwrap();
        match &run.failure {
            None => assert_eq!((run.state.as_str(), run.findings), (end, 2), "{mode}: {run:#?}"),
            Some(failure) => assert_eq!(failure.reason, end, "{mode}: {run:#?}"),
        }
    }
    assert_eq!(left_of(&world.config.daemon.data_dir), Vec::<String>::new(), "left in the engine");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_ends_the_container_of_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let image = Image::build(folder.path());
    let manifest = image.manifest("ignore-term", 300).replace("network = false", "network = true");
    let world = World::with(&[manifest], |config| config.docker.pull = Pull::Never).await;
    let target = world.target("app", &[("app.py", "x = 1\n")]);
    let mut client = world.client().await;
    let job = world.submit(&mut client, &target, &[&fake("ignore-term")]).await;
    until("the container", || left_of(&world.config.daemon.data_dir).len() == 2).await;
    for objects in [&["ps", "-aq"][..], &["network", "ls", "-q"]] {
        let of_the_job = format!("label={}={job}", labels::JOB);
        let words = [objects, &["--filter", &of_the_job, "--filter", &format!("label={}", labels::RUN)]];
        assert_eq!(docker(&words.concat()).lines().count(), 1, "{objects:?} say whose they are");
    }
    world.cancel(&mut client, &job).await;
    let ended = soon("the end", world.end_of(&mut client, &job)).await;
    assert_eq!(ended.state, "cancelled", "{ended:#?}");
    assert_eq!(left_of(&world.config.daemon.data_dir), Vec::<String>::new(), "left in the engine");
    world.end().await;
}
