//! The images of an app's services: pulled, or built from their directories.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::error::AppError;
use super::plan::inside;
use crate::actors::docker::Engine;
use crate::actors::docker::build::BuildSpec;
use crate::actors::docker::context::ContextLimits;
use crate::actors::docker::image::{Image, Progress, Pull};
use crate::domain::app::{ImageSource, ServicePlan};
use crate::domain::container::{ContainerLimits, ImageName, Owner};

/// Files of a directory that an image is built from; the bytes are configured.
pub(super) const CONTEXT_FILES_MAX: u64 = 100_000;
/// Hexadecimal digits of the hash in a tag.
const TAG_DIGITS: usize = 16;

/// Within which bounds images are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub pull: Pull,
    pub build: Duration,
    /// Whether the commands of a build reach a network.
    pub network: bool,
    pub context_bytes: u64,
    pub limits: ContainerLimits,
}

/// An image, by the name that containers are made from.
pub(super) struct Made {
    pub name: ImageName,
    pub image: Image,
}

/// The image of one service.
pub(super) async fn make(
    engine: &Engine,
    service: &ServicePlan,
    home: &Path,
    roots: &[PathBuf],
    bounds: Bounds,
    progress: Progress<'_>,
) -> Result<Made, AppError> {
    let failed = |error| AppError::of_engine(&service.name, error);
    let (directory, dockerfile, stage, arguments) = match &service.source {
        ImageSource::Image(name) => {
            let image = engine.image(name, bounds.pull, progress).await.map_err(failed)?;
            return Ok(Made { name: name.clone(), image });
        }
        ImageSource::Build { directory, dockerfile, stage, arguments } => {
            (directory, dockerfile, stage, arguments)
        }
    };
    let directory = inside(&home.join(directory), roots)?;
    let name = tag(&directory, dockerfile, stage.as_deref(), arguments);
    let spec = BuildSpec {
        directory,
        dockerfile: dockerfile.clone(),
        stage: stage.clone(),
        arguments: arguments.clone(),
        tag: name.clone(),
        network: bounds.network,
        owner: Owner::default(),
        context: ContextLimits { bytes: bounds.context_bytes, files: CONTEXT_FILES_MAX },
        limits: bounds.limits,
    };
    let before = engine.find_image(&name).await.map_err(failed)?;
    let image = engine.build(&spec, bounds.build, progress).await.map_err(failed)?;
    if let Some(before) = before.filter(|before| before.id != image.id) {
        // In use, or needed by another: then it stays.
        if let Err(error) = engine.forget_image(&before.id).await {
            tracing::debug!("the former image of {name} stays: {error}");
        }
    }
    Ok(Made { name, image })
}

/// One name for what is built from the same place in the same way: the next build takes the place of this one.
fn tag(
    directory: &Path,
    dockerfile: &str,
    stage: Option<&str>,
    arguments: &BTreeMap<String, String>,
) -> ImageName {
    let mut hash = Sha256::new();
    let place =
        [directory.as_os_str().as_encoded_bytes(), dockerfile.as_bytes(), stage.unwrap_or("").as_bytes()];
    let arguments = arguments.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    for part in place.into_iter().chain(arguments) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("proctor-app/{}", &digits[..TAG_DIGITS]);
    name.parse().expect("lower-case letters, digits and a slash name an image")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_stands_for_a_place_and_a_way() {
        let none = BTreeMap::new();
        let of = |directory: &str, dockerfile, stage| tag(Path::new(directory), dockerfile, stage, &none);
        assert_eq!(of("/a", "Dockerfile", None), of("/a", "Dockerfile", None));
        let others =
            [of("/b", "Dockerfile", None), of("/a", "Other", None), of("/a", "Dockerfile", Some("run"))];
        assert!(others.iter().all(|other| *other != of("/a", "Dockerfile", None)));
        assert_ne!(of("/a", "b", None), of("/ab", "", None));
        let debug = BTreeMap::from([("MODE".to_owned(), "debug".to_owned())]);
        assert_ne!(tag(Path::new("/a"), "Dockerfile", None, &debug), of("/a", "Dockerfile", None));
    }
}
