//! Poison isolation: a tool that dies on a set of files is called again on halves of it, until the files that kill it
//! are named and all others have been in a call that made a statement. Pure: it says which files to try next, and is
//! told what came of them.
//!
//! ```text
//! untried ──spoke──► heard
//!    └─────died────► suspect ──halves──► untried, untried       one file alone: named
//!                                 └─ the first half spoke: the second is suspect, untested
//! ```
//! The largest group is always the next, so that a bound that is reached costs the fewest files. Those are gaps, too, and
//! are not called poison.

use std::collections::BTreeSet;
use std::time::Duration;

use super::deadline::EndedBy;
use super::outcome::{FailureReason, Gap};

/// Of a tool's own limit, the least that a group is given, however few its files: a tool needs time to start.
const PATIENCE_PARTS_MAX: u32 = 16;

/// How much may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Calls of the tool.
    pub calls: usize,
    /// Bytes of paths in one call.
    pub path_bytes: usize,
    /// Bytes that a path costs beyond its own: what stands before it and around it on the command line.
    pub bytes_per_path: usize,
}

/// What came of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// The tool made a statement about it.
    Spoke,
    /// It failed in a way that may lie in the files.
    Died { why: String },
    /// It failed in a way that does not, or its time is over: nothing more is to be tried.
    Stopped { why: String },
}

/// Sorted.
type Files = Vec<String>;

#[derive(Debug)]
enum Group {
    Untried(Files),
    /// The tool died on all of them together: at least two.
    Suspect(Files),
}

impl Group {
    fn files(&self) -> &Files {
        match self {
            Self::Untried(files) | Self::Suspect(files) => files,
        }
    }
}

/// A search for the files that kill a tool.
#[derive(Debug)]
pub struct Bisection {
    bounds: Bounds,
    open: Vec<Group>,
    in_hand: Option<InHand>,
    culprits: Vec<Gap>,
    untried: Vec<Gap>,
    heard: BTreeSet<String>,
}

#[derive(Debug)]
struct InHand {
    files: Files,
    /// The rest of the suspects that these files were among.
    other_half: Option<Files>,
}

/// What a search came to. Every file is in exactly one of the three.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Isolation {
    /// Files that were in a call that made a statement.
    pub heard: BTreeSet<String>,
    /// Files on which the tool died alone, and how.
    pub culprits: Vec<Gap>,
    /// Files that no call made a statement about before the bound was reached.
    pub untried: Vec<Gap>,
}

impl Bisection {
    /// The tool has died on all of `files` together.
    pub fn of_dead(files: BTreeSet<String>, bounds: Bounds) -> Self {
        let mut new = Self::new(bounds);
        new.suspect(files.into_iter().collect());
        new
    }

    /// The tool takes a file at a time.
    pub fn of_each(files: BTreeSet<String>, bounds: Bounds) -> Self {
        let mut new = Self::new(bounds);
        // The last of equals is the next.
        new.open = files.into_iter().rev().map(|file| Group::Untried(vec![file])).collect();
        new
    }

    fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            open: Vec::new(),
            in_hand: None,
            culprits: Vec::new(),
            untried: Vec::new(),
            heard: BTreeSet::new(),
        }
    }

    /// The files to try now; `None` when there is nothing more to try.
    pub fn next_group(&mut self) -> Option<BTreeSet<String>> {
        loop {
            if self.bounds.calls == 0 {
                return None;
            }
            let at = self.largest()?;
            let (files, other_half) = match self.open.swap_remove(at) {
                Group::Untried(files) => (files, None),
                Group::Suspect(mut files) => {
                    let other_half = files.split_off(files.len() / 2);
                    (files, Some(other_half))
                }
            };
            if files.len() > 1 && !self.fits(&files) {
                // Not tried and yet to be split: there is no such call.
                self.open.push(Group::Suspect(files));
                self.open.extend(other_half.map(Group::Untried));
                continue;
            }
            self.bounds.calls -= 1;
            let group = files.iter().cloned().collect();
            self.in_hand = Some(InHand { files, other_half });
            return Some(group);
        }
    }

    /// Of equals the last, which keeps the halves of one group together.
    fn largest(&self) -> Option<usize> {
        (0..self.open.len()).max_by_key(|at| self.open[*at].files().len())
    }

    fn fits(&self, files: &Files) -> bool {
        let bytes: usize = files.iter().map(|file| file.len() + self.bounds.bytes_per_path).sum();
        bytes <= self.bounds.path_bytes
    }

    /// What came of the files that [`Self::next_group`] gave out.
    pub fn tried(&mut self, tried: Tried) {
        let Some(InHand { files, other_half }) = self.in_hand.take() else {
            return;
        };
        match tried {
            Tried::Spoke => {
                self.heard.extend(files);
                self.suspect(other_half.unwrap_or_default());
            }
            Tried::Died { why } => {
                match <[String; 1]>::try_from(files) {
                    Ok([path]) => self.culprits.push(Gap { path, why }),
                    Err(files) => self.suspect(files),
                }
                self.open.extend(other_half.map(Group::Untried));
            }
            Tried::Stopped { why } => {
                self.open.push(Group::Untried(files));
                self.open.extend(other_half.map(Group::Untried));
                self.give_up(&why);
            }
        }
    }

    /// One file alone is tried before it is accused.
    fn suspect(&mut self, files: Files) {
        match files.len() {
            0 => {}
            1 => self.open.push(Group::Untried(files)),
            _ => self.open.push(Group::Suspect(files)),
        }
    }

    fn give_up(&mut self, why: &str) {
        let files = self.open.drain(..).flat_map(|group| match group {
            Group::Untried(files) | Group::Suspect(files) => files,
        });
        self.untried.extend(files.map(|path| Gap { path, why: format!("not examined: {why}") }));
    }

    /// What is known now.
    pub fn finish(mut self) -> Isolation {
        self.tried(Tried::Stopped {
            why: "the search for the files that kill the tool was cut short".to_owned(),
        });
        self.give_up("the tool died on files beside this one, and no more calls may be spent to find them");
        let Self { mut culprits, mut untried, heard, .. } = self;
        culprits.sort();
        untried.sort();
        Isolation { heard, culprits, untried }
    }
}

/// What a group of `files` out of `of` may take, of a tool whose own limit is `limit`: its share, and not so little that
/// the tool cannot start. So the search for one file that hangs costs about as much as the hang itself.
pub fn patience(limit: Duration, files: usize, of: usize) -> Duration {
    let share = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let fair = limit.saturating_mul(share(files)) / share(of).max(1);
    fair.max(limit / PATIENCE_PARTS_MAX)
}

/// Whether a tool that failed so may have died of its files, so that a part of them may fare better.
pub const fn may_lie_in_the_files(reason: FailureReason, ended_by: EndedBy) -> bool {
    match reason {
        FailureReason::Signalled
        | FailureReason::MemoryExceeded
        | FailureReason::OutputFlood
        | FailureReason::UnexpectedExit
        | FailureReason::EmptyReport
        | FailureReason::UnreadableReport
        // A parser of ours that died of a report.
        | FailureReason::Internal => true,
        FailureReason::TimedOut => matches!(ended_by, EndedBy::OwnLimit),
        FailureReason::ToolMissing
        | FailureReason::SpawnFailed
        | FailureReason::ServiceUnavailable
        | FailureReason::DependencyOpen
        | FailureReason::TargetUnreadable
        | FailureReason::TargetChanged
        | FailureReason::DaemonRestarted
        // Of containers and running targets, which have no files.
        | FailureReason::EngineUnavailable
        | FailureReason::ImageMissing
        | FailureReason::AppFailed
        | FailureReason::TargetUnreachable
        | FailureReason::TargetLost
        | FailureReason::TargetRefused
        | FailureReason::LoginFailed
        | FailureReason::ZapUnready
        | FailureReason::ZapDied
        | FailureReason::ZapRefused
        | FailureReason::NoRules
        | FailureReason::PassiveQueueStuck
        | FailureReason::ScanStuck
        | FailureReason::DiskLimit
        // It lived, and says of every file why it is no proof: to ask again gives the same.
        | FailureReason::NoProofOfWork => false,
    }
}

#[cfg(test)]
#[path = "bisect_tests.rs"]
mod tests;
