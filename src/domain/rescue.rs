//! What becomes of a running job whose holder is gone. Pure.

use std::time::Duration;

use super::job::{HandBack, JobEvent, JobState, JobView};
use super::outcome::{Failure, FailureReason, Outcome};

/// Pause before the second attempt after a loss; each further one waits [`FACTOR`] times longer.
const PAUSE: Duration = Duration::from_secs(1);
const FACTOR: u32 = 5;
/// Pauses grow no further: the fourth loss is far beyond any sensible limit of attempts.
const GROWTHS_MAX: u32 = 4;
/// How much a pause is spread, to either side, so that jobs lost together do not come back together.
const SPREAD: f64 = 0.2;

/// How often a job is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// Attempts whose actor was lost, until the job fails.
    pub attempts_max: u32,
    /// Deaths of the daemon or its job engine while the job ran, until it is suspected of being their cause.
    pub deaths_max: u32,
}

/// What to do with the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Back to the queue, after a pause.
    HandBack {
        pause: Duration,
    },
    End {
        state: JobState,
        error: Option<String>,
    },
}

/// Decides, for a job that was running. `chance` is a number from 0 to 1.
pub fn fate(job: &JobView, why: HandBack, tries: Tries, chance: f64) -> Fate {
    let end = |state, error: String| Fate::End { state, error: Some(error) };
    if job.cancel_asked {
        return Fate::End { state: JobState::Cancelled, error: None };
    }
    match why {
        HandBack::Drain | HandBack::DaemonDied | HandBack::EngineDied if job.request.attached => {
            let error = "its client was connected to a daemon or job engine that ended before the job did";
            end(JobState::Cancelled, error.to_owned())
        }
        HandBack::Drain => Fate::HandBack { pause: Duration::ZERO },
        HandBack::DaemonDied | HandBack::EngineDied if job.deaths + 1 >= tries.deaths_max => {
            let times = job.deaths + 1;
            let error = format!(
                "the daemon or its job engine ended {times} times while this job ran: it is not tried again; see the \
                 daemon's log for the cause, then submit it again"
            );
            end(JobState::Quarantined, error)
        }
        HandBack::DaemonDied | HandBack::EngineDied => Fate::HandBack { pause: Duration::ZERO },
        HandBack::HolderLost | HandBack::LeaseExpired if job.losses + 1 >= tries.attempts_max => {
            let times = job.losses + 1;
            end(JobState::Failed, format!("proctor's own actor for this job was lost {times} times"))
        }
        HandBack::HolderLost | HandBack::LeaseExpired => Fate::HandBack { pause: pause(job.losses, chance) },
    }
}

/// The end of a job nobody holds; runs that were open end with it.
pub fn ended(state: JobState, error: Option<String>, at: &str) -> JobEvent {
    let failed = |reason| {
        let detail = error.clone().unwrap_or_else(|| "the job ended before the run did".to_owned());
        Outcome::Failed(Failure {
            advice: Some("submit the job again".to_owned()),
            ..Failure::new(reason, detail)
        })
    };
    let open_runs = match state {
        JobState::Cancelled | JobState::Done => Outcome::Cancelled,
        JobState::Quarantined => failed(FailureReason::DaemonRestarted),
        JobState::Expired => failed(FailureReason::TimedOut),
        JobState::Queued | JobState::Running | JobState::Failed => failed(FailureReason::Internal),
    };
    JobEvent::Ended { state, error, at: at.to_owned(), open_runs }
}

fn pause(losses: u32, chance: f64) -> Duration {
    let pause = PAUSE * FACTOR.pow(losses.min(GROWTHS_MAX));
    pause.mul_f64(1.0 - SPREAD + 2.0 * SPREAD * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{JobId, Principal};
    use crate::domain::job::JobRequest;

    const TRIES: Tries = Tries { attempts_max: 3, deaths_max: 2 };

    fn running(attached: bool) -> JobView {
        let request = JobRequest { target: "/t".into(), tools: vec![], deadline_s: 60, attached };
        let mut job =
            JobView::queued(JobId::from_random([1; 16]), Principal("p".into()), request, "now".into());
        assert!(job.apply(JobEvent::Started));
        job
    }

    /// Loses the job again and again, and says what became of it each time.
    fn lose(mut job: JobView, why: HandBack) -> Vec<Fate> {
        let mut fates = Vec::new();
        loop {
            fates.push(fate(&job, why, TRIES, 0.5));
            if matches!(fates.last(), Some(Fate::End { .. })) || fates.len() > 5 {
                return fates;
            }
            assert!(job.apply(JobEvent::HandedBack { why }) && job.apply(JobEvent::Started));
        }
    }

    fn ended(fates: &[Fate]) -> Option<JobState> {
        fates.iter().find_map(|fate| match fate {
            Fate::End { state, .. } => Some(*state),
            Fate::HandBack { .. } => None,
        })
    }

    #[test]
    fn a_job_that_sees_the_daemon_die_twice_is_quarantined() {
        for why in [HandBack::DaemonDied, HandBack::EngineDied] {
            let fates = lose(running(false), why);
            assert_eq!((fates.len(), ended(&fates)), (2, Some(JobState::Quarantined)), "{why:?}");
        }
    }

    #[test]
    fn a_lost_actor_is_replaced_ever_later_and_not_for_ever() {
        let fates = lose(running(false), HandBack::HolderLost);
        let pauses: Vec<_> =
            [1, 5].into_iter().map(|s| Fate::HandBack { pause: Duration::from_secs(s) }).collect();
        assert_eq!(fates[..2], pauses);
        assert_eq!((fates.len(), ended(&fates)), (3, Some(JobState::Failed)));
    }

    #[test]
    fn a_drain_never_wears_a_job_out() {
        assert_eq!(ended(&lose(running(false), HandBack::Drain)), None);
    }

    #[test]
    fn nobody_wants_a_cancelled_job_or_one_whose_client_is_gone() {
        let mut cancelled = running(false);
        cancelled.apply(JobEvent::CancelAsked);
        assert_eq!(ended(&[fate(&cancelled, HandBack::HolderLost, TRIES, 0.0)]), Some(JobState::Cancelled));
        for (why, expected) in [(HandBack::Drain, Some(JobState::Cancelled)), (HandBack::HolderLost, None)] {
            assert_eq!(ended(&[fate(&running(true), why, TRIES, 0.0)]), expected, "{why:?}");
        }
    }

    #[test]
    fn a_pause_is_spread_by_a_fifth() {
        for (chance, ms) in [(0.0, 800), (1.0, 1_200), (7.0, 1_200)] {
            assert_eq!(pause(0, chance), Duration::from_millis(ms));
        }
    }
}
