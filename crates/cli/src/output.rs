//! Writing to a person, to a pipe, and to a pipe that has gone away.
//!
//! Data goes to stdout, everything else to stderr. When the reader of stdout leaves (`kroutes routes | head`) there is
//! nothing to complain about, and whatever work is under way is finished and judged as if it had stayed. Any other
//! failure to write is told: a report on a full disk is no report. What cannot be written to stderr cannot be told.

use std::io::{self, ErrorKind, Write};

use anstream::{AutoStream, ColorChoice};

use crate::args::Color;
use crate::failure::Failure;

/// Where a command's words go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    color: Color,
    quiet: bool,
}

impl Printer {
    pub(crate) const fn new(color: Color, quiet: bool) -> Self {
        Self { color, quiet }
    }

    fn choice(self, stream: &impl anstream::stream::RawStream) -> ColorChoice {
        match self.color {
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
            Color::Auto => AutoStream::choice(stream),
        }
    }

    /// Whether stderr is coloured.
    pub(crate) fn colors_errors(self) -> bool {
        !matches!(self.choice(&io::stderr()), ColorChoice::Never)
    }

    /// Prints data.
    pub(crate) fn data(self, text: &str) -> Result<(), Failure> {
        let out = io::stdout();
        let choice = self.choice(&out);
        let mut out = AutoStream::new(out.lock(), choice);
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::Output(error)),
            _ => Ok(()),
        }
    }

    /// Prints something besides the data, unless the user wants quiet.
    pub(crate) fn note(self, text: &str) {
        if !self.quiet {
            self.error(text);
        }
    }

    /// Prints what must be said.
    pub(crate) fn error(self, text: &str) {
        let err = io::stderr();
        let choice = self.choice(&err);
        let mut err = AutoStream::new(err.lock(), choice);
        // There is nowhere left to complain to.
        let _ = err.write_all(text.as_bytes());
    }

    /// Whether the user wants quiet.
    pub(crate) const fn is_quiet(self) -> bool {
        self.quiet
    }
}
