//! The promise: a token of one's own is made and taken back while the daemon runs, and opens the door to one's own jobs only.

use proctor::cli::client::{Client, ClientError};
use proctor::protocol::api::{JobAnswer, JobArguments, ScanArguments};
use serde_json::Value;

use crate::cli::Home;
use crate::cli_scan::{Served, world};

async fn connect(home: &Home, token: &str) -> Result<Client, ClientError> {
    let announced = std::fs::read(home.path().join(".local/state/proctor/daemon.json")).unwrap();
    let announced: Value = serde_json::from_slice(&announced).unwrap();
    Client::connect(announced["address"].as_str().unwrap().parse().unwrap(), token).await
}

#[tokio::test]
async fn a_token_opens_the_door_to_ones_own_jobs_until_it_is_revoked() {
    let home = world();
    home.run(&["token", "add", "before"]).expect(0).says("not kept");
    let served = Served::start(&home);
    let token = home.run(&["token", "add", "ci"]).expect(0).stdout.trim().to_owned();
    assert_eq!(home.run(&["token", "list"]).expect(0).stdout, "before\nci\n");
    home.run(&["token", "add", "ci"]).expect(2).says("there is a token for ci already");
    home.run(&["token", "add", "Not A Name"]).expect(3).says("is no name for a token");

    let mut ci = connect(&home, &token).await.unwrap();
    let owner = home.run(&["token", "--show"]).expect(0).stdout.trim().to_owned();
    let mut owner = connect(&home, &owner).await.unwrap();
    let path = home.path().join("target").display().to_string();
    let scan = ScanArguments {
        path: Some(path),
        tools: vec!["finds".to_owned()],
        wait_s: Some(45),
        ..ScanArguments::default()
    };
    let job: JobAnswer = ci.call("scan", &scan, |_| {}).await.unwrap();
    assert_eq!(job.conclusion, "findings");
    let ask = JobArguments { job: job.job, wait_s: None };
    ci.call::<JobAnswer>("job_status", &ask, |_| {}).await.unwrap();
    let refused = owner.call::<JobAnswer>("job_status", &ask, |_| {}).await.unwrap_err();
    assert!(refused.to_string().contains("no job"), "{refused}");

    home.run(&["token", "revoke", "ci"]).expect(0);
    home.run(&["token", "revoke", "ci"]).expect(2).says("there is no token for ci");
    let refused = connect(&home, &token).await.map(drop).unwrap_err();
    assert!(matches!(refused, ClientError::TokenRefused { .. }), "{refused}");
    assert_eq!(served.stop(), Some(0));
}
