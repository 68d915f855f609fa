//! The environment of package managers: the user's, because proxies, certificates, mirrors and their passwords are in it
//! under names that nobody can list, without what would put other things into other places.

use std::ffi::{OsStr, OsString};

/// Variables that change what is installed, where, or what runs. Lower case; names match in any case, as npm's do.
const DROPPED: &[&str] = &[
    "virtual_env",
    "conda_prefix",
    "__pyvenv_launcher__",
    "pip_target",
    "pip_prefix",
    "pip_root",
    "pip_user",
    "pip_python",
    "pip_require_virtualenv",
    "pip_no_binary",
    "pip_requirement",
    "pip_constraint",
    "pip_editable",
    "pip_dry_run",
    "pip_report",
    "pip_cache_dir",
    "pip_no_cache_dir",
    "node_options",
    "node_path",
    "npm_config_prefix",
    "npm_config_global",
    "npm_config_location",
    "npm_config_omit",
    "npm_config_include",
    "npm_config_dry_run",
    "npm_config_package_lock_only",
    "npm_config_cache",
    "npm_config_offline",
    "gobin",
    "goroot",
    "gopath",
    "gowork",
    "goos",
    "goarch",
    "gotoolchain",
    "goexperiment",
];
/// Beginnings of such names.
const DROPPED_PREFIXES: &[&str] = &["python"];

/// Variables in order of appearance.
pub type Variables = Vec<(OsString, OsString)>;

/// The process's own variables that package managers are given.
pub fn inherited() -> Variables {
    kept(std::env::vars_os())
}

fn kept(variables: impl Iterator<Item = (OsString, OsString)>) -> Variables {
    variables.filter(|(name, _)| !is_dropped(name)).collect()
}

fn is_dropped(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_lowercase();
    DROPPED.contains(&name.as_str()) || DROPPED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// `base` with `own` over it.
pub fn overlaid(base: &[(OsString, OsString)], own: &[(OsString, OsString)]) -> Variables {
    let free = |name: &OsString| own.iter().all(|(other, _)| other != name);
    let kept = base.iter().filter(|(name, _)| free(name)).cloned();
    kept.chain(own.iter().cloned()).collect()
}

/// `PATH` with directories before what `base` has.
pub fn path(base: &[(OsString, OsString)], first: &[&std::path::Path]) -> (OsString, OsString) {
    let mut value = OsString::new();
    for directory in first {
        value.push(directory);
        value.push(":");
    }
    let inherited = base.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value);
    value.push(inherited.map_or_else(|| OsString::from(SYSTEM_PATH), Clone::clone));
    ("PATH".into(), value)
}

/// Where system programs are when nobody says it.
pub const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_and_proxies_pass_and_what_redirects_does_not() {
        let names = [
            "PIP_INDEX_URL",
            "HTTPS_PROXY",
            "NPM_CONFIG_PREFIX",
            "PIP_TARGET",
            "PYTHONPATH",
            "GOPROXY",
            "GOBIN",
        ];
        let kept = kept(names.iter().map(|name| (name.into(), "x".into())));
        let kept: Vec<_> = kept.iter().map(|(name, _)| name.to_str().unwrap()).collect();
        assert_eq!(kept, ["PIP_INDEX_URL", "HTTPS_PROXY", "GOPROXY"]);
    }

    #[test]
    fn ours_lie_over_the_users() {
        let base = vec![("A".into(), "1".into()), ("PATH".into(), "/u".into())];
        let own = vec![("A".into(), "2".into())];
        assert_eq!(overlaid(&base, &own), [("PATH".into(), "/u".into()), ("A".into(), "2".into())]);
        assert_eq!(path(&base, &["/t".as_ref()]), ("PATH".into(), "/t:/u".into()));
        assert_eq!(path(&[], &[]), ("PATH".into(), SYSTEM_PATH.into()));
    }
}
