//! What `doctor` asks: who we are, what we may do, and who else writes here.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use kroutes_core::{Check, CheckGroup, CheckStatus, Error, ErrorKind, Gate, Result, RouteBackend, Worker};
use kroutes_gcp::{Connection, GcpBackend, role};
use kroutes_lab::model::compute;
use kroutes_lab::{Fault, FaultKind, Lab, Options, allowed_by_policy};
use serde_json::json;

use crate::bench::{
    Bench, NAME, OTHER, POD, cluster, counts, impatient, nameless_addresses, open_at, pod, route, seed, settings,
    theirs, via, workers,
};
use crate::stub::{Stub, reply};

/// What our routes bear.
const MARK: &str = "kroutes cluster=kubernetes";
const POLICY: &str = "compute.networks.updatePolicy";
const LIST_OPERATIONS: &str = "compute.globalOperations.list";
const GET_OPERATION: &str = "compute.globalOperations.get";

/// The printed role, as a cloud reads it.
fn permissions() -> BTreeSet<String> {
    allowed_by_policy(&role()).expect("a role")
}

/// A bench on which nothing is allowed but this.
async fn with_only(allowed: BTreeSet<String>, operation_delay: Duration) -> Bench {
    Bench::with(seed(2), Options { allowed: Some(allowed), operation_delay, ..Options::default() }, impatient()).await
}

async fn without(permissions_left_out: &[&str], operation_delay: Duration) -> Bench {
    let mut allowed = permissions();
    for permission in permissions_left_out {
        assert!(allowed.remove(*permission), "{permission} is none of the role's");
    }
    with_only(allowed, operation_delay).await
}

/// All that is ever done to a network: read, make, replace, remove what is stale, remove the rest, read.
async fn live(bench: &Bench, workers: &[Worker]) -> Result<()> {
    let read = async || -> Result<usize> {
        let mut observation = bench.backend.observe(workers).await?;
        if let Some(error) = observation.next_hops.into_values().find_map(Result::err) {
            return Err(error);
        }
        let table = observation.tables.remove(0).table?;
        Ok(table.routes.iter().filter(|route| route.marked).count())
    };
    let listed = async |cidr: &str| bench.entries(cidr).await.remove(0);
    assert_eq!(read().await?, 0);
    bench.try_create(POD, 0).await?;
    bench.try_create(&pod(1), 0).await?;
    bench.backend.replace_route(&bench.table, &listed(&pod(1)).await, &route(&pod(1), 1)).await?;
    bench.backend.delete_route(&bench.table, &listed(&pod(1)).await, None).await?;
    assert_eq!(read().await?, 1);
    bench.backend.delete_route(&bench.table, &listed(POD).await, None).await?;
    assert_eq!(read().await?, 0);
    Ok(())
}

/// The checks of a backend that has observed what it could.
async fn examined(bench: &Bench, workers: &[Worker]) -> Vec<Check> {
    let observation = bench.backend.observe(workers).await.ok();
    bench.calls();
    let checks = bench.backend.examine(observation.as_ref()).await;
    is_fit_to_be_shown(&checks);
    checks
}

fn is_fit_to_be_shown(checks: &[Check]) {
    for check in checks {
        assert_eq!(check.remedy.is_some(), check.status != CheckStatus::Pass, "{check:?}");
        let text = format!("{check:?}");
        assert!(!text.contains("ya29") && !text.contains("PRIVATE KEY") && !text.contains("1//lab"), "{text}");
    }
}

fn named(checks: &[Check], status: CheckStatus) -> Vec<&str> {
    checks.iter().filter(|check| check.status == status).map(|check| check.name.as_str()).collect()
}

fn one<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no `{name}` in {checks:#?}"))
}

#[tokio::test]
async fn with_exactly_the_printed_role_a_whole_life_works_and_nothing_is_missing() {
    let bench = with_only(permissions(), Duration::from_millis(300)).await;
    live(&bench, &nameless_addresses(2)).await.expect("the role is enough");
    let before = bench.lab.log().len();
    let checks = examined(&bench, &workers(2)).await;
    assert_eq!(named(&checks, CheckStatus::Fail), Vec::<&str>::new(), "{checks:#?}");
    assert_eq!(named(&checks, CheckStatus::Warn), [POLICY], "{checks:#?}");
    let asked: BTreeSet<String> =
        checks.iter().filter(|check| check.group == CheckGroup::Permissions).map(|check| check.name.clone()).collect();
    assert_eq!(asked, permissions());
    assert_eq!(bench.lab.log().len(), before, "it changed something");
    let expected = [
        ("networks.get", 1),
        ("routes.list", 1),
        ("instances.aggregatedList", 1),
        ("routes.testIamPermissions", 4),
        ("globalOperations.list", 1),
        ("globalOperations.get", 1),
    ];
    assert_eq!(bench.calls(), counts(&expected));
}

/// Every one is needed, and is the one that is told.
#[tokio::test]
async fn each_permission_that_is_left_out_fails_something_and_is_named() {
    for left_out in permissions() {
        let bench = without(&[&left_out], Duration::ZERO).await;
        let lived = live(&bench, &nameless_addresses(2)).await;
        let comfort = [LIST_OPERATIONS, GET_OPERATION].contains(&left_out.as_str());
        if comfort {
            // What becomes worse without them stands in tests of its own.
            lived.unwrap_or_else(|error| panic!("{left_out}: {error}"));
        } else {
            let error: Error = lived.expect_err(&left_out);
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{left_out}: {error}");
            assert!(error.message().contains(&format!("'{left_out}'")), "{left_out}: {error}");
        }
        let checks = examined(&bench, &nameless_addresses(2)).await;
        let (failed, warned) = (named(&checks, CheckStatus::Fail), named(&checks, CheckStatus::Warn));
        if left_out == POLICY {
            // Nobody can ask for it, so it is never said to be there either.
            assert_eq!((failed.len(), warned), (0, vec![POLICY]));
        } else if comfort {
            let warned: BTreeSet<_> = warned.into_iter().collect();
            assert_eq!((failed.len(), warned), (0, BTreeSet::from([left_out.as_str(), POLICY])));
        } else {
            assert_eq!(failed, [left_out.as_str()], "{checks:#?}");
        }
        let check = one(&checks, &left_out);
        if left_out != POLICY {
            assert!(check.message.starts_with("not allowed: "), "{check:?}");
            let remedy = check.remedy.as_deref().expect("remedy");
            assert!(remedy.contains(&format!("grant `{left_out}`")), "{check:?}");
        }
    }
}

const ON_ROUTES: [&str; 3] = ["compute.routes.create", "compute.routes.delete", "compute.routes.get"];

/// What Google says of the permissions on a route that is not there is written down nowhere.
#[tokio::test]
async fn nothing_granted_on_a_route_that_is_not_there_is_not_known_to_be_missing() {
    let bench = without(&ON_ROUTES, Duration::ZERO).await;
    let checks = examined(&bench, &workers(1)).await;
    assert_eq!(named(&checks, CheckStatus::Fail), Vec::<&str>::new(), "{checks:#?}");
    for name in ON_ROUTES {
        let check = one(&checks, name);
        assert!(check.message.starts_with("could not be found out: "), "{check:?}");
        assert!(check.message.contains("`kubernetes-route-10-200-0-0-24`, which is not there"), "{check:?}");
    }
    // Of another network's routes, and of those of others here, nothing is known about ours.
    bench.put("elsewhere", compute::Route { description: MARK.to_owned(), ..theirs(OTHER, &pod(3), via(0)) });
    bench.put("somebodys", theirs(NAME, &pod(4), via(0)));
    let checks = examined(&bench, &workers(1)).await;
    assert_eq!(named(&checks, CheckStatus::Fail), Vec::<&str>::new(), "{checks:#?}");

    bench.put("ours", compute::Route { description: MARK.to_owned(), ..theirs(NAME, &pod(3), via(0)) });
    let failed = examined(&bench, &workers(1)).await;
    let failed: BTreeSet<&str> = named(&failed, CheckStatus::Fail).into_iter().collect();
    assert_eq!(failed, BTreeSet::from(ON_ROUTES), "a route that is there answers for itself");
}

/// One that is granted shows that the question is answered on that name.
#[tokio::test]
async fn what_is_missing_beside_something_granted_is_missing() {
    for granted in ON_ROUTES {
        let missing: Vec<&str> = ON_ROUTES.into_iter().filter(|name| *name != granted).collect();
        let checks = examined(&without(&missing, Duration::ZERO).await, &workers(1)).await;
        let failed: BTreeSet<&str> = named(&checks, CheckStatus::Fail).into_iter().collect();
        assert_eq!(failed, missing.into_iter().collect(), "{granted}");
        assert_eq!(one(&checks, granted).status, CheckStatus::Pass);
    }
}

/// A cloud that answers for what it has, and for nothing else.
#[tokio::test]
async fn a_route_of_ours_is_the_one_that_is_asked() {
    let stub = Stub::start(|line, body| {
        let network = "projects/lab/global/networks/kubernetes";
        let mine = json!({"name": "by-hand", "network": network, "destRange": "10.200.7.0/24", "description": MARK,
            "selfLink": "projects/lab/global/routes/by-hand"});
        let answer = match line {
            line if line.contains("/routes/by-hand/testIamPermissions") => body.parse().expect("JSON"),
            line if line.contains("/testIamPermissions") => json!({}),
            line if line.contains("/global/routes") => json!({"kind": "compute#routeList", "items": [mine]}),
            _ => json!({"name": NAME, "selfLink": network}),
        };
        reply(200, &answer.to_string())
    })
    .await;
    let (backend, _) = open_at(&stub.url, &settings("lab", NAME), impatient()).await;
    let checks = backend.examine(None).await;
    for name in ON_ROUTES {
        assert_eq!(one(&checks, name).status, CheckStatus::Pass, "{checks:#?} {:?}", stub.asked());
    }
}

/// Either way of following a write is enough; with neither its end is not seen.
#[tokio::test]
async fn without_both_permissions_on_operations_a_write_that_takes_time_is_left_open() {
    let delay = Duration::from_millis(1500);
    let create = async |left_out: &[&str]| {
        let bench = without(left_out, delay).await;
        let made = bench.try_create(POD, 0).await;
        (made, bench.calls())
    };
    let (list, get, both) =
        tokio::join!(create(&[LIST_OPERATIONS]), create(&[GET_OPERATION]), create(&[LIST_OPERATIONS, GET_OPERATION]));
    list.0.expect("followed by name");
    assert!(list.1["globalOperations.get"] > 0, "{:?}", list.1);
    get.0.expect("followed by listings");
    assert_eq!(get.1.get("globalOperations.get"), None);
    assert!(both.0.expect_err("nobody saw its end").is_ambiguous());
}

#[tokio::test]
async fn without_instances_it_is_bad_only_for_workers_without_an_address() {
    let instances = "compute.instances.list";
    let bench = without(&[instances], Duration::ZERO).await;
    let checks = examined(&bench, &workers(2)).await;
    assert_eq!(one(&checks, instances).status, CheckStatus::Warn);
    let checks = examined(&bench, &nameless_addresses(2)).await;
    assert_eq!(one(&checks, instances).status, CheckStatus::Fail);
    let checks = bench.backend.examine(None).await;
    assert_eq!(one(&checks, instances).status, CheckStatus::Fail);
}

#[tokio::test]
async fn a_token_that_is_refused_is_one_failure_with_a_remedy_and_nothing_more_is_asked() {
    let bench = Bench::new(1).await;
    bench.lab.revoke_tokens();
    let checks = bench.backend.examine(None).await;
    is_fit_to_be_shown(&checks);
    assert_eq!(
        (named(&checks, CheckStatus::Fail), named(&checks, CheckStatus::Warn)),
        (vec!["identity"], vec!["not-asked"])
    );
    let identity = one(&checks, "identity");
    assert_eq!(identity.group, CheckGroup::Credentials);
    assert!(identity.message.contains("does not accept the credentials from a ready token"), "{identity:?}");
    assert!(identity.remedy.as_deref().is_some_and(|remedy| remedy.contains("print-access-token")), "{identity:?}");
    assert_eq!(bench.calls(), counts(&[("networks.get", 1)]));
}

#[tokio::test]
async fn a_ready_token_that_works_is_said_to_show_nobody() {
    let checks = examined(&Bench::new(1).await, &workers(1)).await;
    let identity = one(&checks, "identity");
    assert_eq!(identity.status, CheckStatus::Pass);
    assert!(identity.message.starts_with("Google accepts the credentials from a ready token"), "{identity:?}");
}

#[tokio::test]
async fn an_api_that_is_off_is_one_failure_and_no_missing_permission() {
    let bench = Bench::new(1).await;
    bench.lab.change(|cloud| cloud.compute.enabled = false);
    let checks = bench.backend.examine(None).await;
    let short: Vec<_> = checks.iter().map(|check| (check.group, check.status)).collect();
    assert_eq!(short, [(CheckGroup::Credentials, CheckStatus::Pass), (CheckGroup::Permissions, CheckStatus::Fail)]);
    assert!(checks[1].remedy.as_deref().is_some_and(|remedy| remedy.contains("gcloud services enable")), "{checks:?}");
}

/// A 403 may be about another permission than the call's own, such as the one to use a project's quota.
#[tokio::test]
async fn a_refusal_that_is_about_something_else_is_no_missing_permission() {
    let message = "Required 'serviceusage.services.use' permission for 'projects/lab'";
    let kind = FaultKind::Error { status: 403, code: "forbidden".to_owned(), message: message.to_owned() };
    let bench = Bench::new(1).await;
    bench.lab.add_fault(Fault::new(kind.clone()).on("routes.list"));
    let checks = bench.backend.examine(None).await;
    assert_eq!(named(&checks, CheckStatus::Fail), Vec::<&str>::new());
    let list = one(&checks, "compute.routes.list");
    assert!(list.message.contains("could not be found out") && list.message.contains("serviceusage"), "{list:?}");

    bench.lab.add_fault(Fault::new(kind).on("networks.get"));
    let checks = bench.backend.examine(None).await;
    assert_eq!(named(&checks, CheckStatus::Fail), ["not-asked"]);
    assert!(one(&checks, "not-asked").message.contains("'serviceusage.services.use'"), "{checks:?}");
}

/// One dead endpoint is waited for once.
#[tokio::test]
async fn what_does_not_answer_or_answers_nonsense_ends_in_checks_and_soon() {
    for kind in [FaultKind::Html, FaultKind::Hang, FaultKind::ServerError, FaultKind::DropBefore, FaultKind::CutShort] {
        let bench = Bench::new(1).await;
        bench.lab.add_fault(Fault::new(kind.clone()));
        let asked = tokio::time::timeout(Duration::from_mins(1), bench.backend.examine(None));
        let checks = asked.await.unwrap_or_else(|_| panic!("{kind:?} never ended"));
        is_fit_to_be_shown(&checks);
        let short: Vec<_> = checks.iter().map(|check| (check.group, check.status)).collect();
        let open = [(CheckGroup::Credentials, CheckStatus::Warn), (CheckGroup::Permissions, CheckStatus::Warn)];
        assert_eq!(short, open, "{kind:?}: {checks:#?}");
        let calls = bench.calls();
        assert_eq!(calls.keys().collect::<Vec<_>>(), ["networks.get"], "{kind:?}");
    }
    // Nobody listens on port 1.
    let (backend, _) = open_at("http://127.0.0.1:1/compute/v1/", &settings("lab", NAME), impatient()).await;
    let checks = backend.examine(None).await;
    is_fit_to_be_shown(&checks);
    assert_eq!(named(&checks, CheckStatus::Warn), ["identity", "not-asked"]);
}

/// What cannot be asked is not known, and says nothing of its neighbours.
#[tokio::test]
async fn a_question_that_fails_leaves_its_own_permission_open_and_no_other() {
    let rows: [(&str, &[&str]); 5] = [
        (
            "routes.testIamPermissions",
            &["compute.routes.create", POLICY, "compute.routes.delete", "compute.routes.get"],
        ),
        ("routes.list", &["compute.routes.list", POLICY, "not-asked"]),
        ("instances.aggregatedList", &["compute.instances.list", POLICY]),
        ("globalOperations.list", &[POLICY, LIST_OPERATIONS]),
        ("globalOperations.get", &[POLICY, GET_OPERATION]),
    ];
    let unauthenticated =
        FaultKind::Error { status: 401, code: "authError".to_owned(), message: "Invalid Credentials".to_owned() };
    for (action, open) in rows {
        for kind in [FaultKind::Html, unauthenticated.clone()] {
            let bench = Bench::new(1).await;
            bench.lab.add_fault(Fault::new(kind.clone()).on(action));
            let checks = bench.backend.examine(None).await;
            is_fit_to_be_shown(&checks);
            assert_eq!(named(&checks, CheckStatus::Fail), Vec::<&str>::new(), "{action} {kind:?}");
            assert_eq!(named(&checks, CheckStatus::Warn), open, "{action} {kind:?}");
        }
    }
}

#[tokio::test]
async fn a_network_that_is_not_there_is_no_missing_permission() {
    let bench = Bench::new(1).await;
    let project = bench.lab.project();
    let (backend, _) = open_at(&bench.lab.compute_endpoint(), &settings(&project, "nowhere"), impatient()).await;
    let checks = backend.examine(None).await;
    assert_eq!(named(&checks, CheckStatus::Fail), Vec::<&str>::new());
    assert_eq!(named(&checks, CheckStatus::Warn), ["compute.networks.get", POLICY]);
    assert_eq!(one(&checks, "identity").status, CheckStatus::Pass);
}

#[tokio::test]
async fn a_stopped_run_asks_nothing_and_says_so() {
    let bench = Bench::new(1).await;
    bench.gate.stopper().stop();
    let checks = bench.backend.examine(None).await;
    assert_eq!(named(&checks, CheckStatus::Warn), ["identity", "not-asked"]);
    assert_eq!(bench.calls(), counts(&[]));
}

#[tokio::test]
async fn other_writers_are_told_by_their_marks_and_only_those_of_this_network() {
    let bench = Bench::new(1).await;
    let put = |name: &str, network: &str, cidr: &str, description: &str| {
        let description = description.to_owned();
        bench.put(name, compute::Route { description, ..theirs(network, cidr, via(0)) });
    };
    put("elsewhere", OTHER, &pod(3), "k8s-node-route");
    put("elsewhere-too", OTHER, POD, "kroutes cluster=staging");
    let writers = |checks: Vec<Check>| {
        let of_writers = checks.into_iter().filter(|check| check.group == CheckGroup::Writers);
        of_writers.map(|check| (check.name, check.status, check.message)).collect::<Vec<_>>()
    };
    bench.create(&pod(1), 0).await;
    let nobody = writers(examined(&bench, &workers(1)).await);
    assert_eq!((nobody.len(), nobody[0].1), (1, CheckStatus::Pass), "{nobody:?}");

    put("kubernetes-abc", NAME, &pod(3), "k8s-node-route");
    put("kubernetes-def", NAME, &pod(4), "k8s-node-route");
    put("staging-route", NAME, "10.200.0.0/25", "kroutes cluster=staging");
    put("testing-route", NAME, &pod(9), "kroutes cluster=testing");
    let found = writers(examined(&bench, &workers(1)).await);
    let short: Vec<_> = found.iter().map(|(name, status, _)| (name.as_str(), *status)).collect();
    let expected = [
        ("kubernetes-routes", CheckStatus::Warn),
        ("other-cluster", CheckStatus::Fail),
        ("other-cluster", CheckStatus::Warn),
    ];
    assert_eq!(short, expected, "{found:#?}");
    assert!(found[0].2.starts_with("2 routes"), "{found:#?}");
    assert!(found[1].2.contains("cluster `staging`") && found[1].2.contains("pod CIDR `10.200.0.0/24`"), "{found:#?}");
    assert!(found[2].2.contains("cluster `testing`"), "{found:#?}");
}

/// Set for the child alone; the project.
const CHILD: &str = "KROUTES_TEST_EXAMINING_CHILD";

/// A process has one environment, so these run this program again, as those of `credentials` do.
#[test]
#[ignore = "the other tests of this file run it, in an environment of its own"]
fn the_child() {
    let Ok(project) = std::env::var(CHILD) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let checks = runtime.block_on(async {
        let gate = Arc::new(Gate::new(impatient()));
        let opened = GcpBackend::open(&settings(&project, NAME), &cluster(), gate, Connection::Standard).await;
        opened.expect("opened").examine(None).await
    });
    is_fit_to_be_shown(&checks);
    let identity = one(&checks, "identity");
    let remedy = identity.remedy.as_deref().unwrap_or("nothing");
    let told = format!("\n{}: {} -> {remedy}\n", identity.status.as_str(), identity.message);
    std::io::stdout().write_all(told.as_bytes()).expect("somebody listens");
}

/// What is told of the identity that these variables give.
async fn identity(bench: &Bench, home: &Path, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "examining::the_child", "--ignored", "--nocapture"]).env_clear();
    command.env("HOME", home).env(CHILD, bench.lab.project());
    command.env("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", bench.lab.compute_endpoint());
    command.envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().find(|line| line.contains(" -> "));
    line.unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[tokio::test]
async fn whose_credentials_they_are_is_told_as_far_as_it_can_be_seen() {
    let (bench, home) = (Bench::new(1).await, tempfile::tempdir().expect("a folder"));
    let email = format!("service account `kroutes@{}.iam.gserviceaccount.com`", bench.lab.project());
    let key = home.path().join("key.json");
    std::fs::write(&key, bench.lab.service_account_key()).expect("written");
    let key = key.to_str().expect("a path");
    let by_key = [("GOOGLE_APPLICATION_CREDENTIALS", key)];

    let said = identity(&bench, home.path(), &by_key).await;
    assert!(said.starts_with("pass: ") && said.contains(&email) && said.contains(key), "{said}");

    let host = bench.lab.endpoint().replace("http://", "");
    let by_vm = [("GCE_METADATA_HOST", host.as_str())];
    let said = identity(&bench, home.path(), &by_vm).await;
    assert!(said.starts_with("pass: ") && said.contains("the metadata server") && said.contains(&email), "{said}");
    // That it does not say whose tokens it gives is no reason to doubt them.
    bench.lab.add_fault(Fault::new(FaultKind::Html).on("metadata.get"));
    let said = identity(&bench, home.path(), &by_vm).await;
    assert!(said.starts_with("pass: ") && !said.contains("service account"), "{said}");

    let said = identity(&bench, home.path(), &[("GOOGLE_OAUTH_ACCESS_TOKEN", Lab::ACCESS_TOKEN)]).await;
    assert!(said.starts_with("pass: ") && said.contains("`GOOGLE_OAUTH_ACCESS_TOKEN`"), "{said}");
}

#[tokio::test]
async fn credentials_that_give_no_token_fail_with_what_to_do_and_where_they_came_from() {
    let (bench, home) = (Bench::new(1).await, tempfile::tempdir().expect("a folder"));
    let key = home.path().join("key.json");
    std::fs::write(&key, bench.lab.service_account_key()).expect("written");
    let key = key.to_str().expect("a path");
    let by_key = [("GOOGLE_APPLICATION_CREDENTIALS", key)];

    let expired = FaultKind::Error {
        status: 400,
        code: "invalid_grant".to_owned(),
        message: "Token has been expired or revoked.".to_owned(),
    };
    bench.lab.add_fault(Fault::new(expired).on("oauth2.token").times(1));
    let said = identity(&bench, home.path(), &by_key).await;
    assert!(said.starts_with("fail: ") && said.contains("expired or revoked") && said.contains(key), "{said}");
    assert!(said.contains("make a new key"), "{said}");

    // What may be over in a minute is not called wrong.
    bench.lab.add_fault(Fault::new(FaultKind::Html).on("oauth2.token"));
    let said = identity(&bench, home.path(), &by_key).await;
    assert!(said.starts_with("warn: "), "{said}");

    let said = identity(&bench, home.path(), &[("GCE_METADATA_HOST", "127.0.0.1:1")]).await;
    assert!(said.starts_with("fail: ") && said.contains("no Google credentials were found"), "{said}");
    assert_eq!(bench.calls().get("networks.get"), None, "nothing is asked without a token");
}
