//! The table itself, in the order in which clients see it.

use super::apps::Apps;
use super::findings::{Findings, JobResults};
use super::job_cancel::JobCancel;
use super::job_events::JobEvents;
use super::job_list::JobList;
use super::job_status::JobStatus;
use super::scan::Scan;
use super::tools::Tools;
use crate::actors::session::table::{Row, Table};

/// Every tool we publish. The first one bears empty arguments: conformance kits call it so.
pub fn table() -> Table {
    Table::new(vec![
        Row::of::<Tools>(),
        Row::of::<Scan>(),
        Row::of::<JobStatus>(),
        Row::of::<JobResults>(),
        Row::of::<JobCancel>(),
        Row::of::<JobList>(),
        Row::of::<JobEvents>(),
        Row::of::<Findings>(),
        Row::of::<Apps>(),
        #[cfg(feature = "fault-injection")]
        Row::of::<super::fault::Fault>(),
    ])
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_row_can_be_built() {
        assert!(super::table().find("tools").is_ok());
    }
}
