//! Who asks: a visitor of one site for one run, within a budget of requests, as somebody or as nobody. What it asked and
//! what was answered is the run's proof of work.
//!
//! ```text
//! enter ──no login, or it worked──▶ visiting ──▶ left (evidence)
//!   └─ login failed                    └─ target gone: every further visit is none
//! ```

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::actors::egress::login::{self, NotLoggedIn, Session};
use crate::actors::egress::{Ask, FetchError, Fetcher, Limits, Site};
use crate::domain::ids::ToolName;
use crate::domain::outcome::{FailureReason, Gap, Work};
use crate::domain::scope::{Outside, Place};
use crate::domain::target::Login;
use crate::domain::verdict::{WebEnding, WebEvidence};
use crate::domain::web::cookies::Jar;
use crate::domain::web::page::Page;
use crate::domain::web::rule::{self, Remark};

/// Requests of one run: an OpenAPI document of the largest size, asked twice, and the pages beside it.
const REQUESTS_MAX: u32 = 500;
/// Refused connections in a row after which the target is gone.
const LOST_AFTER: u32 = 3;
/// Redirects followed from one page.
const REDIRECTS_MAX: usize = 5;

/// What a run of one of our own tools needs to know, complete.
#[derive(Clone)]
pub struct Order {
    pub tool: ToolName,
    pub site: Site,
    pub deadline: Instant,
    pub cancel: CancellationToken,
    /// Hears what is being done, for people.
    pub says: Arc<dyn Fn(String) + Send + Sync>,
}

impl Order {
    /// Says how far `what` is, at each tenth of it.
    pub(super) fn progress(&self, what: &str, done: usize, of: usize) {
        let tenth = |done: usize| done * 10 / of.max(1);
        if tenth(done) > tenth(done.saturating_sub(1)) {
            (self.says)(format!("{what} {} %", tenth(done) * 10));
        }
    }

    /// What `work` finds, or that it was cancelled or too slow.
    pub(super) async fn fulfil(&self, work: impl Future<Output = WebEvidence>) -> WebEvidence {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => WebEvidence::nothing(WebEnding::Cancelled),
            () = sleep_until(self.deadline) => {
                let detail = "the target answers so slowly that not all of it could be asked in time";
                WebEvidence::nothing(WebEnding::failed(FailureReason::TimedOut, detail))
            }
            evidence = work => evidence,
        }
    }
}

/// As whom something is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As {
    /// With what the plan's login gives.
    Somebody,
    /// Without any.
    Nobody,
}

pub struct Visitor {
    pub site: Site,
    fetcher: Fetcher,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    jar: Jar,
    requests: u32,
    /// URLs that answered.
    answered: BTreeSet<String>,
    unanswered: Vec<Gap>,
    refused_in_a_row: u32,
    last: Option<FetchError>,
    degraded: Vec<String>,
    remarks: Vec<Remark>,
}

impl Visitor {
    /// Reads the plan, and logs in if it says so.
    pub async fn enter(site: &Site, limits: Limits) -> Result<Self, WebEnding> {
        let fetcher = site.fetcher(limits).await;
        let jar = match login::log_in(site).await.map_err(|error| not_logged_in(&error))? {
            Some(Session::Cookies(cookies)) => cookies.jar,
            Some(Session::Header { .. }) | None => Jar::default(),
        };
        let notes = Mutex::new(Notes { jar, ..Notes::default() });
        Ok(Self { site: site.clone(), fetcher, notes })
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks, if it may: `None` where the plan excludes the URL, the budget is spent, the target is gone, or there is no
    /// answer. The last is noted.
    pub async fn visit(&self, ask: Ask, who: As) -> Option<Page> {
        let place = ask.place.clone();
        if !self.may_ask(&place) || !self.take_request() {
            return None;
        }
        let answer = self.fetcher.fetch(self.dressed(ask, who)).await;
        let mut notes = self.notes();
        match answer {
            Ok(page) => {
                notes.refused_in_a_row = 0;
                notes.answered.insert(place.url.to_string());
                if who == As::Somebody {
                    notes.jar.take(&place, &page);
                }
                Some(page)
            }
            Err(error) => {
                let gone = error.is_unreachable();
                notes.refused_in_a_row = if gone { notes.refused_in_a_row + 1 } else { 0 };
                notes.unanswered.push(Gap { path: place.url.to_string(), why: error.to_string() });
                notes.last = Some(error);
                None
            }
        }
    }

    /// Asks for a page and for where it leads, as long as that is in the scope.
    pub async fn follow(&self, ask: Ask, who: As) -> Option<Page> {
        let headers = ask.headers.clone();
        let mut page = self.visit(ask, who).await?;
        for _ in 0..REDIRECTS_MAX {
            let Some(next) = page.redirect() else { break };
            let Some(place) = self.in_scope(next.clone()) else {
                self.degrade(format!("{} leads to {next}, which is not in this job's scope", page.url));
                break;
            };
            let ask = Ask { headers: headers.clone(), ..Ask::get(place) };
            page = self.visit(ask, who).await?;
        }
        Some(page)
    }

    /// The place of a URL, if it may be asked for.
    pub fn in_scope(&self, url: url::Url) -> Option<Place> {
        let place = Place::of(url).ok()?;
        self.site.scope.addresses(&place.authority).is_some().then_some(place)
    }

    /// What is excluded is left out as ordered; that a page leads out of the target's folder is worth a word.
    fn may_ask(&self, place: &Place) -> bool {
        match self.site.scope.bounds().outside(&place.url, place.url.path()) {
            None => true,
            Some(Outside::Excluded | Outside::Hidden) => false,
            Some(outside @ Outside::Folder(_)) => {
                self.degrade(format!("{} {outside}, and was not asked for", place.url));
                false
            }
        }
    }

    fn take_request(&self) -> bool {
        let mut notes = self.notes();
        if notes.refused_in_a_row >= LOST_AFTER {
            return false;
        }
        if notes.requests >= REQUESTS_MAX {
            let spent = format!("not all was asked for: a run sends {REQUESTS_MAX} requests at most");
            if !notes.degraded.contains(&spent) {
                notes.degraded.push(spent);
            }
            return false;
        }
        notes.requests += 1;
        true
    }

    fn dressed(&self, ask: Ask, who: As) -> Ask {
        if who == As::Nobody {
            return ask;
        }
        let cookies = self.notes().jar.header(&ask.place);
        let ask = match cookies {
            Some(cookies) => ask.with("Cookie", &cookies),
            None => ask,
        };
        match &self.site.plan.login {
            Some(Login::Header { name, value }) => ask.with(name, value),
            Some(Login::Form { .. }) | None => ask,
        }
    }

    pub fn degrade(&self, why: String) {
        self.notes().degraded.push(why);
    }

    pub fn remark(&self, remarks: impl IntoIterator<Item = Remark>) {
        self.notes().remarks.extend(remarks);
    }

    /// Whether the plan has a login.
    pub fn is_somebody(&self) -> bool {
        self.site.plan.login.is_some()
    }

    /// What the visit proves.
    pub fn leave(self, tool: &ToolName) -> WebEvidence {
        let notes = self.notes.into_inner().unwrap_or_else(PoisonError::into_inner);
        let ending = match &notes.last {
            Some(error) if notes.answered.is_empty() => {
                WebEnding::failed(FailureReason::TargetUnreachable, error.to_string())
            }
            Some(error) if notes.refused_in_a_row >= LOST_AFTER => {
                let detail = format!("the target answered before, and is gone now: {error}");
                WebEnding::failed(FailureReason::TargetLost, detail)
            }
            _ => WebEnding::Finished,
        };
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let work = Work {
            urls: count(notes.answered.len()),
            requests: notes.requests,
            rules: count(rule::ALL.len()),
        };
        let findings = notes.remarks.into_iter().map(|remark| remark.into_finding(tool)).collect();
        WebEvidence { ending, findings, work, unanswered: notes.unanswered, degraded: notes.degraded }
    }
}

fn not_logged_in(error: &NotLoggedIn) -> WebEnding {
    WebEnding::Failed {
        reason: FailureReason::LoginFailed,
        detail: error.to_string(),
        advice: Some(login::ADVICE.to_owned()),
        log_tail: String::new(),
    }
}
