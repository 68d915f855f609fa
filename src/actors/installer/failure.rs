//! Why a tool could not be installed, and what to do about it.

use std::path::{Path, PathBuf};

/// Lines of a package manager's output that are shown; the log has the rest.
const TAIL_LINES: usize = 15;

/// One tool's failure; the others go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstallError {
    #[error("the manifest of {tool} has no recipe: its user brings the program")]
    NoRecipe { tool: String },
    #[error("{name}: there is no lock {lock:?}, and nothing is installed without hashes")]
    NoLock { name: String, lock: String },
    #[error("there is no Python {oldest} or newer with the modules venv and ensurepip ({tried})")]
    NoPython { oldest: String, tried: String },
    #[error("{name}, which it needs, could not be installed: {error}")]
    Runtime { name: &'static str, error: Box<InstallError> },
    #[error("{doing}: {how}")]
    Step {
        doing: String,
        how: String,
        /// The end of what was printed.
        tail: String,
        /// The directory that holds all of it.
        log: PathBuf,
    },
    #[error("{program} says {answered:?} when asked for its version, not {wanted}")]
    WrongVersion { program: PathBuf, wanted: String, answered: String },
    #[error("there is no program {program} in {root} after the installation")]
    NoProgram { program: String, root: PathBuf },
    #[error("there is no program {program} on this machine, and it comes from the distribution")]
    NotOnMachine { program: String, package: String },
    #[error("{doing} {path}: {reason}")]
    Files { doing: &'static str, path: PathBuf, reason: String },
    #[error("another installation is still at work in {tools_dir}")]
    Busy { tools_dir: PathBuf },
    #[error("cancelled")]
    Cancelled,
}

/// What package managers print, and what it means to the person in front of it; the first hit counts.
const HINTS: &[(&[&str], &str)] = &[
    (
        &["DO NOT MATCH THE HASHES", "EINTEGRITY", "checksum mismatch", "SECURITY ERROR"],
        "what was served is not what is pinned: a mirror, proxy or cache changed it. Delete the download cache and try \
         again; if it stays so, do not use that source",
    ),
    (
        &["No space left", "ENOSPC", "disk quota", "Disk quota"],
        "free some space: all tools together need about 2 GiB with their downloads",
    ),
    (
        &["CERTIFICATE_VERIFY_FAILED", "SELF_SIGNED_CERT", "x509:", "UNABLE_TO_GET_ISSUER_CERT"],
        "something between here and the package index signs with a certificate of its own: name it in PIP_CERT, \
         NODE_EXTRA_CA_CERTS and SSL_CERT_FILE",
    ),
    (
        &[
            "name resolution",
            "ENOTFOUND",
            "EAI_AGAIN",
            "ECONNREFUSED",
            "ECONNRESET",
            "ETIMEDOUT",
            "Max retries",
            "ConnectionError",
            "NewConnectionError",
            "dial tcp",
            "i/o timeout",
            "ProxyError",
            "ReadTimeout",
            // pip, when it was told not to try twice, says no more than this.
            "(from versions: none)",
        ],
        "the package index cannot be reached, or has nothing of that name: check the network, HTTPS_PROXY, and the \
         mirrors set by PIP_INDEX_URL, npm_config_registry and GOPROXY",
    ),
    (
        &["No matching distribution found"],
        "the package index has no pinned file for this machine: Linux on x86_64 with Python 3.10 to 3.14 is what the \
         locks are made for; a mirror may also lack the file",
    ),
];

impl InstallError {
    pub(super) fn no_lock(name: &str, lock: &str) -> Self {
        Self::NoLock { name: name.to_owned(), lock: lock.to_owned() }
    }

    pub(super) fn files(doing: &'static str, path: &Path, reason: impl ToString) -> Self {
        Self::Files { doing, path: path.to_owned(), reason: reason.to_string() }
    }

    /// The last lines of what the package manager printed.
    pub fn tail(&self) -> Option<&str> {
        match self {
            Self::Step { tail, .. } => Some(tail).filter(|tail| !tail.is_empty()).map(String::as_str),
            Self::Runtime { error, .. } => error.tail(),
            _ => None,
        }
    }

    /// What to do.
    pub fn advice(&self) -> String {
        match self {
            Self::NoRecipe { tool } => {
                format!("install {tool} by hand, or give its manifest an [install] section")
            }
            Self::NoLock { lock, .. } => {
                format!("put the lock files into the folder locks/{lock} beside the manifests")
            }
            Self::NoPython { oldest, .. } => format!(
                "on Debian and Ubuntu: apt-get install python3 python3-venv; where that is older than {oldest}: pyenv \
                 or uv bring a newer one"
            ),
            Self::Runtime { error, .. } => error.advice(),
            Self::Step { tail, log, .. } => {
                let hint = HINTS.iter().find(|(words, _)| words.iter().any(|word| tail.contains(word)));
                let hint = hint.map_or("try again", |(_, hint)| hint);
                format!("{hint} (the whole output is in {})", log.display())
            }
            Self::NotOnMachine { package, .. } => format!(
                "on Debian and Ubuntu: apt-get install {package}; elsewhere the package of that program; then run the \
                 same command again"
            ),
            Self::WrongVersion { .. } | Self::NoProgram { .. } => {
                "try again with --force; if it stays so, the lock and the manifest do not fit each other"
                    .to_owned()
            }
            Self::Files { path, .. } => {
                format!("check owner, permissions and free space of {}", path.display())
            }
            Self::Busy { .. } => "wait for it to end, and try again".to_owned(),
            Self::Cancelled => "run the same command again: what is complete is kept".to_owned(),
        }
    }
}

/// The last lines of a text, made safe for a terminal.
pub(super) fn tail_of(printed: &str) -> String {
    let lines: Vec<&str> = printed.lines().filter(|line| !line.trim().is_empty()).collect();
    let kept = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
    kept.chars().filter(|c| *c == '\n' || *c == '\t' || !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(tail: &str) -> InstallError {
        InstallError::Step {
            doing: "installing 3 packages".into(),
            how: "exit code 1".into(),
            tail: tail.into(),
            log: "/t/.logs/x".into(),
        }
    }

    #[test]
    fn the_advice_fits_what_was_printed() {
        let advice = |tail: &str| step(tail).advice();
        let tampered = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.";
        assert!(advice(tampered).starts_with("what was served is not what is pinned"));
        assert!(advice("npm error code EAI_AGAIN").contains("HTTPS_PROXY"));
        assert!(advice("npm error code SELF_SIGNED_CERT_IN_CHAIN").contains("NODE_EXTRA_CA_CERTS"));
        let nothing = "ERROR: No matching distribution found for x==1 (from versions: none)";
        assert!(advice(nothing).contains("HTTPS_PROXY"));
        let other = "x==1 (from versions: 0.8, 0.9)\nERROR: No matching distribution found for x==1";
        assert!(advice(other).contains("x86_64"));
        assert_eq!(advice("odd"), "try again (the whole output is in /t/.logs/x)");
        let runtime = InstallError::Runtime { name: "node", error: Box::new(step("ENOSPC")) };
        assert!(runtime.advice().starts_with("free some space"));
        assert_eq!(runtime.tail(), Some("ENOSPC"));
    }

    #[test]
    fn a_tail_is_short_and_cannot_steer_a_terminal() {
        let printed: String = (0..100).map(|line| format!("\u{1b}[31mline {line}\n\n")).collect();
        let tail = tail_of(&printed);
        assert_eq!(tail.lines().count(), TAIL_LINES);
        assert!(tail.ends_with("[31mline 99") && !tail.contains('\u{1b}'));
    }
}
