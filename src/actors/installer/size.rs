//! How much room a directory takes.

use std::path::Path;

use crate::actors::space::usage;

/// Bytes on the disk of a directory and everything in it, links not followed. What cannot be read counts nothing.
pub(super) fn of(directory: &Path) -> u64 {
    usage::below(vec![directory.to_owned()]).sum()
}

/// Bytes for people: `358 MB`.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 1);
    format!("{value:.decimals$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_well() {
        let shown = [0, 999_000, 16_896_160, 999_700_000, 1_234_000_000].map(human_bytes);
        assert_eq!(shown, ["0 kB", "999 kB", "17 MB", "1.0 GB", "1.2 GB"]);
    }

    #[test]
    fn a_directorys_files_count_and_links_do_not() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("a")).unwrap();
        let empty = of(home.path());
        std::os::unix::fs::symlink("/", home.path().join("root")).unwrap();
        std::fs::write(home.path().join("a/file"), vec![1; 100_000]).unwrap();
        let grown = of(home.path()) - empty;
        assert!((100_000..150_000).contains(&grown), "{grown}");
    }
}
