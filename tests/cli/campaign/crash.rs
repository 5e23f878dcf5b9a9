//! Killed at each single call, before and after.
//!
//! A program that is killed cannot clean up, so what it leaves is what the order of its calls makes of it. Here the real
//! binary is killed with SIGKILL at the n-th API call of a run, for every n, in a fresh and identical world each time. What
//! the cloud holds is judged in that moment, then after the same command once more, and once more after that. Some runs are
//! killed twice before one may end, and some are followed by a destroy: whoever sees a run die may have had enough.
//!
//! The world stands still at the call: from then on nobody is answered. Calls are counted as they arrive, all of them, reads
//! and tokens too. A run has many under way at once, and what a cloud makes of those that were on their way together with the
//! one at which it stops is anybody's guess; so both are tried. `before`: the call itself is lost, and those behind it are
//! done, which leaves a hole. `after`: the call is done, and those behind it are lost, which leaves a clean cut. What had
//! arrived earlier is done either way. Compute's operations go on, as they would: nobody can call them back.
//!
//! Since calls run side by side, the n-th is not the same call in every run. A case that failed is had again by its name,
//! perhaps at the second or third try.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kroutes_lab::{Fault, FaultKind};

use self::judge::{Entry, Ground, Judged, Sort};
use self::point::{Point, When};
use crate::cli::world::{World, wait_for};

mod compute;
mod ec2;
mod judge;
mod point;

/// A command to be killed, and where.
struct Scenario {
    name: &'static str,
    words: &'static str,
    destroys: bool,
    ground: fn() -> Ground,
}

/// What happens in one world.
#[derive(Clone)]
struct Case {
    /// Where the first run is killed, the second, and so on.
    points: Vec<Point>,
    /// Whether the run after them is a destroy, whatever they were.
    undone: bool,
}

impl Case {
    fn read(text: &str) -> Result<Self, String> {
        let (points, undone) = text.strip_suffix(",destroy").map_or((text, false), |points| (points, true));
        Ok(Self { points: points.split(',').map(str::parse).collect::<Result<_, _>>()?, undone })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points: Vec<String> = self.points.iter().map(ToString::to_string).collect();
        f.write_str(&points.join(","))?;
        f.write_str(if self.undone { ",destroy" } else { "" })
    }
}

impl Ground {
    /// Runs to the end, which must be a good one.
    fn run(&self, words: &str) -> Judged {
        let ran = self.world.run(words);
        if ran.code == Some(0) { Ok(()) } else { Err(format!("the run ended badly:\n{ran}")) }
    }

    /// Kills a run at this point. Nothing is told of one that had ended before.
    fn kill(&self, words: &str, point: Point) -> Result<bool, String> {
        let lab = &self.world.lab;
        let (at, behind) = match point.when {
            When::Before => (FaultKind::Hang, FaultKind::HangAfter),
            When::After => (FaultKind::HangAfter, FaultKind::Hang),
        };
        lab.reset_calls();
        lab.add_fault(Fault::new(at).after(point.nth - 1).times(1));
        lab.add_fault(Fault::new(behind).after(point.nth - 1));
        let mut command = self.world.command(words);
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(|error| error.to_string())?;
        let calls = |world: &World| world.lab.calls().values().sum::<u64>();
        wait_for(&self.world, &mut child, |world| calls(world) >= point.nth);
        if point.when == When::Before {
            // What goes along with the call takes a moment to arrive; how long a one, is the point's own.
            std::thread::sleep(Duration::from_millis(point.nth % 4));
        }
        // It may have ended by itself meanwhile.
        let _gone = child.kill();
        let end = child.wait().map_err(|error| error.to_string())?;
        lab.clear_faults();
        match end.code() {
            None => Ok(true),
            Some(0) => Ok(false),
            Some(code) => Err(format!("it ended by itself, with exit code {code}")),
        }
    }
}

impl Scenario {
    /// One case from a fresh world to its end; whether it was killed at each of its points.
    fn run(&self, case: &Case) -> Result<bool, String> {
        let ground = (self.ground)();
        let first = ground.entries();
        let mut killed = true;
        for point in &case.points {
            let before = ground.entries();
            killed &= ground.kill(self.words, *point).map_err(|error| format!("killed at {point}: {error}"))?;
            ground.judge_at_once(&before, self.destroys).map_err(|error| format!("right after {point}: {error}"))?;
        }
        let (words, gone) = if case.undone { ("destroy --yes", true) } else { (self.words, self.destroys) };
        let judge =
            |moment: &str| ground.judge_at_last(&first, gone).map_err(|error| format!("after {moment}: {error}"));
        ground.run(words)?;
        judge("the next run")?;
        ground.world.lab.reset_calls();
        ground.run(words)?;
        if ground.world.writes() > 0 {
            return Err(format!("a run with nothing to do wrote: {:?}", ground.world.lab.calls()));
        }
        judge("a run with nothing to do")?;
        if gone {
            return Ok(killed);
        }
        (ground.unbroken)(&ground.world, &ground.wanted, &first)?;
        // Every fifth world is cleared away again.
        if case.points.iter().map(|point| point.nth).sum::<u64>() % 5 == 0 {
            ground.run("destroy --yes")?;
            ground.judge_at_last(&first, true).map_err(|error| format!("after the destroy: {error}"))?;
        }
        Ok(killed)
    }

    /// How many calls a run makes that nobody disturbs.
    fn calls(&self) -> u64 {
        let ground = (self.ground)();
        let first = ground.entries();
        ground.run(self.words).expect("it runs when nobody disturbs it");
        let calls = ground.world.lab.calls().values().sum();
        ground.judge_at_last(&first, self.destroys).expect("it is right when nobody disturbs it");
        calls
    }

    /// The cases of one campaign: each point alone, some pairs, and some after which everything is to go.
    fn cases(&self, dice: &mut fastrand::Rng, sample: Option<usize>) -> Vec<Case> {
        let calls = self.calls();
        let both = |nth| [When::Before, When::After].map(|when| Point { nth, when });
        let points: Vec<Point> = (1..=calls).flat_map(both).collect();
        let singles = match sample {
            None => points.clone(),
            Some(count) => dice.choose_multiple(points.iter().copied(), count),
        };
        let mut any = || points[dice.usize(..points.len())];
        let more = 0..singles.len().div_ceil(5);
        let pairs: Vec<_> = more.clone().map(|_| Case { points: vec![any(), any()], undone: false }).collect();
        let undone: Vec<_> = more.map(|_| Case { points: vec![any()], undone: true }).collect();
        let singles = singles.into_iter().map(|point| Case { points: vec![point], undone: false });
        singles.chain(pairs).chain(undone.into_iter().filter(|_| !self.destroys)).collect()
    }
}

/// Runs what was asked for of a scenario, several worlds at once: a sample of so many points where nothing was asked for,
/// and every point where it has no sample.
// The harness shows what a failed test printed, and the figures to whoever asks for them with `--nocapture`.
#[allow(clippy::print_stdout)]
fn campaign(scenario: &'static Scenario, sample: Option<usize>, hands: usize) {
    let asked = std::env::var("KROUTES_CAMPAIGN").unwrap_or_default();
    let seed = std::env::var("KROUTES_CAMPAIGN_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    let mut dice = fastrand::Rng::with_seed(seed);
    let start = Instant::now();
    let cases = match asked.as_str() {
        "" => scenario.cases(&mut dice, sample),
        "all" => scenario.cases(&mut dice, None),
        one => match one.split_once(':') {
            Some((name, points)) if name == scenario.name => {
                vec![Case::read(points).expect("a case")]
            }
            _ => return,
        },
    };
    let (next, missed, violations) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..hands {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // What the harness itself stumbles over must not lose the name of the case.
                    let ended = catch_unwind(AssertUnwindSafe(|| scenario.run(case)));
                    match ended.unwrap_or_else(|_| Err("the harness panicked, see above".to_owned())) {
                        Ok(true) => {}
                        Ok(false) => drop(missed.fetch_add(1, Ordering::Relaxed)),
                        Err(why) => {
                            violations.lock().expect("no panic").push((format!("{}:{case}", scenario.name), why));
                        }
                    }
                }
            });
        }
    });
    let violations = violations.into_inner().expect("no panic");
    let (name, count, missed) = (scenario.name, cases.len(), missed.into_inner());
    println!(
        "{name}: {count} cases, of which {missed} ended before their point; {} violations, {:.1} s, seed {seed}",
        violations.len(),
        start.elapsed().as_secs_f64()
    );
    for (case, why) in &violations {
        println!("\n{case}: {why}\nagain: KROUTES_CAMPAIGN={case} cargo test -p kroutes --test main campaign::crash");
    }
    // A second run has less to do, so its point may lie behind its end; but a campaign that kills nobody shows nothing.
    assert!(missed * 4 <= count || count == 1, "{missed} of {count} cases of {name} ended before their point");
    assert!(violations.is_empty(), "{} of {count} cases of {name}, seed {seed}", violations.len());
}

#[test]
fn an_apply_on_ec2_that_was_killed_at_any_call_is_completed_by_the_next() {
    campaign(&ec2::APPLY, None, 4);
}

#[test]
fn an_apply_under_a_claim_that_was_killed_at_any_call_is_completed_by_the_next() {
    campaign(&ec2::CLAIMED, None, 4);
}

#[test]
fn a_destroy_on_ec2_that_was_killed_at_any_call_is_completed_by_the_next() {
    campaign(&ec2::DESTROY, None, 4);
}

#[test]
fn an_apply_on_google_cloud_that_was_killed_at_any_call_is_completed_by_the_next() {
    campaign(&compute::APPLY, Some(60), 24);
}

#[test]
fn replacements_that_were_killed_at_any_call_are_completed_by_the_next_run_or_undone_by_a_destroy() {
    campaign(&compute::MOVED, Some(20), 24);
}

#[test]
fn a_destroy_on_google_cloud_that_was_killed_at_any_call_is_completed_by_the_next() {
    campaign(&compute::DESTROY, Some(30), 24);
}
