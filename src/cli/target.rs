//! What `proctor scan` is told to examine, as the daemon must be told it: a directory, a URL, or an app to be started.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use super::run::CommandError;
use crate::protocol::api::ScanArguments;
use crate::protocol::web::{AppArguments, LoadArguments, LoginArguments, PhaseWord, WebArguments};

/// What is examined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// Absolute, links followed: the daemon has a working directory of its own.
    Tree(PathBuf),
    Url(String),
    App(AppArguments),
}

/// How to examine what runs
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "For URLs and apps")]
pub struct WebOptions {
    /// Start this app for the scan: a directory with a Dockerfile, a compose file, or an image
    #[arg(long, value_name = "APP", conflicts_with = "target")]
    pub app: Option<String>,
    #[command(flatten)]
    pub of_app: AppOptions,
    /// Attack what is found; without it, nothing that could do harm is sent
    #[arg(long)]
    pub active: bool,
    /// Attack the operations of the OpenAPI document at this URL or path, and follow no links
    #[arg(long, value_name = "URL")]
    pub openapi: Option<String>,
    /// Begin from this URL or path, too; may be repeated
    #[arg(long = "seed", value_name = "URL")]
    pub seeds: Vec<String>,
    /// Begin from the target's sitemap.xml, too
    #[arg(long)]
    pub sitemap: bool,
    /// Regular expression over URLs that nobody may ask for; may be repeated
    #[arg(long, value_name = "REGEX")]
    pub exclude: Vec<String>,
    /// Header of each request, as in `--header 'Authorization: Bearer …'`
    #[arg(long, value_name = "NAME: VALUE", value_parser = parse_header)]
    pub header: Option<Header>,
    /// How long each load test named in --tools lasts, in seconds
    #[arg(long, value_name = "SECONDS")]
    pub load_duration: Option<u32>,
    /// Requests of a load test at once
    #[arg(long, value_name = "N")]
    pub load_concurrency: Option<u32>,
    /// A finding when the slowest twentieth of the answers takes longer, in milliseconds
    #[arg(long, value_name = "MS")]
    pub load_p95: Option<u32>,
}

/// What cannot be seen in an app's source
#[derive(Debug, Clone, Default, Args)]
pub struct AppOptions {
    /// The service of the compose file to look at [default: the only one with a port]
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Port inside the app's container [default: the only one that the image exposes]
    #[arg(long)]
    pub port: Option<u16>,
    /// Path that answers when the app is up [default: /]
    #[arg(long, value_name = "PATH")]
    pub health: Option<String>,
}

/// `NAME: VALUE`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    name: String,
    value: String,
}

fn parse_header(text: &str) -> Result<Header, String> {
    let (name, value) = text.split_once(':').ok_or("a colon is needed between name and value")?;
    Ok(Header { name: name.trim().to_owned(), value: value.trim().to_owned() })
}

impl WebOptions {
    /// What is named by these options and the positional argument.
    pub fn named(&self, target: Option<&str>) -> Result<Named, CommandError> {
        match (target, &self.app) {
            (Some(url), _) if is_url(url) => Ok(Named::Url(url.to_owned())),
            (Some(path), _) => Ok(Named::Tree(directory(Path::new(path))?)),
            (None, Some(app)) => Ok(Named::App(app_arguments(app, &self.of_app)?)),
            // clap demands one of them.
            (None, None) => Ok(Named::Tree(directory(Path::new("."))?)),
        }
    }

    fn web(&self) -> WebArguments {
        let phase = match (&self.openapi, self.active) {
            (Some(_), true) => Some(PhaseWord::Api),
            (None, true) => Some(PhaseWord::Full),
            (_, false) => None,
        };
        let login = self.header.clone().map(|Header { name, value }| LoginArguments::Header { name, value });
        let load = LoadArguments {
            duration_s: self.load_duration,
            concurrency: self.load_concurrency,
            p95_ms_max: self.load_p95,
            ..LoadArguments::default()
        };
        WebArguments {
            phase,
            seeds: self.seeds.clone(),
            openapi: self.openapi.clone(),
            sitemap: self.sitemap,
            exclude: self.exclude.clone(),
            login,
            expect: Vec::new(),
            load: (load != LoadArguments::default()).then_some(load),
        }
    }

    /// Fills in what is examined and how.
    pub fn fill(&self, named: &Named, arguments: ScanArguments) -> Result<ScanArguments, CommandError> {
        let web = self.web();
        let is_usual = web == WebArguments::default();
        let web = (!is_usual).then_some(web);
        Ok(match named {
            Named::Tree(path) => ScanArguments { path: Some(text(path)?), web, ..arguments },
            Named::Url(url) => ScanArguments { url: Some(url.clone()), web, ..arguments },
            Named::App(app) => ScanArguments { app: Some(app.clone()), web, ..arguments },
        })
    }
}

/// A path is a directory with a Dockerfile or a compose file; anything else is an image's name.
pub fn app_arguments(app: &str, options: &AppOptions) -> Result<AppArguments, CommandError> {
    let AppOptions { service, port, health } = options.clone();
    let arguments = AppArguments { service, port, health, ..AppArguments::default() };
    let path = Path::new(app);
    if path.is_dir() {
        let dockerfile = Some(text(&directory(path)?)?);
        return Ok(AppArguments { dockerfile, ..arguments });
    }
    if path.exists() || looks_like_a_path(app) {
        let file = path.canonicalize().map_err(|source| bad(path, source))?;
        return Ok(AppArguments { compose: Some(text(&file)?), ..arguments });
    }
    Ok(AppArguments { image: Some(app.to_owned()), ..arguments })
}

impl Named {
    /// The directory that a daemon of our own must be allowed to read.
    pub fn root(&self) -> Option<PathBuf> {
        match self {
            Self::Tree(path) => Some(path.clone()),
            Self::Url(_) => None,
            Self::App(app) => match (&app.dockerfile, &app.compose) {
                (Some(directory), _) => Some(PathBuf::from(directory)),
                (None, Some(file)) => Path::new(file).parent().map(Path::to_owned),
                (None, None) => None,
            },
        }
    }

    /// For people.
    pub fn name(&self) -> String {
        match self {
            Self::Tree(path) => path.display().to_string(),
            Self::Url(url) => url.clone(),
            Self::App(app) => {
                let of = [&app.dockerfile, &app.compose, &app.image];
                format!("the app {}", of.into_iter().flatten().next().map_or("", String::as_str))
            }
        }
    }
}

/// Which schemes there are is the daemon's word: it says what is wrong with another one.
fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn looks_like_a_path(text: &str) -> bool {
    text.starts_with(['/', '.', '~']) || text.ends_with(".yml") || text.ends_with(".yaml")
}

fn directory(path: &Path) -> Result<PathBuf, CommandError> {
    let target = path.canonicalize().map_err(|source| bad(path, source))?;
    match target.is_dir() {
        true => Ok(target),
        false => Err(bad(path, io::ErrorKind::NotADirectory.into())),
    }
}

fn bad(path: &Path, source: io::Error) -> CommandError {
    CommandError::Path { path: path.to_owned(), source }
}

fn text(path: &Path) -> Result<String, CommandError> {
    let unreadable =
        || io::Error::new(io::ErrorKind::InvalidInput, "its name is not Unicode, which JSON cannot carry");
    path.to_str().map(str::to_owned).ok_or_else(|| bad(path, unreadable()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_scheme_is_a_url_and_nothing_else_is() {
        let options = WebOptions::default();
        assert_eq!(options.named(Some("HTTP://a/")).unwrap(), Named::Url("HTTP://a/".into()));
        assert!(matches!(options.named(Some("/")).unwrap(), Named::Tree(_)));
        assert_eq!(options.named(Some("ftp://a/")).unwrap(), Named::Url("ftp://a/".into()));
        assert!(options.named(Some("http:")).is_err());
    }

    #[test]
    fn an_app_is_a_directory_a_file_or_an_image() {
        let world = tempfile::tempdir().unwrap();
        let file = world.path().join("compose.yml");
        std::fs::write(&file, "services: {}").unwrap();
        let app = |text: &str| app_arguments(text, &AppOptions::default()).unwrap();
        assert!(app(world.path().to_str().unwrap()).dockerfile.is_some());
        assert!(app(file.to_str().unwrap()).compose.is_some());
        assert_eq!(app("shop:latest").image.as_deref(), Some("shop:latest"));
        assert!(app_arguments("./none.yml", &AppOptions::default()).is_err());
    }

    #[test]
    fn nothing_is_attacked_unasked() {
        let with = |active, openapi: Option<&str>| {
            WebOptions { active, openapi: openapi.map(str::to_owned), ..WebOptions::default() }.web().phase
        };
        assert_eq!(with(false, None), None);
        assert_eq!(with(false, Some("/openapi.json")), None);
        assert_eq!(with(true, None), Some(PhaseWord::Full));
        assert_eq!(with(true, Some("/openapi.json")), Some(PhaseWord::Api));
    }

    #[test]
    fn a_header_has_a_colon() {
        assert_eq!(parse_header("X-A: b:c").unwrap(), Header { name: "X-A".into(), value: "b:c".into() });
        assert!(parse_header("X-A").is_err());
    }
}
