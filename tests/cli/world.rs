//! A folder with a topology, a cloud in which it can come true, and the binary between the two.
//!
//! The lab runs on a thread of its own, so that tests stay plain code that waits for a child process. Ids in the lab come
//! from its seed and are the same in every run; what differs from run to run (ports, request ids, the folder) is
//! replaced before anything is compared with a snapshot.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use kroutes_lab::{Lab, Options, Seed};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub(crate) use ec2::{HEAD, seed, topology, worker};

pub(crate) mod compute;
mod ec2;

/// The range of a worker: a /24 while they last, smaller ones beyond.
pub(crate) fn pod_range(nth: usize) -> String {
    if nth < 200 {
        format!("10.200.{nth}.0/24")
    } else {
        format!("10.200.{}.{}/28", 200 + (nth - 200) / 16, (nth - 200) % 16 * 16)
    }
}

/// A folder, a cloud and the binary.
pub(crate) struct World {
    pub(crate) lab: Lab,
    /// The table with the `Name` tag `kubernetes`.
    pub(crate) table: String,
    folder: TempDir,
    variables: BTreeMap<String, String>,
    _runtime: Runtime,
}

impl World {
    /// This topology, in this cloud, and nothing that leads the binary there.
    fn start(topology: &str, seed: Seed, options: Options) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let lab = runtime.block_on(Lab::start(seed, options)).expect("a free port");
        let table = lab.cloud(|cloud| cloud.table_named("kubernetes")).unwrap_or_default();
        let folder = TempDir::new().expect("a folder");
        let mut world = Self { lab, table, folder, variables: BTreeMap::new(), _runtime: runtime };
        world.set("HOME", world.folder.path().to_str().expect("a plain path").to_owned());
        world.set("NO_PROXY", "127.0.0.1");
        world.write("kroutes.toml", topology);
        world
    }

    /// Sets a variable for every run to come.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    /// Takes a variable away again.
    pub(crate) fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// What every run finds in its environment.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        self.variables.clone()
    }

    /// Where the binary runs.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(&path, content).expect("a file");
        path
    }

    /// The binary with these words after its name, ready to be started.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(cargo_bin!("kroutes"));
        command.args(words.split_whitespace()).env_clear().envs(&self.variables).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, words: &str) -> Ran {
        self.finish(words, &mut self.command(words))
    }

    /// Runs the binary with this on its standard input.
    pub(crate) fn run_with_input(&self, words: &str, input: &str) -> Ran {
        let path = self.write("input", input);
        let input = std::fs::File::open(path).expect("the input");
        self.finish(words, self.command(words).stdin(input))
    }

    fn finish(&self, words: &str, command: &mut Command) -> Ran {
        let output = command.output().expect("the binary starts");
        let text = |bytes: Vec<u8>| self.normalised(&String::from_utf8(bytes).expect("text"));
        Ran { words: words.to_owned(), code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Without what differs from run to run.
    pub(crate) fn normalised(&self, text: &str) -> String {
        let port = self.lab.endpoint();
        let port = port.rsplit(':').next().expect("a port");
        let text = text.replace(&format!("127.0.0.1:{port}"), "127.0.0.1:PORT");
        let text = text.replace(self.folder.path().to_str().expect("a plain path"), "FOLDER");
        without_request_ids(&text)
    }

    /// Whether there is a route to this range, in either cloud.
    pub(crate) fn holds(&self, range: &str) -> bool {
        let in_table = |table: &kroutes_lab::model::RouteTable| {
            table.routes.iter().any(|route| route.destination.to_string() == range)
        };
        self.lab.cloud(|cloud| cloud.tables.values().any(in_table)) || !self.to(range).is_empty()
    }

    /// Attempts of this action since the last reset.
    pub(crate) fn calls(&self, action: &str) -> u64 {
        self.lab.calls().get(action).copied().unwrap_or_default()
    }

    /// Attempts since the last reset that were to change something.
    pub(crate) fn writes(&self) -> u64 {
        let reads = |action: &str| {
            let readers = [".get", ".list", ".aggregatedList", ".token"];
            action.starts_with("Describe") || readers.iter().any(|reader| action.ends_with(reader))
        };
        self.lab.calls().into_iter().filter(|(action, _)| !reads(action)).map(|(_, calls)| calls).sum()
    }
}

/// Sends a signal to a run that was started.
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status();
    assert!(sent.expect("a shell").success());
}

/// Waits until the cloud has come so far, or the child has ended.
pub(crate) fn wait_for(world: &World, child: &mut Child, reached: impl Fn(&World) -> bool) {
    while !reached(world) && child.try_wait().expect("a child").is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// That a run which reads `pipe` can be stopped, although nobody writes into it and nobody closes it.
#[track_caller]
pub(crate) fn assert_interruptible(world: &World, words: &str) {
    let pipe = world.folder().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    for (name, code) in [("INT", 130), ("TERM", 130)] {
        let mut child = world.command(words).spawn().expect("it starts");
        // To open it takes a reader.
        let (opened, writer) = std::sync::mpsc::channel();
        let path = pipe.clone();
        std::thread::spawn(move || opened.send(std::fs::OpenOptions::new().write(true).open(path)));
        let _writer = writer.recv_timeout(Duration::from_secs(20)).expect("a reader").expect("a pipe");
        signal(&child, name);
        assert_eq!(end_of(&mut child), Some(code), "{words}, {name}");
    }
    let mut child = world.command(&format!("{words} --timeout 100ms")).spawn().expect("it starts");
    assert_eq!(end_of(&mut child), Some(1), "{words}, --timeout");
}

/// How it ended; whoever does not end is ended.
fn end_of(child: &mut Child) -> Option<i32> {
    for _ in 0..1000 {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().expect("a child");
    child.wait().expect("a child");
    panic!("it did not end");
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    words: String,
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The same run, which must have ended with this code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// The object that was printed.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    /// The same run, which must have said this somewhere.
    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        assert!(self.out.contains(words) || self.err.contains(words), "`{words}` is not in\n{self}");
        self
    }

    /// The same run, which must not have said this anywhere.
    #[track_caller]
    pub(crate) fn never_says(self, words: &str) -> Self {
        assert!(!self.out.contains(words) && !self.err.contains(words), "`{words}` is in\n{self}");
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "$ kroutes {}", self.words)?;
        f.write_str(&self.out)?;
        if !self.err.is_empty() {
            writeln!(f, "--- stderr")?;
            f.write_str(&self.err)?;
        }
        match self.code {
            Some(code) => writeln!(f, "--- exit {code}"),
            None => writeln!(f, "--- killed"),
        }
    }
}

/// Several runs as one text, for a snapshot.
pub(crate) fn transcript<'a>(runs: impl IntoIterator<Item = &'a Ran>) -> String {
    runs.into_iter().fold(String::new(), |mut text, run| {
        let _ = writeln!(text, "{run}");
        text
    })
}

/// Compares with the file of that name in `tests/snapshots`.
#[track_caller]
pub(crate) fn assert_snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// The cloud makes up a new id for every request: 36 characters of hexadecimal digits and dashes.
fn without_request_ids(text: &str) -> String {
    let is_id = |piece: &str| {
        piece.char_indices().all(|(at, c)| if [8, 13, 18, 23].contains(&at) { c == '-' } else { c.is_ascii_hexdigit() })
    };
    let mut rest = text;
    let mut result = String::new();
    while let Some(first) = rest.chars().next() {
        if rest.get(..36).is_some_and(is_id) {
            result.push_str("REQUEST-ID");
            rest = &rest[36..];
        } else {
            result.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    result
}
