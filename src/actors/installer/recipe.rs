//! From a package to the commands that put it into its folder. Pure: what they do was tried by hand, and is run by
//! [`super::one`].

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::environment::{Variables, path};
use super::package::{Package, Recipe};
use super::step::Step;

/// What the commands of a recipe stand on.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The folder that is filled; the lock's files are in it.
    pub root: &'a Path,
    pub cache: &'a Path,
    pub python: &'a Path,
    /// The program of the runtime that the recipe needs, if it needs one.
    pub runtime: &'a Path,
    pub inherited: &'a Variables,
}

/// The commands, in order.
pub fn steps(package: &Package, ground: Ground<'_>) -> Vec<Step> {
    let install = format!("installing {}", count(package.lock.packages()));
    match &package.recipe {
        Recipe::Bootstrap => vec![ground.venv(&[]), ground.pip(install, &ground.venv_python(), &[])],
        Recipe::Pip => {
            // pip lives in a folder of its own and fills this one: no copy of it per tool, and one pinned version.
            let pip = ground.runtime.with_file_name("python");
            let python = ground.venv_python();
            let target = [OsString::from("--python"), python.into_os_string()];
            vec![ground.venv(&["--without-pip"]), ground.pip(install, &pip, &target)]
        }
        Recipe::Npm => vec![ground.npm(install)],
        Recipe::Go { package: import, build_args } => vec![ground.go(&package.program, import, build_args)],
        Recipe::System { .. } => Vec::new(),
    }
}

impl Ground<'_> {
    fn venv_python(self) -> PathBuf {
        self.root.join("bin/python")
    }

    fn venv(self, options: &[&str]) -> Step {
        Step::new("making a Python environment", self.python)
            .args(["-I", "-m", "venv"])
            .args(options)
            .args([self.root])
    }

    /// Wheels only: a source distribution would run code of its own and fetch what no lock names.
    fn pip(self, title: String, pip: &Path, target: &[OsString]) -> Step {
        Step::new(title, pip)
            .args(["-I", "-m", "pip"])
            .args(target)
            .args(["install", "--quiet", "--no-input", "--disable-pip-version-check"])
            .args(["--no-warn-script-location", "--require-hashes", "--no-deps"])
            .args(["--only-binary", ":all:", "--requirement"])
            .args([self.root.join("requirements.txt")])
            .env("PIP_CACHE_DIR", self.cache.join("pip"))
    }

    /// `npm` is a script beside the Node of its wheel. No package runs a script of its own.
    fn npm(self, title: String) -> Step {
        let home = self.runtime.parent().and_then(Path::parent).unwrap_or(self.runtime);
        let bin = self.runtime.parent().unwrap_or(self.runtime);
        let mut step = Step::new(title, self.runtime)
            .args([home.join("lib/node_modules/npm/bin/npm-cli.js")])
            .args(["ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"])
            .args(["--no-update-notifier", "--no-progress", "--prefer-offline"])
            .env("npm_config_cache", self.cache.join("npm"))
            .cwd(self.root);
        step.env.push(path(self.inherited, &[bin]));
        step
    }

    /// `go.sum` holds every hash, so that no checksum data base needs to be asked; no other Go is fetched.
    fn go(self, program: &str, import: &str, build_args: &[String]) -> Step {
        let go = self.cache.join("go");
        Step::new("building from source", self.runtime)
            .args(["build", "-trimpath", "-o"])
            .args([self.root.join(program)])
            .args(build_args)
            .args([import])
            .env("GOFLAGS", "-mod=readonly -modcacherw")
            .env("GOSUMDB", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GOWORK", "off")
            .env("CGO_ENABLED", "0")
            .env("GOPATH", &go)
            .env("GOMODCACHE", go.join("mod"))
            .env("GOCACHE", go.join("build"))
            .cwd(self.root)
    }
}

fn count(packages: usize) -> String {
    match packages {
        1 => "1 package".to_owned(),
        many => format!("{many} packages"),
    }
}
