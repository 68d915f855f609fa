//! arguments → config → telemetry → run → exit code.

use std::process::ExitCode;
use std::time::Duration;

use proctor::actors::process::shim;
use proctor::cli::{self, Arguments, Exit};
use proctor::telemetry;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Idle threads for blocking work end after this. They take turns, so that each piece of work a second (the daemon looks
/// at memory and disk) keeps as many alive as this has seconds; tokio's own 10 s would keep some twenty after a burst.
const BLOCKING_THREAD_IDLE: Duration = Duration::from_secs(2);

/// As much as the first thread has by custom. A scan's futures lie deep in each other, and where nothing is optimised each
/// keeps copies of the next: they have met tokio's 2 MiB. It is address space, and memory only where it is used.
const THREAD_STACK_BYTES: usize = 8 << 20;

fn main() -> ExitCode {
    // A shim must become its tool before anything is opened, printed or started.
    shim::main_if_asked();
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(exit) => return exit.into(),
    };
    let terminal = arguments.terminal();
    if let Some(text) = arguments.without_config() {
        return terminal.result(text).map_or(Exit::Failed, |()| Exit::Clean).into();
    }
    let loaded = match arguments.sources().load() {
        Ok(loaded) => loaded,
        Err(problems) => {
            terminal.complain(&format!("proctor: {problems}"));
            return Exit::Usage.into();
        }
    };
    telemetry::install(&arguments.log(&loaded), terminal.color);
    match tokio::runtime::Builder::new_multi_thread()
        .thread_keep_alive(BLOCKING_THREAD_IDLE)
        .thread_stack_size(THREAD_STACK_BYTES)
        .enable_all()
        .build()
    {
        Ok(runtime) => {
            let exit = runtime.block_on(cli::run(arguments, loaded, terminal));
            // Everything of ours has ended; a thread that waits for standard input never would.
            runtime.shutdown_background();
            exit.into()
        }
        Err(error) => {
            terminal.complain(&format!("proctor: the runtime could not be started: {error}"));
            Exit::Failed.into()
        }
    }
}
