//! Images: looked at, pulled when they are not there.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::ImageInspect;
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptionsBuilder,
};
use futures_util::StreamExt as _;
use tokio::time::timeout;

use super::engine::{Engine, QUICK, SLOW};
use super::error::{EngineError, deepest};
use crate::config;
use crate::domain::container::ImageName;

/// How long a pull may say nothing. Layers are downloaded with progress, unpacking a large one is silent.
const PULL_SILENCE: Duration = Duration::from_secs(120);

/// Called with each line of progress, for people.
pub type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Whether an image that is not there may be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pull {
    Never,
    /// Within this time.
    Missing(Duration),
}

impl From<&config::Docker> for Pull {
    fn from(docker: &config::Docker) -> Self {
        match docker.pull {
            config::Pull::Missing => Self::Missing(docker.pull_timeout),
            config::Pull::Never => Self::Never,
        }
    }
}

/// An image that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `sha256:…`.
    pub id: String,
    pub bytes: u64,
    /// Whom it runs as; empty: root.
    pub user: String,
    /// TCP ports that it says it listens on, in ascending order.
    pub ports: Vec<u16>,
    /// Directories that the engine makes volumes of, absolute.
    pub volumes: Vec<String>,
    /// Whether it brings a health check.
    pub has_healthcheck: bool,
}

impl Image {
    fn of(seen: ImageInspect) -> Self {
        let config = seen.config.unwrap_or_default();
        let exposed = config.exposed_ports.unwrap_or_default();
        // `5000/tcp`.
        let tcp = exposed.iter().filter_map(|port| match port.split_once('/') {
            Some((number, "tcp")) => number.parse().ok(),
            Some(_) => None,
            None => port.parse().ok(),
        });
        let mut ports: Vec<u16> = tcp.collect();
        ports.sort_unstable();
        let check = config.healthcheck.and_then(|check| check.test).unwrap_or_default();
        Self {
            id: seen.id.unwrap_or_default(),
            bytes: seen.size.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
            user: config.user.unwrap_or_default(),
            ports,
            volumes: config.volumes.unwrap_or_default(),
            has_healthcheck: check.first().is_some_and(|word| word != "NONE"),
        }
    }
}

impl Engine {
    /// What is known of an image; `None` when it is not there. Fetches nothing.
    pub async fn find_image(&self, image: &ImageName) -> Result<Option<Image>, EngineError> {
        match self.ask("look at an image", QUICK, self.client().inspect_image(image.as_str())).await {
            Ok(seen) => Ok(Some(Image::of(seen))),
            Err(error) if error.is_absence() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An image, pulled when it is not there.
    pub async fn image(
        &self,
        image: &ImageName,
        pull: Pull,
        progress: Progress<'_>,
    ) -> Result<Image, EngineError> {
        if let Some(found) = self.find_image(image).await? {
            return Ok(found);
        }
        let missing =
            |why: String, advice: String| EngineError::ImageMissing { image: image.clone(), why, advice };
        let Pull::Missing(patience) = pull else {
            let advice = format!("`docker pull {image}`, or allow it (docker.pull = \"missing\")");
            return Err(missing("docker.pull is \"never\"".to_owned(), advice));
        };
        let advice =
            || format!("look at its name and at this machine's way to its registry: `docker pull {image}`");
        match timeout(patience, self.pull(image, progress)).await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => return Err(missing(why, advice())),
            Err(_elapsed) => {
                return Err(missing(format!("it took more than {} s", patience.as_secs()), advice()));
            }
        }
        let found = self.find_image(image).await?;
        found.ok_or_else(|| missing("it was pulled and is not there".to_owned(), advice()))
    }

    /// Removes what was built by this daemon and nobody runs, but the `kept` newest; how many are left that should not be.
    pub async fn prune_images(&self, kept: usize) -> Result<usize, EngineError> {
        let filters = HashMap::from([("label".to_owned(), vec![self.identity().filter()])]);
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        let mut images = self.ask("list images", QUICK, self.client().list_images(Some(options))).await?;
        images.sort_by_key(|image| std::cmp::Reverse(image.created));
        let mut left = 0;
        for image in images.into_iter().skip(kept) {
            // By name: apps of the same content share an image, which goes with the last of its names.
            let mut names: Vec<String> = image.repo_tags;
            names.retain(|name| !name.starts_with("<none>"));
            if names.is_empty() {
                names.push(image.id);
            }
            let mut stays = false;
            for name in names {
                let removed = self.forget_image(&name).await;
                stays |= removed.is_err_and(|error| !error.is_absence());
            }
            left += usize::from(stays);
        }
        Ok(left)
    }

    /// Removes an image that nothing is made from any more. The layers that others share stay.
    pub async fn forget_image(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveImageOptionsBuilder::default().force(false).build();
        let removing = self.client().remove_image(id, Some(options), None);
        self.ask("remove an image", SLOW, removing).await.map(drop)
    }

    async fn pull(&self, image: &ImageName, progress: Progress<'_>) -> Result<(), String> {
        let options = CreateImageOptionsBuilder::default().from_image(&image.with_version()).build();
        let mut stream = Box::pin(self.client().create_image(Some(options), None, None));
        loop {
            match timeout(PULL_SILENCE, stream.next()).await {
                Ok(None) => return Ok(()),
                Ok(Some(Err(error))) => return Err(deepest(&error)),
                Ok(Some(Ok(step))) => {
                    let status = step.status.unwrap_or_default();
                    match step.progress_detail.and_then(|detail| Some((detail.current?, detail.total?))) {
                        Some((done, all)) if all > 0 => {
                            progress(&format!(
                                "{status} {}: {} %",
                                step.id.unwrap_or_default(),
                                done * 100 / all
                            ));
                        }
                        _ => progress(&status),
                    }
                }
                Err(_elapsed) => {
                    return Err(format!("nothing came for {} s", PULL_SILENCE.as_secs()));
                }
            }
        }
    }
}
