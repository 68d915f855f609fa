//! When two submissions are the same. Pure.

use sha2::{Digest, Sha256};

use super::ids::Principal;
use super::job::JobRequest;

/// What was asked for, as SHA-256 in hexadecimal: what an idempotency key is bound to.
pub fn payload(request: &JobRequest) -> String {
    hash([text(request).as_str()])
}

/// The work a job will do, as SHA-256 in hexadecimal: equal for equal requests of one principal that the same tools in the
/// same versions will answer. Two principals never share a job: neither may learn what the other has.
pub fn plan(principal: &Principal, request: &JobRequest, tools: &str) -> String {
    hash([principal.0.as_str(), text(request).as_str(), tools])
}

/// The order in which tools were named means nothing.
fn text(request: &JobRequest) -> String {
    let mut request = request.clone();
    request.tools.sort();
    request.tools.dedup();
    serde_json::to_string(&request).expect("a request has text keys and no failing serialiser")
}

fn hash<const N: usize>(parts: [&str; N]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        // The length in front: no two lists of parts read alike.
        hasher.update(part.len().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    format!("{:x}", hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ToolName;

    fn request(tools: &[&str]) -> JobRequest {
        let tools = tools.iter().map(|tool| ToolName((*tool).to_owned())).collect();
        JobRequest { target: "/t".into(), tools, deadline_s: 60, attached: false }
    }

    #[test]
    fn the_order_of_tools_means_nothing_and_everything_else_something() {
        let alice = Principal("alice".into());
        let plan_of = |request: &JobRequest| plan(&alice, request, "a=1");
        assert_eq!(plan_of(&request(&["a", "b"])), plan_of(&request(&["b", "a", "a"])));
        let base = request(&["a"]);
        let others = [
            request(&["b"]),
            JobRequest { target: "/u".into(), ..base.clone() },
            JobRequest { deadline_s: 61, ..base.clone() },
            JobRequest { attached: true, ..base.clone() },
        ];
        for other in others {
            assert_ne!(plan_of(&base), plan_of(&other), "{other:?}");
            assert_ne!(payload(&base), payload(&other), "{other:?}");
        }
        assert_ne!(plan_of(&base), plan(&alice, &base, "a=2"), "another version is other work");
        assert_ne!(plan_of(&base), plan(&Principal("bob".into()), &base, "a=1"));
    }
}
