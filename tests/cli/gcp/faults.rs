//! What goes wrong in the middle: refused now or later, throttled, lost, late, cut short, and never finished.

use std::time::Duration;

use kroutes_lab::{Fault, FaultKind, Options};

use crate::cli::world::compute::{address, options, seed, topology};
use crate::cli::world::{Ran, World, assert_snapshot, transcript};

fn impatient(workers: usize) -> World {
    let text = topology(workers).replace("[gcp]\n", "[gcp]\noperation-timeout = 1\n");
    World::new_gcp(&text, seed(workers), options())
}

fn outcomes(run: &Ran, outcome: &str) -> usize {
    let report = run.json();
    let changes = report["tables"][0]["changes"].as_array().expect("changes");
    changes.iter().filter(|change| change["outcome"] == outcome).count()
}

/// kubernetes-sigs/cloud-provider-azure#11003 and #11007: a failed write was reported as success for two years.
#[test]
fn a_write_that_is_refused_reaches_the_report_and_the_exit_code_and_what_was_done_is_told() {
    for permission in ["compute.routes.create", "compute.networks.updatePolicy"] {
        let world = World::gcp(3);
        world.lab.change(|cloud| cloud.denied.insert(permission.to_owned()));
        let run = world.run("apply").code(1).says(&format!("Required '{permission}' permission"));
        assert!(world.lab.log().is_empty());
        assert_snapshot(&format!("gcp-denied-{permission}"), &transcript([&run]));
    }
    let world = World::gcp(3);
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("routes.insert").after(1).times(1));
    let run = world.run("apply -o json").code(1);
    assert_eq!((outcomes(&run, "done"), outcomes(&run, "failed") + outcomes(&run, "skipped")), (2, 1), "{run}");
    assert_eq!(run.json()["ok"], false);
    assert_eq!(world.lab.log().len(), 2);
    world.run("apply").code(0);
    world.assert_all_lead(3, address);
}

/// kubernetes/kubernetes#17627 and #41671: an exhausted quota was tried again for ever.
#[test]
fn an_exhausted_quota_shows_in_the_operation_and_is_final() {
    let options = Options { network_routes_limit: 3, ..options() };
    let world = World::new_gcp(&topology(5), seed(5), options);
    let run = world.run("apply").code(1).says("STATIC_ROUTES_PER_NETWORK");
    assert!(world.calls("routes.insert") <= 5, "{:?}", world.lab.calls());
    assert_eq!(world.lab.log().len(), 3);
    let again = world.run("apply -o json").code(1);
    assert_eq!(outcomes(&again, "done"), 0);
    assert_eq!(outcomes(&again, "failed") + outcomes(&again, "skipped"), 2, "{again}");
    assert!(run.out.contains("exceeded"), "{run}");
}

#[test]
fn a_quota_that_is_known_is_told_before_any_write() {
    let world = World::gcp(5);
    world.write("kroutes.toml", topology(5).replace("[gcp]\n", "[gcp]\nroutes-limit = 3\n"));
    let plan = world.run("plan").code(0);
    let said: Vec<_> = plan.out.lines().filter(|line| line.contains("static routes")).collect();
    assert_snapshot("gcp-quota-warning", &said.join("\n"));
}

/// kubernetes-sigs/external-dns#104: one throttled call stopped the program. Google's rates come back with the next minute
/// and not before, so whoever asks again within it only makes it worse.
#[test]
fn a_rate_that_is_used_up_is_waited_for_and_not_hammered() {
    let world = World::gcp(3);
    world.lab.add_fault(Fault::new(FaultKind::Throttle).on("routes.insert"));
    let run = world.run("apply --timeout 3s -o json").code(1).says("not done within 3s");
    // Three routes are asked for at once; a minute may begin while they wait.
    assert!((1..=6).contains(&world.calls("routes.insert")), "{:?}", world.lab.calls());
    assert_eq!(outcomes(&run, "done"), 0, "{run}");
    assert!(world.lab.log().is_empty());
}

#[test]
fn when_too_many_operations_are_under_way_the_others_wait_for_their_end() {
    let options = Options { concurrent_operations: Some(2), operation_delay: Duration::from_millis(100), ..options() };
    let world = World::new_gcp(&topology(6), seed(6), options);
    world.run("apply").code(0).says("Verdict: as wanted");
    world.assert_all_lead(6, address);
    assert_eq!(world.lab.most_operations(), 2);
}

/// "There is a peering operation in
/// progress", a 400 that is over in a moment, was treated as a bad request by others.
#[test]
fn a_call_that_fails_for_a_moment_is_tried_again() {
    let error =
        |status, code: &str, message: &str| FaultKind::Error { status, code: code.into(), message: message.into() };
    let everywhere = [FaultKind::ServerError, FaultKind::DropBefore, FaultKind::CutShort];
    let reads = ["networks.get", "routes.list", "instances.aggregatedList", "globalOperations.list"];
    let mut rows: Vec<(FaultKind, &str)> = Vec::new();
    for action in reads.into_iter().chain(["routes.insert"]) {
        rows.extend(everywhere.iter().map(|kind| (kind.clone(), action)));
    }
    let peering = "There is a peering operation in progress on the local or peer network. Try again later.";
    rows.push((error(400, "badRequest", peering), "routes.insert"));
    let not_ready = "The resource 'projects/hard-way/global/networks/kubernetes' is not ready";
    rows.push((error(400, "resourceNotReady", not_ready), "routes.insert"));
    for (kind, action) in rows {
        let options = Options { operation_delay: Duration::from_millis(50), ..options() };
        let world = World::new_gcp(&topology(2), seed(2), options);
        world.lab.add_fault(Fault::new(kind.clone()).on(action).times(1));
        let run = world.run("apply").code(0);
        assert!(run.out.contains("Verdict: as wanted"), "{kind:?} on {action}: {run}");
        world.assert_all_lead(2, address);
    }
}

/// A create that had succeeded came back as an error after a dropped connection; and kubernetes/kubernetes#38701, where
/// any 409 counted as success.
#[test]
fn a_write_that_happened_although_its_answer_was_lost_is_settled_and_made_once() {
    for kind in [FaultKind::DropAfter, FaultKind::ServerErrorAfter, FaultKind::CutShort] {
        let world = World::gcp(3);
        world.lab.add_fault(Fault::new(kind.clone()).on("routes.insert").times(1));
        let run = world.run("apply").code(0);
        assert!(run.out.contains("Verdict: as wanted"), "{kind:?}: {run}");
        world.assert_all_lead(3, address);
        assert_eq!(world.lab.log().len(), 3, "{kind:?}");
        world.lab.add_fault(Fault::new(kind.clone()).on("routes.delete").times(1));
        world.run("destroy --yes").code(0);
        assert!(world.to("10.200.0.0/24").is_empty());
        assert_eq!(world.lab.log().len(), 6, "{kind:?}");
    }
}

#[test]
fn an_operation_that_never_ends_is_waited_for_within_bounds_and_reported_unconfirmed() {
    let world = impatient(3);
    world.lab.add_fault(Fault::new(FaultKind::OperationStuck).on("routes.insert").times(1));
    let run = world.run("apply -o json").code(1);
    assert_eq!((outcomes(&run, "done"), outcomes(&run, "unconfirmed")), (2, 1), "{run}");
    assert_eq!(run.json()["ok"], false);
    world.lab.clear_faults();
    // It still holds the name, and may yet make its route: the next run waits for it too, and then neither makes a second
    // one beside it nor says that nothing is there.
    for command in ["apply -o json", "destroy --yes -o json"] {
        let again = world.run(command).code(1);
        let error = again.json()["tables"][0]["error"]["message"].to_string();
        assert!(error.contains("operation"), "{again}");
    }
    assert_eq!(world.lab.log().len(), 2);
}

/// It is done, and nobody can be asked about it: what was written is found by reading.
#[test]
fn an_operation_that_vanishes_is_settled_by_reading() {
    let world = impatient(3);
    world.lab.add_fault(Fault::new(FaultKind::OperationLost).on("routes.insert").times(1));
    world.run("apply").code(0).says("Verdict: as wanted");
    world.assert_all_lead(3, address);
    world.lab.add_fault(Fault::new(FaultKind::OperationLost).on("routes.delete").times(1));
    world.run("destroy --yes").code(0);
    assert!(world.to("10.200.0.0/24").is_empty());
}

#[test]
fn an_operation_that_fails_for_a_moment_is_asked_for_anew_and_one_that_fails_for_good_is_told() {
    let kind = |status, code: &str, message: &str| FaultKind::OperationError {
        status,
        code: code.into(),
        message: message.into(),
    };
    let world = World::gcp(2);
    let busy = kind(
        503,
        "RESOURCE_OPERATION_RATE_EXCEEDED",
        "Operation rate exceeded for resource. Too frequent operations from the source resource.",
    );
    world.lab.add_fault(Fault::new(busy).on("routes.insert").times(1));
    world.run("apply").code(0);
    world.assert_all_lead(2, address);

    let world = World::gcp(2);
    let broken = kind(400, "INVALID_USAGE", "Invalid resource usage: 'no such thing'.");
    world.lab.add_fault(Fault::new(broken).on("routes.insert").after(1).times(1));
    let run = world.run("apply").code(1).says("INVALID_USAGE");
    assert_eq!(world.lab.log().len(), 1);
    let shown = transcript([&run]);
    assert!(shown.contains("no such thing"), "{shown}");
}

/// The next call after a create did not see it yet.
#[test]
fn a_listing_that_lags_is_waited_for_before_it_is_believed() {
    let options = Options { lag: Duration::from_millis(1500), ..options() };
    let world = World::new_gcp(&topology(3), seed(3), options);
    world.run("apply").code(0).says("Verdict: as wanted");
    world.assert_all_lead(3, address);
    world.run("destroy --yes").code(0);
    assert!(world.to("10.200.0.0/24").is_empty());
}

#[test]
fn html_in_place_of_an_answer_to_a_write_is_no_success() {
    let world = World::gcp(2);
    world.lab.add_fault(Fault::new(FaultKind::Html).on("routes.insert"));
    let run = world.run("apply -o json").code(1);
    assert_eq!(outcomes(&run, "done"), 0, "{run}");
    assert!(world.lab.log().is_empty());
}

#[test]
fn a_listing_whose_second_page_fails_is_an_error_and_nothing_is_deleted() {
    let world = World::new_gcp(&topology(3), seed(3), Options { empty_pages: true, ..options() });
    world.run("apply").code(0);
    world.write("kroutes.toml", topology(1));
    let before = world.project_routes();
    // Each listing has two pages here.
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("routes.list").after(1));
    world.run("apply --prune --yes").code(1);
    world.lab.clear_faults();
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("routes.list").after(1));
    world.run("destroy --yes").code(1);
    assert_eq!(world.project_routes(), before);
}
