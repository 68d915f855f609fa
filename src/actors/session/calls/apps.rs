//! `apps`: the apps under test that are up, and starting or ending one by hand.

use std::time::Duration;

use tokio::time::timeout;

use super::target::app_spec;
use crate::actors::apps::{AppError, AppState, AppView};
use crate::actors::session::call::{Call, CallContext, CallError, Hints};
use crate::protocol::apps::{AppAnswer, AppsAction, AppsAnswer, AppsArguments};

/// Seconds a caller waits who does not say: an image that is built already is up by then.
const WAIT_S_DEFAULT: u32 = 20;
/// When to come back where there is no engine: the daemon looks for one all the time.
const ENGINE_RETRY: Duration = Duration::from_secs(5);

pub struct Apps;

impl Call for Apps {
    const NAME: &'static str = "apps";
    const TITLE: &'static str = "Apps under test";
    const DESCRIPTION: &'static str = "Lists the apps under test that are up or being started (action `list`). `start` builds and \
        starts one and keeps it up, so that several scans find it warm; `stop` removes it. A scan with `app` starts and removes its \
        own: to start one first is never needed.";
    const HINTS: Hints = Hints { read_only: false, destructive: true, idempotent: true, open_world: false };
    type Arguments = AppsArguments;
    type Answer = AppsAnswer;

    async fn call(arguments: AppsArguments, context: CallContext) -> Result<AppsAnswer, CallError> {
        let apps = &context.handles.apps;
        let spec = match (&arguments.app, arguments.action) {
            (None, AppsAction::List) => None,
            (None, AppsAction::Start | AppsAction::Stop) => {
                return Err(CallError::argument("app", "says which app, and is missing"));
            }
            (Some(app), _) => Some(app_spec(app, &context).await?),
        };
        match (arguments.action, &spec) {
            (AppsAction::Start, Some(spec)) => {
                let patience = Duration::from_secs(arguments.wait_s.unwrap_or(WAIT_S_DEFAULT).into());
                let progress = context.progress.clone();
                let says = move |what: &str| progress.report(0.0, None, what);
                apps.keep(spec).await.map_err(|error| refused(&error))?;
                // Kept, it goes on being started when the caller's patience is over; an app that cannot come up says why.
                if let Ok(Err(error)) = timeout(patience, apps.lease(spec, &says)).await {
                    return Err(refused(&error));
                }
            }
            (AppsAction::Stop, Some(spec)) => {
                if !apps.stop(spec).await.map_err(|error| refused(&error))? {
                    let advice = "call apps with action `list` to see which there are".to_owned();
                    return Err(CallError::NotFound { what: format!("{spec} is not up"), advice });
                }
            }
            (AppsAction::List, _) | (_, None) => {}
        }
        let listed = apps.list().await.map_err(|error| refused(&error))?;
        let wanted = listed.into_iter().filter(|view| spec.as_ref().is_none_or(|spec| view.spec == *spec));
        Ok(AppsAnswer { apps: wanted.map(answer).collect() })
    }
}

fn answer(view: AppView) -> AppAnswer {
    let AppView { spec, state, leases } = view;
    let mut answer = AppAnswer {
        app: spec.to_string(),
        leases: u32::try_from(leases).unwrap_or(u32::MAX),
        ..AppAnswer::default()
    };
    match state {
        AppState::Preparing(doing) => {
            answer.state = "preparing".to_owned();
            answer.doing = Some(doing);
        }
        AppState::Up(endpoint) => {
            answer.state = "up".to_owned();
            answer.url = Some(format!("http://{}/", endpoint.address));
        }
        AppState::Ended(error) => {
            answer.state = "ended".to_owned();
            answer.log_tail = error.log_tail().to_owned();
            answer.error = Some(error.to_string());
        }
    }
    answer
}

fn refused(error: &AppError) -> CallError {
    match error {
        AppError::Unavailable(_) | AppError::NotNow(_) | AppError::Full { .. } => {
            CallError::Unavailable { what: error.to_string(), retry_after: ENGINE_RETRY }
        }
        _ => {
            let tail = error.log_tail();
            let advice = match tail.is_empty() {
                true => "mend the app, then start it again".to_owned(),
                false => format!("the last it said: {tail}"),
            };
            CallError::Refused { what: error.to_string(), advice }
        }
    }
}
