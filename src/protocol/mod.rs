//! What travels on the wire: framing, method and tool shapes, the error table. Knows no actor and no domain.

pub mod api;
