//! Who stalls: an actor that has had one message in its handler for longer than its kind may. Found in the live tree, said
//! once when it begins and once when it is over.

use std::collections::BTreeMap;

use crate::domain::tree::{ActorView, TreeNode};

/// The stalls that are known: the actor's way from the root, and its kind.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    known: BTreeMap<String, String>,
}

/// A change since the last look.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    Began { path: String, kind: String, handling_ms: u64 },
    Over { path: String, kind: String },
}

impl Stalls {
    /// Compares with the tree of now.
    pub(super) fn look(&mut self, tree: &TreeNode) -> Vec<Change> {
        let mut now = BTreeMap::new();
        collect(tree, "", &mut now);
        let over = self.known.iter().filter(|(path, _)| !now.contains_key(path.as_str()));
        let over = over.map(|(path, kind)| Change::Over { path: path.clone(), kind: kind.clone() });
        let began = now.iter().filter(|(path, _)| !self.known.contains_key(path.as_str()));
        let began = began.map(|(path, actor)| Change::Began {
            path: path.clone(),
            kind: actor.name.clone(),
            handling_ms: actor.handling_ms.unwrap_or(0),
        });
        let changes = over.chain(began).collect();
        self.known = now.into_iter().map(|(path, actor)| (path, actor.name.clone())).collect();
        changes
    }
}

fn collect<'a>(node: &'a TreeNode, above: &str, found: &mut BTreeMap<String, &'a ActorView>) {
    let path = format!("{above}{}", node.id);
    if let Some(actor) = node.actor.as_ref().filter(|actor| actor.stalled) {
        found.insert(path.clone(), actor);
    }
    node.children.iter().for_each(|child| collect(child, &format!("{path}/"), found));
}

/// Logs a change and counts it.
pub(super) fn report(change: &Change) {
    let gauge = |kind: &str| metrics::gauge!("proctor_actors_stalled", "actor" => kind.to_owned());
    match change {
        Change::Began { path, kind, handling_ms } => {
            gauge(kind).increment(1.0);
            tracing::warn!(
                actor = path,
                kind,
                handling_ms,
                "stalled: one message is in its handler too long"
            );
        }
        Change::Over { path, kind } => {
            gauge(kind).decrement(1.0);
            tracing::info!(actor = path, kind, "no longer stalled");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;
    use crate::actors::mailbox::{Message, Slot};
    use crate::actors::server::{Context, Server, StartError, Stop};
    use crate::actors::supervise::{ChildSpec, Strategy, Supervisor, SupervisorSpec};

    /// Handles its message for as long as that says. `PATIENT`: its kind may take that long.
    struct Slow<const PATIENT: bool>;

    #[derive(Debug)]
    struct Work(Duration);

    impl Message for Work {}

    impl<const PATIENT: bool> Server for Slow<PATIENT> {
        const NAME: &'static str = "slow";
        const MAILBOX_LIMIT: usize = 1;
        const STALLS_AFTER: Option<Duration> = if PATIENT { None } else { Some(Duration::from_secs(5)) };
        type Message = Work;
        type Arguments = ();

        async fn init((): (), _: &Context<Work>) -> Result<Self, StartError> {
            Ok(Self)
        }

        async fn handle(&mut self, Work(time): Work, _: &Context<Work>) -> Result<(), Stop> {
            sleep(time).await;
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stall_is_told_once_with_its_place_and_so_is_its_end() {
        let (slow, patient) = (Slot::new(), Slot::new());
        let spec = SupervisorSpec::new("root", Strategy::OneForOne)
            .child(ChildSpec::server_in::<Slow<false>>("slow", &slow, || ()))
            .child(ChildSpec::server_in::<Slow<true>>("patient", &patient, || ()));
        let root = Supervisor::start(spec).await.unwrap();
        root.booted().await.unwrap();
        let mut stalls = Stalls::default();
        for slot in [&slow, &patient] {
            slot.ready().await.send(Work(Duration::from_secs(9))).await.unwrap();
        }
        sleep(Duration::from_millis(4_900)).await;
        assert_eq!(stalls.look(&root.tree()), []);
        sleep(Duration::from_secs(1)).await;
        let began = stalls.look(&root.tree());
        assert!(
            matches!(&began[..], [Change::Began { path, handling_ms: 5_000.., .. }] if path == "root/slow"),
            "{began:?}"
        );
        assert_eq!(stalls.look(&root.tree()), [], "once");
        sleep(Duration::from_secs(5)).await;
        let over = Change::Over { path: "root/slow".to_owned(), kind: "slow".to_owned() };
        assert_eq!(stalls.look(&root.tree()), [over]);
        root.shutdown(Duration::from_secs(1)).await;
    }
}
