//! The built-in cloud from the command line: for one command (`--lab`), or until stopped (`kroutes lab`).

use std::collections::BTreeSet;
use std::io;

use kroutes_core::{Error, ErrorKind};
use kroutes_driver::Loaded;
use kroutes_lab::{Lab, Options as LabSettings, allowed_by_policy};

use crate::args::{LabOptions, Options};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Printer;
use crate::provider::{LabPlan, Provider};
use crate::workers::Workers;

/// Starts a lab in which the topology can come true.
pub(crate) async fn start(plan: LabPlan, options: &LabOptions) -> Result<Lab, Failure> {
    let settings = LabSettings {
        published_buckets: options.lab_throttle,
        lag: options.lab_lag.unwrap_or_default(),
        operation_delay: options.lab_delay.unwrap_or_default(),
        port: options.port,
        allowed: allowed(options)?,
        ..plan.options
    };
    Lab::start(plan.seed, settings).await.map_err(|error| cannot_listen(&error, options))
}

/// What the caller may do, where the user says so: what is in one of the files.
fn allowed(options: &LabOptions) -> Result<Option<BTreeSet<String>>, Failure> {
    let mut all = BTreeSet::new();
    for path in &options.lab_policy {
        let misuse = |why: String| Failure::Usage(format!("--lab-policy `{}`: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| misuse(format!("it cannot be read: {error}")))?;
        all.extend(allowed_by_policy(&text).map_err(misuse)?);
    }
    Ok((!options.lab_policy.is_empty()).then_some(all))
}

fn cannot_listen(error: &io::Error, options: &LabOptions) -> Failure {
    let port = options.port.map_or_else(String::new, |port| format!(" on port {port}"));
    let message = format!("the local cloud cannot listen on 127.0.0.1{port}: {error}");
    let help = "name another port with --port, or leave it out for a free one";
    Failure::Error(Error::new(ErrorKind::Unavailable, message).help(help))
}

/// `kroutes lab`: one cloud for all of these providers, until stopped.
pub(crate) async fn serve(
    providers: &[&'static Provider],
    loaded: &Loaded,
    options: &Options,
    printer: Printer,
) -> Result<Exit, Failure> {
    let mut plan = LabPlan::default();
    for provider in providers {
        let workers = Workers::before_opening(loaded, provider, false).await?;
        (provider.lab)(loaded, &workers, &mut plan)?;
    }
    let lab = start(plan, &options.lab).await?;
    let folder = tempfile::Builder::new().prefix("kroutes-lab-").tempdir().map_err(|error| no_folder(&error))?;
    let mut lines = String::new();
    for provider in providers {
        lines += &(provider.lab_variables)(&lab, folder.path()).map_err(|error| no_folder(&error))?;
    }
    printer.data(&lines)?;
    let names: Vec<_> = providers.iter().map(|provider| provider.format.name).collect();
    printer.note(&format!(
        "The local cloud ({}) runs at {} until ^C. Paste the lines above into another terminal.\n",
        names.join(", "),
        lab.endpoint()
    ));
    stopped().await;
    Ok(Exit::Ok)
}

fn no_folder(error: &io::Error) -> Failure {
    let message = format!("the files that the lab's clients need cannot be written: {error}");
    Failure::Error(Error::new(ErrorKind::Unavailable, message).help("look at the temporary folder (TMPDIR)"))
}

/// A lab that is told to stop has done what it was asked for, so its end is no interruption.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
