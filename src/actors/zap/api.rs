//! The calls of ZAP that proctor makes, and no others; each with what it takes, what it gives, and how long it may take.

use std::time::Duration;

use super::client::{Call, Client, ZapError};
use crate::domain::zap::alert::Alert;
use crate::domain::zap::answer::{self, AddOn, Rule, RuleProgress, ScanId, ScanRow, Task, Unreadable};
use crate::domain::zap::pages::{Access, Crawl};

/// A question about something that is there. A busy ZAP on a busy machine takes seconds.
const QUICK: Duration = Duration::from_secs(10);
/// What makes ZAP ask the target: as long as it waits for an answer itself (20 s), and again for a redirect.
const FETCHES: Duration = Duration::from_secs(60);
/// A page of alerts: ZAP compares each with all before it, which takes seconds from some ten thousand on.
const PAGE: Duration = Duration::from_secs(60);
/// Whether it is there at all.
const PING: Duration = Duration::from_secs(2);

/// The name of the one context of a scan.
const CONTEXT: &str = "proctor";

type Answer<T> = Result<T, ZapError>;

/// An answer of which only the success counts.
const fn done(_: &[u8]) -> Result<(), Unreadable> {
    Ok(())
}

impl Client {
    async fn ask<T>(
        &self,
        path: &'static str,
        parameters: &[(&'static str, &str)],
        read: impl FnOnce(&[u8]) -> Result<T, Unreadable>,
    ) -> Answer<T> {
        self.call(Call { path, parameters, patience: QUICK }, read).await
    }

    async fn tell(&self, path: &'static str, parameters: &[(&'static str, &str)]) -> Answer<()> {
        self.ask(path, parameters, done).await
    }

    /// ZAP's version: it is up, it knows our key and permits our address.
    pub async fn version(&self) -> Answer<String> {
        let call = Call { path: "core/view/version", parameters: &[], patience: PING };
        self.call(call, answer::text).await
    }

    // --- what may be touched, and as whom ------------------------------------------------------------------------

    /// All requests of ZAP go to this proxy.
    pub async fn set_upstream_proxy(&self, host: &str, port: u16) -> Answer<()> {
        let port = port.to_string();
        self.tell("network/action/setHttpProxy", &[("host", host), ("port", &port)]).await?;
        self.tell("network/action/setHttpProxyEnabled", &[("enabled", "true")]).await
    }

    /// How long ZAP waits for the target.
    pub async fn set_connection_timeout(&self, seconds: u32) -> Answer<()> {
        self.tell("network/action/setConnectionTimeout", &[("timeout", &seconds.to_string())]).await
    }

    /// A context with everything that one of `include` matches and none of `exclude`: regular expressions over whole URLs.
    /// Its id.
    pub async fn new_context(&self, include: &[String], exclude: &[String]) -> Answer<String> {
        let id = self.ask("context/action/newContext", &[("contextName", CONTEXT)], answer::text).await?;
        for regex in include {
            let parameters = [("contextName", CONTEXT), ("regex", regex.as_str())];
            self.tell("context/action/includeInContext", &parameters).await?;
        }
        for regex in exclude {
            let parameters = [("contextName", CONTEXT), ("regex", regex.as_str())];
            self.tell("context/action/excludeFromContext", &parameters).await?;
            self.tell("spider/action/excludeFromScan", &[("regex", regex)]).await?;
            self.tell("ascan/action/excludeFromScan", &[("regex", regex)]).await?;
        }
        Ok(id)
    }

    /// How hard the rules try: `LOW`, `MEDIUM`, `HIGH` or `INSANE`.
    pub async fn set_strength(&self, strength: &str) -> Answer<()> {
        let parameters = [("scanPolicyName", "Default Policy"), ("attackStrength", strength)];
        self.tell("ascan/action/updateScanPolicy", &parameters).await
    }

    /// What is installed in this ZAP.
    pub async fn add_ons(&self) -> Answer<Vec<AddOn>> {
        self.ask("autoupdate/view/installedAddons", &[], answer::only).await
    }

    // --- the target's pages --------------------------------------------------------------------------------------

    /// ZAP asks the target for this URL, so that it is known from then on.
    pub async fn access(&self, url: &str) -> Answer<Access> {
        let parameters = [("url", url), ("followRedirects", "true")];
        let call = Call { path: "core/action/accessUrl", parameters: &parameters, patience: FETCHES };
        self.call(call, Access::read).await
    }

    /// ZAP sends a request as it is written, first line and headers and body.
    pub async fn send(&self, request: &str) -> Answer<Access> {
        let parameters = [("request", request), ("followRedirects", "false")];
        let call = Call { path: "core/action/sendRequest", parameters: &parameters, patience: FETCHES };
        self.call(call, Access::read).await
    }

    /// Reads the OpenAPI document of this URL and asks for what is in it.
    pub async fn import_openapi(&self, url: &str, context: &str) -> Answer<()> {
        let parameters = [("url", url), ("contextId", context)];
        self.call(Call { path: "openapi/action/importUrl", parameters: &parameters, patience: FETCHES }, done)
            .await
    }

    pub async fn spider(&self, url: &str) -> Answer<ScanId> {
        let parameters = [("url", url), ("recurse", "true"), ("contextName", CONTEXT)];
        self.ask("spider/action/scan", &parameters, answer::scan_id).await
    }

    /// In percent.
    pub async fn spider_status(&self, scan: ScanId) -> Answer<u32> {
        self.ask("spider/view/status", &[("scanId", &scan.0.to_string())], answer::number).await
    }

    /// What it asked for, and what came of it.
    pub async fn spider_results(&self, scan: ScanId) -> Answer<Crawl> {
        let scan = scan.0.to_string();
        let parameters = [("scanId", scan.as_str())];
        self.call(
            Call { path: "spider/view/fullResults", parameters: &parameters, patience: PAGE },
            Crawl::read,
        )
        .await
    }

    pub async fn stop_spider(&self, scan: ScanId) -> Answer<()> {
        self.tell("spider/action/stop", &[("scanId", &scan.0.to_string())]).await
    }

    /// The crawl with a browser. Without the add-on: [`ZapError::NoImplementor`].
    pub async fn client_spider(&self, url: &str) -> Answer<ScanId> {
        let parameters = [("url", url), ("contextName", CONTEXT)];
        self.ask("clientSpider/action/scan", &parameters, answer::scan_id).await
    }

    pub async fn client_spider_status(&self, scan: ScanId) -> Answer<u32> {
        self.ask("clientSpider/view/status", &[("scanId", &scan.0.to_string())], answer::number).await
    }

    pub async fn stop_client_spider(&self, scan: ScanId) -> Answer<()> {
        self.tell("clientSpider/action/stop", &[("scanId", &scan.0.to_string())]).await
    }

    // --- passive rules -------------------------------------------------------------------------------------------

    /// Without passive scanning: [`ZapError::NoImplementor`].
    pub async fn passive_rules(&self) -> Answer<Vec<Rule>> {
        self.ask("pscan/view/scanners", &[], answer::only).await
    }

    /// Pages that wait.
    pub async fn passive_waiting(&self) -> Answer<u32> {
        self.ask("pscan/view/recordsToScan", &[], answer::number).await
    }

    pub async fn passive_tasks(&self) -> Answer<Vec<Task>> {
        self.ask("pscan/view/currentTasks", &[], answer::only).await
    }

    pub async fn clear_passive_queue(&self) -> Answer<()> {
        self.tell("pscan/action/clearQueue", &[]).await
    }

    pub async fn disable_passive_rule(&self, id: &str) -> Answer<()> {
        self.tell("pscan/action/disableScanners", &[("ids", id)]).await
    }

    // --- active rules --------------------------------------------------------------------------------------------

    pub async fn active_rules(&self) -> Answer<Vec<Rule>> {
        self.ask("ascan/view/scanners", &[], answer::only).await
    }

    pub async fn set_rule_minutes_max(&self, minutes: u32) -> Answer<()> {
        let minutes = minutes.to_string();
        self.tell("ascan/action/setOptionMaxRuleDurationInMins", &[("Integer", &minutes)]).await
    }

    pub async fn attack(&self, url: &str, context: &str) -> Answer<ScanId> {
        let parameters = [("url", url), ("recurse", "true"), ("contextId", context)];
        self.ask("ascan/action/scan", &parameters, answer::scan_id).await
    }

    /// This scan, if ZAP knows it.
    pub async fn attack_row(&self, scan: ScanId) -> Answer<Option<ScanRow>> {
        let rows: Vec<ScanRow> = self.ask("ascan/view/scans", &[], answer::only).await?;
        Ok(rows.into_iter().find(|row| row.is(scan)))
    }

    /// In percent.
    pub async fn attack_status(&self, scan: ScanId) -> Answer<u32> {
        self.ask("ascan/view/status", &[("scanId", &scan.0.to_string())], answer::number).await
    }

    pub async fn attack_progress(&self, scan: ScanId) -> Answer<Vec<RuleProgress>> {
        let scan = scan.0.to_string();
        self.ask("ascan/view/scanProgress", &[("scanId", &scan)], answer::scan_progress).await
    }

    pub async fn skip_rule(&self, scan: ScanId, rule: &str) -> Answer<()> {
        let scan = scan.0.to_string();
        self.tell("ascan/action/skipScanner", &[("scanId", &scan), ("scannerId", rule)]).await
    }

    pub async fn stop_attack(&self, scan: ScanId) -> Answer<()> {
        self.tell("ascan/action/stop", &[("scanId", &scan.0.to_string())]).await
    }

    // --- alerts --------------------------------------------------------------------------------------------------

    /// At most `count` alerts from the `start`-th on; the first is 1.
    pub async fn alerts(&self, start: usize, count: usize) -> Answer<Vec<Alert>> {
        let (start, count) = (start.to_string(), count.to_string());
        let parameters = [("start", start.as_str()), ("count", count.as_str())];
        let call = Call { path: "alert/view/alerts", parameters: &parameters, patience: PAGE };
        self.call(call, answer::only).await
    }

    /// How many alerts there are.
    pub async fn alert_count(&self) -> Answer<u32> {
        let call = Call { path: "alert/view/numberOfAlerts", parameters: &[], patience: PAGE };
        self.call(call, answer::number).await
    }
}
