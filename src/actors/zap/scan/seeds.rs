//! Where a scan begins, and what it may touch: the target, the seeds, the patterns that are left out.

use std::sync::Arc;

use super::run::Run;
use crate::actors::egress::{Ask, Limits};
use crate::actors::zap::client::ZapError;
use crate::domain::outcome::FailureReason;
use crate::domain::scope::{self, Place, Scope};
use crate::domain::target::WebPlan;
use crate::domain::zap::pages::Access;
use crate::domain::zap::phases::Stage;
use crate::domain::zap::sitemap;
use crate::domain::zap::trouble::Trouble;

/// Seeds that are asked for one by one, each with a request of ZAP's: some minutes' worth.
const SEEDS_MAX: usize = 1_000;
/// Who follows this link is nobody any more.
const LOGOUT: &str = "(?i).*(log|sign)[-_]?(out|off).*";

/// Everything in the target's own folder, as regular expressions of Java. Not the bare origin: to ZAP that is a page
/// of its own, which it would crawl and report beside `/`.
pub(super) fn include(place: &Place) -> Vec<String> {
    let origin = place.url.origin().ascii_serialization();
    let folder = scope::folder(&place.url);
    vec![format!("\\Q{origin}{folder}\\E.*")]
}

pub(super) fn exclude(plan: &WebPlan) -> Vec<String> {
    let logout = plan.login.is_some().then(|| LOGOUT.to_owned());
    // To ZAP a pattern is one of a whole URL, to everybody else one that is found in it.
    let exclude = plan.exclude.iter().map(|pattern| format!(".*(?:{pattern}).*"));
    exclude.chain(logout).collect()
}

/// Whether a URL of ZAP's is the target's. Read less strictly than one of a person: an attack may hold anything.
pub(super) fn is_inside(scope: &Scope, url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let authority = url.host_str().zip(url.port_or_known_default());
    authority.is_some_and(|(host, port)| scope.permits(host, port).is_some())
}

impl Run<'_> {
    pub(super) async fn seed(&mut self) -> Result<(), Trouble> {
        let target = self.order.site.place.clone();
        self.visit(&target).await?;
        if self.work.pages.count() == 0 {
            let detail = format!("{} did not answer ZAP's first request", target.url);
            return Err(Trouble::new(FailureReason::TargetUnreachable, detail));
        }
        let seeds = self.all_seeds().await;
        for (done, seed) in seeds.iter().enumerate() {
            self.tell(Stage::Seeds, u32::try_from(done * 100 / seeds.len()).unwrap_or(100));
            self.visit(seed).await?;
        }
        let plan = Arc::clone(&self.order.site.plan);
        match plan.seeds.document() {
            Some(document) => self.seed_operations(document).await,
            None => Ok(()),
        }
    }

    /// ZAP asks for a page, and so learns of it.
    async fn visit(&mut self, place: &Place) -> Result<(), Trouble> {
        let url = place.url.as_str();
        match self.zap.try_ask(|zap| visit(zap, url.to_owned())).await? {
            Ok(Access::Answered) => self.work.pages.answered(url),
            // A tunnel (https) that cannot be had is an error of ZAP's own.
            Ok(Access::Silent) | Err(ZapError::Internal { .. }) => self.work.pages.silent(url),
            Err(error) => self.work.account.degraded.push(format!("seed_failed: {url}: {error}")),
        }
        Ok(())
    }

    async fn all_seeds(&mut self) -> Vec<Place> {
        let plan = &self.order.site.plan.seeds;
        let mut texts = plan.urls.clone();
        if plan.sitemap {
            texts.extend(self.sitemap().await);
        }
        let mut seeds = Vec::new();
        for text in &texts {
            match self.order.site.place.join(text) {
                Ok(place) if self.order.site.scope.addresses(&place.authority).is_some() => seeds.push(place),
                Ok(place) => self.work.account.degraded.push(format!("seed_outside: {}", place.url)),
                Err(error) => self.work.account.degraded.push(format!("seed_unreadable: {error}")),
            }
        }
        if seeds.len() > SEEDS_MAX {
            let over = seeds.len() - SEEDS_MAX;
            self.work.account.degraded.push(format!("seeds_over: {over} seeds are not asked for"));
            seeds.truncate(SEEDS_MAX);
        }
        seeds
    }

    /// The URLs of the target's site map, which a crawl may never reach.
    async fn sitemap(&mut self) -> Vec<String> {
        let fetched = match self.order.site.below("/sitemap.xml") {
            Ok(place) => {
                let fetcher = self.order.site.fetcher(Limits::default()).await;
                fetcher.fetch(Ask::get(place)).await.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        match fetched {
            Ok(page) if page.status == 200 => sitemap::locations(&page.text()),
            Ok(page) => self.no_sitemap(&format!("status {}", page.status)),
            Err(error) => self.no_sitemap(&error),
        }
    }

    fn no_sitemap(&mut self, why: &str) -> Vec<String> {
        self.work.account.degraded.push(format!("sitemap_absent: {why}"));
        Vec::new()
    }
}

async fn visit(zap: crate::actors::zap::client::Client, url: String) -> Result<Access, ZapError> {
    zap.access(&url).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scope::Authority;
    use crate::domain::target::Login;

    #[test]
    fn a_context_is_the_targets_origin_and_no_neighbour() {
        let place = Place::parse("http://shop.example:5000/a?b").unwrap();
        assert_eq!(include(&place), ["\\Qhttp://shop.example:5000/\\E.*"]);
        let usual = Place::parse("https://shop.example:443/").unwrap();
        assert_eq!(include(&usual), ["\\Qhttps://shop.example/\\E.*"]);
        let part = Place::parse("http://shop.example/app/?b").unwrap();
        assert_eq!(include(&part), ["\\Qhttp://shop.example/app/\\E.*"]);
    }

    #[test]
    fn somebody_who_is_logged_in_does_not_log_out() {
        let plan = WebPlan { exclude: vec!["/admin".into()], ..WebPlan::default() };
        assert_eq!(exclude(&plan), [".*(?:/admin).*"]);
        let login = Login::Header { name: "Authorization".into(), value: "x".into() };
        assert_eq!(exclude(&WebPlan { login: Some(login), ..plan }), [".*(?:/admin).*", LOGOUT]);
    }

    #[test]
    fn an_alert_is_the_targets_by_host_and_port() {
        let shop = Authority::new("shop.example", 5000).unwrap();
        let scope = Scope::default().with(shop, Vec::new());
        for inside in [
            "http://shop.example:5000",
            "http://shop.example:5000/a?q='\"><script>",
            "http://SHOP.example:5000/",
        ] {
            assert!(is_inside(&scope, inside), "{inside}");
        }
        for outside in
            ["http://shop.example/", "http://shop.example:50001/", "http://other.example:5000/", "x"]
        {
            assert!(!is_inside(&scope, outside), "{outside}");
        }
    }
}
