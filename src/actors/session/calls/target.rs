//! What a request names, as a target of the domain: read strictly, and held against what the configuration allows, before
//! anything is stored.

use regex::Regex;

use crate::actors::jobs::target::TargetRefused;
use crate::actors::session::call::{CallContext, CallError};
use crate::domain::container::ImageName;
use crate::domain::scope::{Bounds, Permission, Place, Refused};
use crate::domain::target::{
    AppSource, AppSpec, AppTarget, Expectation, Load, Login, Phase, Seeds, Target, WebPlan, WebTarget,
};
use crate::protocol::api::ScanArguments;
use crate::protocol::errors::WireError;
use crate::protocol::web::{
    AppArguments, ExpectationArguments, LoadArguments, LoginArguments, PhaseWord, TEXT_BYTES_MAX,
    WebArguments,
};

/// The target that a request names.
pub(super) async fn target(arguments: &ScanArguments, context: &CallContext) -> Result<Target, CallError> {
    match (&arguments.path, &arguments.url, &arguments.app, &arguments.web) {
        (Some(path), None, None, None) => {
            Ok(Target::Tree(resolved("path", path, Wanted::Directory, context).await?))
        }
        (Some(_), None, None, Some(_)) => {
            Err(CallError::argument("web", "says how to examine a `url` or an `app`, not a `path`"))
        }
        (None, Some(url), None, web) => {
            let place = Place::parse(url).map_err(|refused| told("url", &refused))?;
            let plan = plan(web.clone().unwrap_or_default(), Some(&place))?;
            Ok(Target::Web(WebTarget { url: place.url.to_string(), plan }))
        }
        (None, None, Some(app), web) => {
            let app = app_spec(app, context).await?;
            Ok(Target::App(AppTarget { app, plan: plan(web.clone().unwrap_or_default(), None)? }))
        }
        _ => Err(CallError::argument("path", "exactly one of path, url and app is needed")),
    }
}

/// Whether the configuration lets this be done to the target. An app that proctor starts is nobody else's: it may be
/// attacked. Addresses are looked up when the job begins, and judged then.
pub(super) fn allowed(
    target: &Target,
    permission: Permission,
    context: &CallContext,
) -> Result<(), CallError> {
    let Target::Web(web) = target else { return Ok(()) };
    let place = Place::parse(&web.url).map_err(|refused| told("url", &refused))?;
    context.handles.lists.consider(&place.authority, permission).map_err(|refused| told("url", &refused))
}

fn told(field: &str, refused: &Refused) -> CallError {
    if refused.is_by_policy() {
        let advice =
            "the daemon's operator decides what may be touched, and restarts the daemon after a change";
        return CallError::Refused { what: refused.to_string(), advice: advice.to_owned() };
    }
    CallError::argument(field, refused.to_string())
}

#[derive(Clone, Copy)]
enum Wanted {
    Directory,
    File,
}

async fn resolved(
    field: &str,
    path: &str,
    wanted: Wanted,
    context: &CallContext,
) -> Result<String, CallError> {
    let (targets, path) = (context.handles.targets.clone(), path.to_owned());
    let resolved = tokio::task::spawn_blocking(move || match wanted {
        Wanted::Directory => targets.resolve(&path).map(|target| target.path().to_owned()),
        Wanted::File => targets.resolve_file(&path),
    });
    let resolved = resolved.await.map_err(|_| CallError::Wire(WireError::Internal))?;
    let resolved = resolved.map_err(|error: TargetRefused| CallError::argument(field, error.to_string()))?;
    // A path that is not UTF-8 cannot have come in as JSON, but a link may lead to one.
    let text =
        resolved.to_str().ok_or_else(|| CallError::argument(field, "leads to a name that is not UTF-8"))?;
    Ok(text.to_owned())
}

pub(super) async fn app_spec(app: &AppArguments, context: &CallContext) -> Result<AppSpec, CallError> {
    let source = match (&app.image, &app.dockerfile, &app.compose) {
        (Some(image), None, None) => {
            let image: ImageName =
                image.parse().map_err(|error| CallError::argument("app/image", format!("{error}")))?;
            AppSource::Image { image: image.as_str().to_owned() }
        }
        (None, Some(directory), None) => {
            let directory = resolved("app/dockerfile", directory, Wanted::Directory, context).await?;
            AppSource::Dockerfile { directory }
        }
        (None, None, Some(file)) => {
            let file = resolved("app/compose", file, Wanted::File, context).await?;
            AppSource::Compose { file, service: app.service.clone() }
        }
        _ => {
            return Err(CallError::argument("app", "exactly one of image, dockerfile and compose is needed"));
        }
    };
    if app.service.is_some() && !matches!(source, AppSource::Compose { .. }) {
        return Err(CallError::argument(
            "app/service",
            "names a service of a compose file, and there is none",
        ));
    }
    Ok(AppSpec { source, port: app.port, health: app.health.clone() })
}

/// `place`: the target's own URL, where it is known already.
fn plan(web: WebArguments, place: Option<&Place>) -> Result<WebPlan, CallError> {
    let phase = match web.phase.unwrap_or(PhaseWord::Baseline) {
        PhaseWord::Baseline => Phase::Baseline,
        PhaseWord::Full => Phase::Full,
        PhaseWord::Api => Phase::Api,
    };
    if phase == Phase::Api && web.openapi.is_none() {
        return Err(CallError::argument(
            "web/openapi",
            "is needed for the phase `api`: it says what there is to attack",
        ));
    }
    for (index, seed) in web.seeds.iter().enumerate() {
        on_target(&format!("web/seeds/{index}"), seed, place)?;
    }
    if let Some(document) = &web.openapi {
        on_target("web/openapi", document, place)?;
    }
    for (index, pattern) in web.exclude.iter().enumerate() {
        is_pattern(&format!("web/exclude/{index}"), pattern)?;
    }
    if let Some(place) = place {
        Bounds::new(place, &[], &web.exclude).map_err(|refused| told("web/exclude", &refused))?;
    }
    Ok(WebPlan {
        phase,
        seeds: Seeds { urls: web.seeds, openapi: web.openapi, sitemap: web.sitemap },
        exclude: web.exclude,
        login: web.login.map(|given| login(given, place)).transpose()?,
        expect: web.expect.into_iter().map(expectation).collect(),
        load: web.load.map(load).unwrap_or_default(),
    })
}

/// A URL of a request is the target's own, or a path on it.
fn on_target(field: &str, text: &str, place: Option<&Place>) -> Result<(), CallError> {
    let Some(place) = place else {
        // Where an app listens is not known before it does.
        return if text.starts_with('/') {
            Ok(())
        } else {
            Err(CallError::argument(
                field,
                "must be a path that begins with `/`: an app's address is not known yet",
            ))
        };
    };
    let joined = place.join(text).map_err(|refused| told(field, &refused))?;
    if joined.authority == place.authority {
        return Ok(());
    }
    Err(CallError::argument(field, format!("is not on the target, {}", place.authority)))
}

fn is_pattern(field: &str, pattern: &str) -> Result<(), CallError> {
    if pattern.len() > TEXT_BYTES_MAX {
        return Err(CallError::argument(field, format!("is longer than {TEXT_BYTES_MAX} bytes")));
    }
    Regex::new(pattern)
        .map(drop)
        .map_err(|error| CallError::argument(field, format!("is no regular expression: {error}")))
}

fn login(given: LoginArguments, place: Option<&Place>) -> Result<Login, CallError> {
    match given {
        LoginArguments::Header { name, value } => {
            let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if name.is_empty() || !name.bytes().all(token) {
                return Err(CallError::argument("web/login/header/name", "is no name of a header"));
            }
            if value.len() > TEXT_BYTES_MAX || value.chars().any(char::is_control) {
                return Err(CallError::argument("web/login/header/value", "is no value of a header"));
            }
            Ok(Login::Header { name, value })
        }
        LoginArguments::Form { url, fields, logged_in } => {
            on_target("web/login/form/url", &url, place)?;
            is_pattern("web/login/form/logged_in", &logged_in)?;
            Ok(Login::Form { url, fields, logged_in })
        }
    }
}

fn expectation(given: ExpectationArguments) -> Expectation {
    let ExpectationArguments { method, path, status, headers, body } = given;
    Expectation { method: method.unwrap_or_else(|| "GET".to_owned()), path, status, headers, body }
}

fn load(given: LoadArguments) -> Load {
    let LoadArguments { duration_s, concurrency, p95_ms_max, errors_max, rate_min } = given;
    let usual = Load::default();
    Load {
        duration_s: duration_s.unwrap_or(usual.duration_s),
        concurrency: concurrency.unwrap_or(usual.concurrency),
        p95_ms_max,
        errors_max,
        rate_min,
    }
}
