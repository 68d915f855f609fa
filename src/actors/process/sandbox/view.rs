//! What a tool sees of the file system: the system's programs and libraries, what its run was given, and no more. One list
//! for both walls: bubblewrap shows what is in it, landlock allows it.

use std::path::{Path, PathBuf};

use super::wish::Sandbox;

/// Programs and libraries; directories of packages, in which nobody keeps secrets.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/nix/store",
    "/gnu/store",
    // How many processors there are; without it Node and Go guess.
    "/sys/devices/system/cpu",
];

/// What the loader, the C library, resolvers and TLS read of `/etc`. Not all of it: a daemon of root would show `shadow` and
/// host keys.
const ETC: &[&str] = &[
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "fonts",
    "gai.conf",
    "group",
    "host.conf",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "ld.so.preload",
    "locale.alias",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "pki/ca-trust",
    "pki/tls/cert.pem",
    "pki/tls/certs",
    "protocols",
    "python3",
    "resolv.conf",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "timezone",
];

/// Devices without a memory, where no wall gives the tool a `/dev` of its own, and the shared memory that Python's
/// semaphores live in.
const SHARED_DEVICES: &[&str] =
    &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/shm"];

/// Inside of bubblewrap these are the run's own.
const OWN: &[&str] = &["/tmp", "/dev"];

/// One thing in the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Entry {
    /// With all below it.
    Readable(PathBuf),
    /// With all below it.
    Writable(PathBuf),
    /// A symbolic link, as the system has it.
    Link { at: PathBuf, to: PathBuf },
    /// Writable, and brought by bubblewrap: for landlock alone.
    Own(PathBuf),
}

impl Entry {
    pub(in super::super) fn path(&self) -> &Path {
        match self {
            Self::Readable(path) | Self::Writable(path) | Self::Own(path) | Self::Link { at: path, .. } => {
                path
            }
        }
    }
}

/// What a run brings along besides its sandbox.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Surroundings<'a> {
    pub program: &'a Path,
    /// Private directories.
    pub home: &'a Path,
    pub tmp: &'a Path,
}

/// Everything to show, parents first.
pub(super) fn view(sandbox: &Sandbox, surroundings: &Surroundings<'_>, bubblewrap: bool) -> Vec<Entry> {
    let mut view = View::default();
    let etc = ETC.iter().map(|name| Path::new("/etc").join(name));
    for path in SYSTEM.iter().map(PathBuf::from).chain(etc) {
        view.as_the_system_has_it(path);
    }
    for path in sandbox.readable.iter().map(PathBuf::as_path).chain([surroundings.program]) {
        view.show(path, Entry::Readable);
    }
    let private = [surroundings.home, surroundings.tmp];
    for path in sandbox.writable.iter().map(PathBuf::as_path).chain(private) {
        view.show(path, Entry::Writable);
    }
    let own = if bubblewrap { OWN } else { SHARED_DEVICES };
    view.entries.extend(own.iter().map(|path| Entry::Own(path.into())));
    view.finish()
}

#[derive(Default)]
struct View {
    /// At the paths without links on the way.
    entries: Vec<Entry>,
    /// The same things at the paths they were given by.
    aliases: Vec<Entry>,
}

impl View {
    /// A link stays a link, so that paths mean what they mean outside; what it leads to is shown, too.
    fn as_the_system_has_it(&mut self, path: PathBuf) {
        match std::fs::read_link(&path) {
            Ok(to) => {
                if let Ok(end) = path.canonicalize() {
                    self.entries.extend(Self::readable(end));
                }
                self.entries.push(Entry::Link { at: path, to });
            }
            Err(_) if path.exists() => self.entries.push(Entry::Readable(path)),
            Err(_) => {}
        }
    }

    fn show(&mut self, path: &Path, entry: fn(PathBuf) -> Entry) {
        let Ok(end) = path.canonicalize() else { return };
        if end != path {
            self.aliases.push(entry(path.to_owned()));
        }
        match entry(end) {
            Entry::Readable(end) => self.entries.extend(Self::readable(end)),
            other => self.entries.push(other),
        }
    }

    /// `None` where the system's directories have it already.
    fn readable(end: PathBuf) -> Option<Entry> {
        (!SYSTEM.iter().any(|shown| end.starts_with(shown))).then_some(Entry::Readable(end))
    }

    fn finish(mut self) -> Vec<Entry> {
        // Below something of the machine's that is shown, the links on the way are shown with it.
        let shown = |entry: &Entry| matches!(entry, Entry::Readable(_) | Entry::Writable(_));
        let entries = &self.entries;
        let covered =
            |path: &Path| entries.iter().any(|entry| shown(entry) && path.starts_with(entry.path()));
        self.aliases.retain(|alias| !covered(alias.path()));
        self.entries.append(&mut self.aliases);
        // Stable: where two say something about one path, the later one, which may write, stays the later one.
        self.entries.sort_by_key(|entry| entry.path().components().count());
        self.entries
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
