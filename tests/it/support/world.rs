//! A gateway in this process, on a port of its own.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use proctor::actors::gateway::origin::Doors;
use proctor::actors::gateway::settings::Settings;
use proctor::actors::gateway::token::{Token, Tokens};
use proctor::actors::gateway::{GatewayMessage, Plan, child, listener};
use proctor::actors::handles::Handles;
use proctor::actors::mailbox::{Address, Slot};
use proctor::actors::supervise::{Strategy, Supervisor, SupervisorSpec};
use proctor::protocol::api::{ToolAnswer, ToolsAnswer};
use proctor::protocol::limits::Limits;

use super::client::Client;
use super::soon;

/// A gateway and what a test needs to reach it. Dropped, it takes everything with it.
pub struct World {
    pub address: SocketAddr,
    pub token: Token,
    pub gateway: Address<GatewayMessage>,
    pub root: Supervisor,
}

/// Limits that let a test do as it likes; each test lowers the one it is about.
pub fn roomy() -> Limits {
    Limits {
        sessions_per_address: 1_024,
        sessions_per_principal: 1_024,
        in_flight_per_principal: 4_096,
        in_flight: 4_096,
        rate_per_second: 100_000,
        rate_burst: 100_000,
        ..Limits::default()
    }
}

impl World {
    /// A gateway with roomy limits.
    pub async fn boot() -> Self {
        Self::with_limits(|_| {}).await
    }

    pub async fn with_limits(change: impl FnOnce(&mut Limits)) -> Self {
        Self::with_settings(|settings| change(&mut settings.limits)).await
    }

    pub async fn with_settings(change: impl FnOnce(&mut Settings)) -> Self {
        let token = Token::random().expect("random bytes");
        let mut settings = Settings {
            limits: roomy(),
            doors: Doors::default(),
            tokens: Tokens::of_owner(&token),
            query_token: false,
            metrics: None,
        };
        change(&mut settings);
        let bound = listener::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let address = bound.local_addr().expect("bound");
        let tree = Arc::new(OnceLock::new());
        let plan = Plan { listener: Arc::new(bound), settings, handles: handles(Arc::clone(&tree)) };
        let slot = Slot::new();
        let spec = SupervisorSpec::new("root", Strategy::OneForOne).child(child(plan, &slot));
        let root = Supervisor::start(spec).await.expect("a root");
        root.booted().await.expect("a gateway");
        tree.set(root.clone()).ok().expect("set once");
        let gateway = slot.get().expect("running");
        Self { address, token, gateway, root }
    }

    /// A client that has shaken hands.
    pub async fn client(&self) -> Client {
        let mut client = Client::connect(self).await;
        client.initialize().await;
        client
    }

    /// Drains, then closes; returns when the last connection is gone.
    pub async fn close(&self) {
        let closed = self.gateway.call(|reply| GatewayMessage::Close { reply }, Duration::from_secs(20));
        soon("the gateway's end", closed).await.expect("closed");
    }

    pub fn drain(&self) {
        self.gateway.try_send(GatewayMessage::Drain).expect("a gateway");
    }
}

fn handles(root: Arc<OnceLock<Supervisor>>) -> Handles {
    let tools = ToolsAnswer {
        tools: vec![ToolAnswer {
            name: "sample".into(),
            summary: "an analyser".into(),
            reads: vec!["**/*.py".into()],
            version: "1.0".into(),
            installed: false,
            network: false,
            retry_in_s: None,
        }],
    };
    Handles { tree: Arc::new(move || root.get().expect("booted").tree()), ..Handles::unattached(tools) }
}
