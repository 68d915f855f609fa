//! What kind of text a file of the target is: two tools pass over encodings they cannot read and say nothing.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Most bytes of a file looked at. A snapshot's files are smaller; of a larger one the beginning speaks for the rest.
const LOOKED_AT_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    /// Begins with a byte order mark of UTF-16 or UTF-32.
    Wide,
    /// Text in some other encoding, such as Latin-1.
    Other,
    /// Holds a NUL byte: no text.
    Binary,
    /// Not there any more.
    Unknown,
}

pub(super) fn encoding(path: &Path) -> Encoding {
    let mut bytes = Vec::new();
    let file = File::open(path);
    let read = file.and_then(|file| file.take(LOOKED_AT_BYTES_MAX).read_to_end(&mut bytes));
    match read {
        Ok(_) => encoding_of(&bytes),
        Err(_) => Encoding::Unknown,
    }
}

fn encoding_of(bytes: &[u8]) -> Encoding {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Encoding::Wide;
    }
    match std::str::from_utf8(bytes) {
        Ok(_) => Encoding::Utf8,
        // Cut in the middle of a character by our own limit.
        Err(error) if error.error_len().is_none() && bytes.len() as u64 == LOOKED_AT_BYTES_MAX => {
            Encoding::Utf8
        }
        Err(_) if bytes.contains(&0) => Encoding::Binary,
        Err(_) => Encoding::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told_apart() {
        assert_eq!(encoding_of("café".as_bytes()), Encoding::Utf8);
        assert_eq!(encoding_of(b"caf\xe9 au lait"), Encoding::Other);
        assert_eq!(encoding_of(b"\xff\xfea\0b\0"), Encoding::Wide);
        assert_eq!(encoding_of(b"\x7fELF\0\xf0"), Encoding::Binary);
    }
}
