//! Who may come in: tokens, kept as SHA-256 digests, and the file that holds the first one; [`super::token_list`] holds
//! the others.
//!
//! A token is 32 random bytes in base64url. The file is made at first start, readable by its owner only; the daemon
//! refuses one that others can read. A presented token is compared in constant time with every digest.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::token_list::{Entry, Stamp, TokenList};
use crate::domain::ids::Principal;

/// The principal of the token file.
pub const OWNER: &str = "owner";
/// Random bytes of a token: beyond guessing.
const TOKEN_BYTES: usize = 32;
/// Bytes of a digest.
pub(super) const DIGEST_BYTES: usize = 32;
/// Longest token looked at, in bytes: hashing a header's worth is as far as a stranger gets.
const PRESENTED_BYTES_MAX: usize = 1_024;

/// Why the token file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    #[error("cannot {verb} the token file {}: {cause}", path.display())]
    Io { verb: &'static str, path: PathBuf, cause: io::Error },
    #[error("token file {} can be read by others (mode {mode:o}); run chmod 600 on it", path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("token file {} is empty; delete it and start again", path.display())]
    Empty { path: PathBuf },
    #[error("no random bytes from the kernel: {0}")]
    NoRandomness(getrandom::Error),
}

/// The secret itself. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    pub fn random() -> Result<Self, TokenFileError> {
        let mut bytes = [0; TOKEN_BYTES];
        getrandom::fill(&mut bytes).map_err(TokenFileError::NoRandomness)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Reads the token file, or makes it with a fresh token. Of two daemons that start at once, both end up with the
    /// token of the one that made the file.
    pub fn read_or_create(path: &Path) -> Result<Self, TokenFileError> {
        match Self::create(path) {
            Err(TokenFileError::Io { cause, .. }) if cause.kind() == io::ErrorKind::AlreadyExists => {
                Self::read(path)
            }
            made => made,
        }
    }

    /// Reads the token file.
    pub fn read(path: &Path) -> Result<Self, TokenFileError> {
        let failed = |cause| TokenFileError::Io { verb: "read", path: path.to_owned(), cause };
        let mode = fs::metadata(path).map_err(failed)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(TokenFileError::Exposed { path: path.to_owned(), mode });
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        match text.trim() {
            "" => Err(TokenFileError::Empty { path: path.to_owned() }),
            token => Ok(Self(token.to_owned())),
        }
    }

    fn create(path: &Path) -> Result<Self, TokenFileError> {
        let token = Self::random()?;
        let failed = |cause| TokenFileError::Io { verb: "make", path: path.to_owned(), cause };
        // Whole or absent: written beside, then linked, which fails if there is one. A reader never sees half a token.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let draft = tempfile::Builder::new()
            .prefix(".token")
            .make_in(folder, |draft| OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft))
            .map_err(failed)?;
        writeln!(draft.as_file(), "{}", token.0).and_then(|()| draft.as_file().sync_all()).map_err(failed)?;
        fs::hard_link(draft.path(), path).map_err(failed)?;
        Ok(token)
    }

    /// For the one who must present it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The tokens that open the door, and whose they are.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    digests: Vec<Entry>,
    list: Option<Arc<Listed>>,
}

/// The further tokens, as they were when the file was looked at last.
#[derive(Debug)]
struct Listed {
    list: TokenList,
    seen: Mutex<(Option<Stamp>, Vec<Entry>)>,
}

impl Tokens {
    /// The token of the file, for its owner.
    pub fn of_owner(token: &Token) -> Self {
        Self::default().with(Principal(OWNER.to_owned()), token)
    }

    pub fn with(mut self, principal: Principal, token: &Token) -> Self {
        self.digests.push((digest(token.reveal()), principal));
        self
    }

    /// And those of a list, as it is whenever somebody asks.
    #[must_use]
    pub fn and_list(self, list: TokenList) -> Self {
        Self { list: Some(Arc::new(Listed { list, seen: Mutex::default() })), ..self }
    }

    /// Whose token this is. Every digest is looked at, so that time tells nothing.
    pub fn principal_of(&self, presented: &str) -> Option<Principal> {
        if presented.len() > PRESENTED_BYTES_MAX {
            return None;
        }
        let presented = digest(presented);
        let own = known(&self.digests, &presented);
        let listed = self.list.as_ref().and_then(|listed| listed.principal_of(&presented));
        own.or(listed)
    }
}

impl Listed {
    /// Looks at the file's stamp, which is in the kernel's memory, and reads it only when it is another one.
    fn principal_of(&self, presented: &[u8; DIGEST_BYTES]) -> Option<Principal> {
        // Nothing panics while the lock is held, so what is there is whole.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.list.stamp();
        if seen.0 != stamp {
            let entries = self.list.read().unwrap_or_else(|error| {
                tracing::error!(%error, "nobody comes in by the list of tokens");
                Vec::new()
            });
            *seen = (stamp, entries);
        }
        known(&seen.1, presented)
    }
}

/// Every digest is looked at.
fn known(digests: &[Entry], presented: &[u8; DIGEST_BYTES]) -> Option<Principal> {
    let mut found = None;
    for (known, principal) in digests {
        if bool::from(known.ct_eq(presented)) {
            found = Some(principal.clone());
        }
    }
    found
}

pub(super) fn digest(token: &str) -> [u8; DIGEST_BYTES] {
    Sha256::digest(token.as_bytes()).into()
}

/// The token in an `Authorization` header: `Bearer TOKEN`, or `Basic` with the token as password, which is what
/// clients send for `ws://any:TOKEN@host` and the only thing some of them can send.
pub fn from_authorization(header: &str) -> Option<String> {
    let (scheme, rest) = header.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        return pair.split_once(':').map(|(_user, password)| password.to_owned());
    }
    None
}

/// The token in a query string, `token=…`.
pub fn from_query(query: &str) -> Option<String> {
    query.split('&').find_map(|pair| pair.strip_prefix("token=")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_file_is_made_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let made = Token::read_or_create(&path).expect("made");
        assert_eq!(Token::read_or_create(&path).expect("read"), made);
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 1, "no draft is left");
        assert!(made.reveal().len() >= 43);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        Token::read_or_create(&path).expect("made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("changed");
        assert!(matches!(Token::read(&path), Err(TokenFileError::Exposed { mode: 0o640, .. })));
    }

    #[test]
    fn an_empty_file_opens_no_door() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        Token::read_or_create(&path).expect("made");
        fs::write(&path, "\n").expect("emptied");
        assert!(matches!(Token::read(&path), Err(TokenFileError::Empty { .. })));
    }

    #[test]
    fn only_a_known_token_has_a_principal() {
        let (mine, other) = (Token::random().expect("random"), Token::random().expect("random"));
        let tokens = Tokens::of_owner(&mine);
        assert_eq!(tokens.principal_of(mine.reveal()), Some(Principal(OWNER.to_owned())));
        for wrong in [other.reveal(), "", &mine.reveal()[1..], &"x".repeat(PRESENTED_BYTES_MAX + 1)] {
            assert_eq!(tokens.principal_of(wrong), None);
        }
        assert_eq!(Tokens::default().principal_of(""), None);
        assert!(!format!("{mine:?} {tokens:?}").contains(mine.reveal()));
    }

    #[test]
    fn a_token_is_taken_from_bearer_basic_and_query() {
        assert_eq!(from_authorization("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(from_authorization("bearer  abc ").as_deref(), Some("abc"));
        assert_eq!(from_authorization("Basic YW55OmFiYw==").as_deref(), Some("abc"));
        for none in ["", "Bearer", "Digest abc", "Basic !!", "Basic YWJj"] {
            assert_eq!(from_authorization(none), None, "{none:?}");
        }
        assert_eq!(from_query("a=b&token=abc").as_deref(), Some("abc"));
        assert_eq!(from_query("a=b"), None);
    }
}
