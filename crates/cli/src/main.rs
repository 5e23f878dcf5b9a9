//! `kroutes`: one route per worker pod CIDR, on any cloud, from one TOML topology.
//!
//! This file is the frame around a run: the parser and its exit codes, the log, and what may end a run from outside. As
//! long as nothing has been written, ^C and `--timeout` simply drop the work. After that they close the gate: no new call
//! begins, those under way finish, and the report says what was left. A second ^C does not wait.

mod args;
mod confirm;
mod doctor;
mod exit;
mod export;
mod failure;
#[cfg(feature = "lab")]
mod lab;
mod manual;
mod only;
mod output;
mod progress;
mod provider;
mod render;
mod run;
mod saved;
mod workers;

use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind as ClapErrorKind;
use kroutes_core::{Error, ErrorKind, Stopper};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::{Cli, Output};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Printer;
use crate::run::StopHandle;

fn main() -> ExitCode {
    let cli = match Cli::try_parse().and_then(|cli| cli.check().map(|()| cli)) {
        Ok(cli) => cli,
        Err(error) => {
            // clap's own code for misuse is 2, which means "different" here.
            let asked = matches!(error.kind(), ClapErrorKind::DisplayHelp | ClapErrorKind::DisplayVersion);
            let _ = error.print();
            return if asked { Exit::Ok.into() } else { Exit::Usage.into() };
        }
    };
    let printer = Printer::new(cli.options.color, cli.options.quiet);
    listen_to_ourselves(cli.options.verbose, printer.colors_errors());
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            printer.error(&format!("error: the system refuses to start the program: {error}\n"));
            return Exit::Failed.into();
        }
    };
    let exit = runtime.block_on(until_stopped(&cli, printer));
    // A name look-up may still be running on a thread that nobody can cancel.
    runtime.shutdown_background();
    exit.into()
}

/// Logs to stderr what our own crates say, and nobody else: the SDKs log headers and credentials' metadata.
fn listen_to_ourselves(verbose: u8, color: bool) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let ours = ["kroutes", "kroutes_core", "kroutes_driver", "kroutes_lab", "kroutes_aws", "kroutes_gcp"];
    let targets = Targets::new().with_targets(ours.map(|name| (name, level)));
    let layer =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(color).with_span_events(FmtSpan::CLOSE);
    tracing_subscriber::registry().with(targets).with(layer).init();
}

async fn until_stopped(cli: &Cli, printer: Printer) -> Exit {
    let stop: OnceLock<Stopper> = OnceLock::new();
    let writing = AtomicBool::new(false);
    let mut timed_out = false;
    let result = {
        let work = run::run(cli, StopHandle(&stop), printer, &writing);
        tokio::pin!(work);
        let mut interrupts = Interrupts::new();
        let deadline = sleep(cli.options.timeout);
        tokio::pin!(deadline);
        let mut told = false;
        loop {
            tokio::select! {
                biased;
                result = &mut work => break result,
                () = interrupts.next() => {
                    if !writing.load(Ordering::SeqCst) {
                        break Err(Failure::Interrupted);
                    }
                    if told {
                        break Err(Failure::Abandoned);
                    }
                    told = true;
                    close(&stop);
                    printer.error("interrupted: the calls under way are being finished, no new one begins; once more stops at once\n");
                }
                () = &mut deadline, if !timed_out => {
                    timed_out = true;
                    if !writing.load(Ordering::SeqCst) {
                        break Err(Failure::Interrupted);
                    }
                    close(&stop);
                    printer.note("the time is up: the calls under way are being finished, no new one begins\n");
                }
            }
        }
    };
    let result = match result {
        Err(failure) if timed_out && failure.exit() == Exit::Interrupted => Err(Failure::Error(too_long(cli))),
        other => other,
    };
    let told = matches!(&result, Err(Failure::Error(error)) if error.message() == too_long(cli).message());
    if timed_out && !told {
        printer.error(&Failure::Error(too_long(cli)).text(printer.colors_errors()));
    }
    match result {
        Ok(Exit::Interrupted) if timed_out => Exit::Failed,
        Ok(exit) => exit,
        Err(failure) => {
            if cli.options.output == Output::Json && !matches!(failure, Failure::Output(_) | Failure::Report(_)) {
                let answer = render::json::failure(cli.command().name(), &failure.as_error());
                if let Err(failure) = printer.data(&answer) {
                    printer.error(&failure.text(false));
                }
            }
            printer.error(&failure.text(printer.colors_errors()));
            failure.exit()
        }
    }
}

fn too_long(cli: &Cli) -> Error {
    let span = humantime::format_duration(cli.options.timeout.unwrap_or_default());
    Error::new(ErrorKind::Unavailable, format!("not done within {span} (--timeout)"))
}

fn close(stop: &OnceLock<Stopper>) {
    if let Some(stop) = stop.get() {
        stop.stop();
    }
}

async fn sleep(span: Option<Duration>) {
    match span {
        Some(span) => tokio::time::sleep(span).await,
        None => std::future::pending().await,
    }
}

/// Whether whoever started us has said that this signal is to be ignored, as `nohup` does. Only Linux tells.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    (mask >> (kind.as_raw_value() - 1)) & 1 == 1
}

/// ^C and what a supervisor sends. Where the system gives no handler, its default stays: the program just ends.
struct Interrupts(Vec<Signal>);

impl Interrupts {
    fn new() -> Self {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
        let hangup = (!is_ignored(SignalKind::hangup())).then(SignalKind::hangup);
        Self(kinds.into_iter().chain(hangup).filter_map(|kind| signal(kind).ok()).collect())
    }

    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let came = self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if came { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
}
