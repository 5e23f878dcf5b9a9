//! The environment over the file.

use std::ffi::OsString;

use crate::stand_in::{FORMATS, GOOD, Lookup, RESERVED, Settings, Table, load_with, said};

fn settings(variables: &[(&str, &str)]) -> Settings {
    load_with(GOOD, variables).expect("loads").section("aws").expect("settings")
}

#[test]
fn a_variable_beats_the_file() {
    assert_eq!(settings(&[("KROUTES_TOPOLOGY__AWS__REGION", "eu-north-1")]).region.as_deref(), Some("eu-north-1"));
}

#[test]
fn a_variable_gives_what_the_file_leaves_out() {
    assert_eq!(settings(&[("KROUTES_TOPOLOGY__AWS__ROUTES_LIMIT", "1000")]).routes_limit, Some(1000));
    let text = GOOD.replace("name = \"kubernetes\"\npod-cidr = \"10.200.0.0/16\"\n", "");
    let variables = [
        ("KROUTES_TOPOLOGY__CLUSTER__NAME", "2024"),
        ("KROUTES_TOPOLOGY__CLUSTER__POD_CIDR", "10.200.0.0/15"),
        ("KROUTES_TOPOLOGY__CLUSTER__SERVICE_CIDR", "10.32.0.0/24"),
    ];
    let loaded = load_with(&text, &variables).expect("loads");
    // A name of digits stays a name, and the list-or-string keys take one string.
    assert_eq!(loaded.cluster().name.as_str(), "2024");
    assert_eq!(loaded.cluster().pod_cidrs[0].to_string(), "10.200.0.0/15");
    assert_eq!(loaded.cluster().service_cidrs.len(), 1);
}

#[test]
fn workers_survive_the_overlay_in_their_order() {
    let loaded = load_with(GOOD, &[("KROUTES_TOPOLOGY__AWS__REGION", "eu-north-1")]).expect("loads");
    let topology = loaded.topology_for("aws").expect("topology");
    let names: Vec<&str> = topology.workers().iter().map(|worker| worker.name.as_str()).collect();
    assert_eq!(names, ["worker-0", "worker-1"]);
}

#[test]
fn a_variable_may_replace_a_table_or_set_one_key_of_it() {
    assert_eq!(
        settings(&[("KROUTES_TOPOLOGY__AWS__ROUTE_TABLE", "rtb-0a1b")]).route_table.0,
        [Table::Id("rtb-0a1b".to_owned())]
    );
    assert_eq!(
        settings(&[("KROUTES_TOPOLOGY__AWS__ROUTE_TABLE__NAME", "other")]).route_table.0,
        [Table::By(Lookup::Name("other".to_owned()))]
    );
}

#[test]
fn a_section_may_come_from_variables_alone() {
    let text = GOOD.replace("[aws]\nregion = \"us-west-2\"\nroute-table = { name = \"kubernetes\" }\n", "");
    let loaded = load_with(&text, &[("KROUTES_TOPOLOGY__AWS__ROUTE_TABLE", "rtb-0a1b")]).expect("loads");
    assert!(loaded.section::<Settings>("aws").is_ok());
    // Variables are no reason to think that this provider is meant: only the file configures one.
    assert_eq!(loaded.providers(), [""; 0]);
}

#[test]
fn sections_of_other_builds_and_other_programs_variables_are_left_alone() {
    let variables = [
        ("KROUTES_TOPOLOGY__GCP__PROJECT", "p"),
        ("KROUTES_PROVIDER", "aws"),
        ("PATH", "/bin"),
        ("KROUTES_TOPOLOGY__CLUSTER__NAME", ""),
    ];
    assert_eq!(load_with(GOOD, &variables).expect("loads").cluster().name.as_str(), "kubernetes");
}

#[test]
fn a_value_that_does_not_fit_names_its_variable() {
    assert_eq!(
        said(load_with(GOOD, &[("KROUTES_TOPOLOGY__AWS__ROUTES_LIMIT", "many")])),
        "error: environment variable `KROUTES_TOPOLOGY__AWS__ROUTES_LIMIT`: expected a whole number from 0 to \
         4294967295, found the string `many`\n"
    );
    assert_eq!(
        said(load_with(GOOD, &[("KROUTES_TOPOLOGY__CLUSTER__POD_CIDR", "10.200.1.0/16")])),
        "error: environment variable `KROUTES_TOPOLOGY__CLUSTER__POD_CIDR`: `10.200.1.0/16` has host bits set; the \
         range is `10.200.0.0/16`\n"
    );
}

#[test]
fn a_misspelt_variable_is_not_lost_in_silence() {
    assert_eq!(
        said(load_with(GOOD, &[("KROUTES_TOPOLOGY__AWS__ROUTES_LIMT", "5")])),
        "error: environment variable `KROUTES_TOPOLOGY__AWS__ROUTES_LIMT` sets the unknown key `aws.routes-limt`\n\
         help: did you mean `KROUTES_TOPOLOGY__AWS__ROUTES_LIMIT`?\n"
    );
    assert_eq!(
        said(load_with(GOOD, &[("KROUTES_TOPOLOGY__AZURE__VNET", "5")])),
        "error: environment variable `KROUTES_TOPOLOGY__AZURE__VNET` sets the unknown key `azure`\n\
         help: known here: `cluster`, `worker`, `source`, `aws`, `metal`, `gcp`, `linux`\n"
    );
    assert_eq!(
        said(load_with(GOOD, &[("KROUTES_TOPOLOGY_AWS__REGION", "x")])),
        "error: environment variable `KROUTES_TOPOLOGY_AWS__REGION`: this names no key of a topology\n\
         help: two underscores go between all parts: `KROUTES_TOPOLOGY__CLUSTER__POD_CIDR`\n"
    );
}

#[test]
fn a_variable_that_can_mean_nothing_is_refused() {
    for (name, message) in [
        ("KROUTES_TOPOLOGY__WORKER__0__NAME", "`worker` cannot be set from the environment"),
        ("KROUTES_TOPOLOGY__WORKER", "`worker` cannot be set from the environment"),
        ("KROUTES_TOPOLOGY__AWS", "`[aws]` is a table; a variable sets one key of it"),
        ("KROUTES_TOPOLOGY__", "this names no key of a topology"),
        ("KROUTES_TOPOLOGY__AWS__REGION__", "this names no key of a topology"),
        ("KROUTES_TOPOLOGY__AWS__RÉGION", "this names no key of a topology"),
    ] {
        let said = said(load_with(GOOD, &[(name, "x")]));
        assert!(said.starts_with(&format!("error: environment variable `{name}`: {message}\n")), "{said}");
    }
    let deep = format!("KROUTES_TOPOLOGY{}", "__A".repeat(10_000));
    assert!(said(load_with(GOOD, &[(&deep, "x")])).contains("names no key of a topology"));
}

#[test]
fn two_variables_for_one_key_contradict_each_other() {
    let variables =
        [("KROUTES_TOPOLOGY__AWS__ROUTE_TABLE__NAME", "x"), ("KROUTES_TOPOLOGY__AWS__ROUTE_TABLE", "rtb-1")];
    assert_eq!(
        said(load_with(GOOD, &variables)),
        "error: environment variable `KROUTES_TOPOLOGY__AWS__ROUTE_TABLE__NAME`: it sets the same key as \
         `KROUTES_TOPOLOGY__AWS__ROUTE_TABLE`\nhelp: unset one of them\n"
    );
}

#[test]
fn what_is_wrong_in_the_file_is_told_even_if_a_variable_hides_it() {
    let text = GOOD.replace("\"us-west-2\"", "5");
    let said = said(load_with(&text, &[("KROUTES_TOPOLOGY__AWS__REGION", "eu-north-1")]));
    assert!(said.starts_with("error: expected a string, found the number `5`\n --> kroutes.toml:6:10\n"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_value_that_is_no_text_names_its_variable() {
    use std::os::unix::ffi::OsStringExt;

    let environment = [(OsString::from("KROUTES_TOPOLOGY__AWS__REGION"), OsString::from_vec(vec![0xff]))];
    let result = kroutes_driver::load(GOOD, "kroutes.toml", &FORMATS, &RESERVED, environment);
    assert_eq!(
        said(result),
        "error: environment variable `KROUTES_TOPOLOGY__AWS__REGION`: the value is not UTF-8 text\n"
    );
}
