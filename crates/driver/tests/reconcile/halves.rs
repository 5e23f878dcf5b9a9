//! Changes that take several writes, and what is said of one that was done in part.

use kroutes_core::memory::{Call, Character, Failure};
use kroutes_core::{Error, ErrorKind};

use super::{Scene, at, outcome, refused};

/// A cloud like Google's whose first destination has so many routes, the first of them wanted if `right`, and all others
/// to another machine.
fn surplus(right: bool, wrong: usize) -> Scene {
    let mut scene = Scene::of(2, Character::gcp());
    scene.settings.max_deletes = Some("100%".parse().expect("a limit"));
    let table = scene.backend.table();
    let machine = |nth: usize| scene.backend.machine_of(&scene.topology.workers()[nth]).expect("a machine").id;
    for to in right.then_some(0).into_iter().chain(std::iter::repeat_n(1, wrong)) {
        let route = scene.backend.our_route("10.200.0.0/24".parse().expect("net"), &machine(to));
        scene.backend.plant(&table, route);
    }
    scene
}

/// Of what was done in part nobody may say that it was not begun.
#[tokio::test(start_paused = true)]
async fn a_change_of_several_writes_that_is_interrupted_between_them_has_failed() {
    // The gate refuses what waits in it; a write that has not been given to it yet is not sent at all.
    for (right, stopped_at, sent) in [(true, 1, 1), (true, 2, 2), (false, 1, 1), (false, 2, 2)] {
        let scene = surplus(right, 3);
        let stop = scene.settings.stop.clone();
        scene.backend.before(Call::Delete, stopped_at, move |_| stop.stop());
        if stopped_at == 2 {
            let refused = Error::new(ErrorKind::Interrupted, "the gate was closed");
            scene.backend.fail(Failure::of(Call::Delete, refused).from_nth(2).for_ever());
        }
        let report = scene.apply().await;
        assert_eq!(scene.backend.calls(Call::Delete), sent);
        let outcome = outcome(&report, "10.200.0.0/24");
        assert_eq!(outcome.as_str(), "failed", "{right} {stopped_at}: {outcome:?}");
        let error = outcome.error().expect("an error");
        assert!(error.to_string().contains("interrupted after the first of several writes"), "{error}");
        assert!(error.get("help").is_some_and(|help| help.contains("run kroutes again")), "{error:?}");
        let table = report.after.tables[0].table.as_ref().expect("a table");
        let left = table.routes.iter().filter(|route| route.destination == at("10.200.0.0/24")).count();
        let really = scene.backend.routes(&scene.backend.table());
        assert_eq!(
            left,
            really.iter().filter(|route| route.destination == at("10.200.0.0/24")).count(),
            "not read back"
        );
    }
}

/// What was interrupted before its first write was not begun; after its last one it is done.
#[tokio::test(start_paused = true)]
async fn a_change_of_several_writes_is_skipped_before_the_first_and_done_after_the_last() {
    let scene = surplus(true, 2);
    let stop = scene.settings.stop.clone();
    scene.backend.before(Call::Create, 1, move |_| stop.stop());
    assert_eq!(outcome(&scene.apply().await, "10.200.0.0/24").as_str(), "skipped");
    let scene = surplus(true, 2);
    let stop = scene.settings.stop.clone();
    scene.backend.before(Call::Delete, 2, move |_| stop.stop());
    assert_eq!(outcome(&scene.apply().await, "10.200.0.0/24").as_str(), "done");
}

/// Somebody else did the rest meanwhile.
#[tokio::test(start_paused = true)]
async fn a_change_of_which_a_part_was_done_is_done_if_reading_back_shows_all_of_it() {
    for right in [true, false] {
        let scene = surplus(right, 2);
        let (stop, table) = (scene.settings.stop.clone(), scene.backend.table());
        let other = scene.backend.machine_of(&scene.topology.workers()[1]).expect("a machine").id;
        let wrong = scene.backend.our_route("10.200.0.0/24".parse().expect("net"), &other).next_hops;
        scene.backend.before(Call::Delete, 1, move |_| stop.stop());
        scene.backend.before(Call::List, if right { 2 } else { 1 }, move |backend| {
            backend.edit(&table, |routes| {
                routes.retain(|route| route.destination != at("10.200.0.0/24") || route.next_hops != wrong);
            });
        });
        let report = scene.apply().await;
        assert_eq!(outcome(&report, "10.200.0.0/24").as_str(), "done", "{right}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_between_the_writes_of_a_change_is_told_with_what_was_done() {
    let scene = surplus(true, 2);
    scene.backend.fail(Failure::of(Call::Delete, refused(ErrorKind::PermissionDenied)).from_nth(2));
    let report = scene.apply().await;
    let error = outcome(&report, "10.200.0.0/24").error().expect("an error");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("the first of several writes was made"), "{error}");
}
