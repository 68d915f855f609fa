//! That somebody wants a job: how the manager learns that he no longer does, however he goes.
//!
//! A call holds a [`Caller`], the manager the [`Wish`] that belongs to it. A caller who takes his wish back says so; one
//! who just goes away (answered, or cut off) leaves it standing, unless it was attached to his connection.

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// The manager's side.
pub struct Wish {
    taken_back: oneshot::Receiver<()>,
    attached_to: Option<CancellationToken>,
}

/// The caller's side.
pub struct Caller {
    take_back: Option<oneshot::Sender<()>>,
    cancelled: CancellationToken,
}

/// A wish of a call whose client says by `cancelled` that it no longer wants an answer; with `attached_to`, it lasts until
/// that is cancelled at most.
pub fn wish(cancelled: CancellationToken, attached_to: Option<CancellationToken>) -> (Caller, Wish) {
    let (take_back, taken_back) = oneshot::channel();
    (Caller { take_back: Some(take_back), cancelled }, Wish { taken_back, attached_to })
}

impl Wish {
    /// Resolves when the job is no longer wanted; never, for a wish that will stand.
    pub async fn ended(self) {
        let Self { mut taken_back, attached_to } = self;
        let detached = async {
            match attached_to {
                Some(connection) => connection.cancelled_owned().await,
                None => std::future::pending().await,
            }
        };
        let withdrawn = async {
            if (&mut taken_back).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = withdrawn => {}
            () = detached => {}
        }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        // A call that was answered, or whose connection broke, is dropped without a cancel of its own.
        if self.cancelled.is_cancelled()
            && let Some(take_back) = self.take_back.take()
        {
            // An error means that the manager no longer cares.
            take_back.send(()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn ends(wish: Wish) -> bool {
        timeout(Duration::from_secs(3_600), wish.ended()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answered_caller_leaves_his_wish_standing() {
        let (caller, wish) = wish(CancellationToken::new(), None);
        drop(caller);
        assert!(!ends(wish).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_call_takes_its_wish_back() {
        let cancelled = CancellationToken::new();
        let (caller, wish) = wish(cancelled.clone(), None);
        cancelled.cancel();
        drop(caller);
        assert!(ends(wish).await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_attached_wish_ends_with_its_connection_long_after_the_call() {
        let connection = CancellationToken::new();
        let (caller, wish) = wish(CancellationToken::new(), Some(connection.clone()));
        drop(caller);
        connection.cancel();
        assert!(ends(wish).await);
    }
}
