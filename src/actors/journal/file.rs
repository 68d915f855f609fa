//! The journal on the disk: JSON lines, one file after the other.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use super::ring::Entry;

/// Its name in the data directory; older ones are `events.jsonl.1` to `.3`.
pub const NAME: &str = "events.jsonl";
/// Bytes of one file: some 40,000 entries, quickly searched by hand.
pub const FILE_BYTES_MAX: u64 = 8 << 20;
/// Files kept, the present one included.
pub const FILES_MAX: u32 = 4;

/// The files of one directory.
#[derive(Debug, Clone)]
pub struct Files {
    pub directory: PathBuf,
    pub bytes_max: u64,
}

impl Files {
    /// Appends all of the entries or none: a disk that fills up halfway leaves no torn line.
    pub fn append(&self, entries: &[Entry]) -> io::Result<()> {
        let mut text = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut text, entry)?;
            text.push(b'\n');
        }
        let path = self.path(0);
        let length = match fs::metadata(&path) {
            Ok(file) => file.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        if length > 0 && length + text.len() as u64 > self.bytes_max {
            self.rotate()?;
        }
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        let before = file.metadata()?.len();
        let written = file.write_all(&text);
        if written.is_err() {
            file.set_len(before)?;
        }
        written
    }

    fn rotate(&self) -> io::Result<()> {
        for number in (0..FILES_MAX - 1).rev() {
            match fs::rename(self.path(number), self.path(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn path(&self, number: u32) -> PathBuf {
        match number {
            0 => self.directory.join(NAME),
            older => self.directory.join(format!("{NAME}.{older}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::journal::What;

    #[test]
    fn files_are_bounded_in_size_and_number_and_the_newest_entries_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files { directory: directory.path().to_owned(), bytes_max: 1_000 };
        for number in 1..=100 {
            let what = What::daemon("started", "x".repeat(40));
            files.append(&[Entry { number, at: String::new(), what }]).unwrap();
        }
        let count = fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(count, FILES_MAX as usize);
        let mut kept = Vec::new();
        for number in (0..FILES_MAX).rev() {
            let text = fs::read_to_string(files.path(number)).unwrap();
            assert!(text.len() <= 1_000);
            kept.extend(text.lines().map(|line| serde_json::from_str::<Entry>(line).unwrap().number));
        }
        let first = kept[0];
        assert!(first < 80 && kept == (first..=100).collect::<Vec<_>>(), "{kept:?}");
    }
}
