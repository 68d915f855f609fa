//! What our door costs: `/bin/true` from spawn to verified end, against the bare spawn and wait of the standard library;
//! and what each sandbox costs on top.

use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use proctor::actors::process::sandbox::Walls;
use proctor::actors::process::{Command, Containment, How, Sandbox, run};
use tokio_util::sync::CancellationToken;

const TRUE: &str = "/bin/true";

#[expect(clippy::disallowed_methods, reason = "the measure the door is held against")]
fn bare(c: &mut Criterion) {
    c.bench_function("process/bare", |b| {
        b.iter(|| assert!(std::process::Command::new(TRUE).status().expect("it starts").success()));
    });
}

fn door(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let detected = Containment::detected();
    let mut door = |name: &str, containment: Containment| {
        c.bench_function(&format!("process/door, {name}"), |b| {
            b.to_async(&runtime).iter(|| through_the_door(scratch.path(), containment.clone()));
        });
    };
    for containment in [detected.clone(), detected.clone().legacy(), Containment::process_group()] {
        door(&containment.to_string(), containment);
    }
    // What a fork would cost: a page table to copy.
    let resident = vec![1_u8; 1 << 30];
    door("a GiB resident", detected.clone());
    drop(std::hint::black_box(resident));
}

fn sandbox(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let without = Walls { bubblewrap: false, ..Walls::ALL };
    for (name, walls) in [("all walls", Walls::ALL), ("without bubblewrap", without), ("none", Walls::NONE)] {
        c.bench_function(&format!("process/sandbox, {name}"), |b| {
            b.to_async(&runtime).iter(|| in_a_sandbox(scratch.path(), walls));
        });
    }
}

async fn in_a_sandbox(scratch: &Path, walls: Walls) {
    let mut command = Command::new(TRUE, scratch);
    command.shim = Some(env!("CARGO_BIN_EXE_proctor").into());
    command.sandbox = Some(Sandbox { walls: Some(walls), ..Sandbox::default() });
    let ended = run(command, CancellationToken::new()).await;
    assert_eq!(ended.how, How::Exited(0));
}

async fn through_the_door(scratch: &Path, containment: Containment) {
    let mut command = Command::new(TRUE, scratch);
    command.shim = Some(env!("CARGO_BIN_EXE_proctor").into());
    command.containment = containment;
    let ended = run(command, CancellationToken::new()).await;
    assert_eq!(ended.how, How::Exited(0));
}

criterion_group!(benches, bare, door, sandbox);
criterion_main!(benches);
