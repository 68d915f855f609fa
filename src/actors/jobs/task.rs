//! The work of one run: a tool, and what it is to look at.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::execute::{Call, Executed, Order};
use super::plan::{Business, Planned};
use super::site::Prepared;
use super::snapshot::Snapshot;
use crate::domain::outcome::Outcome;
use crate::tools::invocation::TargetPlace;
use crate::tools::manifest::Manifest;

/// What all runs of a job look at.
#[derive(Clone)]
pub enum Subject {
    Tree(Arc<Snapshot>),
    Site(Arc<Prepared>),
}

/// What one run does.
#[derive(Clone)]
pub enum Task {
    /// Files of a snapshot.
    Tree(Order),
    Site(SiteOrder),
}

/// A tool on what runs.
#[derive(Clone)]
pub struct SiteOrder {
    pub manifest: Arc<Manifest>,
    pub ground: Arc<Prepared>,
}

impl SiteOrder {
    /// The call of the tool's program on `target`.
    pub fn call(&self, target: TargetPlace) -> Call<'_> {
        static NO_FILES: BTreeSet<String> = BTreeSet::new();
        Call { manifest: &self.manifest, target, files: &NO_FILES, is_part: false }
    }
}

impl Task {
    /// `None` for a tool that has no business with the target.
    pub(super) fn of(planned: Planned, subject: &Subject) -> Option<Self> {
        let Planned { manifest, business, .. } = planned;
        match (business, subject) {
            (Business::Files(expected), Subject::Tree(snapshot)) => {
                Some(Self::Tree(Order { manifest, snapshot: Arc::clone(snapshot), expected, is_part: false }))
            }
            (Business::Site, Subject::Site(ground)) => {
                Some(Self::Site(SiteOrder { manifest, ground: Arc::clone(ground) }))
            }
            (Business::None(_) | Business::Files(_) | Business::Site, _) => None,
        }
    }

    pub const fn manifest(&self) -> &Arc<Manifest> {
        match self {
            Self::Tree(order) => &order.manifest,
            Self::Site(order) => &order.manifest,
        }
    }

    /// Nothing can be said about the target.
    pub fn nothing_done(&self, outcome: Outcome) -> Executed {
        match self {
            Self::Tree(order) => Executed::nothing_read(order, outcome),
            Self::Site(_) => Executed::nothing(outcome),
        }
    }
}
