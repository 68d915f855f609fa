//! What the shim is told, and how it travels: as arguments to the first stage, as a file of memory to the second.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::str::FromStr;

use nix::errno::Errno;

use super::sandbox::{Enclosure, Entry, Walls};
use super::told::Failure;

/// Everything the shim is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Orders {
    /// The daemon's pid: another parent means that the daemon died before the death signal was set.
    pub parent: i32,
    pub file_bytes: u64,
    pub open_files: u64,
    /// The `cgroup.procs` files to join.
    pub cgroups: Vec<PathBuf>,
    /// Where `bwrap` is, if it is to be used.
    pub bubblewrap: Option<PathBuf>,
    pub task: Task,
}

/// What is to be run, and inside of what: all that the second stage needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub cwd: PathBuf,
    /// The private directory for temporary files.
    pub tmp: PathBuf,
    pub enclosure: Option<Enclosure>,
    pub program: PathBuf,
    pub args: Vec<OsString>,
}

impl Orders {
    /// [`Self::read`] takes them back.
    pub(super) fn into_words(self) -> Vec<OsString> {
        let mut words = Words(Vec::new());
        words.number(u64::from(self.parent.unsigned_abs()));
        words.number(self.file_bytes);
        words.number(self.open_files);
        words.list(self.cgroups, |words, path| words.text(path));
        words.list(self.bubblewrap.into_iter().collect(), |words, path| words.text(path));
        self.task.write(&mut words);
        words.0
    }

    pub(super) fn read(words: impl Iterator<Item = OsString>) -> Result<Self, Failure> {
        let mut words = Reader(words);
        Ok(Self {
            parent: words.number()?,
            file_bytes: words.number()?,
            open_files: words.number()?,
            cgroups: words.list(|words| words.path())?,
            bubblewrap: words.list(|words| words.path())?.pop(),
            task: Task::read(words)?,
        })
    }
}

impl Task {
    /// Words, each ended by a zero byte. [`Self::from_bytes`] takes them back.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut words = Words(Vec::new());
        self.clone().write(&mut words);
        words.0.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Failure> {
        let mut words: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
        // After the last zero.
        words.pop();
        Self::read(Reader(words.into_iter().map(|word| OsStr::from_bytes(word).to_owned())))
    }

    fn write(self, words: &mut Words) {
        words.text(self.cwd);
        words.text(self.tmp);
        words.list(self.enclosure.into_iter().collect(), write_enclosure);
        words.text(self.program);
        words.0.extend(self.args);
    }

    fn read(mut words: Reader<impl Iterator<Item = OsString>>) -> Result<Self, Failure> {
        Ok(Self {
            cwd: words.path()?,
            tmp: words.path()?,
            enclosure: words.list(read_enclosure)?.pop(),
            program: words.path()?,
            args: words.0.collect(),
        })
    }
}

fn write_enclosure(words: &mut Words, enclosure: Enclosure) {
    let Walls { bubblewrap, landlock, seccomp } = enclosure.walls;
    for flag in [bubblewrap, landlock, seccomp, enclosure.network] {
        words.number(u64::from(flag));
    }
    words.list(enclosure.view, |words, entry| match entry {
        Entry::Readable(path) => words.pair("r", path),
        Entry::Writable(path) => words.pair("w", path),
        Entry::Own(path) => words.pair("o", path),
        Entry::Link { at, to } => {
            words.pair("l", at);
            words.text(to);
        }
    });
}

fn read_enclosure<I: Iterator<Item = OsString>>(words: &mut Reader<I>) -> Result<Enclosure, Failure> {
    let mut flag = || words.number::<u8>().map(|number| number == 1);
    let walls = Walls { bubblewrap: flag()?, landlock: flag()?, seccomp: flag()? };
    let network = flag()?;
    let view = words.list(|words| match words.text()?.to_str() {
        Some("r") => words.path().map(Entry::Readable),
        Some("w") => words.path().map(Entry::Writable),
        Some("o") => words.path().map(Entry::Own),
        Some("l") => Ok(Entry::Link { at: words.path()?, to: words.path()? }),
        _ => Err(TORN),
    })?;
    Ok(Enclosure { walls, network, view })
}

const TORN: Failure = Failure::new("read its orders", Errno::EINVAL);

struct Words(Vec<OsString>);

impl Words {
    fn text(&mut self, text: impl Into<OsString>) {
        self.0.push(text.into());
    }

    fn number(&mut self, number: u64) {
        self.text(number.to_string());
    }

    fn pair(&mut self, kind: &str, path: PathBuf) {
        self.text(kind);
        self.text(path);
    }

    /// Its length, then its items.
    fn list<T>(&mut self, items: Vec<T>, write: impl Fn(&mut Self, T)) {
        self.number(items.len() as u64);
        items.into_iter().for_each(|item| write(self, item));
    }
}

struct Reader<I>(I);

impl<I: Iterator<Item = OsString>> Reader<I> {
    fn text(&mut self) -> Result<OsString, Failure> {
        self.0.next().ok_or(TORN)
    }

    fn path(&mut self) -> Result<PathBuf, Failure> {
        self.text().map(|text| PathBuf::from(OsString::from_vec(text.into_vec())))
    }

    fn number<T: FromStr>(&mut self) -> Result<T, Failure> {
        self.text()?.to_str().and_then(|text| text.parse().ok()).ok_or(TORN)
    }

    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, Failure>) -> Result<Vec<T>, Failure> {
        let length: u32 = self.number()?;
        (0..length).map(|_| read(self)).collect()
    }
}

#[cfg(test)]
#[path = "orders_tests.rs"]
mod tests;
