//! What an app consists of: read from where it lies. Blocks; nothing outside of the allowed roots is read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::AppError;
use crate::domain::app::{AppPlan, ImageSource, ServicePlan, compose, name_of, words};
use crate::domain::container::ImageName;
use crate::domain::target::{AppSource, AppSpec};

/// Bytes of a compose file or a file of variables: longer ones are not written by people.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Variables for a compose file, beside it.
const VARIABLES: &str = ".env";

/// A plan, and where its relative paths begin.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    /// One word for the app.
    pub name: String,
    pub plan: AppPlan,
    pub home: PathBuf,
}

/// Reads what a spec names. `roots` are canonical.
pub(super) fn read(spec: &AppSpec, roots: &[PathBuf]) -> Result<Planned, AppError> {
    match &spec.source {
        AppSource::Image { image } => {
            let name: ImageName = image
                .parse()
                .map_err(|error| AppError::Source { path: image.into(), why: format!("{error}") })?;
            let service = ServicePlan::new("app", ImageSource::Image(name));
            Ok(Planned { name: name_of(image), plan: AppPlan::single(service), home: PathBuf::from("/") })
        }
        AppSource::Dockerfile { directory } => {
            let home = inside(Path::new(directory), roots)?;
            let source = ImageSource::Build {
                directory: ".".to_owned(),
                dockerfile: "Dockerfile".to_owned(),
                stage: None,
                arguments: BTreeMap::new(),
            };
            let plan = AppPlan::single(ServicePlan::new("app", source));
            Ok(Planned { name: name_of(directory), plan, home })
        }
        AppSource::Compose { file, service } => composed(file, service.as_deref(), roots),
    }
}

fn composed(file: &str, service: Option<&str>, roots: &[PathBuf]) -> Result<Planned, AppError> {
    let file = inside(Path::new(file), roots)?;
    let home = file.parent().unwrap_or(Path::new("/")).to_owned();
    let variables = match home.join(VARIABLES) {
        path if path.is_file() => words::environment(&text(&inside(&path, roots)?)?),
        _ => BTreeMap::new(),
    };
    let mut plan = compose::read(&text(&file)?, &variables, service)?;
    for service in &mut plan.services {
        let mut env = BTreeMap::new();
        for path in &service.env_files {
            env.extend(words::environment(&text(&inside(&home.join(path), roots)?)?));
        }
        env.append(&mut service.env);
        service.env = env;
    }
    Ok(Planned { name: name_of(&home.to_string_lossy()), plan, home })
}

/// The path as the kernel sees it, if it lies under a root.
pub(super) fn inside(path: &Path, roots: &[PathBuf]) -> Result<PathBuf, AppError> {
    let failed = |why: String| AppError::Source { path: path.to_owned(), why };
    let real = path.canonicalize().map_err(|error| failed(error.to_string()))?;
    match roots.iter().any(|root| real.starts_with(root)) {
        true => Ok(real),
        false => Err(failed("it is outside of the allowed roots (targets.roots)".to_owned())),
    }
}

fn text(path: &Path) -> Result<String, AppError> {
    let failed = |why: String| AppError::Source { path: path.to_owned(), why };
    let metadata = fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        return Err(failed(format!("it is no file of at most {FILE_BYTES_MAX} bytes")));
    }
    fs::read_to_string(path).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(file: &Path) -> AppSpec {
        let source = AppSource::Compose { file: file.display().to_string(), service: None };
        AppSpec { source, port: None, health: None }
    }

    #[test]
    fn variables_and_environment_files_are_read_beside_the_compose_file_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("My Shop");
        fs::create_dir(&root).unwrap();
        let write = |name: &str, text: &str| fs::write(root.join(name), text).unwrap();
        write(".env", "TAG=7\n");
        write("web.env", "A=file\nB=file\n");
        write("compose.yml", "services: {web: {image: 'x:$TAG', env_file: web.env, environment: {A: own}}}");
        let roots = [root.clone()];
        let planned = read(&spec(&root.join("compose.yml")), &roots).unwrap();
        let web = &planned.plan.services[0];
        assert_eq!((planned.name.as_str(), &planned.home), ("my-shop", &root));
        assert_eq!(web.source, ImageSource::Image("x:7".parse().unwrap()));
        assert_eq!((web.env["A"].as_str(), web.env["B"].as_str()), ("own", "file"));

        fs::write(folder.path().join("secret.env"), "S=1").unwrap();
        for outside in ["../secret.env", "/etc/hostname", "link"] {
            let link = root.join("link");
            drop(fs::remove_file(&link));
            std::os::unix::fs::symlink(folder.path().join("secret.env"), &link).unwrap();
            write("compose.yml", &format!("services: {{web: {{image: x, env_file: {outside}}}}}"));
            let refused = read(&spec(&root.join("compose.yml")), &roots);
            assert!(matches!(refused, Err(AppError::Source { .. })), "{outside}: {refused:?}");
        }
    }
}
