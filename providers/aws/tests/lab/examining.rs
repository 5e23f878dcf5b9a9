//! What `doctor` learns from AWS: who one is, what one may do, and who else writes there.

use std::collections::BTreeSet;
use std::sync::Arc;

use kroutes_aws::{AwsBackend, AwsSettings, Needs, SourceDestCheck, TableRef, permissions, policy};
use kroutes_core::{
    Check, CheckGroup, CheckStatus, Claim, ClusterCidr, Destination, Error, Fix, Gate, Life, MachineRef, NextHop,
    Observation, ObservedRoute, Origin, RangeFrom, Result, Route, RouteBackend, RouteState, Selector, TableId, Target,
    Worker,
};
use kroutes_lab::{Fault, FaultKind, Lab, Options, Seed, allowed_by_policy};

use crate::bench::{Bench, NAME, cluster, connection, impatient, named, open, seed, workers};

/// A cloud in which everything is needed that kroutes can need.
fn demanding() -> Seed {
    let mut seed = seed(3);
    seed.tables[0].export = Some("hard-k8s-rtb".to_owned());
    seed.instances[0].export = Some("hard-k8s-worker-0".to_owned());
    for (index, instance) in seed.instances.iter_mut().enumerate() {
        instance.user_data = Some(format!("pod-cidr=10.200.{index}.0/24"));
    }
    seed
}

struct World {
    lab: Lab,
    settings: AwsSettings,
    workers: Vec<Worker>,
    table: TableId,
}

impl World {
    async fn demanding(options: Options) -> Self {
        let lab = Lab::start(demanding(), options).await.expect("lab");
        let second = lab.cloud(|cloud| cloud.instance_named("worker-1")).expect("an instance");
        lab.change(|cloud| cloud.add_interface(&second).expect("a second interface"));
        let subnet = lab.cloud(|cloud| cloud.subnets.iter().next().map(|(id, _)| id.clone())).expect("a subnet");
        let route_table = vec![TableRef::Export("hard-k8s-rtb".to_owned()), TableRef::Subnet(subnet)];
        let mut workers = workers(3);
        workers[0].machine = MachineRef::Export("hard-k8s-worker-0".to_owned());
        let table = TableId(lab.cloud(|cloud| cloud.table_named(NAME)).expect("table"));
        Self { lab, settings: AwsSettings { route_table, ..AwsSettings::default() }, workers, table }
    }

    /// Grants just this.
    fn allow(&self, allowed: BTreeSet<String>) {
        self.lab.change(|cloud| cloud.allowed = Some(allowed));
    }

    async fn open(&self) -> AwsBackend {
        open(&self.lab, &self.settings, impatient()).await.0
    }

    /// What `doctor` does: looks for workers, observes, examines.
    async fn examine(&self) -> Vec<Check> {
        let backend = self.open().await;
        let _found = backend.discover(&by_user_data()).await;
        let observation = backend.observe(&self.workers).await;
        backend.examine(observation.as_ref().ok()).await
    }

    /// Everything that kroutes does in the life of a cluster, with what failed of it.
    async fn live(&self) -> Vec<Error> {
        let backend = self.open().await;
        let mut failures = Vec::new();
        let mut note = |done: Result<()>| failures.extend(done.err());
        note(backend.discover(&by_user_data()).await.map(drop));
        match backend.observe(&self.workers).await {
            Ok(seen) => {
                seen.tables.into_iter().for_each(|one| note(one.table.map(drop)));
                seen.next_hops.into_values().for_each(|hop| note(hop.map(drop)));
            }
            Err(error) => note(Err(error)),
        }
        let [first, second, third] = ["worker-0", "worker-1", "worker-2"]
            .map(|name| self.lab.cloud(|cloud| cloud.instance_named(name)).expect("id"));
        let primary = self.lab.cloud(|cloud| cloud.interfaces_of(&second)[0].0.to_owned());
        let route = |to: &str| Route {
            destination: "10.200.0.0/24".parse().expect("cidr"),
            next_hop: NextHop::Instance(to.to_owned()),
            worker: "worker-0".parse().expect("name"),
        };
        let claim = Claim::of(&NAME.parse().expect("name"), cluster().pod_cidrs.iter().map(ClusterCidr::net));
        let table = &self.table;
        note(backend.fix(&Fix::SetClaim { table: table.clone(), claim: claim.clone() }).await);
        for target in [NextHop::Instance(first.clone()), NextHop::Interface(primary)] {
            let worker = "worker-0".parse().expect("name");
            note(backend.fix(&Fix::SourceDestCheckOff { worker, target }).await);
        }
        note(backend.create_route(table, &route(&third)).await);
        let entry = standing(&third);
        note(backend.replace_route(table, &entry, &route(&first)).await);
        note(backend.list_routes(table).await.map(drop));
        note(backend.delete_route(table, &standing(&first), None).await);
        note(backend.fix(&Fix::DropClaim { table: table.clone(), claim }).await);
        failures
    }
}

fn by_user_data() -> Selector {
    Selector { name: Some("worker-*".to_owned()), labels: [].into(), range: RangeFrom::Machine }
}

/// A route as a listing would show it.
fn standing(instance: &str) -> ObservedRoute {
    ObservedRoute {
        destination: Destination::net("10.200.0.0/24".parse().expect("cidr")),
        next_hops: vec![NextHop::Instance(instance.to_owned())],
        target: Target::Machine { id: instance.to_owned(), life: Life::Live },
        state: RouteState::Active,
        origin: Origin::Static,
        marked: false,
        precedence: 0,
        deviation: None,
        name: None,
    }
}

fn of(checks: &[Check], group: CheckGroup) -> Vec<&Check> {
    checks.iter().filter(|check| check.group == group).collect()
}

/// Those that did not pass, by name.
fn troubled(checks: &[Check]) -> Vec<(&str, CheckStatus)> {
    let troubled = checks.iter().filter(|check| check.status != CheckStatus::Pass);
    troubled.map(|check| (check.name.as_str(), check.status)).collect()
}

fn everything() -> BTreeSet<String> {
    allowed_by_policy(&policy(&Needs::everything())).expect("a policy that the lab enforces")
}

#[tokio::test]
async fn the_least_policy_is_enough_for_the_life_of_a_cluster_and_every_item_in_it_is_needed() {
    let world = World::demanding(Options::default()).await;
    let needs = Needs::of(&world.settings, &world.workers, true);
    assert_eq!(needs, Needs::everything());
    world.allow(everything());
    let checks = world.examine().await;
    assert_eq!(troubled(&checks), [], "{checks:?}");
    assert_eq!(of(&checks, CheckGroup::Permissions).len(), permissions(&needs).len());
    let failures = world.live().await;
    assert!(failures.is_empty(), "{failures:?}");

    for permission in permissions(&needs) {
        let name = permission.name();
        let world = World::demanding(Options::default()).await;
        let granted = |entry: &String| entry.split(' ').next() != Some(name.as_str());
        world.allow(everything().into_iter().filter(granted).collect());
        let checks = world.examine().await;
        let expected = if name == "ec2:CreateTags" { CheckStatus::Warn } else { CheckStatus::Fail };
        assert_eq!(troubled(&checks), [(name.as_str(), expected)], "{checks:?}");
        let check = checks.iter().find(|check| check.name == name).expect("there");
        assert!(check.message.starts_with("denied"), "{check:?}");
        let remedy = check.remedy.as_deref().expect("a remedy");
        assert!(remedy.contains(&format!("`{name}`")) && remedy.contains("docs/aws-iam.md"), "{remedy}");
        let failures = world.live().await;
        let action = name.split(':').nth(1).expect("an action");
        assert!(failures.iter().any(|error| error.get("action") == Some(action)), "{name}: {failures:?}");
    }
}

#[tokio::test]
async fn examining_changes_nothing_and_costs_one_call_a_question() {
    let world = World::demanding(Options::default()).await;
    let backend = world.open().await;
    backend.discover(&by_user_data()).await.expect("found");
    let observation = backend.observe(&world.workers).await.expect("observed");
    let before = world.lab.cloud(|cloud| format!("{cloud:?}"));
    world.lab.reset_calls();
    let checks = backend.examine(Some(&observation)).await;
    assert_eq!(troubled(&checks), []);
    assert_eq!(world.lab.cloud(|cloud| format!("{cloud:?}")), before);
    assert_eq!(world.lab.log(), []);
    let calls = world.lab.calls();
    assert!(calls.values().all(|count| *count == 1), "{calls:?}");
    assert_eq!(calls.len(), 12, "every action once but the exports, which were read before: {calls:?}");
}

#[tokio::test]
async fn the_caller_is_named_and_no_secret_is() {
    let bench = Bench::new(1).await;
    let observation = bench.observe(1).await;
    let checks = bench.backend.examine(Some(&observation)).await;
    let who = of(&checks, CheckGroup::Credentials);
    let told = "`arn:aws:iam::123456789012:user/lab` in account 123456789012, region `us-west-2`";
    assert_eq!(who, [&Check::pass(CheckGroup::Credentials, "caller-identity", told)]);
    let all = format!("{checks:?}");
    assert!(!all.contains("secret") && !all.contains("AKIA"), "{all}");
}

#[tokio::test]
async fn only_what_the_topology_needs_is_asked_about() {
    let lab = Lab::start(seed(1), Options::default()).await.expect("lab");
    let leave = AwsSettings { source_dest_check: SourceDestCheck::Leave, ..named(NAME) };
    let (backend, _) = open(&lab, &leave, impatient()).await;
    let observation = backend.observe(&workers(1)).await.expect("observed");
    let checks = backend.examine(Some(&observation)).await;
    let names: Vec<&str> = of(&checks, CheckGroup::Permissions).iter().map(|check| check.name.as_str()).collect();
    let wanted = [
        "ec2:DescribeRouteTables",
        "ec2:DescribeInstances",
        "ec2:CreateRoute",
        "ec2:ReplaceRoute",
        "ec2:DeleteRoute",
        "ec2:CreateTags",
        "ec2:DeleteTags",
    ];
    assert_eq!(names, wanted);
}

async fn at(lab: &Lab, settings: &AwsSettings) -> (AwsBackend, Option<Observation>) {
    let (backend, _) = open(lab, settings, impatient()).await;
    let observation = backend.observe(&workers(1)).await.ok();
    (backend, observation)
}

#[tokio::test]
async fn credentials_that_are_refused_fail_with_a_remedy_and_nothing_more_is_asked() {
    let rows = [
        ("InvalidClientTokenId", 403, "The security token included in the request is invalid"),
        ("ExpiredToken", 403, "The security token included in the request is expired"),
        ("SignatureDoesNotMatch", 403, "The request signature we calculated does not match"),
        ("RequestExpired", 400, "Request has expired."),
    ];
    for (code, status, message) in rows {
        let lab = Lab::start(seed(1), Options::default()).await.expect("lab");
        let kind = FaultKind::Error { status, code: code.to_owned(), message: message.to_owned() };
        lab.add_fault(Fault::new(kind));
        let (backend, observation) = at(&lab, &named(NAME)).await;
        assert!(observation.is_none());
        lab.reset_calls();
        let checks = backend.examine(None).await;
        assert_eq!(troubled(&checks), [("caller-identity", CheckStatus::Fail)], "{checks:?}");
        assert_eq!(checks.len(), 1, "{checks:?}");
        assert!(
            checks[0].remedy.as_deref().is_some_and(|remedy| remedy.contains("credentials") || remedy.contains("aws"))
        );
        assert_eq!(lab.calls().len(), 1, "{:?}", lab.calls());
    }
}

#[tokio::test]
async fn sts_that_does_not_answer_is_a_warning_and_hides_nothing() {
    let kinds = [
        FaultKind::Throttle,
        FaultKind::ServerError,
        FaultKind::Hang,
        FaultKind::DropBefore,
        FaultKind::Html,
        FaultKind::Deny,
        FaultKind::Error { status: 403, code: "InvalidClientTokenId".to_owned(), message: "no such token".to_owned() },
    ];
    for kind in kinds {
        let bench = Bench::new(1).await;
        bench.lab.add_fault(Fault::new(kind.clone()).on("GetCallerIdentity"));
        let observation = bench.observe(1).await;
        let checks = bench.backend.examine(Some(&observation)).await;
        assert_eq!(troubled(&checks), [("caller-identity", CheckStatus::Warn)], "{kind:?}: {checks:?}");
        assert!(checks[0].message.starts_with("could not be found out: "), "{:?}", checks[0]);
        assert!(of(&checks, CheckGroup::Permissions).len() > 8, "{kind:?}");
    }
}

#[tokio::test]
async fn where_nobody_listens_nothing_is_found_out_and_one_question_is_enough_to_see_it() {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port").local_addr().expect("address").port();
    let gate = Arc::new(Gate::new(impatient()));
    let connection = connection(&format!("http://127.0.0.1:{port}"), "us-west-2");
    let backend = AwsBackend::open(&named(NAME), &cluster(), Arc::clone(&gate), connection).await.expect("open");
    let checks = backend.examine(None).await;
    assert!(checks.iter().all(|check| check.status == CheckStatus::Warn), "{checks:?}");
    assert_eq!(gate.counts().len(), 2, "{:?}", gate.counts());
}

#[tokio::test]
async fn an_answer_that_is_neither_yes_nor_no_is_no_failure() {
    let error = |status, code: &str| FaultKind::Error { status, code: code.to_owned(), message: "no".to_owned() };
    let kinds = [
        FaultKind::Throttle,
        FaultKind::ServerError,
        error(400, "InvalidInstanceID.NotFound"),
        error(400, "InvalidRouteTableID.NotFound"),
        error(400, "InvalidParameterValue"),
    ];
    for kind in kinds {
        let bench = Bench::new(1).await;
        bench.lab.add_fault(Fault::new(kind.clone()).on("CreateRoute"));
        let observation = bench.observe(1).await;
        let checks = bench.backend.examine(Some(&observation)).await;
        assert_eq!(troubled(&checks), [("ec2:CreateRoute", CheckStatus::Warn)], "{kind:?}: {checks:?}");
        let check = checks.iter().find(|check| check.name == "ec2:CreateRoute").expect("there");
        assert!(check.message.starts_with("could not be found out: "), "{check:?}");
    }
}

/// moto ignores `DryRun` and carries out the change.
#[tokio::test]
async fn an_endpoint_that_carries_dry_runs_out_is_asked_for_nothing_that_writes() {
    let world = World::demanding(Options { ignores_dry_run: true, ..Options::default() }).await;
    let before = world.lab.cloud(|cloud| format!("{cloud:?}"));
    let checks = world.examine().await;
    assert_eq!(world.lab.cloud(|cloud| format!("{cloud:?}")), before);
    assert_eq!(world.lab.log(), []);
    let calls = world.lab.calls();
    assert!(
        calls
            .keys()
            .all(|action| !["Create", "Replace", "Delete", "Modify"].iter().any(|verb| action.starts_with(verb))),
        "{calls:?}"
    );
    let permissions = of(&checks, CheckGroup::Permissions);
    let (read, written): (Vec<&Check>, Vec<&Check>) =
        permissions.iter().partition(|check| check.name.contains(":Describe") || check.name.contains(":List"));
    assert!(read.iter().all(|check| check.status == CheckStatus::Pass), "{read:?}");
    assert!(
        written.iter().all(|check| check.status == CheckStatus::Warn && check.message.contains("carries out")),
        "{written:?}"
    );
}

/// A read that fails shows nothing of what the endpoint would do with a write.
#[tokio::test]
async fn an_endpoint_that_answers_no_read_as_a_dry_run_is_asked_for_nothing_that_writes() {
    let error = |status, code: &str| FaultKind::Error { status, code: code.to_owned(), message: "no".to_owned() };
    let kinds = [
        FaultKind::ServerError,
        FaultKind::Throttle,
        error(400, "InvalidInstanceID.NotFound"),
        error(403, "AccessDenied"),
        error(400, "InvalidParameterValue"),
    ];
    for kind in kinds {
        for exports in [false, true] {
            let options = Options { ignores_dry_run: true, ..Options::default() };
            let lab = Lab::start(demanding(), options).await.expect("lab");
            let table =
                if exports { TableRef::Export("hard-k8s-rtb".to_owned()) } else { TableRef::Name(NAME.to_owned()) };
            let settings = AwsSettings { route_table: vec![table], ..AwsSettings::default() };
            let (backend, observation) = at(&lab, &settings).await;
            assert!(observation.is_some());
            let before = lab.cloud(|cloud| format!("{cloud:?}"));
            for action in ["DescribeRouteTables", "DescribeInstances"] {
                lab.add_fault(Fault::new(kind.clone()).on(action));
            }
            lab.reset_calls();
            let checks = backend.examine(observation.as_ref()).await;
            let calls = lab.calls();
            let written = |action: &String| !action.starts_with("Describe") && action != "GetCallerIdentity";
            assert_eq!(calls.keys().filter(|action| written(action)).count(), 0, "{kind:?}: {calls:?}");
            assert_eq!(lab.cloud(|cloud| format!("{cloud:?}")), before, "{kind:?}");
            let asked = of(&checks, CheckGroup::Permissions);
            let writes: Vec<&&Check> = asked.iter().filter(|check| !check.name.contains(":Describe")).collect();
            let writes: Vec<&&&Check> = writes.iter().filter(|check| !check.name.contains(":List")).collect();
            assert_eq!(writes.len(), 7, "{checks:?}");
            for check in writes {
                assert_eq!(check.status, CheckStatus::Warn, "{check:?}");
                assert!(check.message.contains("no question that only reads was answered as a dry run"), "{check:?}");
            }
        }
    }
}

#[tokio::test]
async fn one_answer_to_a_dry_run_is_enough_to_ask_on_and_a_no_is_one() {
    for (kind, on) in [
        (FaultKind::Deny, vec!["DescribeRouteTables", "DescribeInstances"]),
        (FaultKind::ServerError, vec!["DescribeRouteTables"]),
    ] {
        let bench = Bench::new(1).await;
        let observation = bench.observe(1).await;
        for action in on {
            bench.lab.add_fault(Fault::new(kind.clone()).on(action));
        }
        let checks = bench.backend.examine(Some(&observation)).await;
        for name in ["ec2:CreateRoute", "ec2:DeleteRoute", "ec2:CreateTags", "ec2:DeleteTags"] {
            let check = checks.iter().find(|check| check.name == name).expect("there");
            assert_eq!(check.status, CheckStatus::Pass, "{kind:?}: {check:?}");
        }
    }
}

/// Reads were turned away by name, so a write was asked about; when that was done, it was the last one.
#[tokio::test]
async fn after_a_write_that_was_carried_out_no_claim_is_written() {
    let options = Options { ignores_dry_run: true, ..Options::default() };
    let bench = Bench::with(seed(1), options, impatient()).await;
    let observation = bench.observe(1).await;
    let before = bench.lab.cloud(|cloud| format!("{cloud:?}"));
    for action in ["DescribeRouteTables", "DescribeInstances"] {
        bench.lab.add_fault(Fault::new(FaultKind::Deny).on(action));
    }
    bench.calls();
    bench.backend.examine(Some(&observation)).await;
    let calls = bench.calls();
    assert!(calls.contains_key("ModifyInstanceAttribute") && !calls.contains_key("CreateTags"), "{calls:?}");
    assert_eq!(bench.lab.cloud(|cloud| format!("{cloud:?}")), before);
}

#[tokio::test]
async fn a_policy_that_names_the_table_is_asked_about_that_table() {
    let lab = Lab::start(seed(1), Options::default()).await.expect("lab");
    let table = lab.cloud(|cloud| cloud.table_named(NAME)).expect("table");
    let settings = AwsSettings { route_table: vec![TableRef::Id(table.clone())], ..AwsSettings::default() };
    let needs = Needs::of(&settings, &workers(1), false);
    assert_eq!(needs.tables, std::slice::from_ref(&table));
    let allowed = allowed_by_policy(&policy(&needs)).expect("a policy");
    lab.change(|cloud| cloud.allowed = Some(allowed.clone()));
    let (backend, observation) = at(&lab, &settings).await;
    assert_eq!(troubled(&backend.examine(observation.as_ref()).await), []);
    assert_eq!(troubled(&backend.examine(None).await), [], "its id is known without an observation");

    // Another table by its name beside it: the policy does not hold for that one.
    let other = lab.change(|cloud| {
        let vpc = cloud.vpcs.iter().next().map(|(id, _)| id.clone()).expect("a VPC");
        cloud.add_table(None, &vpc, [("Name".to_owned(), "other".to_owned())].into())
    });
    let both = AwsSettings {
        route_table: vec![TableRef::Id(table), TableRef::Name("other".to_owned())],
        ..AwsSettings::default()
    };
    let (backend, observation) = at(&lab, &both).await;
    let checks = backend.examine(observation.as_ref()).await;
    let denied: Vec<&Check> =
        checks.iter().filter(|check| check.message.contains(&format!("denied on `{other}`"))).collect();
    let names: Vec<&str> = denied.iter().map(|check| check.name.as_str()).collect();
    let wanted = ["ec2:CreateRoute", "ec2:ReplaceRoute", "ec2:DeleteRoute", "ec2:CreateTags", "ec2:DeleteTags"];
    assert_eq!(names, wanted, "{checks:?}");
}

#[tokio::test]
async fn what_is_denied_for_a_made_up_table_is_not_known_to_be_denied() {
    let lab = Lab::start(seed(1), Options::default()).await.expect("lab");
    let table = lab.cloud(|cloud| cloud.table_named(NAME)).expect("table");
    let text = policy(&Needs { tables: vec![table], ..Needs::everything() });
    lab.change(|cloud| cloud.allowed = Some(allowed_by_policy(&text).expect("a policy")));
    let (backend, _) = at(&lab, &named(NAME)).await;
    let checks = backend.examine(None).await;
    let create = checks.iter().find(|check| check.name == "ec2:CreateRoute").expect("there");
    assert_eq!(create.status, CheckStatus::Warn);
    assert!(create.message.contains("made-up `rtb-00000000000000000`"), "{create:?}");
}

#[tokio::test]
async fn a_check_that_is_off_already_need_not_be_switched() {
    let bench = Bench::new(1).await;
    let id = bench.instance("worker-0");
    bench.lab.change(|cloud| {
        cloud.set_source_dest_check(&id, false).expect("off");
        cloud.denied.insert("ec2:ModifyInstanceAttribute".to_owned());
    });
    let observation = bench.observe(1).await;
    let checks = bench.backend.examine(Some(&observation)).await;
    assert_eq!(troubled(&checks), [("ec2:ModifyInstanceAttribute", CheckStatus::Warn)], "{checks:?}");
}

#[tokio::test]
async fn the_tag_of_a_cloud_controller_manager_is_told_with_its_table() {
    for tag in ["kubernetes.io/cluster/prod", "KubernetesCluster"] {
        let bench = Bench::new(1).await;
        let observation = bench.observe(1).await;
        let before = bench.backend.examine(Some(&observation)).await;
        assert_eq!(of(&before, CheckGroup::Writers)[0].status, CheckStatus::Pass);
        let table = bench.table.0.clone();
        bench.lab.change(|cloud| {
            let tags = [(tag.to_owned(), "owned".to_owned())].into();
            cloud.create_tags(std::slice::from_ref(&table), &tags).expect("tagged");
        });
        let observation = bench.observe(1).await;
        let checks = bench.backend.examine(Some(&observation)).await;
        let told = of(&checks, CheckGroup::Writers);
        assert_eq!((told.len(), told[0].status), (1, CheckStatus::Warn), "{told:?}");
        assert!(told[0].message.contains(tag) && told[0].message.contains(&table), "{told:?}");
        assert!(told[0].remedy.as_deref().is_some_and(|remedy| remedy.contains("--configure-cloud-routes=false")));
    }
}

#[tokio::test]
async fn a_run_that_was_told_to_stop_asks_nothing() {
    let bench = Bench::new(1).await;
    let observation = bench.observe(1).await;
    bench.calls();
    bench.gate.stopper().stop();
    let checks = bench.backend.examine(Some(&observation)).await;
    assert!(checks.iter().all(|check| check.status != CheckStatus::Fail), "{checks:?}");
    assert!(bench.calls().is_empty());
}
