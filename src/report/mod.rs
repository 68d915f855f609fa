//! What is handed out for machines: SARIF. Pure.
