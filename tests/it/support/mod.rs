//! What tests stand on: a gateway of their own on a free port, and clients of three grades of politeness.

pub mod world;
pub mod client;
pub mod raw;

use std::future::Future;
use std::time::Duration;

/// The bound of every wait of a test: generous, because two cores may be shared by a whole test suite.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for `what` and fails the test when it does not come.
pub async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not come within {PATIENCE:?}"),
    }
}

/// Waits until `holds` does.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    soon(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// The end of a manifest, of which a test minds nothing but how long its tool may take, in seconds. The words of severities, or
/// how it is installed, may follow.
pub fn rest_of_manifest(wall_s: u32) -> String {
    format!(
        r#"[report]
from = "stdout"
format = "sarif"
[exit]
0 = "either"
[limits]
wall_s = {wall_s}
output_mib = 1
[weights]
cpu = 1
memory_mb = 16
[severity]
default = "medium"
"#
    )
}
