//! The way back of a call.

use tokio::sync::oneshot;

/// Where a handler sends its answer. Dropped without an answer, the caller gets `CallError::Closed`.
#[derive(Debug)]
pub struct Reply<R> {
    sender: oneshot::Sender<R>,
}

impl<R> Reply<R> {
    pub(crate) fn channel() -> (Self, oneshot::Receiver<R>) {
        let (sender, receiver) = oneshot::channel();
        (Self { sender }, receiver)
    }

    /// Answers. An answer to a caller that has left is dropped: it gave up first.
    pub fn send(self, answer: R) {
        drop(self.sender.send(answer));
    }

    /// Whether the caller has left (timed out or cancelled): then the work can be spared.
    pub fn is_abandoned(&self) -> bool {
        self.sender.is_closed()
    }

    /// Resolves when the caller has left: what a long answer watches.
    pub async fn abandoned(&mut self) {
        self.sender.closed().await;
    }
}
