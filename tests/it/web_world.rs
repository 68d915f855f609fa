//! What the tests share that scan what runs through the daemon as a whole.

use std::time::Duration;

use proctor::cli::client::Client;
use proctor::config::{Config, Pull};
use proctor::protocol::api::{FindingAnswer, JobAnswer, ScanArguments};
use proctor::protocol::web::{PhaseWord, WebArguments};

use super::whole::World;

/// To build, to start, to crawl and to attack a small app, on two busy cores.
const PATIENCE: Duration = Duration::from_secs(420);

pub fn offline(config: &mut Config) {
    config.docker.pull = Pull::Never;
    config.apps.linger = Duration::ZERO;
}

pub fn attack(target: ScanArguments, tools: &[&str]) -> ScanArguments {
    ScanArguments {
        tools: tools.iter().map(|&tool| tool.to_owned()).collect(),
        web: Some(WebArguments { phase: Some(PhaseWord::Full), ..WebArguments::default() }),
        wait_s: Some(0),
        ..target
    }
}

pub async fn scan(client: &mut Client, world: &World, arguments: &ScanArguments) -> JobAnswer {
    let job: JobAnswer = client.call("scan", arguments, |_| {}).await.unwrap();
    let ended = tokio::time::timeout(PATIENCE, world.end_of(client, &job.job)).await;
    ended.expect("the scan ends in time")
}

/// Whether there is such a finding, for comparing with what is planted. No `param`: whatever it is.
pub fn seen(findings: &[FindingAnswer], tool: &str, rule: &str, path: &str, param: Option<&str>) -> bool {
    findings.iter().any(|finding| {
        let web = finding.web.as_ref().expect("every finding on what runs has its request");
        let url = url::Url::parse(&finding.path).expect("every finding on what runs has its URL");
        let of_param = param.is_none_or(|param| web.param.as_deref() == Some(param));
        finding.tool == tool && finding.rule == rule && url.path() == path && of_param
    })
}
