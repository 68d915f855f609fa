//! The name of an image. It becomes part of a path of the engine's API, so nothing else may be in it.

use std::fmt;
use std::str::FromStr;

/// Bytes of a reference; the engine takes no more for its parts together.
const BYTES_MAX: usize = 512;

/// `registry/name:tag`, `name@sha256:…` or an image's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageName(String);

/// The text names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the name of an image: lower-case `name`, `registry/name:tag` or `name@sha256:…` is needed"
)]
pub struct BadImage(pub String);

impl ImageName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name and the tag or digest that a pull asks for; without either the engine would pull every tag.
    pub fn with_version(&self) -> String {
        let last = self.0.rsplit('/').next().unwrap_or_default();
        if last.contains([':', '@']) { self.0.clone() } else { format!("{}:latest", self.0) }
    }
}

impl FromStr for ImageName {
    type Err = BadImage;

    fn from_str(text: &str) -> Result<Self, BadImage> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte);
        let whole = !text.is_empty() && text.len() <= BYTES_MAX && text.bytes().all(allowed);
        let part = |part: &str| part.starts_with(|first: char| first.is_ascii_alphanumeric());
        let name = text.split('@').next().unwrap_or_default();
        // Only tags and the registry's host may have capitals.
        let path = name.rsplit_once('/').map_or(name, |(_, last)| last).split(':').next().unwrap_or_default();
        let lower = !path.bytes().any(|byte| byte.is_ascii_uppercase());
        if whole && lower && text.split(['/', ':', '@']).all(part) {
            return Ok(Self(text.to_owned()));
        }
        Err(BadImage(text.chars().take(80).collect()))
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images_are_taken() {
        let digest = format!("name@sha256:{}", "0".repeat(64));
        for text in ["shop", "proctor-test/zap:2.17.0", "localhost:5000/Team/app:V1", "sha256:00ff", &digest]
        {
            assert_eq!(text.parse::<ImageName>().map(|name| name.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_would_leave_its_place_in_a_path_is_refused() {
        for text in
            ["", "../x", "a/../b", "a//b", "a b", "a?b=c", "a#b", "-a", "a/", "A", "a%2f", &"a".repeat(600)]
        {
            assert!(text.parse::<ImageName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_pull_asks_for_one_version() {
        let version = |text: &str| text.parse::<ImageName>().unwrap().with_version();
        assert_eq!(version("localhost:5000/shop"), "localhost:5000/shop:latest");
        assert_eq!(version("shop:1"), "shop:1");
        assert_eq!(version("shop@sha256:00"), "shop@sha256:00");
    }
}
