//! The promise: an app that fills the disk of the machine is ended, and every run that needed it says why.

use proctor::config::{BuildNetwork, Pull};
use proctor::protocol::api::{JobAnswer, ScanArguments};
use proctor::protocol::web::AppArguments;

use crate::docker_killed::watches;
use crate::docker_world::{BASE, soon};
use crate::whole::World;

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_fills_the_disk_is_ended_and_says_so() {
    let world = World::with(&[watches()], |config| {
        config.docker.pull = Pull::Never;
        config.apps.build_network = BuildNetwork::None;
        config.apps.images_kept = 0;
        config.apps.disk_mib = 8;
    })
    .await;
    let fills = "CMD [\"sh\", \"-c\", \"head -c 33554432 /dev/zero >/filled; exec sleep 1000\"]";
    let dockerfile = format!("FROM {BASE}\nEXPOSE 8000\n{fills}\n");
    let directory = world.target("greedy", &[("Dockerfile", &dockerfile)]);
    let app = AppArguments { dockerfile: directory.to_str().map(str::to_owned), ..AppArguments::default() };
    let order = ScanArguments {
        app: Some(app),
        tools: vec!["watches".into()],
        wait_s: Some(0),
        ..ScanArguments::default()
    };
    let mut client = world.client().await;
    let job: JobAnswer = client.call("scan", &order, |_| {}).await.unwrap();
    let ended = soon("the end", world.end_of(&mut client, &job.job)).await;
    let failure = ended.runs[0].failure.as_ref().unwrap_or_else(|| panic!("{ended:#?}"));
    assert_eq!(failure.reason, "disk_limit", "{ended:#?}");
    assert!(failure.detail.contains("8 MiB") && failure.detail.contains("apps.disk_mib"), "{failure:#?}");
    world.end().await;
}
