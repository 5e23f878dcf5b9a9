//! What a doctor says: a heading for each group, a line for each check, and below it what to do.
//!
//! Of a list of permissions that are all granted the number is enough for a person, unless asked for more; a program gets
//! every one.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use kroutes_core::{Check, CheckGroup, CheckStatus};
use serde::Serialize;

use super::Head;

#[derive(Debug, Serialize)]
struct Document<'a> {
    format: u32,
    command: &'a str,
    provider: &'a str,
    cluster: &'a str,
    ok: bool,
    checks: Vec<CheckJson<'a>>,
    summary: Counts,
}

#[derive(Debug, Serialize)]
struct CheckJson<'a> {
    group: &'static str,
    name: &'a str,
    status: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'a str>,
}

#[derive(Debug, Default, Serialize)]
struct Counts {
    pass: usize,
    warn: usize,
    fail: usize,
}

impl Counts {
    fn of(checks: &[Check]) -> Self {
        let count = |status| checks.iter().filter(|check| check.status == status).count();
        Self { pass: count(CheckStatus::Pass), warn: count(CheckStatus::Warn), fail: count(CheckStatus::Fail) }
    }
}

/// For programs.
pub(crate) fn json(head: &Head<'_>, checks: &[Check]) -> String {
    let summary = Counts::of(checks);
    let document = Document {
        format: super::json::FORMAT,
        command: head.command,
        provider: head.provider,
        cluster: head.cluster,
        ok: summary.fail == 0,
        checks: checks
            .iter()
            .map(|check| CheckJson {
                group: check.group.as_str(),
                name: &check.name,
                status: check.status.as_str(),
                message: &check.message,
                remedy: check.remedy.as_deref(),
            })
            .collect(),
        summary,
    };
    let mut text = serde_json::to_string_pretty(&document).expect("plain data with text keys always serialises");
    text.push('\n');
    text
}

/// For people; `verbose` spells out what was granted.
pub(crate) fn text(head: &Head<'_>, checks: &[Check], verbose: bool) -> String {
    let mut text = String::new();
    let bold = Style::new().bold();
    for group in CheckGroup::ALL {
        let all: Vec<&Check> = checks.iter().filter(|check| check.group == group).collect();
        if all.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{}{group}{}", bold.render(), bold.render_reset());
        let granted = |check: &&&Check| check.status == CheckStatus::Pass;
        let folds = group == CheckGroup::Permissions && !verbose && all.iter().filter(granted).count() > 1;
        if folds {
            let passed = all.iter().filter(granted).count();
            let what = if passed == all.len() { String::new() } else { format!(" of {}", all.len()) };
            line(
                &mut text,
                CheckStatus::Pass,
                &format!("{passed}{what} permissions are granted (-v names them)"),
                None,
            );
        }
        let shown = all.into_iter().filter(|check| !folds || check.status != CheckStatus::Pass);
        for check in shown {
            let message = if group == CheckGroup::Permissions && !check.message.contains(&check.name) {
                format!("{}: {}", check.name, check.message)
            } else {
                check.message.clone()
            };
            line(&mut text, check.status, &message, check.remedy.as_deref());
        }
        text.push('\n');
    }
    let Counts { pass, warn, fail } = Counts::of(checks);
    let (word, style) =
        if fail == 0 { ("kroutes can work", green()) } else { ("kroutes cannot work as it should", red()) };
    let _ = writeln!(
        text,
        "{}Doctor: {word}{} on {} for cluster {}: {pass} pass, {warn} warn, {fail} fail.",
        style.render(),
        style.render_reset(),
        head.provider,
        head.cluster
    );
    text
}

fn line(text: &mut String, status: CheckStatus, message: &str, remedy: Option<&str>) {
    let style = match status {
        CheckStatus::Pass => green(),
        CheckStatus::Warn => color(AnsiColor::Yellow),
        CheckStatus::Fail => red(),
    };
    let _ = writeln!(text, "  {}{}{}  {message}", style.render(), status.as_str(), style.render_reset());
    if let Some(remedy) = remedy {
        let _ = writeln!(text, "        remedy: {remedy}");
    }
}

const fn color(color: AnsiColor) -> Style {
    Style::new().fg_color(Some(anstyle::Color::Ansi(color)))
}

const fn green() -> Style {
    color(AnsiColor::Green)
}

const fn red() -> Style {
    color(AnsiColor::Red)
}
