//! The command line as the user types it.
//!
//! Options are accepted before or after the command, since nobody remembers which of a tool's options are global, and
//! without a command kroutes applies. That makes every option global to the parser; the few that mean nothing to a
//! command are refused here with the parser's own kind of message, rather than ignored.

use std::path::PathBuf;
use std::time::Duration;

use crate::export::Format;
use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use kroutes_core::MaxDeletes;

/// One route per worker pod CIDR, from one TOML topology.
///
/// Without a command, kroutes applies: it shows the plan, carries it out, reads back and judges.
#[derive(Debug, Parser)]
#[command(name = "kroutes", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(crate) enum Command {
    /// Show what apply would change, and why. Changes nothing
    Plan,
    /// Show the plan, carry it out, read back and report per route (the default)
    Apply {
        /// A plan that `plan --out` has saved: exactly that is done, and nobody is asked
        #[arg(value_name = "PLAN")]
        saved: Option<PathBuf>,
    },
    /// Read the cloud and judge: every route, every finding, every pair of workers
    Verify,
    /// Remove exactly our routes, then our claim
    Destroy,
    /// Print the tables as they are, ours and foreign
    Routes,
    /// Look for what would keep kroutes from working: credentials, permissions, room, forwarding, other writers
    Doctor,
    /// Print the wanted routes as commands or as a template
    Export,
    /// Run the local cloud until stopped, and print the variables that point aws, gcloud and kroutes at it
    #[cfg(feature = "lab")]
    Lab,
    /// Print what makes a shell complete kroutes' words
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Apply { .. } => "apply",
            Self::Verify => "verify",
            Self::Destroy => "destroy",
            Self::Routes => "routes",
            Self::Doctor => "doctor",
            Self::Export => "export",
            #[cfg(feature = "lab")]
            Self::Lab => "lab",
            Self::Completions { .. } => "completions",
            Self::Man => "man",
        }
    }
}

/// Every option there is.
// A command line has as many switches as it has.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// The cloud to work on; needed only when the file configures several
    #[arg(long, value_name = "NAME", env = "KROUTES_PROVIDER", hide_env_values = true, global = true)]
    pub(crate) provider: Option<String>,

    /// The topology; `-` is stdin [default: kroutes.toml, config/kroutes.toml]
    #[arg(short, long, value_name = "FILE", env = "KROUTES_FILE", hide_env_values = true, global = true)]
    pub(crate) file: Option<PathBuf>,

    /// Run against the built-in cloud, seeded from the topology; it ends with the command
    #[cfg(feature = "lab")]
    #[arg(long = "lab", global = true)]
    pub(crate) in_lab: bool,

    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text, global = true)]
    pub(crate) output: Output,

    /// When to use colour
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN", global = true)]
    pub(crate) color: Color,

    /// Say more on stderr; repeat for more still
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub(crate) verbose: u8,

    /// Say nothing on stderr but errors and questions
    #[arg(short, long, conflicts_with = "verbose", global = true)]
    pub(crate) quiet: bool,

    /// Give up the whole command after this long, such as 90s or 10m; writes under way are finished first
    /// [default: never]
    #[arg(long, value_name = "DURATION", value_parser = duration, global = true)]
    pub(crate) timeout: Option<Duration>,

    /// Also delete routes of ours that no worker wants (plan, apply)
    #[arg(long, global = true, help_heading = "Changing")]
    pub(crate) prune: bool,

    /// Replace foreign routes that hold a wanted destination (plan, apply)
    #[arg(long, global = true, help_heading = "Changing")]
    pub(crate) take_over: bool,

    /// Refuse a plan that deletes or replaces more of our working routes than this, a number or a share
    /// [default: 30%, where there are 10 or more] (plan, apply)
    #[arg(long, value_name = "N|N%", global = true, help_heading = "Changing")]
    pub(crate) max_deletes: Option<MaxDeletes>,

    /// Look at nothing but this worker's or this range's routes; several times for several (plan, apply)
    #[arg(long, value_name = "WORKER|CIDR", global = true, help_heading = "Changing")]
    pub(crate) only: Vec<String>,

    /// Save the plan, for `apply FILE` (plan)
    #[arg(long, value_name = "FILE", global = true, help_heading = "Changing")]
    pub(crate) out: Option<PathBuf>,

    /// Do not ask (apply, destroy)
    #[arg(short, long, global = true, help_heading = "Changing")]
    pub(crate) yes: bool,

    /// Exit with 2 when there is something to change (plan)
    #[arg(long, global = true, help_heading = "Changing")]
    pub(crate) detailed_exitcode: bool,

    /// In whose words to export [default: those of the provider's own tool] (export)
    #[arg(long, value_enum, value_name = "FORMAT", global = true, help_heading = "Printing")]
    pub(crate) format: Option<Format>,

    /// Draw the network as a picture in this language instead (routes)
    #[arg(long, value_enum, value_name = "LANGUAGE", global = true, help_heading = "Printing")]
    pub(crate) graph: Option<Graph>,

    /// Print the least policy or role that kroutes can work with (doctor)
    #[arg(long, global = true, help_heading = "Printing")]
    pub(crate) policy: bool,

    #[cfg(feature = "lab")]
    #[command(flatten)]
    pub(crate) lab: LabOptions,
}

/// How the local cloud behaves.
#[cfg(feature = "lab")]
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Local cloud")]
pub(crate) struct LabOptions {
    /// The port on 127.0.0.1 to listen on [default: one that is free] (lab)
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), global = true)]
    pub(crate) port: Option<u16>,

    /// Meter calls with the cloud's published rates (lab, --lab)
    #[arg(long, global = true)]
    pub(crate) lab_throttle: bool,

    /// How long listings lag behind writes, such as 2s (lab, --lab)
    #[arg(long, value_name = "DURATION", value_parser = duration, global = true)]
    pub(crate) lab_lag: Option<Duration>,

    /// How long a write is under way until it is done, such as 2s, where writes are operations (lab, --lab)
    #[arg(long, value_name = "DURATION", value_parser = duration, global = true)]
    pub(crate) lab_delay: Option<Duration>,

    /// Allow only what this policy or role allows, as `doctor --policy` prints it; several times for several (lab, --lab)
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) lab_policy: Vec<PathBuf>,
}

/// A language of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Graph {
    /// Mermaid, which code hosts and documents draw
    Mermaid,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// For programs: one object
    Json,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(span) if span.is_zero() => Err("it must be longer than nothing".to_owned()),
        Ok(span) => Ok(span),
        Err(error) => Err(format!("{error}; write it like `90s` or `10m`")),
    }
}

impl Options {
    /// Whether the built-in cloud stands in for the real one.
    #[cfg_attr(not(feature = "lab"), expect(clippy::unused_self, reason = "only a lab's build can tell"))]
    pub(crate) const fn is_in_lab(&self) -> bool {
        #[cfg(feature = "lab")]
        return self.in_lab;
        #[cfg(not(feature = "lab"))]
        false
    }
}

impl Cli {
    /// The command, or the default one.
    pub(crate) fn command(&self) -> Command {
        self.command.clone().unwrap_or(Command::Apply { saved: None })
    }

    /// Refuses options that mean nothing to the command.
    pub(crate) fn check(&self) -> Result<(), clap::Error> {
        let command = self.command();
        let options = &self.options;
        let saved = matches!(command, Command::Apply { saved: Some(_) });
        let changing = matches!(command, Command::Plan | Command::Apply { .. }) && !saved;
        let untold = matches!(command, Command::Export | Command::Completions { .. } | Command::Man) || options.policy;
        let misplaced = [
            (options.prune && !changing, "--prune"),
            (options.take_over && !changing, "--take-over"),
            (options.max_deletes.is_some() && !changing, "--max-deletes"),
            (!options.only.is_empty() && !changing, "--only"),
            (options.out.is_some() && command != Command::Plan, "--out"),
            (options.policy && command != Command::Doctor, "--policy"),
            (options.yes && !matches!(command, Command::Apply { .. } | Command::Destroy), "--yes"),
            (options.detailed_exitcode && command != Command::Plan, "--detailed-exitcode"),
            (options.format.is_some() && command != Command::Export, "--format"),
            (options.graph.is_some() && command != Command::Routes, "--graph"),
            (options.graph.is_some() && options.output == Output::Json, "--output json' with '--graph"),
            (untold && options.output == Output::Json, "--output json"),
        ];
        #[cfg(feature = "lab")]
        let misplaced = misplaced.into_iter().chain(self.misplaced_in_lab());
        match misplaced.into_iter().find(|(wrong, _)| *wrong) {
            Some((_, option)) => {
                let name = command.name();
                let message = match option {
                    "--output json" if options.policy => {
                        "the argument '--output json' has no meaning for '--policy'".to_owned()
                    }
                    option if option.starts_with("--lab-") => {
                        format!("the argument '{option}' needs '--lab' or the command 'lab'")
                    }
                    option if saved => {
                        format!("the argument '{option}' cannot be used with a saved plan, which has its own")
                    }
                    option => format!("the argument '{option}' has no meaning for '{name}'"),
                };
                Err(Self::command_factory().error(ErrorKind::ArgumentConflict, message))
            }
            None => Ok(()),
        }
    }

    #[cfg(feature = "lab")]
    fn misplaced_in_lab(&self) -> Vec<(bool, &'static str)> {
        let options = &self.options;
        let is_lab = self.command() == Command::Lab;
        let uses_lab = is_lab || options.in_lab;
        vec![
            (is_lab && options.in_lab, "--lab"),
            (is_lab && options.output == Output::Json, "--output json"),
            (options.lab.port.is_some() && !is_lab, "--port"),
            (options.lab.lab_throttle && !uses_lab, "--lab-throttle"),
            (options.lab.lab_lag.is_some() && !uses_lab, "--lab-lag"),
            (options.lab.lab_delay.is_some() && !uses_lab, "--lab-delay"),
            (!options.lab.lab_policy.is_empty() && !uses_lab, "--lab-policy"),
        ]
    }

    fn command_factory() -> clap::Command {
        <Self as CommandFactory>::command()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parser_is_sound() {
        Cli::command_factory().debug_assert();
    }

    #[test]
    fn options_stand_before_or_after_the_command() {
        for line in [["kroutes", "--prune", "plan"], ["kroutes", "plan", "--prune"]] {
            let cli = Cli::try_parse_from(line).expect("parses");
            assert_eq!(cli.command(), Command::Plan);
            assert!(cli.options.prune);
            cli.check().expect("fits");
        }
    }

    #[test]
    fn without_a_command_it_applies() {
        assert_eq!(Cli::try_parse_from(["kroutes"]).expect("parses").command(), Command::Apply { saved: None });
    }

    #[test]
    fn an_option_that_means_nothing_to_the_command_is_refused() {
        for line in [["kroutes", "verify", "--prune"], ["kroutes", "routes", "--yes"], ["kroutes", "plan", "--yes"]] {
            let error = Cli::try_parse_from(line).expect("parses").check().expect_err("refused");
            assert!(error.to_string().contains("has no meaning for"), "{error}");
        }
    }
}
