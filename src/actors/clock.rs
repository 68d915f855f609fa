//! The wall clock, for what people and files see. Deadlines use tokio's clock, which tests can pause.

/// Now, RFC 3339 in UTC, to the millisecond.
pub fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}
