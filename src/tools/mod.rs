//! The catalogue: a manifest per tool (data), and a parser for what is not SARIF.
