//! Whether writes reach the disk: said by the writer after each group, read by readiness and by whoever can make room.

use tokio::sync::watch;

use crate::store::Fault;

/// Shared by the writer, over all its lives, and its readers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Health {
    fault: watch::Sender<Option<Fault>>,
}

impl Health {
    /// What is wrong, until a commit has succeeded again.
    pub fn fault(&self) -> Option<Fault> {
        self.fault.borrow().clone()
    }

    /// To be waited on for a change.
    pub fn watch(&self) -> watch::Receiver<Option<Fault>> {
        self.fault.subscribe()
    }

    pub(super) fn fails(&self, fault: Fault) {
        metrics::counter!("proctor_store_faults_total", "kind" => fault.kind.word()).increment(1);
        let kind = fault.kind.word();
        let text = fault.to_string();
        let before = self.fault.send_replace(Some(fault));
        // Once per trouble, not once per try.
        if before.is_none_or(|before| before.kind.word() != kind) {
            tracing::error!(kind, text, "the store cannot write; it tries again every second");
        }
    }

    pub(super) fn works(&self) {
        let mended = self.fault.send_if_modified(|fault| fault.take().is_some());
        if mended {
            tracing::info!("the store can write again");
        }
    }
}

impl Default for Health {
    fn default() -> Self {
        Self { fault: watch::Sender::new(None) }
    }
}
