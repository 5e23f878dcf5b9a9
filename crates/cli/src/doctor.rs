//! `kroutes doctor`: as far as it can, whatever is wrong.
//!
//! The other commands end at the first thing that keeps them from working. Here that is an answer: credentials that nobody
//! takes, a cluster that cannot be asked for its nodes, a table that is not there each become a check, and what can still
//! be looked at is looked at. Only a topology that cannot be read ends it as it ends every command, since then nobody
//! knows where to look.
//!
//! Nothing is written: what is asked about writes is asked as a dry run, or as the question what would be allowed.

use kroutes_core::{Error, ErrorKind, Topology};
use kroutes_driver::doctor::{Seen, checks, is_well};
use kroutes_driver::{Loaded, Reconciler, Settings};

use crate::args::{Options, Output};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Printer;
use crate::provider::{self, Opened, Provider};
use crate::render::{Head, doctor};
use crate::workers::Workers;

/// Looks at everything, and prints what came of it.
pub(crate) async fn run(
    loaded: &Loaded,
    provider: &'static Provider,
    options: &Options,
    printer: Printer,
) -> Result<Exit, Failure> {
    if options.policy {
        printer.data(&(provider.policy)(loaded)?)?;
        return Ok(Exit::Ok);
    }
    let mut unlisted = None;
    let workers = match Workers::before_opening(loaded, provider, true).await {
        Ok(workers) => workers,
        Err(failure) => {
            unlisted = Some(answer(failure)?);
            Workers::Known(without_workers(loaded)?)
        }
    };
    let opened = match provider::open(provider, loaded, &workers, options, printer).await {
        Ok(opened) => Ok(opened),
        Err(failure) => Err(answer(failure)?),
    };
    let topology = match (&opened, workers) {
        (_, Workers::Known(topology)) => topology,
        (Ok(opened), workers) => match workers.after_opening(loaded, provider, &*opened.backend, true, printer).await {
            Ok(topology) => topology,
            Err(failure) => {
                unlisted = Some(answer(failure)?);
                without_workers(loaded)?
            }
        },
        (Err(error), Workers::InTheCloud(..)) => {
            unlisted = Some(error.clone());
            without_workers(loaded)?
        }
    };
    let cidrs: Vec<String> = topology.cluster().pod_cidrs.iter().map(ToString::to_string).collect();
    let head = Head {
        command: "doctor",
        provider: provider.format.name,
        cluster: topology.cluster().name.as_str(),
        cidrs: &cidrs.join(" "),
        only: &[],
    };
    let found = match &opened {
        Ok(opened) => look(opened, provider, &topology, unlisted.as_ref()).await?,
        Err(error) => checks(Seen {
            topology: &topology,
            unlisted: unlisted.as_ref(),
            cloud: Err(error),
            examined: Vec::new(),
            drop_claim: None,
        }),
    };
    let printed = match options.output {
        Output::Json => doctor::json(&head, &found),
        Output::Text => doctor::text(&head, &found, options.verbose > 0),
    };
    printer.data(&printed)?;
    Ok(if is_well(&found) { Exit::Ok } else { Exit::Failed })
}

/// Asks the cloud, and its provider.
async fn look(
    opened: &Opened,
    provider: &Provider,
    topology: &Topology,
    unlisted: Option<&Error>,
) -> Result<Vec<kroutes_core::Check>, Failure> {
    let backend = &opened.backend;
    // What this provider cannot do for this topology is refused before anything is asked.
    let observation = match Reconciler::new(std::sync::Arc::clone(backend), topology.clone(), Settings::default()) {
        Ok(reconciler) => reconciler.observe().await,
        Err(error) => Err(error),
    };
    if let Err(error) = &observation
        && error.kind() == ErrorKind::Interrupted
    {
        return Err(Failure::Error(error.clone()));
    }
    let examined = backend.examine(observation.as_ref().ok()).await;
    let drop_claim = provider.drop_claim.map(|command| {
        move |table: &kroutes_core::TableId, place: &str, claim: &kroutes_core::Claim| command(table, place, claim)
    });
    Ok(checks(Seen {
        topology,
        unlisted,
        cloud: observation.as_ref().map(|observation| (observation, backend.capabilities())),
        examined,
        drop_claim: drop_claim.as_ref().map(|command| command as kroutes_driver::doctor::DropClaim<'_>),
    }))
}

/// What ends every command ends this one too; everything else is what it was asked for.
fn answer(failure: Failure) -> Result<Error, Failure> {
    match failure {
        Failure::Error(error) if error.kind() != ErrorKind::Interrupted => Ok(error),
        other => Err(other),
    }
}

fn without_workers(loaded: &Loaded) -> Result<Topology, Failure> {
    Topology::new(loaded.cluster().clone(), Vec::new()).map_err(|faults| {
        let messages: Vec<_> = faults.into_iter().map(|fault| fault.message).collect();
        Failure::Usage(messages.join("; "))
    })
}
