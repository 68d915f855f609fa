//! How ZAPs are made and how long their parts may take: the section `[zap]`, as the actors need it.

use std::time::Duration;

use crate::actors::docker::image::Pull;
use crate::config;
use crate::domain::container::{ContainerLimits, ImageName};
use crate::domain::zap::phases::Limits;

/// Threads and processes of one ZAP: two per core and scan, and a browser.
const PIDS_MAX: u32 = 2048;
/// Of the container's memory, what Java's heap may take; the rest is for its threads, its code and the browser.
const HEAP_PERCENT: u64 = 60;

/// See `[zap]` in the manual.
#[derive(Debug, Clone)]
pub struct Settings {
    pub image: ImageName,
    pub pull: Pull,
    pub memory_bytes: u64,
    pub cpu_milli: u32,
    /// Of its own layer of the disk.
    pub disk_bytes: u64,
    pub at_once: usize,
    pub warm: usize,
    /// From its start to its first answer.
    pub ready: Duration,
    pub limits: Limits,
    /// A part that does nothing for this long hangs.
    pub stuck: Duration,
    pub rule_minutes: u32,
    /// In ZAP's word: `LOW`, `MEDIUM`, `HIGH` or `INSANE`.
    pub strength: &'static str,
    /// Further settings, `key=value`.
    pub options: Vec<String>,
}

impl Settings {
    /// From a configuration that was checked.
    pub fn of(zap: &config::Zap, docker: &config::Docker) -> Self {
        Self {
            image: zap.image.parse().expect("`config::rules` checks it"),
            pull: docker.into(),
            memory_bytes: zap.memory_mib << 20,
            cpu_milli: zap.cpu_percent.saturating_mul(10),
            disk_bytes: zap.disk_mib << 20,
            at_once: zap.at_once,
            warm: zap.warm,
            ready: zap.ready,
            limits: Limits { spider: zap.spider, passive: zap.passive, active: zap.active },
            stuck: zap.stuck,
            rule_minutes: zap.rule_minutes,
            strength: match zap.strength {
                config::Strength::Low => "LOW",
                config::Strength::Medium => "MEDIUM",
                config::Strength::High => "HIGH",
                config::Strength::Insane => "INSANE",
            },
            options: zap.options.clone(),
        }
    }

    pub fn container_limits(&self) -> ContainerLimits {
        ContainerLimits { memory_bytes: self.memory_bytes, cpu_milli: self.cpu_milli, pids: PIDS_MAX }
    }

    /// Java's `-Xmx`, in MiB.
    pub fn heap_mib(&self) -> u64 {
        (self.memory_bytes >> 20) * HEAP_PERCENT / 100
    }
}
