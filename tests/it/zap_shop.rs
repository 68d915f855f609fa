//! A real ZAP on a real application: what is planted in examples/shop is found, what is not is not, and proctor's result is
//! what the same ZAP says to somebody who drives it by hand.

use std::collections::{BTreeMap, BTreeSet};

use proctor::domain::finding::Finding;
use proctor::domain::outcome::FailureReason;
use proctor::domain::target::{Login, Phase, Seeds, WebPlan};
use proctor::domain::verdict::WebEvidence;
use serde_json::Value;

use crate::docker_world::docker;
use crate::zap_world::{IMAGE, Target, World, address_of, ask_by_hand, finished, reason, says, until};

/// The rules of ZAP that are about a planted defect, and the path where it is.
fn planted(id: &str) -> (String, BTreeSet<String>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/shop/DEFECTS.toml");
    let oracle: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    let live = oracle["live"].as_array().unwrap();
    let defect = live.iter().find(|defect| defect["id"].as_str() == Some(id)).unwrap();
    let path = defect["path"].as_str().unwrap().split('?').next().unwrap().to_owned();
    let rules = defect["zap"].as_array().unwrap().iter().map(|rule| rule.as_integer().unwrap().to_string());
    (path, rules.collect())
}

fn seen<'a>(evidence: &'a WebEvidence, path: &str, rule: &str) -> Vec<&'a Finding> {
    let at = |finding: &&Finding| {
        let url = url::Url::parse(&finding.location.path).unwrap();
        finding.rule == rule && url.path() == path
    };
    evidence.findings.iter().filter(at).collect()
}

fn param(finding: &Finding) -> Option<&str> {
    finding.web.as_ref()?.param.as_deref()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_planted_in_the_shop_is_found() {
    let world = World::boot(&[]).await;
    let shop = world.shop().await;
    let evidence = world.scan(&shop, Phase::Full).await;
    finished(&evidence);
    for (id, rule, name) in [
        ("reflected-xss", "40012", "q"),
        ("sql-injection-product", "40018", "id"),
        ("sql-injection-login", "40018", "name"),
    ] {
        let (path, rules) = planted(id);
        assert!(rules.contains(rule), "the oracle does not give {id} to {rule}");
        let found = seen(&evidence, &path, rule);
        assert!(found.iter().any(|finding| param(finding) == Some(name)), "{id}: {found:?}");
    }
    let (path, rules) = planted("missing-security-headers");
    for rule in rules {
        assert!(!seen(&evidence, &path, &rule).is_empty(), "{rule} on {path}");
    }
    assert!(seen(&evidence, "/cart", "40018").is_empty(), "/cart is clean");
    assert!(evidence.work.requests > 50 && evidence.work.urls > 20, "{:?}", evidence.work);
    shop.remove().await;
    world.close().await;
}

fn form(password: &str) -> Login {
    let fields = [("name", "alice"), ("password", password)];
    let fields: BTreeMap<String, String> =
        fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Login::Form { url: "/login".to_owned(), fields, logged_in: "Log out".to_owned() }
}

async fn as_somebody(world: &World, shop: &Target, login: Login) -> WebEvidence {
    let plan = WebPlan { login: Some(login), ..WebPlan::default() };
    world.zap.scan(world.order(shop.site(plan))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_holds_through_a_scan_and_a_wrong_one_is_no_scan() {
    let world = World::boot(&[]).await;
    let shop = world.shop().await;
    let evidence = as_somebody(&world, &shop, form("wonderland")).await;
    finished(&evidence);
    // Nobody logged out, so at its end the same cookie is still somebody's.
    assert!(!says(&evidence, "login_lost"), "{:?}", evidence.degraded);
    let wrong = as_somebody(&world, &shop, form("queen of hearts")).await;
    assert_eq!(reason(&wrong), FailureReason::LoginFailed);
    assert!(!format!("{wrong:?}").contains("queen of hearts"), "{wrong:?}");
    shop.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_scan_attacks_what_the_document_lists_and_follows_no_link() {
    let world = World::boot(&[]).await;
    let page = world.page("page").await;
    let document = r#"{"openapi": "3.0.0", "paths": {"/item": {"get": {"parameters":
        [{"in": "query", "name": "id", "required": true, "schema": {"type": "integer"}}]}}}}"#;
    let seeds = Seeds { openapi: Some(document.to_owned()), ..Seeds::default() };
    let plan = WebPlan { phase: Phase::Api, seeds, ..WebPlan::default() };
    let evidence = world.zap.scan(world.order(page.site(plan))).await;
    finished(&evidence);
    assert!(seen(&evidence, "/item", "40018").iter().any(|finding| param(finding) == Some("id")));
    assert!(seen(&evidence, "/found", "40012").is_empty(), "no link was followed");
    page.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn seeds_are_looked_at_and_what_is_excluded_is_not() {
    let world = World::boot(&[]).await;
    let page = world.page("page").await;
    let seeds = Seeds { urls: vec!["/found?words=seed".to_owned()], ..Seeds::default() };
    let plan =
        WebPlan { phase: Phase::Full, seeds, exclude: vec![".*/item.*".to_owned()], ..WebPlan::default() };
    let evidence = world.zap.scan(world.order(page.site(plan))).await;
    finished(&evidence);
    assert!(!seen(&evidence, "/found", "40012").is_empty());
    assert!(evidence.findings.iter().all(|finding| !finding.location.path.contains("/item")));
    page.remove().await;
    world.close().await;
}

/// Rule, path and query, method, parameter, attack and evidence: what makes two alerts the same.
type Key = [String; 6];

fn of_finding(finding: &Finding) -> Key {
    let web = finding.web.clone().unwrap();
    let text = |text: Option<String>| text.unwrap_or_default();
    let path = local(&finding.location.path);
    [finding.rule.clone(), path, web.method, text(web.param), text(web.attack), text(web.evidence)]
}

fn local(url: &str) -> String {
    url.split('/').skip(3).collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn proctors_findings_are_the_alerts_of_the_same_zap_driven_by_hand() {
    let world = World::boot(&[]).await;
    let page = world.page("page").await;
    let evidence = world.scan(&page, Phase::Full).await;
    finished(&evidence);
    let mut by_proctor: Vec<Key> = evidence.findings.iter().map(of_finding).collect();
    let address = page.address;
    let network = page.network_name();
    let mut by_hand =
        tokio::task::spawn_blocking(move || by_hand(&network, &format!("http://{address}/"))).await.unwrap();
    by_proctor.sort();
    by_hand.sort();
    assert_eq!(by_proctor, by_hand);
    page.remove().await;
    world.close().await;
}

/// Spider, attack, wait, list: the alerts of a ZAP beside the page, by calls that share nothing with the client.
fn by_hand(network: &str, target: &str) -> Vec<Key> {
    let key = "by-hand";
    let command = ["zap.sh", "-Xmx512m", "-daemon", "-silent", "-host", "0.0.0.0", "-port", "8080"];
    let options =
        [format!("api.key={key}"), "api.addrs.addr.name=.*".into(), "api.addrs.addr.regex=true".into()];
    let options = options.iter().flat_map(|option| ["-config", option.as_str()]);
    let start = ["run", "--detach", "--init", "--memory=1g", "--network", network, IMAGE];
    let words: Vec<&str> = start.into_iter().chain(command).chain(options).collect();
    let zap = ByHand { container: docker(&words), key };
    zap.until("core/view/version", |answer| answer.is_object());
    zap.must(&format!("core/action/accessUrl/?url={target}&followRedirects=true"));
    zap.must("context/action/newContext/?contextName=page");
    zap.must(&format!("context/action/includeInContext/?contextName=page&regex={target}.*"));
    zap.must(&format!("spider/action/scan/?url={target}&contextName=page"));
    zap.until("spider/view/status/?scanId=0", |answer| answer["status"] == "100");
    zap.until("pscan/view/recordsToScan/", |answer| answer["recordsToScan"] == "0");
    zap.must(&format!("ascan/action/scan/?url={target}&recurse=true&contextId=1"));
    zap.until("ascan/view/status/?scanId=0", |answer| answer["status"] == "100");
    zap.until("pscan/view/recordsToScan/", |answer| answer["recordsToScan"] == "0");
    let alerts = zap.must("alert/view/alerts/");
    let text = |alert: &Value, name: &str| alert[name].as_str().unwrap().to_owned();
    let key = |alert: &Value| {
        let names = ["pluginId", "url", "method", "param", "attack", "evidence"];
        let mut key = names.map(|name| text(alert, name));
        key[1] = local(&key[1]);
        key
    };
    alerts["alerts"].as_array().unwrap().iter().map(key).collect()
}

struct ByHand {
    container: String,
    key: &'static str,
}

impl Drop for ByHand {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", &self.container]);
    }
}

impl ByHand {
    fn ask(&self, path: &str) -> Option<Value> {
        ask_by_hand(&address_of(&self.container), self.key, path)
    }

    fn must(&self, path: &str) -> Value {
        self.ask(path).unwrap_or_else(|| panic!("{path} has no answer"))
    }

    fn until(&self, path: &str, holds: impl Fn(&Value) -> bool) {
        let waiting = until(path, || self.ask(path).is_some_and(|answer| holds(&answer)));
        tokio::runtime::Handle::current().block_on(waiting);
    }
}
