//! `[source]`: the kinds and their keys, and what is said where they do not fit.

use std::path::{Path, PathBuf};

use kroutes_core::{RangeFrom, Selector};
use kroutes_driver::{SourceKind, SourceSpec, load};

use crate::stand_in::{FORMATS, RESERVED, load_text, load_with, said};

const HEAD: &str = "[cluster]\nname = \"k\"\npod-cidr = \"10.200.0.0/16\"\nnode-prefix = 24\n\n[source]\n";

fn spec(source: &str) -> SourceSpec {
    load_text(&format!("{HEAD}{source}")).expect(source).source().expect("a source").clone()
}

fn say(source: &str) -> String {
    said(load_text(&format!("{HEAD}{source}")))
}

/// The first line, without what it is about.
fn message(source: &str) -> String {
    say(source).lines().next().unwrap_or_default().to_owned()
}

fn selector(name: Option<&str>, labels: &[(&str, &str)], range: RangeFrom) -> SourceKind {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    SourceKind::Cloud { selector: Selector { name: name.map(str::to_owned), labels, range } }
}

#[test]
fn the_nodes_of_a_cluster_by_context_and_selector() {
    let text = r#"# Workers are the nodes of a running cluster; every table that serves one of them gets the routes.
[cluster]
name = "prod-eu-1"
pod-cidr = ["10.64.0.0/12", "fd00:10:64::/48"]
service-cidr = ["10.96.0.0/16", "fd00:10:96::/112"]

[aws]
region = "eu-west-1"
route-table = "rtb-0a1b"

[source]
kind = "kubernetes"
context = "prod-eu-1"
selector = "!node-role.kubernetes.io/control-plane"
"#;
    let loaded = load_text(text).expect("loads");
    assert_eq!(loaded.providers(), ["aws"]);
    let kind = SourceKind::Kubernetes {
        context: Some("prod-eu-1".to_owned()),
        selector: Some("!node-role.kubernetes.io/control-plane".to_owned()),
    };
    assert_eq!(loaded.source(), Some(&SourceSpec { kind, node_prefix: None }));
    assert_eq!(
        loaded.topology_for("aws").expect_err("they have to be asked for").render(false),
        "error: the workers of `kroutes.toml` are not in it: they are the nodes of context `prod-eu-1` with \
         `!node-role.kubernetes.io/control-plane`\nhelp: ask the source for them first\n"
    );
    assert_eq!(spec("kind = \"kubernetes\"\n").kind, SourceKind::Kubernetes { context: None, selector: None });
}

#[test]
fn a_node_list_on_standard_input() {
    let text = r#"# kubectl get nodes -o json | kroutes --provider gcp -f node-list.toml
[cluster]
name = "kubernetes"
pod-cidr = "10.200.0.0/16"

[gcp]
project = "hard-way"
network = "kubernetes"

[source]
kind = "node-list"
path = "-"
"#;
    let loaded = load_text(text).expect("loads");
    let source = loaded.source().expect("a source");
    assert_eq!(source.kind, SourceKind::NodeList { path: PathBuf::from("-") });
    assert_eq!(source.to_string(), "the node list on standard input");
}

#[test]
fn machines_by_name_with_ranges_of_their_own() {
    let text = r#"[cluster]
name = "kubernetes-the-hard-way"
pod-cidr = "10.200.0.0/16"

[aws]
region = "us-east-1"
route-table = { name = "kubernetes" }

[gcp]
project = "hard-way"
network = "kubernetes-the-hard-way"

[source]
kind = "cloud"
name = "worker-*"
pod-cidr = "instance"
"#;
    let loaded = load_text(text).expect("loads");
    let source = loaded.source().expect("a source");
    assert_eq!(source.kind, selector(Some("worker-*"), &[], RangeFrom::Machine));
    assert_eq!(source.to_string(), "the cloud's machines named `worker-*`");
}

#[test]
fn tags_and_labels_are_one_thing() {
    let source = "kind = \"cloud\"\npod-cidr = \"node-prefix\"\n\
                  tags = { role = \"worker\", a = \"1\" }\nlabels = { role = \"worker\", b = \"2\" }\n";
    let labels = [("a", "1"), ("b", "2"), ("role", "worker")];
    let spec = spec(source);
    assert_eq!(spec.kind, selector(None, &labels, RangeFrom::Elsewhere));
    assert!(spec.node_prefix.is_some());
    assert_eq!(spec.to_string(), "the cloud's machines with `a=1`, `b=2`, `role=worker`");
    assert_eq!(
        say(&source.replace("labels = { role = \"worker\"", "labels = { role = \"node\"")),
        "\
error: `role` must be `node` and, as a tag, `worker`
  --> kroutes.toml:10:19
   |
10 | labels = { role = \"node\", b = \"2\" }
   |                   ^^^^^^
   |
   = help: `tags` and `labels` are two words for one thing: give each key once
"
    );
}

#[test]
fn a_path_begins_at_the_folder_of_the_topology() {
    let path = |name: &str, path: &str| {
        let text = format!("{HEAD}kind = \"node-list\"\npath = \"{path}\"\n");
        let loaded = load(&text, name, &FORMATS, &RESERVED, []).expect("loads");
        let Some(SourceKind::NodeList { path }) = loaded.source().map(|source| source.kind.clone()) else {
            panic!("a node list")
        };
        path
    };
    assert_eq!(path("config/prod/kroutes.toml", "nodes.json"), Path::new("config/prod/nodes.json"));
    assert_eq!(path("kroutes.toml", "lists/nodes.json"), Path::new("lists/nodes.json"));
    assert_eq!(path("config/kroutes.toml", "/tmp/nodes.json"), Path::new("/tmp/nodes.json"));
    assert_eq!(path("<stdin>", "nodes.json"), Path::new("nodes.json"));
    let text = format!("{HEAD}kind = \"node-list\"\npath = \"-\"\n");
    let both = said(load(&text, "<stdin>", &FORMATS, &RESERVED, []));
    assert!(both.starts_with("error: standard input cannot be both the topology and its node list\n"), "{both}");
}

#[test]
fn a_key_of_another_kind_says_whose_it_is() {
    assert_eq!(
        say("kind = \"node-list\"\npath = \"nodes.json\"\ncontext = \"prod\"\npod-cidr = \"instance\"\n"),
        "\
error: `context` is a key of `kind = \"kubernetes\"`, and this source's kind is `node-list`
 --> kroutes.toml:9:1
  |
9 | context = \"prod\"
  | ^^^^^^^
  |
  = help: `node-list` has `path`

error: `pod-cidr` is a key of `kind = \"cloud\"`, and this source's kind is `node-list`
  --> kroutes.toml:10:1
   |
10 | pod-cidr = \"instance\"
   | ^^^^^^^^
   |
   = help: `node-list` has `path`
"
    );
}

#[test]
fn kinds_and_keys_that_nobody_knows_are_told_with_what_was_meant() {
    assert_eq!(
        say("kind = \"kubernets\"\nselctor = \"x\"\n"),
        "\
error: `kubernets` is not one of `node-list`, `kubernetes`, `cloud`
 --> kroutes.toml:7:8
  |
7 | kind = \"kubernets\"
  |        ^^^^^^^^^^^
  |
  = help: did you mean `kubernetes`?
"
    );
    assert_eq!(
        say("kind = \"kubernetes\"\nselctor = \"x\"\n"),
        "\
error: unknown key `selctor` in `[source]`
 --> kroutes.toml:8:1
  |
8 | selctor = \"x\"
  | ^^^^^^^
  |
  = help: did you mean `selector`?
"
    );
    assert!(say("knd = \"cloud\"\n").matches("error:").count() == 1);
}

#[test]
fn what_is_missing_or_empty_is_told_where_it_belongs() {
    assert_eq!(
        say("path = \"x\"\n"),
        "\
error: missing key `kind` in `[source]`
 --> kroutes.toml:6:1
  |
6 | [source]
  | ^^^^^^^^
  |
  = help: write it there, or set `KROUTES_TOPOLOGY__SOURCE__KIND`
"
    );
    assert_eq!(message("kind = \"node-list\"\n"), "error: missing key `path` in `[source]`");
    assert_eq!(message("kind = \"node-list\"\npath = \" \"\n"), "error: `path` is empty");
    assert_eq!(message("kind = \"kubernetes\"\ncontext = \"\"\n"), "error: `context` is empty");
    let cloud = say("kind = \"cloud\"\nname = \"w*\"\n");
    assert!(cloud.starts_with("error: missing key `pod-cidr` in `[source]`\n --> kroutes.toml:6:1\n"), "{cloud}");
    assert!(cloud.contains("= help: `pod-cidr = \"instance\"` where each machine says its own, or"), "{cloud}");
    assert_eq!(
        message("kind = \"cloud\"\npod-cidr = \"instance\"\n"),
        "error: this source takes every machine of the cloud: it has no `name`, `tags` or `labels`"
    );
    let text = format!("{HEAD}kind = \"cloud\"\nname = \"w*\"\npod-cidr = \"node-prefix\"\n");
    let without = said(load_text(&text.replace("node-prefix = 24\n", "")));
    assert_eq!(
        without,
        "\
error: `pod-cidr = \"node-prefix\"` needs `node-prefix` in `[cluster]`
 --> kroutes.toml:8:12
  |
8 | pod-cidr = \"node-prefix\"
  |            ^^^^^^^^^^^^^
  |
  = help: add one, such as `node-prefix = 24`
"
    );
}

#[test]
fn a_source_and_workers_in_the_file_exclude_each_other() {
    assert_eq!(
        say("kind = \"kubernetes\"\n[[worker]]\nname = \"worker-0\"\n"),
        "\
error: a topology has a `[source]` or `[[worker]]` tables, not both
 --> kroutes.toml:6:2
  |
6 | [source]
  |  ^^^^^^
  |
  = help: remove the one or the other
"
    );
    let two = said(load_text("[[source]]\nkind = \"cloud\"\n"));
    assert!(two.starts_with("error: expected a table, found a list\n --> kroutes.toml:1:1\n"), "{two}");
    assert!(two.contains("there is one source, `[source]`, in one pair of brackets"), "{two}");
}

#[test]
fn a_source_takes_variables_and_may_come_from_them_alone() {
    let text = format!("{HEAD}kind = \"kubernetes\"\ncontext = \"prod\"\n");
    let loaded = load_with(&text, &[("KROUTES_TOPOLOGY__SOURCE__CONTEXT", "staging")]).expect("loads");
    let kind = SourceKind::Kubernetes { context: Some("staging".to_owned()), selector: None };
    assert_eq!(loaded.source().map(|source| &source.kind), Some(&kind));

    let text = "[cluster]\nname = \"k\"\npod-cidr = \"10.200.0.0/16\"\n";
    let variables = [
        ("KROUTES_TOPOLOGY__CLUSTER__NODE_PREFIX", "24"),
        ("KROUTES_TOPOLOGY__SOURCE__KIND", "cloud"),
        ("KROUTES_TOPOLOGY__SOURCE__POD_CIDR", "node-prefix"),
        ("KROUTES_TOPOLOGY__SOURCE__LABELS__ROLE", "worker"),
    ];
    let loaded = load_with(text, &variables).expect("loads");
    let source = loaded.source().expect("a source");
    assert_eq!(source.kind, selector(None, &[("role", "worker")], RangeFrom::Elsewhere));
    assert!(source.node_prefix.is_some());

    let said = said(load_with(text, &[("KROUTES_TOPOLOGY__SOURCE__KIND", "cluster")]));
    assert_eq!(
        said,
        "error: environment variable `KROUTES_TOPOLOGY__SOURCE__KIND`: `cluster` is not one of `node-list`, \
         `kubernetes`, `cloud`\n"
    );
}
