//! A service of a compose file as a plan.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::super::words::split;
use super::super::{After, Condition, ImageSource, MountPlan, ServicePlan};
use super::keys;
use super::wire::{
    Attachment, Build, BuildLong, Depends, EnvFile, Health, Pairs, Port, Service, Volume, VolumeLong, Words,
};
use crate::domain::container::HealthCheck;

/// What the engine takes where a health check does not say it.
const HEALTH_INTERVAL: Duration = Duration::from_secs(30);
const HEALTH_RETRIES: u32 = 3;

pub(super) fn plan(name: &str, value: &Value) -> Result<ServicePlan, String> {
    let Value::Object(map) = value else { return Err("it is no mapping".to_owned()) };
    let mut map = map.clone();
    let demands = keys::take(&mut map);
    let service: Service = serde_json::from_value(Value::Object(map)).map_err(|error| error.to_string())?;
    let mut plan = ServicePlan::new(name, source(service.image, service.build)?);
    plan.demands = demands;
    plan.command = service.command.map(words).transpose()?;
    plan.entrypoint = service.entrypoint.map(words).transpose()?;
    plan.env = pairs(service.environment);
    plan.env_files = service.env_file.into_vec().into_iter().map(path_of).collect();
    plan.user = service.user.map(|user| scalar(&user));
    plan.workdir = service.working_dir;
    plan.read_only = service.read_only;
    plan.ports = ports(service.ports, &service.expose)?;
    plan.after = after(service.depends_on)?;
    plan.health = service.healthcheck.map(health).transpose()?;
    plan.aliases = aliases(service.networks)?;
    let tmpfs = service.tmpfs.into_vec().into_iter();
    let tmpfs =
        tmpfs.map(|text| MountPlan::Tmpfs { target: text.split(':').next().unwrap_or_default().to_owned() });
    plan.mounts = service.volumes.into_iter().map(volume).collect::<Result<_, _>>()?;
    plan.mounts.extend(tmpfs);
    Ok(plan)
}

fn source(image: Option<String>, build: Option<Build>) -> Result<ImageSource, String> {
    match (build, image) {
        (Some(Build::Directory(directory)), _) => Ok(built(directory, None, None, Pairs::None)),
        (Some(Build::Long(BuildLong { context, dockerfile, target, args })), _) => {
            Ok(built(context.unwrap_or_else(|| ".".to_owned()), dockerfile, target, args))
        }
        (None, Some(image)) => image.parse().map(ImageSource::Image).map_err(|error| format!("{error}")),
        (None, None) => Err("it has neither `image` nor `build`".to_owned()),
    }
}

fn built(
    directory: String,
    dockerfile: Option<String>,
    stage: Option<String>,
    arguments: Pairs,
) -> ImageSource {
    let dockerfile = dockerfile.unwrap_or_else(|| "Dockerfile".to_owned());
    ImageSource::Build { directory, dockerfile, stage, arguments: pairs(arguments) }
}

fn words(words: Words) -> Result<Vec<String>, String> {
    match words {
        Words::Line(line) => split(&line),
        Words::List(list) => Ok(list.iter().map(scalar).collect()),
    }
}

/// A number or a truth is meant as it is written.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A name without a value would be taken from the environment of whoever starts it: here it is not there.
fn pairs(pairs: Pairs) -> BTreeMap<String, String> {
    match pairs {
        Pairs::None => BTreeMap::new(),
        Pairs::Map(map) => {
            let set = map.into_iter().filter(|(_, value)| !value.is_null());
            set.map(|(name, value)| (name, scalar(&value))).collect()
        }
        Pairs::List(list) => {
            let set = list.iter().filter_map(|pair| pair.split_once('='));
            set.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        }
    }
}

fn path_of(file: EnvFile) -> String {
    match file {
        EnvFile::Path(path) | EnvFile::Long { path } => path,
    }
}

/// Ports inside of the container; nothing is published. UDP is not looked at.
fn ports(published: Vec<Port>, exposed: &[Value]) -> Result<Vec<u16>, String> {
    let mut ports = Vec::new();
    let texts = published.into_iter().filter_map(|port| match port {
        Port::Number(number) => Some(number.to_string()),
        // `[[address:]outside:]inside[/protocol]`
        Port::Text(text) => Some(text.rsplit(':').next().unwrap_or_default().to_owned()),
        Port::Long { protocol: Some(protocol), .. } if protocol != "tcp" => None,
        Port::Long { target, .. } => Some(scalar(&target)),
    });
    for text in texts.chain(exposed.iter().map(scalar)) {
        let (number, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
        if protocol != "tcp" {
            continue;
        }
        let (first, last) = number.split_once('-').unwrap_or((number, number));
        match (first.parse::<u16>(), last.parse::<u16>()) {
            (Ok(first), Ok(last)) if first > 0 && first <= last => ports.extend(first..=last),
            _ => return Err(format!("{text:?} is no port")),
        }
    }
    ports.sort_unstable();
    ports.dedup();
    Ok(ports)
}

fn after(depends: Depends) -> Result<Vec<After>, String> {
    let map = match depends {
        Depends::None => return Ok(Vec::new()),
        Depends::List(list) => {
            let started = |service| After { service, until: Condition::Started };
            return Ok(list.into_iter().map(started).collect());
        }
        Depends::Map(map) => map,
    };
    let each = map.into_iter().map(|(service, dependency)| {
        let until = match dependency.condition.as_deref() {
            None | Some("service_started") => Condition::Started,
            Some("service_healthy") => Condition::Healthy,
            Some("service_completed_successfully") => Condition::Completed,
            Some(other) => return Err(format!("the condition {other:?} of depends_on is not known")),
        };
        Ok(After { service, until })
    });
    each.collect()
}

fn health(health: Health) -> Result<HealthCheck, String> {
    let test = match health.test {
        _ if health.disable => return Ok(HealthCheck::Off),
        Some(Words::List(list)) => list.iter().map(scalar).collect(),
        Some(Words::Line(line)) => vec!["CMD-SHELL".to_owned(), line],
        // The image's own command with other times: the engine takes it so.
        None => Vec::new(),
    };
    if test.first().is_some_and(|word| word == "NONE") {
        return Ok(HealthCheck::Off);
    }
    let or = |text: Option<String>, default| text.map_or(Ok(default), |text| duration(&text));
    Ok(HealthCheck::Ask {
        test,
        interval: or(health.interval, HEALTH_INTERVAL)?,
        timeout: or(health.timeout, HEALTH_INTERVAL)?,
        start_period: or(health.start_period, Duration::ZERO)?,
        retries: health.retries.unwrap_or(HEALTH_RETRIES),
    })
}

/// `1m30s`, `500ms`, `2h`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration: write it as 30s, 1m30s or 500ms");
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
        let unit_end =
            rest[digits..].find(|letter: char| letter.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let ms = match &rest[digits..unit_end] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        total += Duration::from_millis(number.saturating_mul(ms));
        rest = &rest[unit_end..];
    }
    if text.trim().is_empty() { Err(wrong()) } else { Ok(total) }
}

fn volume(volume: Volume) -> Result<MountPlan, String> {
    match volume {
        Volume::Long(VolumeLong { kind, source, target, read_only }) => match (kind.as_str(), source) {
            ("bind", Some(source)) => Ok(MountPlan::Bind { source, target, writable: !read_only }),
            ("volume", _) => Ok(MountPlan::Volume { target }),
            ("tmpfs", _) => Ok(MountPlan::Tmpfs { target }),
            (other, _) => Err(format!("a volume of type {other:?} is not supported")),
        },
        Volume::Text(text) => {
            let parts: Vec<&str> = text.split(':').collect();
            let (source, target, options) = match parts[..] {
                [target] => (None, target, ""),
                [source, target] => (Some(source), target, ""),
                [source, target, options] => (Some(source), target, options),
                _ => return Err(format!("{text:?} is no volume")),
            };
            let target = target.to_owned();
            // A path begins like one; a name is a volume.
            match source.filter(|source| source.starts_with(['.', '/', '~'])) {
                Some(source) => {
                    let writable = !options.split(',').any(|option| option == "ro");
                    Ok(MountPlan::Bind { source: source.to_owned(), target, writable })
                }
                None => Ok(MountPlan::Volume { target }),
            }
        }
    }
}

/// All networks of a file are one here, so of a list nothing is left.
fn aliases(networks: Option<Value>) -> Result<Vec<String>, String> {
    let Some(Value::Object(map)) = networks else { return Ok(Vec::new()) };
    let mut aliases = Vec::new();
    for (_, attachment) in map {
        let attachment: Option<Attachment> =
            serde_json::from_value(attachment).map_err(|error| format!("networks: {error}"))?;
        aliases.extend(attachment.unwrap_or_default().aliases);
    }
    Ok(aliases)
}
