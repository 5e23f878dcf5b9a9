//! Topologies that cannot be: one message with the place and the remedy, 64, and no call to any cloud.

use super::world::{HEAD, Ran, World, assert_interruptible, assert_snapshot, topology, transcript, worker};

const CLUSTER: &str = "[cluster]\nname = \"kubernetes\"\npod-cidr = \"10.200.0.0/16\"\n";

/// Runs a plan of each topology; all must end with 64 before any call.
fn refuse(rows: &[(&str, String)]) -> String {
    let world = World::of(3);
    let runs: Vec<Ran> = rows
        .iter()
        .map(|(name, text)| {
            let file = format!("{}.toml", name.replace(' ', "-"));
            world.write(&file, text);
            world.run(&format!("plan -f {file}")).code(64)
        })
        .collect();
    for run in &runs {
        assert_eq!(run.out, "", "{run}");
    }
    assert!(world.lab.calls().is_empty(), "{:?}", world.lab.calls());
    transcript(&runs)
}

fn workers(rows: &[(&str, &str, &str)]) -> String {
    rows.iter().fold(HEAD.to_owned(), |text, (name, range, more)| {
        format!("{text}\n[[worker]]\nname = \"{name}\"\npod-cidr = \"{range}\"\n{more}")
    })
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let world = World::of(3);
    std::fs::remove_file(world.folder().join("kroutes.toml")).expect("the file");
    world.write("empty.toml", "");
    world.write("blank.toml", " \n\t\n");
    world.write("latin-1.toml", b"[cluster]\nname = \"caf\xe9\"\n");
    std::fs::create_dir(world.folder().join("folder.toml")).expect("a folder");
    let words = [
        "plan",
        "plan -f missing.toml",
        "plan -f empty.toml",
        "plan -f blank.toml",
        "plan -f latin-1.toml",
        "plan -f folder.toml",
    ];
    let mut runs: Vec<_> = words.iter().map(|words| world.run(words).code(64)).collect();
    runs.push(world.run_with_input("plan -f -", "").code(64));
    runs.push(world.run("plan -f missing.toml -o json").code(64));
    assert!(world.lab.calls().is_empty());
    assert_snapshot("unreadable-file", &transcript(&runs));
}

#[test]
fn what_is_no_topology_is_shown_with_line_and_caret() {
    let rows = [
        ("syntax", format!("{CLUSTER}[aws\n")),
        ("key twice", format!("{CLUSTER}name = \"again\"\n")),
        ("wrong type", topology(1).replace("\"kubernetes\"\npod", "7\npod")),
        ("table for a text", topology(1).replace("pod-cidr = \"10.200.0.0/24\"", "pod-cidr = { a = 1 }")),
        (
            "unknown keys",
            workers(&[("a", "10.200.0.0/24", "adress = \"10.240.0.20\"\n"), ("b", "10.200.1.0/24", "x = 1\n")]),
        ),
        ("unknown section", format!("{}\n[awz]\nregion = \"x\"\n", topology(1))),
        ("unknown key in aws", topology(1).replace("route-table", "route-tabel")),
        ("nothing required", "[cluster]\n[aws]\n[[worker]]\n".to_owned()),
        ("no workers", HEAD.to_owned()),
        ("no route table", format!("{CLUSTER}[aws]\n[[worker]]\nname = \"a\"\npod-cidr = \"10.200.0.0/24\"\n")),
        ("malformed route table", topology(1).replace("{ name = \"kubernetes\" }", "{ nmae = \"kubernetes\" }")),
        ("check", topology(1).replace("[aws]\n", "[aws]\nsource-dest-check = \"of\"\n")),
    ];
    assert_snapshot("malformed", &refuse(&rows));
}

/// kubernetes/kubernetes#29058: two nodes with one pod CIDR. And EC2 rewrites 100.68.0.18/18 to its canonical form, after
/// which a plan that compares texts never becomes empty.
#[test]
fn ranges_names_and_addresses_that_contradict_each_other_are_refused_with_both_names() {
    let rows = [
        ("host bits", workers(&[("a", "10.200.0.18/24", "")])),
        ("host bits of the cluster", topology(1).replace("10.200.0.0/16", "10.200.7.0/16")),
        ("not a range", workers(&[("a", "10.200.0.0", ""), ("b", "10.200.1.0/33", ""), ("c", "ten", "")])),
        ("name twice", workers(&[("a", "10.200.0.0/24", ""), ("a", "10.200.1.0/24", "")])),
        ("range twice", workers(&[("a", "10.200.0.0/24", ""), ("b", "10.200.0.0/24", "")])),
        ("overlap", workers(&[("a", "10.200.0.0/23", ""), ("b", "10.200.1.0/24", "")])),
        ("outside", workers(&[("a", "10.201.0.0/24", "")])),
        ("wider than the cluster", workers(&[("a", "10.0.0.0/8", "")])),
        (
            "address twice",
            workers(&[
                ("a", "10.200.0.0/24", "address = \"10.240.0.20\"\n"),
                ("b", "10.200.1.0/24", "address = \"10.240.0.20\"\n"),
            ]),
        ),
        ("address among pods", workers(&[("a", "10.200.0.0/24", "address = \"10.200.0.1\"\n")])),
        ("address with length", workers(&[("a", "10.200.0.0/24", "address = \"10.240.0.20/24\"\n")])),
        ("mapped range", workers(&[("a", "::ffff:10.200.0.0/120", "")])),
        ("mapped address", workers(&[("a", "10.200.0.0/24", "address = \"::ffff:10.240.0.20\"\n")])),
        ("family without a cluster range", workers(&[("a", "fd00:10:64::/64", "")])),
        ("everything", topology(1).replace("10.200.0.0/16", "0.0.0.0/0")),
        ("services", topology(1).replace("[aws]", "service-cidr = \"10.200.0.0/20\"\n\n[aws]")),
        ("cluster name", topology(1).replace("name = \"kubernetes\"\npod", "name = \"kube rnetes\"\npod")),
    ];
    assert_snapshot("contradictory", &refuse(&rows));
}

#[test]
fn what_is_not_supported_is_refused_with_what_to_write_instead() {
    let source = |keys: &str| format!("{HEAD}\n[source]\n{keys}\n");
    let prefix = |lengths: &str| topology(1).replace("\n[aws]", &format!("node-prefix = {lengths}\n\n[aws]"));
    let rows = [
        ("source and workers", source("kind = \"kubernetes\"") + &worker(0)),
        ("no kind", source("path = \"-\"")),
        ("another kind", source("kind = \"consul\"")),
        ("key of another kind", source("kind = \"kubernetes\"\npath = \"-\"")),
        ("no path", source("kind = \"node-list\"")),
        ("every machine", source("kind = \"cloud\"\npod-cidr = \"instance\"")),
        ("no range", source("kind = \"cloud\"\nname = \"worker-*\"")),
        ("no prefix", source("kind = \"cloud\"\nname = \"worker-*\"\npod-cidr = \"node-prefix\"")),
        ("prefix too short", prefix("15")),
        ("a prefix too many", prefix("[24, 64]")),
        (
            "associated and others",
            topology(1).replace("{ name = \"kubernetes\" }", "[\"associated\", \"rtb-0123456789abcdef0\"]"),
        ),
        ("export without a name", topology(1).replace("{ name = \"kubernetes\" }", "{ export = \"\" }")),
        ("no list of tables", topology(1).replace("{ name = \"kubernetes\" }", "[]")),
        ("plain http elsewhere", topology(1).replace("[aws]\n", "[aws]\nendpoint-url = \"http://192.0.2.1\"\n")),
        ("not a url", topology(1).replace("[aws]\n", "[aws]\nendpoint-url = \"ec2\"\n")),
    ];
    assert_snapshot("not-supported", &refuse(&rows));
}

#[test]
fn two_hundred_equal_mistakes_are_one_message_with_a_count() {
    let text = (0..200).fold(HEAD.to_owned(), |text, nth| {
        format!("{text}\n[[worker]]\nname = \"worker-{nth}\"\npod-cidr = \"10.200.{nth}.0/24\"\nadress = \"10.240.0.{nth}\"\n")
    });
    let said = refuse(&[("many", text)]);
    assert!(said.lines().count() < 20, "{said}");
    assert_snapshot("many-mistakes", &said);
}

#[test]
fn the_provider_is_chosen_by_the_file_and_only_asked_for_when_that_is_not_enough() {
    let mut world = World::of(1);
    world.write("none.toml", topology(1).replace("[aws]\nroute-table = { name = \"kubernetes\" }\n", ""));
    let others = "\n[gcp]\nproject = \"my-project\"\nnetwork = \"n\"\n";
    let absent = "\n[linux]\ntable = \"main\"\n";
    world.write("others.toml", format!("{}{others}{absent}", topology(1)));
    world.write("absent.toml", format!("{}{absent}", topology(1)));
    let runs = [
        world.run("plan -f none.toml").code(64),
        world.run("plan --provider aws -f none.toml").code(64),
        world.run("plan --provider azure").code(64),
        world.run("plan -f others.toml").code(64),
        world.run("plan --provider linux -f others.toml").code(64),
        world.run("lab -f none.toml").code(64),
    ];
    assert!(world.lab.calls().is_empty());
    assert_snapshot("providers", &transcript(&runs));
    // Sections of providers that this build does not have choose nothing.
    world.run("plan -f absent.toml").code(0);
    world.run("plan --provider aws -f others.toml").code(0);
    world.set("KROUTES_PROVIDER", "azure");
    world.run("plan").code(64).says("azure");
}

#[test]
fn the_environment_sets_keys_over_the_file() {
    let mut world = World::of(2);
    world.write(
        "bare.toml",
        topology(2).replace("name = \"kubernetes\"\npod-cidr = \"10.200.0.0/16\"\n", "pod-cidr = \"10.200.0.0/16\"\n"),
    );
    world.run("plan -f bare.toml").code(64).says("KROUTES_TOPOLOGY__CLUSTER__NAME");
    world.set("KROUTES_TOPOLOGY__CLUSTER__NAME", "from-outside");
    world.run("plan -f bare.toml").code(0).says("cluster from-outside");
    world.run("plan").code(0).says("cluster from-outside");
    world.set("KROUTES_TOPOLOGY__AWS__ROUTE_TABLE", world.table.clone());
    world.run("plan").code(0).says(&world.table);
    world.set("KROUTES_TOPOLOGY__AWS__ROUTE_TABLE", "");
    world.run("plan").code(0);
}

#[test]
fn a_misspelt_variable_is_an_error_that_names_it() {
    let rows: [(&str, &str); 6] = [
        ("KROUTES_TOPOLOGY__AWS__REGOIN", "us-west-2"),
        ("KROUTES_TOPOLOGY_AWS__REGION", "us-west-2"),
        ("KROUTES_TOPOLOGY__AWZ__REGION", "us-west-2"),
        ("KROUTES_TOPOLOGY__AWS__ROUTES_LIMIT", "many"),
        ("KROUTES_TOPOLOGY__CLUSTER__POD_CIDR", "10.200.7.0/16"),
        ("KROUTES_TOPOLOGY__WORKER__NAME", "worker-9"),
    ];
    let runs: Vec<_> = rows
        .iter()
        .map(|(name, value)| {
            let mut world = World::of(1);
            world.set(name, *value);
            let run = world.run("plan").code(64);
            assert!(run.err.contains(name), "{name} is not in {run}");
            assert!(world.lab.calls().is_empty());
            run
        })
        .collect();
    assert_snapshot("misspelt-variables", &transcript(&runs));
}

#[test]
fn a_topology_that_never_ends_can_be_interrupted() {
    assert_interruptible(&World::of(1), "plan -f pipe");
}
