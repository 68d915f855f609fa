//! The one integration binary: a file per promise.

mod tidy;
