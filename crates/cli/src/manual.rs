//! `completions` and `man`: what the parser knows, in the words of a shell and of `man`.
//!
//! Both are made from the very parser that reads the command line, so neither can lag behind it. They need no topology and
//! no cloud, and say nothing of this machine: a package is built from them.

use std::io;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

use crate::args::Cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Printer;

/// The exit codes, as in docs/errors.md.
const EXITS: [(&str, &str); 6] = [
    ("0", "As wanted."),
    ("1", "Something failed, or could not be read or resolved; what was done is reported. For doctor: a check failed."),
    ("2", "Differences: verify, and plan with --detailed-exitcode."),
    ("3", "Refused: by a guard, a claim, a plan that has moved, or for want of --yes. Nothing was changed."),
    ("64", "A mistake in the command line or in the topology."),
    ("130", "Interrupted: no new call was begun, those under way were finished, the rest is reported as skipped."),
];

/// The variables that are read, besides those of options.
const VARIABLES: [(&str, &str); 10] = [
    ("KROUTES_FILE, KROUTES_PROVIDER", "As --file and --provider, which win."),
    (
        "KROUTES_TOPOLOGY__...",
        "Takes the place of a value of the topology: KROUTES_TOPOLOGY__GCP__PROJECT stands for project in [gcp].",
    ),
    ("AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL, ...", "What the AWS SDK reads."),
    ("GOOGLE_OAUTH_ACCESS_TOKEN", "A ready token for Google Cloud."),
    ("GOOGLE_APPLICATION_CREDENTIALS", "A file with credentials for Google Cloud."),
    ("CLOUDSDK_CORE_PROJECT", "The project, where the topology names none."),
    ("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", "Where Compute Engine is, if not at Google's."),
    ("KUBECONFIG", "Where the cluster is, for workers that come from a running one."),
    ("HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE", "The way to the cloud, and whom to trust on it."),
    ("NO_COLOR", "No colour, unless --color always."),
];

/// The files that are looked for.
const FILES: [(&str, &str); 3] = [
    ("kroutes.toml, config/kroutes.toml", "The topology: the first that is there, unless --file names another."),
    ("~/.aws/config, ~/.aws/credentials", "What the AWS SDK reads."),
    ("~/.config/gcloud/application_default_credentials.json", "What gcloud leaves for others."),
];

/// The script by which a shell completes.
pub(crate) fn completions(shell: Shell, printer: Printer) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut <Cli as CommandFactory>::command(), "kroutes", &mut script);
    print(&script, printer)
}

/// The manual page.
pub(crate) fn page(printer: Printer) -> Result<Exit, Failure> {
    print(&render().map_err(Failure::Output)?, printer)
}

fn print(bytes: &[u8], printer: Printer) -> Result<Exit, Failure> {
    printer.data(&String::from_utf8_lossy(bytes))?;
    Ok(Exit::Ok)
}

fn render() -> io::Result<Vec<u8>> {
    let command = <Cli as CommandFactory>::command();
    let man = Man::new(command.clone()).title("KROUTES").manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold("kroutes"), roman(" ["), italic("OPTIONS"), roman("] ["), italic("COMMAND"), roman("]")]);
    roff.to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    commands(&command).to_writer(&mut page)?;
    man.render_options_section(&mut page)?;
    for (title, entries) in [("EXIT STATUS", &EXITS[..]), ("ENVIRONMENT", &VARIABLES[..]), ("FILES", &FILES[..])] {
        let mut roff = Roff::new();
        roff.control("SH", [title]);
        for (term, meaning) in entries {
            roff.control("TP", []);
            roff.text([bold(*term)]);
            roff.text([roman(*meaning)]);
        }
        roff.to_writer(&mut page)?;
    }
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// One page holds all commands: options stand before or after any of them, so a page for each would say the same again.
fn commands(command: &clap::Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    for one in command.get_subcommands() {
        roff.control("TP", []);
        let mut term = vec![bold(one.get_name())];
        for argument in one.get_positionals() {
            let name =
                argument.get_value_names().and_then(<[_]>::first).map_or(argument.get_id().as_str(), |name| name);
            let (open, close) = if argument.is_required_set() { (" ", "") } else { (" [", "]") };
            term.extend([roman(open), italic(name.to_uppercase()), roman(close)]);
        }
        roff.text(term);
        if let Some(about) = one.get_about() {
            roff.text([roman(format!("{about}."))]);
        }
        for argument in one.get_positionals() {
            if let Some(help) = argument.get_help() {
                roff.control("br", []);
                let name = argument.get_value_names().and_then(<[_]>::first).map_or("", |name| name);
                roff.text([italic(name.to_uppercase()), roman(format!(": {help}."))]);
            }
        }
    }
    roff
}
