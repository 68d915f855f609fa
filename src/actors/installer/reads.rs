//! What a program reads of the machine besides system directories: its installation, its runtime, and the Python its
//! environment was made from. For whoever hides the rest.

use std::path::{Path, PathBuf};

use super::installed::Program;

/// The mark of a Python environment (PEP 405); `home` in it names the directory of the Python it was made from.
const ENVIRONMENT: &str = "pyvenv.cfg";

impl Program {
    /// Directories to show to a run of the program. A look at files, no process.
    pub fn reads(&self) -> Vec<PathBuf> {
        let mut reads = vec![self.root.clone()];
        // A runtime's programs lie somewhere below its root, and its libraries beside them.
        reads.extend(self.bin_dirs.iter().map(|bin| environment_above(bin).unwrap_or_else(|| bin.clone())));
        let bases: Vec<PathBuf> = reads.iter().filter_map(|path| base_python(path)).collect();
        reads.extend(bases);
        reads.dedup();
        reads
    }
}

fn environment_above(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|folder| folder.join(ENVIRONMENT).is_file()).map(Path::to_owned)
}

/// The prefix of the Python that the environment at or above `path` was made from.
fn base_python(path: &Path) -> Option<PathBuf> {
    let settings = std::fs::read_to_string(environment_above(path)?.join(ENVIRONMENT)).ok()?;
    let home = settings.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "home").then(|| PathBuf::from(value.trim()))
    })?;
    // `…/bin`: the libraries are beside it. A `bin` that is a link leads to the real one.
    home.canonicalize().ok()?.parent().filter(|prefix| prefix.parent().is_some()).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_reads_itself_its_runtime_and_its_python() {
        let place = tempfile::tempdir().unwrap();
        let (tool, node, python) =
            (place.path().join("tool"), place.path().join("node"), place.path().join("python"));
        for folder in [tool.join("bin"), node.join("lib/wheel/bin"), python.join("bin")] {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(tool.join(ENVIRONMENT), format!("home = {}\n", python.join("bin").display())).unwrap();
        std::fs::write(node.join(ENVIRONMENT), "version = 3\n").unwrap();
        let program = Program {
            path: tool.join("bin/tool"),
            version: String::new(),
            root: tool.clone(),
            bin_dirs: vec![tool.join("bin"), node.join("lib/wheel/bin")],
        };
        let python = python.canonicalize().unwrap();
        assert_eq!(program.reads(), [tool, node, python]);
    }

    #[test]
    fn a_program_that_is_brought_reads_its_directory() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().to_owned();
        let program = Program {
            path: root.join("tool"),
            version: String::new(),
            root: root.clone(),
            bin_dirs: vec![root.clone()],
        };
        assert_eq!(program.reads(), [root]);
    }
}
