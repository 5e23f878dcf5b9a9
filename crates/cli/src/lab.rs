//! The built-in cloud from the command line: for one command (`--lab`), or until stopped (`kroutes lab`).

use std::io;

use kroutes_core::{Error, ErrorKind, Topology};
use kroutes_driver::Loaded;
use kroutes_lab::{Lab, Options as LabSettings, Seed};

use crate::args::{LabOptions, Options};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Printer;
use crate::provider::{LabPlan, Provider};

/// Starts a lab in which the topology can come true for this provider.
pub(crate) async fn start(topology: &Topology, plan: &LabPlan, options: &LabOptions) -> Result<Lab, Failure> {
    let settings = LabSettings {
        published_buckets: options.lab_throttle,
        lag: options.lab_lag.unwrap_or_default(),
        port: options.port,
        region: plan.region.clone(),
        routes_limit: plan.routes_limit,
        ..LabSettings::default()
    };
    let seed = Seed::for_topology(topology, &plan.tables);
    Lab::start(seed, settings).await.map_err(|error| cannot_listen(&error, options))
}

fn cannot_listen(error: &io::Error, options: &LabOptions) -> Failure {
    let port = options.port.map_or_else(String::new, |port| format!(" on port {port}"));
    let message = format!("the local cloud cannot listen on 127.0.0.1{port}: {error}");
    let help = "name another port with --port, or leave it out for a free one";
    Failure::Error(Error::new(ErrorKind::Unavailable, message).help(help))
}

/// `kroutes lab`: runs until stopped.
pub(crate) async fn serve(
    provider: &Provider,
    loaded: &Loaded,
    topology: &Topology,
    options: &Options,
    printer: Printer,
) -> Result<Exit, Failure> {
    let plan = (provider.lab)(loaded)?;
    let lab = start(topology, &plan, &options.lab).await?;
    printer.data(&(provider.lab_variables)(&lab.endpoint(), &plan))?;
    printer.note(&format!(
        "The local {} cloud runs at {} until ^C. Paste the lines above into another terminal.\n",
        provider.format.name,
        lab.endpoint()
    ));
    stopped().await;
    Ok(Exit::Ok)
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
