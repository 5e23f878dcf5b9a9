//! Files that load, and what comes out of them.

use std::fs;
use std::path::Path;

use kroutes_core::{MachineRef, Topology};
use kroutes_driver::Loaded;

use crate::stand_in::{GOOD, Lookup, Settings, Table, load_text};

fn config(name: &str) -> Loaded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(name);
    let text = fs::read_to_string(&path).expect("the file is there");
    load_text(&text).unwrap_or_else(|diagnostics| panic!("{}: {diagnostics}", path.display()))
}

fn machines(topology: &Topology) -> Vec<(&str, MachineRef)> {
    topology.workers().iter().map(|worker| (worker.name.as_str(), worker.machine.clone())).collect()
}

fn by_name(name: &str) -> MachineRef {
    MachineRef::Name(name.to_owned())
}

/// The stand-in knows less than the real providers; with those the program's own tests load, plan and apply every file.
#[test]
fn files_in_config_with_workers_of_their_own_load_and_say_what_they_show() {
    for name in ["kroutes.toml", "hard-way-2016.toml", "dual-stack.toml", "several-tables.toml"] {
        let loaded = config(name);
        assert!(loaded.topology_for("aws").is_ok_and(|topology| topology.workers().len() >= 2), "{name}");
        loaded.section::<Settings>("aws").unwrap_or_else(|diagnostics| panic!("{name}: {diagnostics}"));
    }
}

#[test]
fn the_hard_way_finds_table_and_instances_by_name() {
    let loaded = config("kroutes.toml");
    assert_eq!(loaded.providers(), ["aws"]);
    assert_eq!(loaded.cluster().name.as_str(), "kubernetes");
    let topology = loaded.topology_for("aws").expect("topology");
    assert_eq!(
        machines(&topology),
        [("worker-0", by_name("worker-0")), ("worker-1", by_name("worker-1")), ("worker-2", by_name("worker-2"))]
    );
    let ranges: Vec<String> = topology.ranges().map(|(_, cidr)| cidr.to_string()).collect();
    assert_eq!(ranges, ["10.200.0.0/24", "10.200.1.0/24", "10.200.2.0/24"]);
    let settings: Settings = loaded.section("aws").expect("settings");
    assert_eq!(settings.region.as_deref(), Some("us-west-2"));
    assert_eq!(settings.route_table.0, [Table::By(Lookup::Name("kubernetes".to_owned()))]);
}

#[test]
fn several_tables_and_machines_by_id_or_another_name_are_read() {
    let loaded = config("several-tables.toml");
    let settings: Settings = loaded.section("aws").expect("settings");
    assert_eq!(settings.route_table.0.len(), 3);
    assert_eq!(settings.routes_limit, Some(1000));
    assert_eq!(
        machines(&loaded.topology_for("aws").expect("topology")),
        [
            ("node-a-1", MachineRef::Id("i-0123456789abcdef0".to_owned())),
            ("node-b-1", by_name("node-b-1")),
            ("node-c-1", by_name("node-c-1.example.internal")),
        ]
    );
}

#[test]
fn providers_are_told_in_the_order_of_the_file_and_others_are_left_unread() {
    let text = "[metal]\n[gcp]\nroute-name = 5\n[linux]\nno-such-key = 1\n".to_owned() + GOOD;
    let text = text + "gcp = { anything = [1] }\n";
    assert_eq!(load_text(&text).expect("loads").providers(), ["metal", "aws"]);
}

#[test]
fn an_absent_section_reads_like_an_empty_one() {
    let text = GOOD.replace("[aws]\nregion = \"us-west-2\"\nroute-table = { name = \"kubernetes\" }\n", "");
    let loaded = load_text(&text).expect("loads without any provider");
    assert_eq!(loaded.providers(), [""; 0]);
    assert!(loaded.topology_for("aws").is_ok());
    assert_eq!(
        loaded.section::<Settings>("aws").expect_err("no route table").render(false),
        "\
error: missing key `route-table` in `[aws]`
--> kroutes.toml
 = help: write it there, or set `KROUTES_TOPOLOGY__AWS__ROUTE_TABLE`
"
    );
}

#[test]
fn a_provider_that_is_not_used_may_lack_what_it_needs() {
    let text = GOOD.replace("route-table = { name = \"kubernetes\" }\n", "");
    let loaded = load_text(&text).expect("another provider may be meant");
    assert_eq!(
        loaded.section::<Settings>("aws").expect_err("now it is needed").render(false),
        "\
error: missing key `route-table` in `[aws]`
 --> kroutes.toml:5:1
  |
5 | [aws]
  | ^^^^^
  |
  = help: write it there, or set `KROUTES_TOPOLOGY__AWS__ROUTE_TABLE`
"
    );
}

#[test]
fn a_provider_that_routes_by_address_asks_for_every_address() {
    let loaded = load_text(GOOD).expect("loads");
    assert_eq!(
        loaded.topology_for("metal").expect_err("worker-1 has none").render(false),
        "\
error: missing key `address` in `[[worker]]`
  --> kroutes.toml:14:1
   |
14 | [[worker]]
   | ^^^^^^^^^^
   |
   = help: `metal` sends to a worker by its address
"
    );
}

#[test]
fn a_provider_that_is_not_built_in_is_told_with_those_that_are() {
    let loaded = load_text(GOOD).expect("loads");
    assert_eq!(
        loaded.topology_for("azure").expect_err("there is none").render(false),
        "error: this build of kroutes has no provider `azure`\nhelp: it has `aws`, `metal`\n"
    );
}

#[test]
fn five_thousand_workers_load() {
    let workers = (0..5000).map(|number| {
        let (high, low) = (number / 256, number % 256);
        format!(
            "[[worker]]\nname = \"worker-{number}\"\npod-cidr = \"10.{high}.{low}.0/24\"\n\
             address = \"172.16.{high}.{low}\"\naws.instance = \"i-{number}\"\n"
        )
    });
    let head = "[cluster]\nname = \"large\"\npod-cidr = \"10.0.0.0/8\"\n".to_owned();
    let text: String = std::iter::once(head).chain(workers).collect();
    let loaded = load_text(&text).expect("loads");
    assert_eq!(loaded.topology_for("aws").expect("topology").workers().len(), 5000);
}
