//! Configuration: `config/proctor.toml` is the manual, the defaults and the schema; a file, the environment and the
//! command line lie over it. Every error is reported at once, with its place, its reason and what is allowed.
//!
//! Reading order: [`schema`] (the manual, read), [`layer`] (where values come from), [`problem`] (what can be wrong),
//! [`effective`] (the layers laid over one another), [`rules`] (what the schema cannot say), [`sections`] (the typed
//! result).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

mod schema;
mod layer;
mod problem;
mod effective;
mod rules;
mod sections;

pub use effective::Effective;
pub use problem::{Problem, Problems};
pub use schema::MANUAL;
pub use sections::{
    Apps, BuildNetwork, Config, Daemon, Docker, Gateway, Jobs, Log, LogFormat, Process, Pull, Retention,
    SandboxMode, Snapshot, Storage, Strength, Targets, Zap,
};

/// The file for all users, last in the search.
const SYSTEM_FILE: &str = "/etc/proctor/proctor.toml";

/// What lies over the manual. Values, not the process's own environment: a test brings its own.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `--config`; it must exist. Without it the usual places are searched.
    pub file: Option<PathBuf>,
    pub environment: BTreeMap<String, String>,
    /// `section.key=value`, strongest.
    pub settings: Vec<String>,
}

/// The configuration in force.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    /// The same with origins, for people.
    pub effective: Effective,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
}

impl Sources {
    /// The process's environment. Variables that are not Unicode cannot be ours and are passed over.
    pub fn of_process(file: Option<PathBuf>, settings: Vec<String>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { file, environment, settings }
    }

    /// Reads, overlays, checks.
    pub fn load(&self) -> Result<Loaded, Problems> {
        let mut problems = Vec::new();
        let mut effective = Effective::defaults();
        let file = self.read_file(&mut effective, &mut problems);
        self.finish(effective, file, problems)
    }

    fn finish(
        &self,
        mut effective: Effective,
        file: Option<PathBuf>,
        mut problems: Vec<Problem>,
    ) -> Result<Loaded, Problems> {
        effective.overlay(layer::from_environment(&self.environment), &mut problems);
        let settings = layer::from_arguments(&self.settings, &mut problems);
        effective.overlay(settings, &mut problems);
        rules::apply(&mut effective, &self.environment, &mut problems);
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let config = effective.clone().into_table().try_into().expect(
            "checked values fit the typed sections: `every_key_reaches_its_field` tries the extremes",
        );
        Ok(Loaded { config, effective, file })
    }

    fn read_file(&self, effective: &mut Effective, problems: &mut Vec<Problem>) -> Option<PathBuf> {
        for path in self.files() {
            if let Some(entries) = layer::read_file(&path, problems) {
                effective.overlay(entries, problems);
                return Some(path);
            }
        }
        if let Some(path) = &self.file {
            problems.push(Problem::of_file(path, 0, "does not exist".to_owned()));
        }
        None
    }

    /// Where a file is looked for, first hit wins.
    fn files(&self) -> Vec<PathBuf> {
        if let Some(file) = &self.file {
            return vec![file.clone()];
        }
        let set = |name: &str| self.environment.get(name).filter(|value| value.starts_with('/'));
        let config_home = set("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| set("HOME").map(|home| Path::new(home).join(".config")));
        let of_user = config_home.map(|home| home.join("proctor/proctor.toml"));
        of_user.into_iter().chain([PathBuf::from(SYSTEM_FILE)]).collect()
    }
}

impl Config {
    /// The manual's defaults under a data directory of the caller's: for tests and embedders. No file and no
    /// environment is read.
    pub fn with_data_dir(data_dir: &Path) -> Result<Self, Problems> {
        let sources = Sources {
            file: None,
            environment: BTreeMap::new(),
            settings: vec![
                "gateway.listen=127.0.0.1:0".to_owned(),
                format!("daemon.data_dir={}", data_dir.display()),
            ],
        };
        let loaded = sources.finish(Effective::defaults(), None, Vec::new())?;
        Ok(loaded.config)
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
