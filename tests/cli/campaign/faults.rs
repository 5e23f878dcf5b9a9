//! Each sort of trouble at each call, alone and in company.
//!
//! A run without trouble tells which calls there are. Then each fault of the lab meets each of them, in a fresh and identical
//! world each time: once, at one call; for good, at all calls of an action; for good from some page of a listing on; and in
//! random company, by seed. What is judged is always the same: the report is true by the cloud's own log ([`truth`]), the
//! exit code follows from it, the process ends, and once the trouble is over the same command makes all of it good.
//!
//! Calls run side by side, so the third `CreateRoute` is not the same route in every run; what has to hold does not depend on
//! that. Cases that wait (a server that never answers costs twenty seconds an attempt) do nothing meanwhile, so many of them
//! wait at once. Which of them are run without `KROUTES_CAMPAIGN=all` is drawn by the seed.
//!
//! [`truth`]: super::truth

use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kroutes_lab::{Fault, FaultKind};

use super::truth::{self, Ended, Lies, Seen};
use crate::cli::world::World;
use worlds::{COMPUTE, EC2, Ground, Site};

mod worlds;

/// No run may take longer, whatever it meets: six attempts of twenty seconds for a call, two minutes for a read-back, and
/// both more than once.
const LONGEST: Duration = Duration::from_mins(15);

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Apply,
    Destroy,
    Plan,
    Verify,
    /// Where something is to be found.
    VerifyDisorder,
}

impl Command {
    const ALL: [Self; 5] = [Self::Apply, Self::Destroy, Self::Plan, Self::Verify, Self::VerifyDisorder];

    const fn name(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Destroy => "destroy",
            Self::Plan => "plan",
            Self::Verify => "verify",
            Self::VerifyDisorder => "verify-disorder",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Apply => "apply --prune --yes --max-deletes 100% -o json",
            Self::Destroy => "destroy --yes -o json",
            Self::Plan => "plan --prune -o json",
            Self::Verify | Self::VerifyDisorder => "verify -o json",
        }
    }

    const fn begins_tidy(self) -> bool {
        matches!(self, Self::Destroy | Self::Verify)
    }

    const fn writes(self) -> bool {
        matches!(self, Self::Apply | Self::Destroy)
    }

    /// How it ends without trouble.
    const fn code(self) -> i32 {
        if matches!(self, Self::VerifyDisorder) { 2 } else { 0 }
    }
}

/// How long a case takes, and so how many of them are in a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pace {
    /// Seconds.
    Quick,
    /// Up to half a minute, most of it waiting.
    Waiting,
    /// Minutes.
    Long,
}

struct Case {
    name: String,
    command: Command,
    faults: Vec<Fault>,
    dice: u64,
    pace: Pace,
    /// What is left of the trouble when it is over.
    stuck: bool,
}

/// Every sort of trouble, by name.
fn kinds(site: &Site) -> Vec<(&'static str, FaultKind)> {
    let error = |(status, code): (u16, &str), message: &str| FaultKind::Error {
        status,
        code: code.to_owned(),
        message: message.to_owned(),
    };
    let gateway = |status, body: &str, after| FaultKind::Gateway { status, body: body.to_owned(), after };
    vec![
        ("throttle", FaultKind::Throttle),
        ("server-error", FaultKind::ServerError),
        ("server-error-after", FaultKind::ServerErrorAfter),
        ("drop-before", FaultKind::DropBefore),
        ("drop-after", FaultKind::DropAfter),
        ("hang", FaultKind::Hang),
        ("hang-after", FaultKind::HangAfter),
        ("html", FaultKind::Html),
        ("cut-short", FaultKind::CutShort),
        ("truncated", FaultKind::Truncated),
        ("wrong-type", FaultKind::WrongType),
        ("mixed", FaultKind::Mixed),
        ("deny", FaultKind::Deny),
        ("nonsense", error((418, "Teapot"), "I am short and stout.")),
        ("expired", error(site.expired, "the token has expired")),
        ("full", error(site.full, "there is no room for it")),
        ("slow", FaultKind::Slow { millis: 400 }),
        ("late", FaultKind::Slow { millis: 25_000 }),
        ("gateway-empty", gateway(502, "", false)),
        ("gateway-text", gateway(503, "no healthy upstream", false)),
        ("gateway-html", gateway(502, "<html><h1>Bad Gateway</h1></html>", false)),
        ("gateway-html-after", gateway(504, "<html><h1>Gateway Timeout</h1></html>", true)),
    ]
}

/// What an operation can meet besides.
fn promised_kinds() -> Vec<(&'static str, FaultKind)> {
    let error = |status, code: &str| FaultKind::OperationError {
        status,
        code: code.to_owned(),
        message: "it did not work".to_owned(),
    };
    vec![
        ("operation-busy", error(503, "RESOURCE_OPERATION_RATE_EXCEEDED")),
        ("operation-full", error(403, "QUOTA_EXCEEDED")),
        ("operation-nonsense", error(400, "INVALID_USAGE")),
        ("operation-stuck", FaultKind::OperationStuck),
        ("operation-lost", FaultKind::OperationLost),
    ]
}

const fn never_answers(kind: &FaultKind) -> bool {
    matches!(kind, FaultKind::Hang | FaultKind::HangAfter)
        || matches!(kind, FaultKind::Slow { millis } if *millis > 20_000)
}

fn pace(kind: &FaultKind, for_good: bool, reads: bool, slow_to_forgive: bool) -> Pace {
    match kind {
        kind if never_answers(kind) && for_good => Pace::Long,
        kind if never_answers(kind) => Pace::Waiting,
        // What never shows is looked for until the end of patience, and so is the minute after which Compute may be asked again.
        FaultKind::Mixed | FaultKind::Html if !reads => Pace::Long,
        FaultKind::Throttle if slow_to_forgive => Pace::Long,
        _ if for_good => Pace::Waiting,
        _ => Pace::Quick,
    }
}

/// Every case of one command, from the calls that it makes without trouble.
fn cases(site: &Site, command: Command, calls: &BTreeMap<String, u64>) -> Vec<Case> {
    let mut cases = Vec::new();
    let forgive = !site.promises.is_empty();
    for (action, count) in calls {
        let promised = if site.promises.contains(&action.as_str()) { promised_kinds() } else { Vec::new() };
        let reads = site.listings.contains(&action.as_str());
        for (name, kind) in kinds(site).into_iter().chain(promised) {
            // What is answered with the yes to another call of its sort, and not read back, is believed.
            if kind == FaultKind::Mixed && site.unread.contains(&action.as_str()) {
                continue;
            }
            let stuck = kind == FaultKind::OperationStuck;
            let mut add = |place: String, fault: Fault, pace| {
                let name = format!("{}/{}/{action}{place}/{name}", site.name, command.name());
                cases.push(Case { name, command, faults: vec![fault], dice: 0, pace, stuck });
            };
            let fault = Fault::new(kind.clone()).on(action);
            for nth in 0..*count {
                add(format!("#{}", nth + 1), fault.clone().after(nth).times(1), pace(&kind, false, reads, forgive));
            }
            add(String::new(), fault.clone(), pace(&kind, true, reads, forgive));
            if reads {
                add("#later".to_owned(), fault.clone().on_later_pages(), pace(&kind, true, reads, forgive));
                for nth in 1..*count {
                    add(format!("#{}-on", nth + 1), fault.clone().after(nth), Pace::Long);
                }
            }
        }
    }
    cases
}

/// Several faults at once, each with its share of the calls.
fn company(site: &Site, command: Command, calls: &BTreeMap<String, u64>, seed: u64) -> Case {
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut kinds = kinds(site);
    kinds.retain(|(_, kind)| {
        !never_answers(kind) && !matches!(kind, FaultKind::Mixed | FaultKind::Html | FaultKind::Throttle)
    });
    let actions: Vec<&String> = calls.keys().collect();
    let mut stuck = false;
    let faults = (0..dice.usize(2..6)).map(|_| {
        let action = dice.bool().then(|| actions[dice.usize(..actions.len())].clone());
        let promised = action.as_ref().is_some_and(|action| site.promises.contains(&action.as_str())) && dice.bool();
        let kind = if promised {
            let mut promised = promised_kinds();
            promised.swap_remove(dice.usize(..promised.len())).1
        } else {
            kinds[dice.usize(..kinds.len())].1.clone()
        };
        stuck |= kind == FaultKind::OperationStuck;
        let share = [0.05, 0.1, 0.2, 0.4][dice.usize(..4)];
        let mut fault = Fault::new(kind).with_probability(share).after(dice.u64(..4));
        fault.action = action;
        fault.times = dice.bool().then(|| dice.u64(1..5));
        fault
    });
    let faults = faults.collect();
    let name = format!("{}/{}/company-{seed}", site.name, command.name());
    Case { name, command, faults, dice: seed, pace: Pace::Waiting, stuck }
}

/// Runs the binary to its end, or to the end of all patience.
fn run(world: &World, words: &str) -> Ended {
    let file = |name: &str| world.folder().join(name);
    let create = |name: &str| File::create(file(name)).expect("a file");
    let mut command = world.command(words);
    let mut child = command.stdout(create("out")).stderr(create("err")).spawn().expect("the binary starts");
    let begin = Instant::now();
    let mut pause = Duration::from_millis(2);
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if begin.elapsed() > LONGEST {
            child.kill().expect("it can be killed");
            child.wait().expect("an end");
            panic!("`kroutes {words}` did not end within {LONGEST:?}");
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    };
    let read = |name: &str| std::fs::read_to_string(file(name)).expect("text");
    Ended { code: status.code(), out: read("out"), err: read("err") }
}

/// The calls that a command makes without trouble.
fn calls(site: &Site, command: Command) -> (BTreeMap<String, u64>, Ended) {
    let Ground { world, .. } = (site.ground)(command.begins_tidy(), 0);
    let ended = run(&world, command.words());
    assert_eq!(ended.code, Some(command.code()), "{ended:?}");
    (world.lab.calls(), ended)
}

/// What a reading command says of routes. That machines could not be looked at is a warning beside it.
fn said(report: &serde_json::Value) -> [serde_json::Value; 2] {
    ["tables", "routes"].map(|part| report[part].clone())
}

fn judge(site: &Site, case: &Case, clean: &Ended) -> Result<(), String> {
    let command = case.command;
    let Ground { world, wish, look } = (site.ground)(command.begins_tidy(), case.dice);
    let before = look(&world);
    for fault in &case.faults {
        world.lab.add_fault(fault.clone());
    }
    let ended = run(&world, command.words());
    world.lab.clear_faults();
    let (after, log) = (look(&world), world.lab.log());
    let verified = (command == Command::Apply).then(|| run(&world, "verify -o json").code).flatten();
    let seen = Seen { before: &before, after: &after, log: &log, ended: &ended, verified };
    let mut lies = if command.writes() {
        truth::judge(&seen, &wish, command == Command::Destroy)
    } else {
        let (mut lies, report) = truth::judge_reading(&seen, &[command.code(), 1]);
        let expected: serde_json::Value = serde_json::from_str(&clean.out).expect("an object");
        if ended.code == Some(command.code()) && said(&report) != said(&expected) {
            lies.0.push("it ends as if there had been no trouble, and says something else".to_owned());
        }
        lies
    };
    // An operation that never ends stays in the way of the next run too, which has to say so.
    if command.writes() && !case.stuck {
        mend(&world, command, &wish, look, &before, &mut lies);
    }
    if lies.0.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}\n  {}\n  faults: {:?}\n  log: {:?}\n  exit {:?}, verify {verified:?}\n{}\n{}",
        case.name,
        lies.0.join("\n  "),
        case.faults,
        log.iter().map(|entry| format!("{} {}", entry.action, entry.what)).collect::<Vec<_>>(),
        ended.code,
        ended.out,
        ended.err,
    ))
}

/// The same again, now that the trouble is over.
fn mend(
    world: &World,
    command: Command,
    wish: &truth::Wish,
    look: fn(&World) -> truth::Picture,
    before: &truth::Picture,
    lies: &mut Lies,
) {
    let again = run(world, command.words());
    let after = look(world);
    let good = match command {
        Command::Destroy => truth::is_gone(&after, wish),
        _ => {
            truth::is_as_wanted(&after, wish) && !after.routes.iter().any(|held| wish.stale.contains(&held.destination))
        }
    };
    let foreign = |picture: &truth::Picture| {
        let ours = |destination: &String| wish.routes.contains_key(destination) || wish.stale.contains(destination);
        let others = picture.routes.iter().filter(|held| !ours(&held.destination));
        others.map(|held| held.text.clone()).collect::<Vec<_>>()
    };
    if again.code != Some(0) || !good {
        lies.0.push(format!("the next run does not make it good: exit {:?}\n{}\n{}", again.code, again.out, again.err));
    }
    if foreign(&after) != foreign(before) || after.rest != before.rest {
        lies.0.push("what is nobody's business was changed".to_owned());
    }
}

/// How much of it is run.
struct Share {
    all: bool,
    only: Option<String>,
    seed: u64,
}

impl Share {
    fn asked_for() -> Self {
        let wish = std::env::var("KROUTES_CAMPAIGN").ok();
        let seed = std::env::var("KROUTES_CAMPAIGN_SEED").ok();
        let seed = seed.map_or_else(|| fastrand::u64(..), |text| text.parse().expect("a number"));
        let all = wish.as_deref() == Some("all");
        Self { all, only: wish.filter(|wish| wish != "all" && wish.contains('/')), seed }
    }

    /// Draws a sample of those that a share leaves out.
    fn of(&self, cases: Vec<Case>, quick: usize, waiting: usize) -> Vec<Case> {
        if let Some(only) = &self.only {
            return cases.into_iter().filter(|case| case.name.starts_with(only.as_str())).collect();
        }
        if self.all {
            return cases;
        }
        let mut dice = fastrand::Rng::with_seed(self.seed);
        let (mut swift, mut slow): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| case.pace == Pace::Quick);
        slow.retain(|case| case.pace == Pace::Waiting);
        dice.shuffle(&mut swift);
        dice.shuffle(&mut slow);
        swift.truncate(quick);
        slow.truncate(waiting);
        // What waits longest begins first.
        slow.extend(swift);
        slow
    }
}

// The harness shows what a failed test printed, and the figures are what the campaign is for.
#[allow(clippy::print_stdout, clippy::print_stderr)]
fn campaign(site: &Site) {
    let share = Share::asked_for();
    let begin = Instant::now();
    let mut all = Vec::new();
    let mut clean = BTreeMap::new();
    for command in Command::ALL {
        let (calls, ended) = calls(site, command);
        all.extend(cases(site, command, &calls));
        if command.writes() {
            let seeds = if share.all { 150 } else { 3 };
            let seed = share.seed;
            let named = share.only.as_ref().and_then(|only| only.rsplit_once("company-")?.1.parse().ok());
            let seeds =
                named.map_or_else(|| (0..seeds).map(|nth| seed.wrapping_add(nth)).collect(), |one: u64| vec![one]);
            all.extend(seeds.into_iter().map(|seed| company(site, command, &calls, seed)));
        }
        clean.insert(command.name(), ended);
    }
    let known = all.len();
    let mut chosen = share.of(all, 24, 5);
    chosen.sort_by_key(|case| std::cmp::Reverse(case.pace));
    let of_pace = |pace| chosen.iter().filter(|case| case.pace == pace).count();
    println!(
        "{}: {} of {known} cases ({} quick, {} waiting, {} long), seed {}",
        site.name,
        chosen.len(),
        of_pace(Pace::Quick),
        of_pace(Pace::Waiting),
        of_pace(Pace::Long),
        share.seed
    );

    let (next, lies, times) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let workers = if share.all { 160 } else { 8 };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(case) = chosen.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let begin = Instant::now();
                    let judged = catch_unwind(AssertUnwindSafe(|| judge(site, case, &clean[case.command.name()])));
                    let judged = judged.unwrap_or_else(|_| Err(format!("{}\n  panicked, see above", case.name)));
                    if let Err(lie) = judged {
                        // At once: a complete campaign takes long, and may be broken off.
                        println!("VIOLATION {lie}");
                        lies.lock().expect("a list").push(lie);
                    }
                    times.lock().expect("a list").push((begin.elapsed(), case.name.as_str()));
                }
            });
        }
    });
    let mut times = times.into_inner().expect("a list");
    times.sort_unstable();
    println!(
        "{}: {} cases in {:?}; the longest: {:?}",
        site.name,
        times.len(),
        begin.elapsed(),
        times.iter().rev().take(12).collect::<Vec<_>>()
    );
    let lies = lies.into_inner().expect("a list");
    let names: Vec<&str> = lies.iter().filter_map(|lie| lie.lines().next()).collect();
    assert!(
        lies.is_empty(),
        "{} of {} cases are wrong, seed {}; have one again with KROUTES_CAMPAIGN=NAME:\n{}",
        lies.len(),
        times.len(),
        share.seed,
        names.join("\n")
    );
}

#[test]
fn whatever_goes_wrong_at_any_call_to_ec2_the_report_is_true_and_the_next_run_makes_it_good() {
    campaign(&EC2);
}

#[test]
fn whatever_goes_wrong_at_any_call_to_compute_engine_the_report_is_true_and_the_next_run_makes_it_good() {
    campaign(&COMPUTE);
}
