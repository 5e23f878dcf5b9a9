//! From a parsed command line to an exit code: load, open, do, print.
//!
//! Each command is the same few steps over the driver; what differs is what is printed and what counts as success. That
//! the whole can be dropped at any moment before the first write is what makes ^C and `--timeout` simple: until then
//! nothing has happened, and after that the work is told to stop and waited for.

use std::fmt::Write;
use std::io::{IsTerminal, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kroutes_core::{ClaimState, Error, ErrorKind, Gate, Held, NO_WORKERS, Plan, Policy, Stopper, Topology, Verdict};
use kroutes_driver::{
    Loaded, MadeFrom, Moved, NotApplied, Planned, Reconciler, Report, SavedOptions, SavedPlan, Settings, load,
    read_source,
};

use crate::args::{Cli, Command, Graph, Options, Output};
use crate::confirm::confirm;
use crate::doctor;
use crate::exit::Exit;
use crate::export::{self, Export, Format};
use crate::failure::Failure;
use crate::manual;
use crate::only::narrow;
use crate::output::Printer;
use crate::progress::Shown;
use crate::provider::{self, Opened, Provider};
use crate::render::text::Cost;
use crate::render::{Head, graph, json, owned, text};
use crate::saved;
use crate::workers::Workers;

/// What a command works with.
struct Session<'a> {
    command: Command,
    options: &'a Options,
    printer: Printer,
    provider: &'static Provider,
    opened: Opened,
    reconciler: Reconciler,
    cidrs: String,
    /// What alone is looked at; everything without any.
    only: Vec<String>,
    /// Why there are no workers, if there are none.
    nobody: Option<Error>,
    /// The topology's digest, where a plan is saved or a saved one applied.
    digest: String,
    /// What alone is to be done.
    saved: Option<SavedPlan>,
    /// Set before the first write.
    writing: &'a AtomicBool,
}

/// Runs the command. `writing` is set before the first write.
pub(crate) async fn run(
    cli: &Cli,
    gate: StopHandle<'_>,
    printer: Printer,
    writing: &AtomicBool,
) -> Result<Exit, Failure> {
    let command = cli.command();
    let saved = saved::read(&command).await?;
    let options = &*saved::options(&command, saved.as_ref(), &cli.options)?;
    match command {
        Command::Completions { shell } => return manual::completions(shell, printer),
        Command::Man => return manual::page(printer),
        _ => {}
    }
    let file = options.file.clone();
    let source = saved::aside(move || read_source(file.as_deref())).await??;
    options.out.as_deref().map_or(Ok(()), |path| saved::check_place(path, &source.name))?;
    let loaded = load(&source.text, &source.name, &provider::formats(), provider::RESERVED, std::env::vars_os())?;
    #[cfg(feature = "lab")]
    if command == Command::Lab {
        let providers = match (options.provider.as_deref(), loaded.providers()) {
            (None, several @ [_, _, ..]) => {
                several.iter().map(|name| provider::by_name(name)).collect::<Result<_, _>>()?
            }
            (wanted, _) => vec![choose(&loaded, wanted)?],
        };
        return crate::lab::serve(&providers, &loaded, options, printer).await;
    }
    if command == Command::Export && options.format == Some(Format::IpRoute) {
        return export_ip_route(&loaded, options, printer).await;
    }
    let wanted = options.format.and_then(Format::provider);
    if let (Some(format), Some(given)) = (wanted, options.provider.as_deref())
        && format != given
    {
        return Err(Failure::Usage(format!("this format is of provider `{format}`, and not of `{given}`")));
    }
    let provider = choose(&loaded, options.provider.as_deref().or(wanted))?;
    if command == Command::Doctor {
        return doctor::run(&loaded, provider, options, printer).await;
    }
    let may_be_empty = matches!(command, Command::Plan | Command::Apply { .. } | Command::Destroy);
    let workers = Workers::before_opening(&loaded, provider, may_be_empty).await?;

    let opened = provider::open(provider, &loaded, &workers, options, printer).await?;
    gate.bind(&opened.gate);
    let topology = workers.after_opening(&loaded, provider, &*opened.backend, may_be_empty, printer).await?;
    let nobody = loaded.nobody(&topology);
    let is_kept = saved.is_some() || options.out.is_some();
    let digest = if is_kept { loaded.digest(&topology) } else { String::new() };
    saved.as_ref().map_or(Ok(()), |plan| saved::fits(&command, plan, topology.cluster().name.as_str(), &digest))?;
    let (topology, only) = narrow(topology, &options.only)?;
    let settings = Settings {
        policy: Policy { prune: options.prune, take_over: options.take_over },
        max_deletes: options.max_deletes,
        stop: opened.gate.stopper(),
        ..Settings::default()
    };
    let cidrs: Vec<String> = topology.cluster().pod_cidrs.iter().map(ToString::to_string).collect();
    let reconciler = Reconciler::new(Arc::clone(&opened.backend), topology, settings)?;
    let session = Session {
        command: command.clone(),
        options,
        printer,
        provider,
        opened,
        reconciler,
        cidrs: cidrs.join(" "),
        only,
        nobody,
        digest,
        saved,
        writing,
    };
    match command {
        Command::Plan => session.plan().await,
        Command::Apply { .. } | Command::Destroy => session.apply().await,
        Command::Verify => session.verify().await,
        Command::Routes => session.routes().await,
        Command::Export => session.export(&loaded).await,
        // These have ended before anything was opened.
        #[cfg(feature = "lab")]
        Command::Lab => Ok(Exit::Ok),
        Command::Doctor | Command::Completions { .. } | Command::Man => Ok(Exit::Ok),
    }
}

/// A Linux router is no cloud: nothing is opened, and only a source in the cloud needs a provider.
async fn export_ip_route(loaded: &Loaded, options: &Options, printer: Printer) -> Result<Exit, Failure> {
    let topology = if loaded.source().is_none() {
        loaded.topology()?
    } else {
        let provider = choose(loaded, options.provider.as_deref())?;
        match Workers::before_opening(loaded, provider, false).await? {
            Workers::Known(topology) => topology,
            workers @ Workers::InTheCloud(..) => {
                let opened = provider::open(provider, loaded, &workers, options, printer).await?;
                workers.after_opening(loaded, provider, &*opened.backend, false, printer).await?
            }
        }
    };
    tell_left_out(&topology, printer);
    printer.data(&export::ip_route(&topology)?)?;
    Ok(Exit::Ok)
}

/// An export has no room for what is not in it.
fn tell_left_out(topology: &Topology, printer: Printer) {
    for one in topology.left_out().iter().filter(|one| !one.is_fault) {
        printer.note(&format!("left out: {}\n", one.why));
    }
}

/// Where the gate's stopper is put once there is a gate, for the signal handler to find.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StopHandle<'a>(pub(crate) &'a std::sync::OnceLock<Stopper>);

impl StopHandle<'_> {
    fn bind(self, gate: &Gate) {
        // There is one gate a run, so it is empty still.
        let _ = self.0.set(gate.stopper());
    }
}

fn choose(loaded: &Loaded, wanted: Option<&str>) -> Result<&'static Provider, Failure> {
    match (wanted, loaded.providers()) {
        (Some(name), _) => provider::by_name(name),
        (None, [only]) => provider::by_name(only),
        (None, []) => Err(Failure::Usage(format!(
            "`{}` configures no provider of this build ({}): add a section such as `[aws]`, or say --provider NAME",
            loaded.name(),
            provider::names()
        ))),
        (None, several) => Err(Failure::Usage(format!(
            "`{}` configures several providers: say which with --provider, one of {}",
            loaded.name(),
            several.join(", ")
        ))),
    }
}

impl Session<'_> {
    fn head(&self) -> Head<'_> {
        Head {
            command: self.command.name(),
            provider: self.provider.format.name,
            cluster: self.reconciler.topology().cluster().name.as_str(),
            cidrs: &self.cidrs,
            only: &self.only,
        }
    }

    fn is_json(&self) -> bool {
        self.options.output == Output::Json
    }

    /// Every claim that stands in the way, with the command that would remove a dead one.
    fn refusals(&self, plan: &Plan) -> Option<Error> {
        let mut message = String::new();
        let mut commands = Vec::new();
        for (table, refusal) in plan.refusals() {
            if !message.is_empty() {
                message.push_str("; ");
            }
            let _ = write!(message, "{}", refusal.message);
            commands
                .extend(self.provider.drop_claim.map(|command| command(&table.id, &table.location, &refusal.claim)));
        }
        let own = plan.refusals().any(|(_, refusal)| refusal.claim.cluster == self.head().cluster);
        let first = if own { "; if you changed `pod-cidr`, run `kroutes destroy` with the old one first" } else { "" };
        let help =
            format!("nothing was changed{first}; if that cluster is gone, remove its claim: {}", commands.join("; "));
        (!message.is_empty()).then(|| Error::new(ErrorKind::Conflict, message).help(help))
    }

    /// What the guards say, with what only the source of the workers knew, and what helps where a plan was saved.
    fn held(&self, held: Vec<Held>) -> Vec<Held> {
        let with_source = |mut one: Held| {
            if let (NO_WORKERS, Some(nobody)) = (one.guard, &self.nobody) {
                one.message = format!("{}; {}", nobody.message(), one.message);
            }
            if let (Some(limit), Some(_)) = (one.passes_with, &self.saved) {
                one.help = saved::anew(&self.command, limit);
            }
            one
        };
        held.into_iter().map(with_source).collect()
    }

    fn cost(&self, plan: &Plan) -> Cost {
        let atomic = self.reconciler.backend().capabilities().atomic_replace;
        let changes: usize = plan.readable().flat_map(|table| &table.changes).map(|change| change.writes(atomic)).sum();
        let destroying = self.command == Command::Destroy;
        let claims = plan.readable().filter(|table| match table.claim {
            ClaimState::ToSet(_) => true,
            ClaimState::Ours => destroying,
            _ => false,
        });
        Cost {
            reads: self.opened.gate.counts().values().sum(),
            writes: (changes + claims.count() + plan.fixes().count()) as u64,
        }
    }

    async fn plan(&self) -> Result<Exit, Failure> {
        let Planned { plan, observation, held, .. } = self.reconciler.plan().await?;
        let held = self.held(held);
        let claimed = self.refusals(&plan);
        let capabilities = self.reconciler.backend().capabilities();
        let verdict = Verdict::new(self.reconciler.topology(), &observation, capabilities);
        let is_refused = claimed.is_some() || !held.is_empty();
        let saving = saved::save(self.options, self.made_from(), &plan, &observation, is_refused);
        if self.is_json() {
            let unsaved = || saving.as_ref().err().map(Failure::as_error);
            let refused = claimed.or_else(|| held_back(&held)).or_else(unsaved);
            self.printer.data(&json::plan(&self.head(), &plan, Some(&verdict), refused.as_ref(), &held))?;
        } else {
            self.printer.data(&text::plan(&self.head(), &plan, self.cost(&plan)))?;
            self.printer.data(&text::shadowed(&verdict))?;
            let guards = held.chunks(1).filter_map(held_back);
            for error in claimed.into_iter().chain(guards) {
                self.printer.error(&Failure::Refused(error).text(self.printer.colors_errors()));
            }
        }
        if let Err(failure) = saving {
            self.printer.error(&failure.text(self.printer.colors_errors()));
            return Ok(failure.exit());
        }
        self.printer.note(&saved::remedy(self.options, plan.is_complete()));
        Ok(match (plan.is_complete(), self.options.detailed_exitcode) {
            (false, _) => Exit::Failed,
            (true, true) if has_conflicts(&plan) || !plan.is_empty() => Exit::Different,
            (true, _) => Exit::Ok,
        })
    }

    async fn apply(&self) -> Result<Exit, Failure> {
        let destroying = self.command == Command::Destroy;
        let planned = if destroying { self.reconciler.plan_destroy().await? } else { self.reconciler.plan().await? };
        let planned = match &self.saved {
            None => planned,
            Some(saved) => match self.reconciler.cut_down(planned, saved) {
                Ok(planned) => planned,
                Err(moved) => return self.refuse_moved(saved, &moved),
            },
        };
        let plan = planned.plan.clone();
        let held = self.held(planned.held.clone());
        let head = self.head();
        // Removing the claim is a change too.
        let unclaims = destroying && plan.readable().any(|table| table.claim == ClaimState::Ours);
        let idle = plan.is_empty() && !unclaims;
        if !self.is_json() && (!idle || has_conflicts(&plan) || !held.is_empty()) {
            self.printer.data(&text::plan(&head, &plan, self.cost(&plan)))?;
        }
        let refusal = if let Some(error) = self.refusals(&plan).or_else(|| held_back(&held)) {
            Err(Failure::Refused(error))
        } else {
            let unseen = self.is_json() || !stdout().is_terminal();
            let shown = || if unseen { text::plan(&head, &plan, self.cost(&plan)) } else { String::new() };
            confirm(&plan, self.options.yes, self.printer, shown).await
        };
        if let Err(failure) = refusal {
            return self.refuse(&plan, &held, failure);
        }

        self.writing.store(true, Ordering::SeqCst);
        let shown = Shown::new(self.printer);
        let report = self.reconciler.apply(planned, &|progress| shown.tell(progress)).await;
        shown.end();
        let report = match report {
            Ok(report) => report,
            Err(NotApplied::Failed(error)) => return Err(Failure::Error(error)),
            // What was listed again since the user was asked is held back although what was shown was not.
            Err(NotApplied::Held(held)) => {
                let held = self.held(held);
                let failure = held_back(&held).map_or(Failure::Interrupted, Failure::Refused);
                return self.refuse(&plan, &held, failure);
            }
            // A claim that came while the user was asked.
            Err(NotApplied::Refused(plan)) => {
                return Err(self.refusals(&plan).map_or(Failure::Interrupted, Failure::Refused));
            }
        };
        let exit = judge(&report, &plan, destroying);
        let printed = if self.is_json() {
            json::report(&head, &plan, &report, self.opened.gate.counts())
        } else {
            self.report_text(&plan, &report, idle)
        };
        if let Err(failure) = self.printer.data(&printed) {
            let failure = match failure {
                Failure::Output(error) => Failure::Report(error),
                other => other,
            };
            // A terminal that has gone away stopped the run and cannot be written to; the first is how it ended.
            if exit != Exit::Interrupted {
                return Err(failure);
            }
            self.printer.error(&failure.text(self.printer.colors_errors()));
        }
        Ok(exit)
    }

    fn made_from(&self) -> MadeFrom {
        let Options { prune, take_over, max_deletes, .. } = *self.options;
        MadeFrom {
            provider: self.provider.format.name.to_owned(),
            lab: self.options.is_in_lab(),
            cluster: self.head().cluster.to_owned(),
            topology: self.digest.clone(),
            options: SavedOptions { prune, take_over, max_deletes, only: self.only.clone() },
        }
    }

    fn refuse_moved(&self, saved: &SavedPlan, moved: &[Moved]) -> Result<Exit, Failure> {
        let (in_full, in_short) = saved::told(&self.command, saved, moved);
        if self.is_json() {
            self.printer.data(&json::moved(&self.head(), moved, &in_short))?;
        }
        let failure = Failure::Refused(in_full);
        self.printer.error(&failure.text(self.printer.colors_errors()));
        Ok(failure.exit())
    }

    /// Refused is not failed: the plan is still what the user asked to see.
    fn refuse(&self, plan: &Plan, held: &[Held], failure: Failure) -> Result<Exit, Failure> {
        if !self.is_json() || !matches!(failure, Failure::Refused(_)) {
            return Err(failure);
        }
        self.printer.data(&json::plan(&self.head(), plan, None, Some(&failure.as_error()), held))?;
        self.printer.error(&failure.text(self.printer.colors_errors()));
        Ok(failure.exit())
    }

    fn report_text(&self, plan: &Plan, report: &Report, idle: bool) -> String {
        let head = self.head();
        match &report.verdict {
            Some(_) if idle && self.command == Command::Destroy => text::nothing_left(&head, plan, report),
            Some(verdict) if idle && verdict.ok => text::spared(plan) + &text::nothing_to_do(&head, verdict),
            // Conflicts have been shown as a plan already, and a verdict is a block of its own.
            Some(verdict) if idle && has_conflicts(plan) => {
                format!("\n{}", text::verdict(&head, verdict))
            }
            Some(verdict) if idle => text::spared(plan) + &text::verdict(&head, verdict),
            _ => text::report(&head, report),
        }
    }

    async fn verify(&self) -> Result<Exit, Failure> {
        let verdict = self.reconciler.verify().await?;
        let head = self.head();
        let printed = if self.is_json() { json::verdict(&head, &verdict) } else { text::verdict(&head, &verdict) };
        self.printer.data(&printed)?;
        if let Some(error) = self.refusals(&verdict.plan) {
            self.printer.note(&Failure::Refused(error).text(self.printer.colors_errors()));
        }
        Ok(match (verdict.plan.is_complete(), verdict.ok) {
            (false, _) => Exit::Failed,
            (true, true) => Exit::Ok,
            (true, false) => Exit::Different,
        })
    }

    async fn export(&self, loaded: &Loaded) -> Result<Exit, Failure> {
        let name = self.provider.format.name;
        let Some(format) = self.options.format.or_else(|| Format::of(name)) else {
            return Err(Failure::Usage(format!("provider `{name}` has no tool of its own: say --format ip-route")));
        };
        let observation = self.reconciler.observe().await?;
        tell_left_out(self.reconciler.topology(), self.printer);
        let routes = export::wanted(self.reconciler.topology(), &observation)?;
        let export = Export { loaded, observation: &observation, routes, in_lab: self.options.is_in_lab() };
        self.printer.data(&(self.provider.export)(format, &export)?)?;
        Ok(Exit::Ok)
    }

    async fn routes(&self) -> Result<Exit, Failure> {
        let observation = self.reconciler.observe().await?;
        let capabilities = self.reconciler.backend().capabilities();
        let plan = Plan::new(self.reconciler.topology(), &observation, capabilities, Policy::default());
        let tables = owned(self.reconciler.backend(), self.reconciler.topology(), &observation);
        let head = self.head();
        let printed = match self.options.graph {
            Some(Graph::Mermaid) => {
                let verdict = Verdict::new(self.reconciler.topology(), &observation, capabilities);
                graph::mermaid(self.reconciler.topology(), &tables, &verdict)
            }
            None if self.is_json() => json::routes(&head, &tables, &plan),
            None => text::routes(&head, &tables),
        };
        self.printer.data(&printed)?;
        self.printer.error(&text::unknown(&plan));
        Ok(if plan.is_complete() { Exit::Ok } else { Exit::Failed })
    }
}

/// What the guards say, in one error; `None` if they say nothing.
fn held_back(held: &[Held]) -> Option<Error> {
    let join = |part: fn(&Held) -> &str, with: &str| held.iter().map(part).collect::<Vec<_>>().join(with);
    let help = format!("nothing was changed; {}", join(|one| &one.help, "; "));
    (!held.is_empty()).then(|| Error::new(ErrorKind::Conflict, join(|one| &one.message, "; ")).help(help))
}

fn has_conflicts(plan: &Plan) -> bool {
    plan.readable().any(|table| !table.conflicts.is_empty())
}

/// How an apply or a destroy ended.
fn judge(report: &Report, plan: &Plan, destroying: bool) -> Exit {
    let readable = plan.tables.iter().all(|table| table.plan.is_ok())
        && report.after.tables.iter().all(|reading| reading.table.is_ok());
    let wanted = if destroying {
        readable && plan.unproved.is_empty() && report.remaining == 0
    } else {
        report.verdict.as_ref().is_some_and(|verdict| verdict.ok)
    };
    if report.interrupted {
        Exit::Interrupted
    } else if wanted && report.is_clean() {
        Exit::Ok
    } else {
        Exit::Failed
    }
}
