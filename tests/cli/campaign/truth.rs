//! Whether a report is true.
//!
//! A report is a statement about the world, and a lab is a world that can be looked at. Everything here follows from three
//! things that a run cannot influence: what the cloud held before, what it holds afterwards, and the cloud's own log. Which
//! trouble there was on the way is not asked: whatever it was, what is called done has to be there, what is called failed or
//! skipped has had no effect, and what happened has to be told. `unconfirmed` is the one word that commits to nothing.

use std::collections::{BTreeMap, BTreeSet};

use kroutes_lab::LogEntry;
use serde_json::Value;

/// A next hop as reports spell it: `{"instance": "i-1", "interface": "eni-1"}`.
pub(super) type Hop = BTreeMap<String, String>;

/// A route as the cloud holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) destination: String,
    /// Where routes have names.
    pub(super) name: Option<String>,
    pub(super) hop: Hop,
    /// Whether it could be ours: not so where a mark is missing.
    pub(super) marked: bool,
    /// All there is to know of it, to see whether it was touched.
    pub(super) text: String,
}

/// All that a run could change, in one cloud at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    /// The routes of the table that is written to.
    pub(super) routes: Vec<Held>,
    /// The source/dest check of each worker.
    pub(super) checks: BTreeMap<String, bool>,
    /// Our claim on the table.
    pub(super) claim: Option<String>,
    /// Everything else, which is nobody's business here.
    pub(super) rest: String,
}

impl Picture {
    fn at<'a>(&'a self, destination: &'a str) -> impl Iterator<Item = &'a Held> {
        self.routes.iter().filter(move |held| held.destination == destination)
    }

    fn texts<'a>(&'a self, destination: &'a str) -> BTreeSet<&'a str> {
        self.at(destination).map(|held| held.text.as_str()).collect()
    }
}

/// What the topology wants, and what may not be touched.
pub(super) struct Wish {
    /// A next hop for each destination.
    pub(super) routes: BTreeMap<String, Hop>,
    /// Destinations of ours that no worker wants.
    pub(super) stale: BTreeSet<String>,
}

/// A run that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

/// What a run did, by those who saw it.
pub(super) struct Seen<'a> {
    pub(super) before: &'a Picture,
    pub(super) after: &'a Picture,
    /// The effects of this run alone.
    pub(super) log: &'a [LogEntry],
    pub(super) ended: &'a Ended,
    /// The exit code of a `verify` right afterwards, without any trouble.
    pub(super) verified: Option<i32>,
}

/// What is not true, each in a sentence.
#[derive(Debug, Default)]
pub(super) struct Lies(pub(super) Vec<String>);

impl Lies {
    fn unless(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.push(what());
        }
    }
}

/// A change as it was told.
#[derive(Debug)]
struct Told {
    action: String,
    destination: String,
    want: Option<Hop>,
    was: Vec<(Hop, Option<String>)>,
    outcome: String,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn hop(value: &Value) -> Hop {
    value.as_object().into_iter().flatten().map(|(kind, id)| (kind.clone(), text(id))).collect()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

impl Told {
    fn all(report: &Value) -> Vec<Self> {
        let changes = items(&report["tables"]).iter().flat_map(|table| items(&table["changes"]));
        changes.map(Self::read).collect()
    }

    fn read(change: &Value) -> Self {
        let was = |was: &Value| (hop(&was["next-hop"]), was["name"].as_str().map(str::to_owned));
        Self {
            action: text(&change["action"]),
            destination: text(&change["destination"]),
            want: change.get("next-hop").map(hop),
            was: items(&change["was"]).iter().map(was).collect(),
            outcome: text(&change["outcome"]),
        }
    }

    /// Whether all of it is as if it had been done.
    fn holds(&self, picture: &Picture) -> bool {
        let there = |want: &Hop| picture.at(&self.destination).any(|held| held.marked && contains(&held.hop, want));
        let stands = |(hop, name): &(Hop, Option<String>)| {
            picture.at(&self.destination).any(|held| {
                name.as_ref().is_none_or(|name| held.name.as_ref() == Some(name)) && contains(&held.hop, hop)
            })
        };
        self.want.as_ref().is_none_or(there) && !self.was.iter().any(stands)
    }
}

fn contains(held: &Hop, wanted: &Hop) -> bool {
    wanted.iter().all(|(kind, id)| held.get(kind) == Some(id))
}

/// What any run owes, whatever it was told to do: one JSON object, no panic, and an exit code of its command.
pub(super) fn read(ended: &Ended, codes: &[i32], lies: &mut Lies) -> Value {
    lies.unless(ended.code.is_some_and(|code| codes.contains(&code)), || {
        format!("exit code {:?} is none of {codes:?}", ended.code)
    });
    for word in ["panicked", "RUST_BACKTRACE"] {
        lies.unless(!ended.err.contains(word) && !ended.out.contains(word), || format!("it says `{word}`"));
    }
    match serde_json::from_str::<Value>(&ended.out) {
        Ok(report) => {
            lies.unless(report["format"] == 1, || "the object has no `\"format\": 1`".to_owned());
            report
        }
        Err(error) => {
            lies.0.push(format!("stdout is not one JSON object: {error}"));
            Value::Null
        }
    }
}

/// Judges an apply or a destroy.
pub(super) fn judge(seen: &Seen<'_>, wish: &Wish, destroys: bool) -> Lies {
    let mut lies = Lies::default();
    let report = read(seen.ended, &[0, 1, 3], &mut lies);
    if seen.ended.code == Some(3) {
        // Held back by a guard, since trouble left something unread.
        lies.unless(is_there(&report["error"]), || "it is refused, and no reason is told".to_owned());
        lies.unless(seen.before == seen.after && seen.log.is_empty(), || {
            "it is refused, and something was done".to_owned()
        });
        return lies;
    }
    let told = Told::all(&report);
    routes(seen, &told, &mut lies);
    unbroken(seen, wish, destroys, &mut lies);
    let fixes = fixes(seen, &report, &mut lies);
    claim(seen, &report, &mut lies);
    lies.unless(seen.before.rest == seen.after.rest, || "something that is nobody's business was changed".to_owned());
    let done = told.iter().map(|told| &told.outcome).chain(&fixes).all(|outcome| outcome == "done");
    // Who takes everything away need not know who the workers are.
    let keys = if destroys { &["error", "errors"][..] } else { &["error", "errors", "unresolved"][..] };
    let errors = keys.iter().any(|key| is_there(&report[*key]))
        || items(&report["tables"]).iter().any(|table| is_there(&table["error"]));
    let as_wanted = if destroys { is_gone(seen.after, wish) } else { is_as_wanted(seen.after, wish) };
    let clean = done && !errors && as_wanted;
    if !destroys {
        lies.unless(as_wanted == (seen.verified == Some(0)), || {
            format!(
                "verify says {:?}, and the cloud is {} wanted",
                seen.verified,
                if as_wanted { "as" } else { "not as" }
            )
        });
        lies.unless(report.get("ok").is_none_or(|ok| ok != true || as_wanted || !done), || {
            "`ok` is true, and the cloud is not as wanted".to_owned()
        });
    }
    lies.unless((seen.ended.code == Some(0)) == clean, || {
        format!(
            "exit code {:?}, while all is done: {done}, errors are told: {errors}, it is as wanted: {as_wanted}",
            seen.ended.code
        )
    });
    lies
}

/// That a reading command changed nothing.
pub(super) fn judge_reading(seen: &Seen<'_>, codes: &[i32]) -> (Lies, Value) {
    let mut lies = Lies::default();
    let report = read(seen.ended, codes, &mut lies);
    lies.unless(seen.before == seen.after && seen.log.is_empty(), || "a command that only reads wrote".to_owned());
    (lies, report)
}

fn is_there(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        _ => true,
    }
}

/// Whether the cloud holds what the topology wants, by a look of our own.
pub(super) fn is_as_wanted(picture: &Picture, wish: &Wish) -> bool {
    let right = |(destination, hop): (&String, &Hop)| {
        let ours: Vec<_> = picture.at(destination).filter(|held| held.marked).collect();
        ours.len() == 1 && contains(&ours[0].hop, hop)
    };
    wish.routes.iter().all(right) && !picture.checks.values().any(|on| *on)
}

/// Whether nothing of ours is left.
pub(super) fn is_gone(picture: &Picture, wish: &Wish) -> bool {
    let ours = |held: &&Held| {
        held.marked && (wish.routes.contains_key(&held.destination) || wish.stale.contains(&held.destination))
    };
    !picture.routes.iter().any(|held| ours(&held)) && picture.claim.is_none()
}

fn routes(seen: &Seen<'_>, all: &[Told], lies: &mut Lies) {
    let (before, after) = (seen.before, seen.after);
    for told in all {
        let (Told { action, destination, outcome, .. }, held) = (told, told.holds(after));
        let touched = before.texts(destination) != after.texts(destination);
        // Of two changes of one destination, such as two surplus routes, neither alone tells who touched what.
        let alone = || all.iter().filter(|other| other.destination == *destination).count() == 1;
        match outcome.as_str() {
            "done" => lies.unless(held, || format!("{action} {destination} is `done`, and it is not so")),
            "failed" => {
                let had = held && !told.holds(before);
                lies.unless(!had, || format!("{action} {destination} is `failed`, and it was done"));
                // Where a replacement is two writes, the first may have worked.
                let half = action == "replace" && before.at(destination).all(|old| after.routes.contains(old));
                lies.unless(!touched || half || !alone() || had, || {
                    format!("{action} {destination} is `failed`, and something was done there")
                });
            }
            "skipped" => lies.unless(!touched || !alone(), || {
                format!("{action} {destination} is `skipped`, and something was done there")
            }),
            "unconfirmed" => {}
            other => lies.0.push(format!("{action} {destination} has the outcome `{other}`")),
        }
    }
    let told_of: BTreeSet<&str> = all.iter().map(|told| told.destination.as_str()).collect();
    let places: BTreeSet<&str> =
        before.routes.iter().chain(&after.routes).map(|held| held.destination.as_str()).collect();
    for destination in places {
        let touched = before.texts(destination) != after.texts(destination);
        lies.unless(!touched || told_of.contains(destination), || {
            format!("{destination} was changed, and that is not told")
        });
        lies.unless(!touched || destination.starts_with("10.200."), || {
            format!("{destination} was changed, and lies outside the cluster CIDR")
        });
    }
    for entry in seen.log.iter().filter(|entry| entry.action.to_lowercase().contains("route")) {
        let destination = entry.what.split(' ').nth(1).unwrap_or_default();
        lies.unless(told_of.contains(destination), || format!("{entry:?} happened, and is not told"));
    }
}

/// That no destination that stays was without a route for a moment, by the cloud's log.
fn unbroken(seen: &Seen<'_>, wish: &Wish, destroys: bool, lies: &mut Lies) {
    if destroys {
        return;
    }
    let mut count: BTreeMap<&str, i64> = BTreeMap::new();
    for held in seen.before.routes.iter().filter(|held| held.marked) {
        *count.entry(held.destination.as_str()).or_default() += 1;
    }
    for entry in seen.log {
        let destination = entry.what.split(' ').nth(1).unwrap_or_default();
        if !wish.routes.contains_key(destination) {
            continue;
        }
        let held = count.entry(destination).or_default();
        match entry.action.as_str() {
            "CreateRoute" | "routes.insert" => *held += 1,
            "DeleteRoute" | "routes.delete" => *held -= 1,
            _ => {}
        }
        let held = *held;
        lies.unless(held > 0, || format!("{entry:?} left a destination that stays without a route"));
    }
}

/// Judges what is told of source/dest checks, and gives back their outcomes.
fn fixes(seen: &Seen<'_>, report: &Value, lies: &mut Lies) -> Vec<String> {
    let fixed: Vec<&Value> =
        items(&report["findings"]).iter().filter(|finding| finding.get("outcome").is_some()).collect();
    let mut told = BTreeSet::new();
    for finding in &fixed {
        let (worker, outcome) = (text(&finding["worker"]), text(&finding["outcome"]));
        let (was, is) = (seen.before.checks.get(&worker), seen.after.checks.get(&worker));
        match outcome.as_str() {
            "done" => lies.unless(is == Some(&false), || format!("the check of {worker} is `done`, and it is on")),
            "failed" | "skipped" => {
                lies.unless(was == is, || format!("the check of {worker} is `{outcome}`, and it was switched off"));
            }
            "unconfirmed" => {}
            other => lies.0.push(format!("the check of {worker} has the outcome `{other}`")),
        }
        told.insert(worker);
    }
    for (worker, was) in &seen.before.checks {
        let kept = seen.after.checks.get(worker) == Some(was);
        lies.unless(kept || told.contains(worker), || format!("the check of {worker} changed, and that is not told"));
    }
    fixed.iter().map(|finding| text(&finding["outcome"])).collect()
}

fn claim(seen: &Seen<'_>, report: &Value, lies: &mut Lies) {
    let told = items(&report["tables"]).iter().find_map(|table| table["claim"].as_str());
    let (before, after) = (seen.before.claim.as_ref(), seen.after.claim.as_ref());
    let trouble = is_there(&report["errors"]);
    lies.unless(told != Some("ours") || after.is_some() || trouble, || {
        "the claim is told, and it is not there".to_owned()
    });
    lies.unless(before == after || trouble || told == Some(if after.is_some() { "ours" } else { "none" }), || {
        format!("the claim went from {before:?} to {after:?}, and {told:?} is told")
    });
}
