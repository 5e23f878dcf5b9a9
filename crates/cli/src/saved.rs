//! Saved plans as files: where they may be put, how they get there whole, and what is refused of what comes back.
//!
//! A plan is written beside its place and then moved there in one step, so at no moment is half a plan under its name: not
//! when the disk is full, not when the program is killed. What already is there and is no file, a device or a folder, cannot
//! be replaced that way, and is refused before the cloud is asked for anything.
//!
//! What is in a file is judged by `kroutes_driver`; here is only how that is told. A file that cannot be read is a mistake in
//! the command line, like a topology that is not there; one that can be read and must not be applied is a refusal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, ErrorKind as IoErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use kroutes_core::{Error, ErrorKind, MaxDeletes, Observation, Plan};
use kroutes_driver::{MadeFrom, Moved, SavedOptions, SavedPlan, Unusable};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Command, Options};
use crate::failure::Failure;
use crate::provider;

/// A plan of a million changes is smaller.
const LARGEST: u64 = 256 * 1024 * 1024;
/// As deep as Linux follows links.
const LINKS: usize = 40;
/// What the system sends, and ends a program with, where a file would exceed the limit that its user has set (`ulimit -f`). Who
/// listens gets an error from the write instead.
const FILE_SIZE_EXCEEDED: i32 = 25;

/// Reads on another thread, since reading a pipe cannot be cancelled and must not keep the program from ending.
pub(crate) async fn aside<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let failed = |_| Failure::Error(Error::new(ErrorKind::Unexpected, "what was to be read was not read to its end"));
    tokio::task::spawn_blocking(read).await.map_err(failed)
}

/// The saved plan that is to be applied, if one is.
pub(crate) async fn read(command: &Command) -> Result<Option<SavedPlan>, Failure> {
    let Command::Apply { saved: Some(path) } = command else { return Ok(None) };
    let path = path.clone();
    aside(move || open(&path)).await?.map(Some)
}

fn open(path: &Path) -> Result<SavedPlan, Failure> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Err(unreadable(path, &error));
    }
    if bytes.len() as u64 > LARGEST {
        let why = format!("it is larger than {} MiB, which no saved plan is", LARGEST / 1024 / 1024);
        return Err(refused(path, &why, "name the file that `kroutes plan --out` has written"));
    }
    SavedPlan::parse(&bytes).map_err(|why| {
        let help = match why {
            Unusable::Foreign(_) => "`kroutes plan --out FILE` saves a plan",
            _ => "save it anew with `kroutes plan --out FILE`",
        };
        refused(path, &why.to_string(), help)
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::Usage(match error.kind() {
        IoErrorKind::NotFound => {
            format!("no such file: `{}`; `kroutes plan --out FILE` saves a plan", path.display())
        }
        IoErrorKind::IsADirectory => format!("`{}` is a folder, and no saved plan", path.display()),
        _ => format!("the saved plan `{}` cannot be read: {error}", path.display()),
    })
}

fn refused(path: &Path, why: &str, help: &str) -> Failure {
    let error = Error::new(ErrorKind::Invalid, format!("`{}` is not applied: {why}", path.display()));
    Failure::Refused(error.help(format!("nothing was changed; {help}")))
}

fn path_of(command: &Command) -> &Path {
    match command {
        Command::Apply { saved: Some(path) } => path,
        _ => Path::new(""),
    }
}

/// The options under which a command runs: those of a saved plan, where one is applied. Nobody is asked then.
pub(crate) fn options<'a>(
    command: &Command,
    saved: Option<&SavedPlan>,
    given: &'a Options,
) -> Result<Cow<'a, Options>, Failure> {
    let Some(saved) = saved else { return Ok(Cow::Borrowed(given)) };
    let (path, name) = (path_of(command), saved.provider());
    if let Some(wanted) = given.provider.as_deref().filter(|wanted| *wanted != name) {
        let why = format!("it is for provider `{}`, and not for `{wanted}`", name.escape_debug());
        return Err(refused(path, &why, "leave out --provider and KROUTES_PROVIDER, or save a plan for that one"));
    }
    if provider::by_name(name).is_err() {
        let why = format!("it is for provider `{}`, which this build does not have", name.escape_debug());
        return Err(refused(path, &why, &format!("this one has {}", provider::names())));
    }
    match (saved.is_lab(), given.is_in_lab()) {
        (true, false) => {
            let why = "it was made in the built-in cloud, and not in a real one";
            return Err(refused(path, why, "say --lab, or save a plan without it"));
        }
        (false, true) => {
            let why = "it was made in a real cloud, and not in the built-in one";
            return Err(refused(path, why, "leave out --lab, or save a plan with it"));
        }
        _ => {}
    }
    let SavedOptions { prune, take_over, only, max_deletes } = saved.options().clone();
    let provider = Some(name.to_owned());
    Ok(Cow::Owned(Options { provider, prune, take_over, only, max_deletes, yes: true, ..given.clone() }))
}

/// A saved plan's limit cannot be changed beside it: what lets it pass is another plan.
pub(crate) fn anew(command: &Command, limit: MaxDeletes) -> String {
    let path = quoted(path_of(command));
    format!(
        "see what is due now with `kroutes plan`; if you want it all the same, save the plan anew with that limit: \
         kroutes plan --max-deletes {limit} --out {path}, and the other options that it was saved with"
    )
}

/// Whether a saved plan is of this cluster, and of the topology as it is.
pub(crate) fn fits(command: &Command, saved: &SavedPlan, cluster: &str, digest: &str) -> Result<(), Failure> {
    let path = path_of(command);
    if saved.cluster() != cluster {
        let why = format!("it is of cluster `{}`, and the topology is of `{cluster}`", saved.cluster().escape_debug());
        return Err(refused(path, &why, "name the topology that it was made from with `-f FILE`"));
    }
    if saved.topology() != digest {
        let why = "the topology is not the one the plan was made from";
        let help = "see what is due by this one with `kroutes plan`; what a source of workers finds is part of it";
        return Err(refused(path, why, help));
    }
    Ok(())
}

/// That the saved plan is not done, because of what has moved: for people, and without the list of it.
pub(crate) fn told(command: &Command, saved: &SavedPlan, moved: &[Moved]) -> (Error, Error) {
    let of = if saved.size() == 1 { "its only change".to_owned() } else { format!("{} changes", saved.size()) };
    let are = if moved.len() == 1 { "is" } else { "are" };
    let message = format!(
        "`{}` is not applied: of {of} {} {are} not any more what the plan saw",
        path_of(command).display(),
        moved.len()
    );
    let mut lines = String::new();
    for one in moved {
        let what = one.destination.as_ref().or(one.fix.as_ref()).map_or("", String::as_str);
        let worker = one.worker.as_ref().map_or_else(String::new, |worker| format!("  {worker}"));
        let table = one.table.as_ref().map_or_else(String::new, |table| format!("  in {table}"));
        let _ = write!(lines, "\n  ! {what}{worker}{table}: was {}, is {}: {}", one.was, one.is, one.reason);
    }
    let error = |message| {
        let help = "nothing was changed; `kroutes plan` shows what is due now";
        Error::new(ErrorKind::Conflict, message).help(help)
    };
    (error(format!("{message}{lines}")), error(message))
}

/// Whether a plan can be saved there. `topology` is where the one of this run has come from.
pub(crate) fn check_place(path: &Path, topology: &str) -> Result<(), Failure> {
    let name = path.display();
    let topology = [Path::new(topology), Path::new("/dev/stdin")];
    let is_one_of = |file: &fs::Metadata| topology.into_iter().any(|other| is_same(file, other));
    if fs::metadata(path).is_ok_and(|there| there.is_file() && is_one_of(&there)) {
        let message = format!("--out: `{name}` is the topology of this run; choose another name");
        return Err(Failure::Usage(message));
    }
    place(path).map(drop)
}

/// Where a plan really goes, if it can go there: links are followed. A file is replaced only if it is an older plan: a
/// mistyped name should cost nobody a file that there is no other copy of.
fn place(path: &Path) -> Result<PathBuf, Failure> {
    let name = path.display();
    if path == Path::new("-") {
        let message = "--out needs a file; to have the plan on standard output for programs, say -o json";
        return Err(Failure::Usage(message.to_owned()));
    }
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => return Err(Failure::Usage(format!("--out: `{name}` is a folder"))),
        Ok(there) if !there.is_file() => {
            return Err(Failure::Usage(format!("--out: `{name}` is no file but a device, a pipe or a socket")));
        }
        Ok(there) if is_printed_to(&there) => {
            return Err(Failure::Usage(format!("--out: `{name}` is where this run prints to; name another file")));
        }
        Ok(there) if there.len() > 0 && !is_saved_plan(path) => {
            return Err(Failure::Usage(format!(
                "--out: `{name}` is no plan that kroutes has saved, and is not replaced; remove it, or choose another name"
            )));
        }
        Ok(_) => return path.canonicalize().map_err(|error| unwritable(path, &error)),
        Err(error) if error.kind() == IoErrorKind::NotFound => {}
        Err(error) => return Err(unwritable(path, &error)),
    }
    // Nothing is there, or a link to where nothing is.
    let mut end = path.to_owned();
    for _ in 0..LINKS {
        if let Ok(target) = fs::read_link(&end) {
            end = folder_of(&end).join(target);
        } else {
            let folder = folder_of(&end);
            return match fs::metadata(folder) {
                Ok(there) if there.is_dir() => Ok(end),
                Ok(_) => Err(unwritable(path, &IoErrorKind::NotADirectory.into())),
                Err(error) => Err(unwritable(path, &error)),
            };
        }
    }
    Err(unwritable(path, &io::Error::other("too many links")))
}

/// Whether standard output or standard error goes to this file: it would be replaced while it is written to.
fn is_printed_to(file: &fs::Metadata) -> bool {
    ["/dev/stdout", "/dev/stderr"].into_iter().any(|stream| is_same(file, Path::new(stream)))
}

fn is_same(file: &fs::Metadata, other: &Path) -> bool {
    fs::metadata(other).is_ok_and(|other| (other.dev(), other.ino()) == (file.dev(), file.ino()))
}

/// What cannot be read is not known to be one.
fn is_saved_plan(path: &Path) -> bool {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
    read.is_ok() && (bytes.trim_ascii().is_empty() || SavedPlan::is_one(&bytes))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    // What is beneath is told without the name of the file that was to become the plan.
    let beneath = error.get_ref().and_then(std::error::Error::source).map(ToString::to_string);
    let why = beneath.unwrap_or_else(|| error.to_string());
    let message = format!("the plan cannot be saved as `{}`: {why}", path.display());
    let help = "nothing was changed, and no file was written; name another place with --out";
    Failure::Error(Error::new(ErrorKind::Unexpected, message).help(help))
}

/// Saves a plan, if the user wants that. A plan that is refused is not worth keeping.
pub(crate) fn save(
    options: &Options,
    made: MadeFrom,
    plan: &Plan,
    observation: &Observation,
    is_refused: bool,
) -> Result<(), Failure> {
    let Some(path) = options.out.as_deref() else { return Ok(()) };
    if is_refused {
        let message = format!("the plan is not saved as `{}`, since apply would refuse it", path.display());
        return Err(Failure::Refused(Error::new(ErrorKind::Conflict, message).help("see above for why")));
    }
    let text = SavedPlan::new(made, plan, observation).to_text();
    // Listening is all that it is for.
    let _listening = signal(SignalKind::from_raw(FILE_SIZE_EXCEEDED));
    write(&place(path)?, text.as_bytes()).map_err(|error| unwritable(path, &error))
}

fn write(end: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(end);
    let mut file = tempfile::Builder::new().prefix(".kroutes-plan-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(end).map_err(|failed| failed.error)?;
    // The name is safe when the folder is; not every file system can say so.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// What to do with a plan that has been saved.
pub(crate) fn remedy(options: &Options, is_complete: bool) -> String {
    let Some(path) = options.out.as_deref() else { return String::new() };
    let mut command = format!("kroutes apply {}", quoted(path));
    if let Some(file) = &options.file {
        command = format!("{command} -f {}", quoted(file));
    }
    if options.is_in_lab() {
        command += " --lab";
    }
    let part = if is_complete { "" } else { "not everything could be read, and what is missing is not in it; " };
    format!("saved as `{}`; {part}to do exactly this: {command}\n", path.display())
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    let text = if text.starts_with('-') && text.len() > 1 { format!("./{text}") } else { text };
    if !text.is_empty() && text.chars().all(harmless) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_as_a_shell_takes_it() {
        for (path, told) in [
            ("plan.json", "plan.json"),
            ("/tmp/a-b_c.json", "/tmp/a-b_c.json"),
            ("my plan", "'my plan'"),
            ("it's", r"'it'\''s'"),
            ("-rf", "./-rf"),
            ("-", "-"),
            ("$HOME", "'$HOME'"),
        ] {
            assert_eq!(quoted(Path::new(path)), told);
        }
    }
}
