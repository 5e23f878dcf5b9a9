//! What is wrong with a topology, for people: message, file, line, column, the text with a caret, what to do.
//!
//! A generated file repeats its mistake in every worker, so messages that are equal are shown once with a count and the
//! lines, and after twenty different ones the rest is only counted: who has so many needs to mend the generator.

use std::fmt::{self, Write as _};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin as FileName, Renderer, Snippet};

use super::problem::Problem;
use super::tree::Origin;

/// How many different messages are shown in full.
const SHOWN: usize = 20;

/// How many further lines are named for messages that are equal.
const LINES_NAMED: usize = 10;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What, in one sentence.
    pub message: String,
    /// What to do about it, where that can be said.
    pub help: Option<String>,
    /// The file's name; none where the fault is not in a file.
    pub file: Option<String>,
    /// Where in the file; none where it is the file as a whole, or something that is missing from it.
    pub place: Option<Place>,
}

/// A place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The bytes, from 0, not counting a byte order mark.
    pub span: Range<usize>,
}

/// All that is wrong with a topology, in the order of the file. Never empty.
#[derive(Debug, Clone)]
pub struct Diagnostics {
    text: String,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// One fault that is not in the text of a file.
    pub(crate) fn outside(message: impl Into<String>, help: impl Into<String>) -> Self {
        let diagnostic = Diagnostic { message: message.into(), help: Some(help.into()), file: None, place: None };
        Self { text: String::new(), list: vec![diagnostic] }
    }

    /// The prose of problems. Equal ones at one place are one.
    pub(crate) fn of(name: &str, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.origin.as_ref().map_or(usize::MAX, Origin::order));
        let lines = Lines::of(text);
        let mut list: Vec<Diagnostic> = Vec::with_capacity(problems.len());
        for problem in &problems {
            let (message, help) = problem.prose();
            let (file, place) = match &problem.origin {
                Some(Origin::File(span)) => (Some(name.to_owned()), Some(lines.place(span))),
                Some(Origin::Variable(_)) => (None, None),
                Some(Origin::Absent) | None => (Some(name.to_owned()), None),
            };
            list.push(Diagnostic { message, help, file, place });
        }
        let mut seen = std::collections::HashSet::new();
        list.retain(|diagnostic| {
            let span = diagnostic.place.as_ref().map(|place| (place.span.start, place.span.end));
            seen.insert((diagnostic.message.clone(), span))
        });
        Self { text: text.to_owned(), list }
    }

    /// Every fault.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// All faults as a person reads them, with colours or without. Lines end with `\n`, the last one too.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let groups = self.grouped();
        let mut output = String::new();
        for (diagnostic, more) in groups.iter().take(SHOWN) {
            output.push_str(&renderer.render(&[self.group(diagnostic, more)]));
            if let (None, Some(help)) = (&diagnostic.file, &diagnostic.help) {
                output.push('\n');
                output.push_str(&renderer.render(&[Group::with_title(Level::HELP.primary_title(help))]));
            }
            output.push_str("\n\n");
        }
        // A single message needs no blank line behind it.
        output.truncate(output.trim_end().len());
        output.push('\n');
        let hidden: usize = groups.iter().skip(SHOWN).map(|(_, more)| 1 + more.len()).sum();
        if hidden > 0 {
            let _ = write!(output, "\nand {hidden} more; these are the first {SHOWN}\n");
        }
        output
    }

    /// Messages that are equal, with the places of all but the first.
    fn grouped(&self) -> Vec<(&Diagnostic, Vec<&Place>)> {
        let mut index = std::collections::HashMap::new();
        let mut groups: Vec<(&Diagnostic, Vec<&Place>)> = Vec::new();
        for diagnostic in &self.list {
            let at = *index.entry((&diagnostic.message, &diagnostic.help)).or_insert(groups.len());
            match (groups.get_mut(at), &diagnostic.place) {
                (Some((_, more)), Some(place)) => more.push(place),
                _ => groups.push((diagnostic, Vec::new())),
            }
        }
        groups
    }

    fn group<'a>(&'a self, diagnostic: &'a Diagnostic, more: &[&Place]) -> Group<'a> {
        let mut group = Group::with_title(Level::ERROR.primary_title(&diagnostic.message));
        match (&diagnostic.file, &diagnostic.place) {
            (Some(file), Some(place)) => {
                let (excerpt, span) = self.excerpt(&place.span);
                let annotation = AnnotationKind::Primary.span(span);
                group = group.element(
                    Snippet::source(excerpt).path(file.as_str()).line_start(place.line).annotation(annotation),
                );
            }
            (Some(file), None) => group = group.element(FileName::path(file.as_str())),
            // Without a picture to hang it on, the help is a line of its own.
            (None, _) => return group,
        }
        if !more.is_empty() {
            group = group.element(Level::NOTE.message(elsewhere(more)));
        }
        match &diagnostic.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }
    }

    /// The first line of a span, and the span within it.
    fn excerpt(&self, span: &Range<usize>) -> (&str, Range<usize>) {
        let begin = self.text[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text[span.start..].find('\n').map_or(self.text.len(), |newline| span.start + newline);
        let line = &self.text[begin..end];
        let line = line.strip_suffix('\r').unwrap_or(line);
        let start = (span.start - begin).min(line.len());
        (line, start..(span.end - begin).clamp(start, line.len()))
    }
}

fn elsewhere(places: &[&Place]) -> String {
    let lines: Vec<String> = places.iter().take(LINES_NAMED).map(|place| place.line.to_string()).collect();
    let more = if places.len() > LINES_NAMED { ", …" } else { "" };
    let noun = if places.len() == 1 { "place, line" } else { "places, lines" };
    format!("the same in {} more {noun} {}{more}", places.len(), lines.join(", "))
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for Diagnostics {}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Where every line begins: a file of many faults is then looked through once.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn place(&self, span: &Range<usize>) -> Place {
        let start = self.boundary(span.start);
        let end = self.boundary(span.end).max(start);
        let line = self.starts.partition_point(|begin| *begin <= start);
        let begin = self.starts.get(line - 1).copied().unwrap_or(0);
        Place { line, column: self.text[begin..start].chars().count() + 1, span: start..end }
    }

    /// The nearest place at or before which a character begins, a line's end being one character however it is written.
    fn boundary(&self, at: usize) -> usize {
        let at = self.text.floor_char_boundary(at);
        if self.text[..at].ends_with('\r') && self.text[at..].starts_with('\n') { at - 1 } else { at }
    }
}
