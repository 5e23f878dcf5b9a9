//! Getting the text: from the file that was named, from a default place, or from standard input.
//!
//! The commonest first failure is to stand in the wrong directory, so "no such file" says which places were tried and how
//! to name another. The size is bounded because `-f /dev/zero` and `-f core` should end with a sentence. A pipe may have no
//! end at all: reading blocks, and who has something else to listen to reads on a thread of its own.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::diagnostic::Diagnostics;
use super::problem::Problem;
use super::tree::Origin;

/// Where a topology is looked for when none is named, in this order.
const DEFAULT_PLACES: [&str; 2] = ["kroutes.toml", "config/kroutes.toml"];

/// What messages call standard input.
pub(super) const STDIN: &str = "<stdin>";

/// 60,000 workers with everything that can be said of them take less.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The text of a topology, and what messages call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path as it was given, or `<stdin>`.
    pub name: String,
    /// The text.
    pub text: String,
}

/// Reads the file that was named, standard input for `-`, or the first that exists of `kroutes.toml` and
/// `config/kroutes.toml` in the working directory.
///
/// # Errors
///
/// No such file, not readable, a directory, no text in UTF-8, larger than 16 MiB, or empty; each with what to do.
pub fn read_source(file: Option<&Path>) -> Result<Source, Diagnostics> {
    match file {
        Some(path) if path == Path::new("-") => read(STDIN, io::stdin().lock()),
        Some(path) => open(path, Path::new("")),
        None => default_source(Path::new("")),
    }
}

fn default_source(directory: &Path) -> Result<Source, Diagnostics> {
    for place in DEFAULT_PLACES {
        // Whatever is there is meant, be it unreadable or a directory: only what is not there leads on to the next place.
        if directory.join(place).symlink_metadata().is_ok() {
            return open(Path::new(place), directory);
        }
    }
    let [first, second] = DEFAULT_PLACES;
    Err(Diagnostics::outside(
        format!("no topology file: neither `{first}` nor `{second}` is here"),
        "name one with `-f FILE` or `KROUTES_FILE`, or read it from standard input with `-f -`",
    ))
}

fn open(path: &Path, directory: &Path) -> Result<Source, Diagnostics> {
    let name = path.display().to_string();
    match File::open(directory.join(path)) {
        Ok(file) => read(&name, file),
        Err(error) => Err(unreadable(&name, &error)),
    }
}

fn read(name: &str, reader: impl Read) -> Result<Source, Diagnostics> {
    let mut bytes = Vec::new();
    reader.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| unreadable(name, &error))?;
    if bytes.len() as u64 > LARGEST {
        let message = format!("`{name}` is larger than {} MiB, which no topology is", LARGEST / 1024 / 1024);
        return Err(Diagnostics::outside(message, "name the topology file with `-f FILE`"));
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..good].split(|byte| *byte == b'\n').count();
            let message = format!("`{name}` is not UTF-8 text: line {line} has a byte that no character begins with");
            return Err(Diagnostics::outside(message, "save it as UTF-8"));
        }
    };
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        let problem = Problem::meaning(&Origin::Absent, format!("`{name}` is empty"));
        let help =
            "a topology has a `[cluster]`, a provider's section such as `[aws]`, and a `[[worker]]` for each worker";
        return Err(Diagnostics::of(name, "", vec![problem.with_help(help)]));
    }
    Ok(Source { name: name.to_owned(), text })
}

fn unreadable(name: &str, error: &io::Error) -> Diagnostics {
    match error.kind() {
        ErrorKind::NotFound => Diagnostics::outside(
            format!("no such file: `{name}`"),
            format!(
                "name another with `-f FILE` or `KROUTES_FILE`; with neither, `{}` and `{}` are tried",
                DEFAULT_PLACES[0], DEFAULT_PLACES[1]
            ),
        ),
        ErrorKind::PermissionDenied => {
            Diagnostics::outside(format!("`{name}` may not be read: permission denied"), "check the file's permissions")
        }
        ErrorKind::IsADirectory => {
            Diagnostics::outside(format!("`{name}` is a directory"), "name a file in it with `-f FILE`")
        }
        _ => Diagnostics::outside(format!("`{name}` cannot be read: {error}"), "name another with `-f FILE`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn said(result: Result<Source, Diagnostics>) -> String {
        result.expect_err("this cannot be read").render(false)
    }

    #[test]
    fn without_a_name_the_default_places_are_tried_in_their_order() {
        let folder = tempfile::tempdir().expect("folder");
        assert_eq!(
            said(default_source(folder.path())),
            "error: no topology file: neither `kroutes.toml` nor `config/kroutes.toml` is here\n\
             help: name one with `-f FILE` or `KROUTES_FILE`, or read it from standard input with `-f -`\n"
        );
        fs::create_dir(folder.path().join("config")).expect("config");
        fs::write(folder.path().join("config/kroutes.toml"), "second").expect("write");
        let source = default_source(folder.path()).expect("second place");
        assert_eq!(source, Source { name: "config/kroutes.toml".to_owned(), text: "second".to_owned() });
        fs::write(folder.path().join("kroutes.toml"), "first").expect("write");
        assert_eq!(default_source(folder.path()).expect("first place").text, "first");
    }

    #[test]
    fn a_default_place_that_cannot_be_read_is_not_passed_over() {
        let folder = tempfile::tempdir().expect("folder");
        fs::create_dir_all(folder.path().join("kroutes.toml")).expect("a folder of that name");
        assert_eq!(
            said(default_source(folder.path())),
            "error: `kroutes.toml` is a directory\nhelp: name a file in it with `-f FILE`\n"
        );
    }

    #[test]
    fn a_file_that_is_not_there_says_how_to_name_another() {
        assert_eq!(
            said(read_source(Some(Path::new("/nowhere/x.toml")))),
            "error: no such file: `/nowhere/x.toml`\n\
             help: name another with `-f FILE` or `KROUTES_FILE`; with neither, `kroutes.toml` and \
             `config/kroutes.toml` are tried\n"
        );
    }

    #[test]
    fn what_is_no_text_says_so() {
        for (bytes, message) in [
            (&b""[..], "`x` is empty"),
            (b" \r\n\t", "`x` is empty"),
            (b"\xef\xbb\xbf\n", "`x` is empty"),
            (b"a\nb\xff", "`x` is not UTF-8 text: line 2 has a byte that no character begins with"),
            (b"\xff\xfea\0", "`x` is not UTF-8 text: line 1 has a byte that no character begins with"),
        ] {
            let said = said(read("x", bytes));
            assert!(said.starts_with(&format!("error: {message}\n")), "{said}");
        }
    }

    #[test]
    fn a_file_without_end_ends_in_a_message() {
        assert_eq!(
            said(read("x", io::repeat(b'a'))),
            "error: `x` is larger than 16 MiB, which no topology is\nhelp: name the topology file with `-f FILE`\n"
        );
    }

    #[test]
    fn a_failing_reader_says_what_failed() {
        struct Broken(ErrorKind);

        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
        }

        assert!(
            said(read("x", Broken(ErrorKind::PermissionDenied))).contains("`x` may not be read: permission denied")
        );
        assert!(said(read("x", Broken(ErrorKind::TimedOut))).contains("`x` cannot be read: timed out"));
    }
}
