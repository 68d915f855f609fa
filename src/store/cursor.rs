//! The opaque text between two pages of findings: the row the last page ended with, bound to the query it came from.
//! It grants nothing: each page asks for the principal again. A text that was altered is refused, not guessed at.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::StoreError;

/// Bytes of the query's digest: enough to tell a client's own queries apart.
const QUERY_BYTES: usize = 8;
/// Digest and row key.
const CURSOR_BYTES: usize = QUERY_BYTES + 8;

/// What a cursor is bound to: the query without its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QueryDigest([u8; QUERY_BYTES]);

impl QueryDigest {
    pub(super) fn of(query: &impl std::fmt::Debug) -> Self {
        let digest = Sha256::digest(format!("{query:?}"));
        let mut bytes = [0; QUERY_BYTES];
        bytes.copy_from_slice(&digest[..QUERY_BYTES]);
        Self(bytes)
    }
}

pub(super) fn encode(query: QueryDigest, row: i64) -> String {
    let mut bytes = query.0.to_vec();
    bytes.extend(row.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The row, if the text is a cursor of this query.
pub(super) fn decode(query: QueryDigest, text: &str) -> Result<i64, StoreError> {
    // The length first: a client may send a megabyte.
    if text.len() != CURSOR_BYTES.div_ceil(3) * 4 - 2 {
        return Err(StoreError::BadCursor);
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| StoreError::BadCursor)?;
    let (digest, row) = bytes.split_first_chunk::<QUERY_BYTES>().ok_or(StoreError::BadCursor)?;
    if *digest != query.0 {
        return Err(StoreError::BadCursor);
    }
    row.try_into().map(i64::from_be_bytes).map_err(|_| StoreError::BadCursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_and_serves_its_query_only() {
        let (one, other) = (QueryDigest::of(&"one"), QueryDigest::of(&"other"));
        for row in [0, 1, i64::MAX, -1] {
            let text = encode(one, row);
            assert_eq!(decode(one, &text).unwrap(), row);
            assert!(decode(other, &text).is_err());
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_strange(text in ".{0,40}") {
            drop(decode(QueryDigest::of(&"one"), &text));
        }

        #[test]
        fn a_text_that_was_altered_is_refused_or_names_another_row(at in 0_usize..22, letter in "[A-Za-z0-9_-]") {
            let query = QueryDigest::of(&"one");
            let text = encode(query, 7);
            let mut altered = text.clone();
            altered.replace_range(at..=at, &letter);
            if let Ok(row) = decode(query, &altered) {
                proptest::prop_assert!((row == 7) == (altered == text));
            }
        }
    }
}
