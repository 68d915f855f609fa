//! Whether an app answers: asked over HTTP as a visitor would, and by its own health check where it has one.
//!
//! ```text
//! asking ──answered (and healthy, where it says so)──▶ up
//!   ├─ a container of it ended: known at once, with its last words
//!   └─ the time is up: the last answer says why
//! ```

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use tokio::time::{Instant, sleep};

use super::error::AppError;
use super::services::{Services, Stage};
use crate::actors::egress::{Ask, Fetcher, Limits, Tls};
use crate::domain::container::{ContainerState, Health};
use crate::domain::scope::{Authority, Place, Scope};

/// Between two questions: first short, for what starts at once.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));
/// For one answer.
const ANSWER: Limits = Limits {
    connect: Duration::from_secs(2),
    first_byte: Duration::from_secs(5),
    total: Duration::from_secs(5),
    body_bytes: 1024,
};

/// What is asked, and of whom.
pub(super) struct Question<'a> {
    pub entry: &'a str,
    pub authority: &'a Authority,
    pub address: SocketAddr,
    /// Its answer says that the app is up; `None`: any answer of `/` does.
    pub path: Option<&'a str>,
}

/// Asks until it answers.
pub(super) async fn wait(
    services: &Services,
    question: &Question<'_>,
    stage: &Stage<'_>,
) -> Result<(), AppError> {
    let scope = Scope::default().with(question.authority.clone(), vec![question.address]);
    // Plain HTTP only: nothing is trusted.
    let fetcher = Fetcher::new(Arc::new(scope), Tls::trusting(Arc::new(RootCertStore::empty())), ANSWER);
    let mut pause = PAUSE.0;
    loop {
        if let Some((service, exit)) = services.casualty(question.entry) {
            let tail = service.container.log_tail().await.unwrap_or_default();
            return Err(AppError::Died { service: service.name.clone(), exit, tail });
        }
        let last = match ask(services, question, &fetcher).await? {
            None => return Ok(()),
            Some(last) => last,
        };
        if Instant::now() + pause >= stage.deadline {
            let seconds = stage.waited().as_secs();
            return Err(AppError::NotReady { seconds, last, tail: services.log_tail().await });
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE.1);
    }
}

/// `None`: it is up; else what is missing.
async fn ask(
    services: &Services,
    question: &Question<'_>,
    fetcher: &Fetcher,
) -> Result<Option<String>, AppError> {
    let Some(container) = services.get(question.entry) else { return Ok(None) };
    let state = *container.state().borrow();
    match state {
        ContainerState::Running(Health::Unhealthy) => {
            let tail = container.log_tail().await.unwrap_or_default();
            return Err(AppError::Unhealthy { service: question.entry.to_owned(), tail });
        }
        ContainerState::Running(Health::Starting) => {
            let why = "its own health check has not said yet that it is well (Podman asks it on machines with systemd only)";
            return Ok(Some(why.to_owned()));
        }
        ContainerState::Paused => return Ok(Some("its container is paused".to_owned())),
        _ => {}
    }
    let path = question.path.unwrap_or("/");
    let url = format!("http://{}/{}", question.authority, path.trim_start_matches('/'));
    let place = Place::parse(&url).map_err(|refused| AppError::Engine {
        service: question.entry.to_owned(),
        why: format!("its health path {path:?} cannot be asked for: {refused}"),
    })?;
    Ok(match fetcher.fetch(Ask::get(place)).await {
        Ok(page) if question.path.is_none() || (200..400).contains(&page.status) => None,
        Ok(page) => Some(format!("{path} was answered with {}", page.status)),
        Err(error) => Some(error.to_string()),
    })
}
