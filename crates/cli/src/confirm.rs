//! Asking before something is taken away.
//!
//! Adding routes never asks: it is what the tool was called for, and it can be undone. Replacing and deleting take
//! packets from where they go now, so a person is asked, and a script has to say `--yes`.

use std::io::{IsTerminal, stdin};

use kroutes_core::{Change, Error, ErrorKind, Plan, ReplaceReason};
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::output::Printer;
use crate::render::text::plural;

/// Returns when the plan may be carried out. `shown` is the plan where the person at the terminal has not seen it yet.
pub(crate) async fn confirm(
    plan: &Plan,
    yes: bool,
    printer: Printer,
    shown: impl FnOnce() -> String,
) -> Result<(), Failure> {
    let (mut replaced, mut deleted, mut taken) = (0, 0, 0);
    for change in plan.readable().flat_map(|table| &table.changes) {
        match change {
            Change::Create { .. } => {}
            Change::Replace { reason: ReplaceReason::TakeOver(_), .. } => taken += 1,
            Change::Replace { .. } => replaced += 1,
            Change::Delete { .. } => deleted += 1,
        }
    }
    if yes || replaced + deleted + taken == 0 {
        return Ok(());
    }
    let intent = intent(replaced, deleted, taken);
    if !stdin().is_terminal() {
        let message = format!("this would {intent}, and nobody is there to be asked");
        let refusal = Error::new(ErrorKind::Invalid, message).help("say --yes if that is what you want");
        return Err(Failure::Refused(refusal));
    }
    // Nobody should be asked about a plan that went to a file.
    printer.error(&shown());
    printer.error(&format!("This will {intent}. Go on? [y/N] "));
    // A thread of its own, since reading a terminal cannot be cancelled and must not keep the program from ending.
    let (answer, answered) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = stdin().read_line(&mut line);
        // Nobody listens any more when the run was interrupted meanwhile.
        let _ = answer.send(read.is_ok() && matches!(line.trim().to_lowercase().as_str(), "y" | "yes"));
    });
    match answered.await {
        Ok(true) => Ok(()),
        _ => Err(Failure::Refused(Error::new(ErrorKind::Invalid, "not confirmed; nothing was changed"))),
    }
}

/// What a plan would take away, for a person who is asked about it.
fn intent(changed: usize, deleted: usize, taken: usize) -> String {
    let mut parts = Vec::new();
    for (count, verb) in [(changed, "replace"), (deleted, "delete"), (taken, "take over")] {
        if count > 0 {
            parts.push(format!("{verb} {}", plural(count, "route")));
        }
    }
    parts.join(", ")
}
