//! Following links: ZAP's spider, and a browser where there is one. Each is stopped when its time is over, which is said.

use tokio::time::Instant;

use super::link::of_zap;
use super::run::Run;
use crate::domain::zap::answer::ScanId;
use crate::domain::zap::phases::Stage;
use crate::domain::zap::trouble::Trouble;

impl Run<'_> {
    pub(super) async fn spider(&mut self) -> Result<(), Trouble> {
        let end = self.end_of(Stage::Spider);
        let url = self.order.site.place.url.to_string();
        let scan = self.zap.once(self.zap.client().spider(&url)).await?.map_err(of_zap)?;
        loop {
            let percent = self.zap.ask(|zap| async move { zap.spider_status(scan).await }).await?;
            self.tell(Stage::Spider, percent);
            if percent >= 100 {
                break;
            }
            if Instant::now() >= end {
                self.zap.ask(|zap| async move { zap.stop_spider(scan).await }).await?;
                self.work.account.degraded.push(format!("spider_late: it was stopped at {percent} %"));
                break;
            }
            self.tick().await?;
        }
        self.note_pages(scan).await
    }

    async fn note_pages(&mut self, scan: ScanId) -> Result<(), Trouble> {
        let crawl = self.zap.ask(|zap| async move { zap.spider_results(scan).await }).await?;
        self.work.pages.crawled(&crawl, self.gate.traffic().failed);
        Ok(())
    }

    /// An add-on that is there and does not work (an image without a browser) costs what it would have found, no more.
    pub(super) async fn browse(&mut self) -> Result<(), Trouble> {
        let end = self.end_of(Stage::Browser);
        let url = self.order.site.place.url.to_string();
        let scan = match self.zap.once(self.zap.client().client_spider(&url)).await? {
            Ok(scan) => scan,
            Err(error) => {
                self.work.account.degraded.push(format!("browser_absent: {error}"));
                return Ok(());
            }
        };
        loop {
            let asked = self.zap.try_ask(|zap| async move { zap.client_spider_status(scan).await }).await?;
            let percent = match asked {
                Ok(percent) => percent,
                Err(error) => {
                    self.work.account.degraded.push(format!("browser_failed: {error}"));
                    return Ok(());
                }
            };
            self.tell(Stage::Browser, percent);
            if percent >= 100 {
                return Ok(());
            }
            if Instant::now() >= end {
                // What it says to that changes nothing: the stage is over.
                drop(self.zap.try_ask(|zap| async move { zap.stop_client_spider(scan).await }).await?);
                self.work.account.degraded.push(format!("browser_late: it was stopped at {percent} %"));
                return Ok(());
            }
            self.tick().await?;
        }
    }
}
