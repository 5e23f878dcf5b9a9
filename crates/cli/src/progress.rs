//! How far it has come: a bar on a terminal, a line now and then elsewhere, nothing when quiet.
//!
//! Five hundred routes take a minute and a half of waiting for the provider's meter. Somebody who sees nothing move
//! for that long presses ^C; somebody who reads a log of it later does not want five hundred lines.

use std::io::{IsTerminal, stderr};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use kroutes_driver::Progress;

use crate::output::Printer;

/// How often a line is written where there is no terminal.
const NOW_AND_THEN: Duration = Duration::from_secs(10);

/// Shows how far an apply has come.
#[derive(Debug)]
pub(crate) struct Shown {
    printer: Printer,
    bar: Option<ProgressBar>,
    lines: Mutex<Lines>,
}

#[derive(Debug)]
struct Lines {
    total: usize,
    written: usize,
    last: Instant,
}

impl Shown {
    pub(crate) fn new(printer: Printer) -> Self {
        let bar = (stderr().is_terminal() && !printer.is_quiet()).then(|| {
            let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { printer, bar, lines: Mutex::new(Lines { total: 0, written: 0, last: Instant::now() }) }
    }

    pub(crate) fn tell(&self, progress: Progress) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            Progress::Writing { total } => {
                lines.total = total;
                if let Some(bar) = &self.bar {
                    bar.set_length(total as u64);
                }
            }
            Progress::Written => {
                lines.written += 1;
                match &self.bar {
                    Some(bar) => bar.inc(1),
                    None if lines.last.elapsed() >= NOW_AND_THEN => {
                        lines.last = Instant::now();
                        self.printer.note(&format!("{} of {} ended\n", lines.written, lines.total));
                    }
                    None => {}
                }
            }
            Progress::ReadingBack => {
                if let Some(bar) = &self.bar {
                    bar.set_message("reading back");
                }
            }
            _ => {}
        }
    }

    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
