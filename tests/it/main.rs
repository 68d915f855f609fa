//! The one integration binary: a file per promise.

#![expect(clippy::unwrap_used, reason = "a panic is how a test says that its world is broken")]

mod tidy;
mod mailbox;
mod supervisor_otp;
mod supervisor_model;
mod recorded;
mod tools;
mod tools_web;
mod tools_table;
mod snapshot;
mod snapshot_race;
mod snapshot_world;
mod sarif;
mod store;
mod store_durable;
mod store_pages;
mod store_world;
mod disk_world;
mod disk;
mod corruption;
mod retention;
mod history;
mod journal;
mod journey;
mod large_output;
mod process_world;
mod process;
mod process_output;
mod process_environment;
mod process_leftovers;
mod sandbox_world;
mod sandbox;
mod sandbox_ends;
mod sandbox_tools;
mod cli;
mod cli_scan;
mod token;
mod restart;
mod support;
mod install_world;
mod install;
mod install_cli;
mod gateway;
mod limits;
#[cfg(feature = "fault-injection")]
mod clients;
#[cfg(feature = "fault-injection")]
mod clients_rmcp;
#[cfg(feature = "fault-injection")]
mod session;
#[cfg(feature = "fault-injection")]
mod session_crash;
mod web;
mod web_world;
mod whole;
mod scan;
mod tool_faults;
mod web_bounds;
mod web_tools;
mod hostile_tree;
#[cfg(feature = "fault-injection")]
mod crash;
mod queue;
mod dedup;
mod wishes;
#[cfg(feature = "fault-injection")]
mod rescue;
mod deadlines;
mod drain;
mod packaging;
mod pressure;
mod notify;
mod poison;
mod breaker;
mod thrash;
mod egress_world;
mod gate;
mod fetch;
mod docker_world;
mod docker;
mod engine_world;
mod docker_engine;
mod podman;
mod docker_killed;
mod apps_disk;
mod apps;
mod zap_world;
mod zap;
mod zap_bounds;
mod zap_faults;
mod zap_shop;
mod contained_tools;
mod doctor;
mod probes;
mod ssrf_world;
mod ssrf_corpus;
mod ssrf;
