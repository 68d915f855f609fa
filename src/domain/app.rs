//! Apps under test as values: which containers one consists of, in which order they start, and which of them is looked at.
//!
//! Reading order: this file (what a plan is), [`compose`] (plans from compose files), [`words`] (their texts); [`dockerfile`]
//! says why one could not be built.

use std::collections::{BTreeMap, BTreeSet};

use super::container::{Demand, HealthCheck, ImageName};

pub mod compose;
pub mod dockerfile;
pub mod words;

/// Bytes of the name of an app.
const NAME_BYTES_MAX: usize = 40;

/// The containers of an app, in the order in which they start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppPlan {
    pub services: Vec<ServicePlan>,
    /// Which of them is looked at.
    pub entry: String,
}

/// One container of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePlan {
    pub name: String,
    pub source: ImageSource,
    pub entrypoint: Option<Vec<String>>,
    pub command: Option<Vec<String>>,
    pub env: BTreeMap<String, String>,
    /// Files with more of it, relative to the compose file; what stands in `env` wins.
    pub env_files: Vec<String>,
    pub user: Option<String>,
    pub workdir: Option<String>,
    pub read_only: bool,
    /// Ports inside of the container that it says it listens on.
    pub ports: Vec<u16>,
    pub mounts: Vec<MountPlan>,
    pub after: Vec<After>,
    pub health: Option<HealthCheck>,
    /// Other names for it, for the other services.
    pub aliases: Vec<String>,
    pub demands: Vec<Demand>,
}

impl ServicePlan {
    pub fn new(name: &str, source: ImageSource) -> Self {
        Self {
            name: name.to_owned(),
            source,
            entrypoint: None,
            command: None,
            env: BTreeMap::new(),
            env_files: Vec::new(),
            user: None,
            workdir: None,
            read_only: false,
            ports: Vec::new(),
            mounts: Vec::new(),
            after: Vec::new(),
            health: None,
            aliases: Vec::new(),
            demands: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSource {
    Image(ImageName),
    /// Paths relative to where the plan lies.
    Build {
        directory: String,
        dockerfile: String,
        stage: Option<String>,
        arguments: BTreeMap<String, String>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountPlan {
    /// Relative to where the plan lies, or absolute.
    Bind {
        source: String,
        target: String,
        writable: bool,
    },
    /// Of the container alone, gone with it.
    Volume {
        target: String,
    },
    Tmpfs {
        target: String,
    },
}

/// What must be so with another service before this one starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    pub service: String,
    pub until: Condition,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Started,
    /// Its health check says so.
    Healthy,
    /// It has ended, with 0.
    Completed,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("the compose file is not understood: {0}")]
    Syntax(String),
    #[error("service {service}: {why}")]
    Service { service: String, why: String },
    #[error("the compose file has no services to start")]
    NoServices,
    #[error("service {service} waits for {missing}, which is not there")]
    NoSuchDependency { service: String, missing: String },
    #[error("these services wait for each other: {}", .0.join(", "))]
    Circle(Vec<String>),
    #[error("there is no service {wanted}; there are {}", .there.join(", "))]
    NoSuchService { wanted: String, there: Vec<String> },
    #[error("which service is looked at? {} have ports: name one", .0.join(", "))]
    Ambiguous(Vec<String>),
    #[error("no service has a port: say which port is listened on")]
    NoPort,
    #[error("{image} exposes {}: say which port is looked at", ports_listed(.ports))]
    WhichPort { image: String, ports: Vec<u16> },
    #[error("more than {limit} services are not started for one app")]
    TooMany { limit: usize },
}

fn ports_listed(ports: &[u16]) -> String {
    match ports {
        [] => "no port".to_owned(),
        some => some.iter().map(u16::to_string).collect::<Vec<_>>().join(", "),
    }
}

impl AppPlan {
    /// An app of one container.
    pub fn single(service: ServicePlan) -> Self {
        Self { entry: service.name.clone(), services: vec![service] }
    }

    /// Puts services in order. `wanted` is looked at; else the only one with a port.
    pub fn of(services: Vec<ServicePlan>, wanted: Option<&str>) -> Result<Self, PlanError> {
        let there = || services.iter().map(|service| service.name.clone()).collect::<Vec<_>>();
        let with_ports = || services.iter().filter(|service| !service.ports.is_empty());
        let entry = match wanted {
            Some(wanted) if services.iter().any(|service| service.name == wanted) => wanted.to_owned(),
            Some(wanted) => {
                return Err(PlanError::NoSuchService { wanted: wanted.to_owned(), there: there() });
            }
            None => match (services.as_slice(), with_ports().collect::<Vec<_>>().as_slice()) {
                ([], _) => return Err(PlanError::NoServices),
                ([only], _) => only.name.clone(),
                (_, [only]) => only.name.clone(),
                (_, []) => return Err(PlanError::NoPort),
                (_, many) => {
                    return Err(PlanError::Ambiguous(many.iter().map(|one| one.name.clone()).collect()));
                }
            },
        };
        Ok(Self { services: ordered(services)?, entry })
    }

    /// The service that is looked at.
    pub fn entry(&self) -> Option<&ServicePlan> {
        self.services.iter().find(|service| service.name == self.entry)
    }
}

/// Each after all that it waits for; otherwise as they stand.
fn ordered(mut waiting: Vec<ServicePlan>) -> Result<Vec<ServicePlan>, PlanError> {
    let all: BTreeSet<String> = waiting.iter().map(|service| service.name.clone()).collect();
    for service in &waiting {
        if let Some(after) = service.after.iter().find(|after| !all.contains(&after.service)) {
            let (service, missing) = (service.name.clone(), after.service.clone());
            return Err(PlanError::NoSuchDependency { service, missing });
        }
    }
    let mut done: Vec<ServicePlan> = Vec::new();
    while !waiting.is_empty() {
        let has = |name: &String| done.iter().any(|one| one.name == *name);
        let next = waiting.iter().position(|one| one.after.iter().all(|after| has(&after.service)));
        let Some(next) = next else {
            return Err(PlanError::Circle(waiting.into_iter().map(|service| service.name).collect()));
        };
        done.push(waiting.remove(next));
    }
    Ok(done)
}

/// Which port is looked at: the one that was said, else the only one of the plan, else the only one of the image.
pub fn port(said: Option<u16>, planned: &[u16], exposed: &[u16], image: &str) -> Result<u16, PlanError> {
    match (said, planned, exposed) {
        (Some(port), _, _) => Ok(port),
        (None, [port], _) | (None, [], [port]) => Ok(*port),
        (None, [], ports) | (None, ports, _) => {
            Err(PlanError::WhichPort { image: image.to_owned(), ports: ports.to_vec() })
        }
    }
}

/// What an app is called, from where it comes: the last part of a path or of an image's name, as a word of a host name.
pub fn name_of(origin: &str) -> String {
    let origin = origin.trim_end_matches('/');
    let last = origin.rsplit('/').next().unwrap_or_default();
    let stem = last.split([':', '@']).next().unwrap_or_default();
    let letters = stem.chars().map(|letter| match letter.to_ascii_lowercase() {
        plain @ ('a'..='z' | '0'..='9') => plain,
        _ => '-',
    });
    let word: String = letters.collect();
    let word = word.trim_matches('-');
    let cut = &word[..word.len().min(NAME_BYTES_MAX)];
    if cut.is_empty() { "app".to_owned() } else { cut.trim_end_matches('-').to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, ports: &[u16], after: &[&str]) -> ServicePlan {
        let image = ImageSource::Image("x".parse().unwrap());
        let after = after.iter().map(|one| After { service: (*one).to_owned(), until: Condition::Started });
        ServicePlan { ports: ports.to_vec(), after: after.collect(), ..ServicePlan::new(name, image) }
    }

    fn names(plan: &AppPlan) -> Vec<&str> {
        plan.services.iter().map(|service| service.name.as_str()).collect()
    }

    #[test]
    fn what_is_waited_for_starts_first() {
        let services =
            vec![service("web", &[80], &["api"]), service("api", &[], &["db"]), service("db", &[], &[])];
        let plan = AppPlan::of(services, None).unwrap();
        assert_eq!((names(&plan), plan.entry.as_str()), (vec!["db", "api", "web"], "web"));
    }

    #[test]
    fn circles_and_strangers_are_named() {
        let circle = vec![service("a", &[80], &["b"]), service("b", &[], &["a"]), service("c", &[], &[])];
        assert_eq!(AppPlan::of(circle, None), Err(PlanError::Circle(vec!["a".into(), "b".into()])));
        let (service_, missing) = ("a".to_owned(), "z".to_owned());
        let stranger = AppPlan::of(vec![service("a", &[80], &["z"])], None);
        assert_eq!(stranger, Err(PlanError::NoSuchDependency { service: service_, missing }));
    }

    #[test]
    fn the_one_that_is_looked_at_is_clear_or_asked_for() {
        let two = || vec![service("a", &[80], &[]), service("b", &[81], &[])];
        assert!(matches!(AppPlan::of(two(), None), Err(PlanError::Ambiguous(_))));
        assert_eq!(AppPlan::of(two(), Some("b")).unwrap().entry, "b");
        assert!(matches!(AppPlan::of(two(), Some("c")), Err(PlanError::NoSuchService { .. })));
        assert_eq!(AppPlan::of(vec![service("a", &[], &[])], None).unwrap().entry, "a");
        assert_eq!(AppPlan::of(vec![], None), Err(PlanError::NoServices));
    }

    #[test]
    fn a_port_is_said_or_the_only_one() {
        assert_eq!(port(Some(1), &[2], &[3], "x"), Ok(1));
        assert_eq!(port(None, &[2], &[3], "x"), Ok(2));
        assert_eq!(port(None, &[], &[3], "x"), Ok(3));
        for (planned, exposed) in [(&[2, 3][..], &[3][..]), (&[], &[]), (&[], &[3, 4])] {
            assert!(matches!(port(None, planned, exposed, "x"), Err(PlanError::WhichPort { .. })));
        }
    }

    #[test]
    fn a_name_is_a_word_of_a_host() {
        for (origin, name) in [
            ("/home/me/My Shop_2/", "my-shop-2"),
            ("registry:5000/team/app:1.0", "app"),
            ("app@sha256:00", "app"),
            ("/", "app"),
            ("___", "app"),
        ] {
            assert_eq!(name_of(origin), name);
        }
        assert!(name_of(&"x".repeat(200)).len() == NAME_BYTES_MAX);
    }
}
