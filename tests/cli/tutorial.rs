//! The tutorial as a reader walks through it: every command of every page is run, and what it prints is compared.
//!
//! A page is a session of two terminals. A block marked `console` has commands after `$ ` and, below each, what the reader
//! will see of standard output and standard error together. A command that begins with `kroutes lab` is the first terminal's: it
//! goes on running, and what it prints is pasted into a new second one, in which all others run. Everything happens in a
//! folder that has the repository's `config/` in it. Two things differ from reader to reader and are put back to what
//! the page has: the port, and the lab's own folder.
//!
//! A command that fails is an error unless the page shows it, by `; echo "exit $?"`.
//!
//! `aws`, `gcloud` and `curl` are run where they are installed. Where one is not, its commands are left out aloud; and
//! since what follows a change cannot be as the page has it without that change, all up to the next lab is left out with it.
//!
//! After a change of what kroutes prints, `KROUTES_TUTORIAL=write cargo test -p kroutes tutorial` writes the pages anew,
//! to be read before they are committed; it fails that once, telling what it has changed.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

/// What the reader needs besides kroutes, on some pages.
const TOOLS: [&str; 3] = ["aws", "gcloud", "curl"];

/// Words of the tools' commands that only look.
const LOOKING: [&str; 5] = ["describe", "list", "get", "wait", "curl -s http"];

/// The lab's folder on the pages.
const FOLDER: &str = "/tmp/kroutes-lab-8b39KR";

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tutorial")
}

/// A piece of a page.
#[derive(Debug)]
enum Piece {
    /// A line that is no part of a session.
    Text(String),
    Step {
        command: String,
        expected: String,
    },
}

fn pieces(page: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        let fence = line.starts_with("```");
        if fence || !inside {
            inside = line == "```console";
            pieces.push(Piece::Text(line.to_owned()));
            continue;
        }
        match (line.strip_prefix("$ "), pieces.last_mut()) {
            (Some(command), _) => {
                pieces.push(Piece::Step { command: command.to_owned(), expected: String::new() });
            }
            (None, Some(Piece::Step { expected, .. })) => _ = writeln!(expected, "{line}"),
            (None, _) => panic!("`{line}` stands before any command"),
        }
    }
    pieces
}

/// The second terminal.
struct Terminal {
    shell: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Terminal {
    fn open(folder: &Path) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "exec 2>&1; exec sh"]).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.env_clear().envs(environment(folder));
        let mut shell = command.spawn().expect("a shell");
        let input = shell.stdin.take().expect("its input");
        let output = BufReader::new(shell.stdout.take().expect("its output"));
        Self { shell, input, output }
    }

    /// What a command prints, and the code that it ends with.
    fn run(&mut self, command: &str) -> (String, String) {
        // By `eval` a command with a quote too few is an error, and no question for more.
        let quoted = command.replace('\'', "'\\''");
        writeln!(self.input, "eval '{quoted}' </dev/null; printf '\\001%d\\001' $?").expect("the shell listens");
        (self.until_mark(), self.until_mark())
    }

    fn until_mark(&mut self) -> String {
        let mut bytes = Vec::new();
        self.output.read_until(1, &mut bytes).expect("the shell answers");
        assert_eq!(bytes.pop(), Some(1), "the shell ended: {}", String::from_utf8_lossy(&bytes));
        String::from_utf8(bytes).expect("text")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It is gone already where a command was `exit`.
        let _gone = self.shell.kill();
        let _status = self.shell.wait();
    }
}

/// Nothing of whoever runs the test but where programs are.
fn environment(folder: &Path) -> Vec<(&'static str, String)> {
    let binary = cargo_bin!("kroutes");
    let binaries = binary.parent().expect("a folder").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let text = |path: &Path| path.to_str().expect("a plain path").to_owned();
    vec![
        ("PATH", format!("{binaries}:{path}")),
        ("HOME", text(folder)),
        ("TMPDIR", text(&std::env::temp_dir())),
        ("NO_PROXY", "127.0.0.1".to_owned()),
        ("LC_ALL", "C.UTF-8".to_owned()),
    ]
}

/// The first terminal.
struct Lab {
    child: Child,
    /// The lines to be pasted.
    variables: String,
    /// All that was printed.
    printed: String,
    /// The port of the page, and the one that was free.
    ports: (String, String),
}

impl Lab {
    /// `kroutes lab ... --port PORT ...`, on a free port.
    fn start(command: &str, folder: &Path) -> Self {
        let mut words: Vec<&str> = command.split_whitespace().skip(1).collect();
        let at = words.iter().position(|word| *word == "--port").expect("a page names the port of its lab");
        let port = words.remove(at + 1).to_owned();
        words.remove(at);
        let mut command = Command::new(cargo_bin!("kroutes"));
        command.args(words).current_dir(folder).env_clear().envs(environment(folder)).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kroutes");
        let mut note = String::new();
        let mut stderr = BufReader::new(child.stderr.take().expect("its stderr"));
        // The variables are all printed before the note is.
        stderr.read_line(&mut note).expect("a note");
        let mut variables = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("its stdout"));
        let Some((_, free)) = note.split_once("http://127.0.0.1:") else {
            stderr.read_to_string(&mut note).expect("the rest");
            panic!("no lab:\n{note}");
        };
        let free: String = free.chars().take_while(char::is_ascii_digit).collect();
        while !variables.contains("export ") || !stdout.buffer().is_empty() {
            assert_ne!(stdout.read_line(&mut variables).expect("variables"), 0, "the lab ended:\n{variables}");
        }
        let printed = format!("{variables}{note}");
        Self { child, variables, printed, ports: (port, free) }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        super::world::signal(&self.child, "TERM");
        let _status = self.child.wait();
    }
}

/// A text as the page would have it.
fn as_written(text: &str, ports: &[(String, String)]) -> String {
    let mut text = text.to_owned();
    for (page, free) in ports {
        text = text.replace(&format!("127.0.0.1:{free}"), &format!("127.0.0.1:{page}"));
    }
    let mut written = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("kroutes-lab-") {
        let begin = rest[..at].rfind(|c: char| c == '=' || c.is_whitespace()).map_or(0, |before| before + 1);
        let end = rest[at..].find(|c: char| c == '/' || c.is_whitespace()).map_or(rest.len(), |after| at + after);
        written.push_str(&rest[..begin]);
        written.push_str(FOLDER);
        rest = &rest[end..];
    }
    written + rest
}

/// A command of the page, for the ports that there are.
fn as_run(command: &str, ports: &[(String, String)]) -> String {
    ports.iter().fold(command.to_owned(), |command, (page, free)| {
        command.replace(&format!("127.0.0.1:{page}"), &format!("127.0.0.1:{free}"))
    })
}

/// The programs that a command runs.
fn programs(command: &str) -> Vec<&str> {
    command.split(['|', ';', '&']).filter_map(|part| part.split_whitespace().next()).collect()
}

/// The tool that a command needs and that does not work here. A script is what kroutes has exported for `aws`.
fn missing(command: &str, folder: &Path) -> Option<&'static str> {
    static WORKING: [OnceLock<bool>; TOOLS.len()] = [const { OnceLock::new() }; TOOLS.len()];
    let programs = programs(command);
    let is_needed = |tool: &str| programs.contains(&tool) || (tool == "aws" && programs.contains(&"sh"));
    let works = |tool: &str| {
        let mut command = Command::new(tool);
        command.arg("--version").env_clear().envs(environment(folder)).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let mut tools = TOOLS.into_iter().zip(&WORKING);
    tools.find(|(tool, known)| is_needed(tool) && !*known.get_or_init(|| works(tool))).map(|(tool, _)| tool)
}

/// Runs a page from top to bottom.
#[track_caller]
fn walk(name: &str) {
    let path = pages().join(name);
    let page = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let folder = TempDir::new().expect("a folder");
    let config = pages().join("../../config").canonicalize().expect("the topologies");
    std::os::unix::fs::symlink(config, folder.path().join("config")).expect("a link to them");

    let mut lab: Option<Lab> = None;
    let mut terminal = Terminal::open(folder.path());
    let mut ports = Vec::new();
    let mut lost: Option<&str> = None;
    let (mut written, mut wrong) = (String::new(), String::new());
    for piece in pieces(&page) {
        let (command, expected) = match piece {
            Piece::Text(line) => {
                let _ = writeln!(written, "{line}");
                continue;
            }
            Piece::Step { command, expected } => (command, expected),
        };
        let mut seen = expected.clone();
        let mut code = "0".to_owned();
        if command.starts_with("kroutes lab") {
            drop(lab.take());
            lost = None;
            let started = Lab::start(&command, folder.path());
            ports.push(started.ports.clone());
            terminal = Terminal::open(folder.path());
            for line in started.variables.lines() {
                assert_eq!(terminal.run(line), (String::new(), "0".to_owned()), "{line}");
            }
            seen = as_written(&started.printed, &ports);
            lab = Some(started);
        } else if let Some(tool) =
            missing(&command, folder.path()).or(lost.filter(|_| programs(&command).contains(&"kroutes")))
        {
            // Not by a macro, whose words the test runner keeps to itself.
            let told = writeln!(std::io::stderr(), "tutorial: left out, no working `{tool}` here: $ {command}");
            told.expect("standard error");
            let looks = LOOKING.iter().any(|word| command.contains(word));
            lost = lost.or((!looks).then_some(tool));
        } else {
            let (output, status) = terminal.run(&as_run(&command, &ports));
            seen = as_written(&output, &ports);
            code = status;
        }
        if !seen.is_empty() && !seen.ends_with('\n') {
            seen.push('\n');
        }
        let _ = write!(written, "$ {command}\n{seen}");
        if code != "0" {
            let _ = writeln!(wrong, "$ {command}\nended with {code}, which the page does not show:\n{seen}");
        } else if seen != expected {
            let _ = writeln!(wrong, "$ {command}\n--- the page has\n{expected}--- it prints\n{seen}");
        }
    }
    if std::env::var("KROUTES_TUTORIAL").is_ok_and(|what| what == "write") {
        std::fs::write(&path, written).expect("the page");
    }
    assert!(wrong.is_empty(), "docs/tutorial/{name}:\n{wrong}");
}

const PAGES: [&str; 7] = [
    "README.md",
    "1-first-edition-gcp.md",
    "2-first-edition-aws.md",
    "3-cloudformation.md",
    "4-user-data.md",
    "5-on-premises.md",
    "trouble.md",
];

#[test]
fn no_page_is_left_out() {
    let entries = std::fs::read_dir(pages()).expect("the folder");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
    names.sort();
    let mut walked = PAGES;
    walked.sort_unstable();
    assert_eq!(names, walked);
}

#[test]
fn from_nothing_to_routes_in_the_local_cloud() {
    walk(PAGES[0]);
}

#[test]
fn the_first_edition_on_google_cloud() {
    walk(PAGES[1]);
}

#[test]
fn the_first_edition_on_aws() {
    walk(PAGES[2]);
}

#[test]
fn the_cloudformation_edition() {
    walk(PAGES[3]);
}

#[test]
fn the_user_data_editions() {
    walk(PAGES[4]);
}

#[test]
fn the_first_edition_on_premises() {
    walk(PAGES[5]);
}

#[test]
fn trouble_on_purpose() {
    walk(PAGES[6]);
}
