//! What is said of a topology that is wrong, whole.

use crate::stand_in::{GOOD, load_text, said};

fn say(text: &str) -> String {
    said(load_text(text))
}

const MANY_FAULTS: &str = r#"[cluster]
nmae = "kubernetes"
pod-cidr = "10.200.0.0/16"
service-cidr = "10.200.9.0/24"

[asw]
region = "us-west-2"

[aws]
regoin = "us-west-2"
route-table = { name = "kubernetes" }

[[worker]]
name = "a b"
pod-cidr = "10.200.1.7/24"

[[worker]]
name = "w"
pod-cidr = ["10.200.1.0/24", "banana"]
	adress = "ü"
aws = { instnce = "i-1" }

[[worker]]
name = "w"
pod-cidr = ["::ffff:10.0.0.0/120", "10.200.1.0/24"]
address = "10.240.0.1/24"
"#;

#[test]
fn every_unknown_key_and_every_fault_is_told_at_once_in_the_order_of_the_file() {
    assert_eq!(
        say(MANY_FAULTS),
        "\
error: unknown key `nmae` in `[cluster]`
 --> kroutes.toml:2:1
  |
2 | nmae = \"kubernetes\"
  | ^^^^
  |
  = help: did you mean `name`?

error: the service range `10.200.9.0/24` overlaps the cluster's pod range `10.200.0.0/16`
 --> kroutes.toml:4:16
  |
4 | service-cidr = \"10.200.9.0/24\"
  |                ^^^^^^^^^^^^^^^

error: unknown section or key `asw`
 --> kroutes.toml:6:2
  |
6 | [asw]
  |  ^^^
  |
  = help: did you mean `aws`?

error: unknown key `regoin` in `[aws]`
  --> kroutes.toml:10:1
   |
10 | regoin = \"us-west-2\"
   | ^^^^^^
   |
   = help: did you mean `region`?

error: a worker name has 1 to 253 printable characters and no spaces; this is `a b`
  --> kroutes.toml:14:8
   |
14 | name = \"a b\"
   |        ^^^^^

error: `10.200.1.7/24` has host bits set; the range is `10.200.1.0/24`
  --> kroutes.toml:15:12
   |
15 | pod-cidr = \"10.200.1.7/24\"
   |            ^^^^^^^^^^^^^^^

error: `banana` is not a CIDR range such as `10.200.0.0/24`
  --> kroutes.toml:19:30
   |
19 | pod-cidr = [\"10.200.1.0/24\", \"banana\"]
   |                              ^^^^^^^^

error: unknown key `adress` in `[[worker]]`
  --> kroutes.toml:20:2
   |
20 |     adress = \"ü\"
   |     ^^^^^^
   |
   = help: did you mean `address`?

error: unknown key `instnce` in `worker.aws`
  --> kroutes.toml:21:9
   |
21 | aws = { instnce = \"i-1\" }
   |         ^^^^^^^
   |
   = help: did you mean `instance`?

error: two workers are called `w`
  --> kroutes.toml:24:8
   |
24 | name = \"w\"
   |        ^^^

error: `::ffff:10.0.0.0/120` is an IPv4-mapped IPv6 range; write it as plain IPv4
  --> kroutes.toml:25:13
   |
25 | pod-cidr = [\"::ffff:10.0.0.0/120\", \"10.200.1.0/24\"]
   |             ^^^^^^^^^^^^^^^^^^^^^

error: workers `w` and `w` have the same pod CIDR `10.200.1.0/24`
  --> kroutes.toml:25:36
   |
25 | pod-cidr = [\"::ffff:10.0.0.0/120\", \"10.200.1.0/24\"]
   |                                    ^^^^^^^^^^^^^^^

error: `10.240.0.1/24` is a range; a worker's address has no prefix length
  --> kroutes.toml:26:11
   |
26 | address = \"10.240.0.1/24\"
   |           ^^^^^^^^^^^^^^^
"
    );
}

#[test]
fn of_syntax_errors_the_first_is_told() {
    assert_eq!(
        say("[cluster]\r\nname = \"kubernetes\r\npod-cidr = [\r\n"),
        "\
error: invalid basic string, expected `\"`
 --> kroutes.toml:2:19
  |
2 | name = \"kubernetes
  |                   ^
"
    );
}

#[test]
fn a_byte_order_mark_moves_no_column_and_a_column_counts_characters() {
    assert_eq!(
        say("\u{feff}cluster = { name = \"ünï\", pod-cidr = 7 }"),
        "\
error: expected a string or a list of strings, found the number `7`
 --> kroutes.toml:1:38
  |
1 | cluster = { name = \"ünï\", pod-cidr = 7 }
  |                                      ^
"
    );
    let diagnostics = load_text("\u{feff}cluster = { name = \"ünï\", pod-cidr = 7 }").expect_err("a number");
    let place = diagnostics.iter().next().and_then(|diagnostic| diagnostic.place.clone()).expect("a place");
    assert_eq!((place.line, place.column), (1, 38));
}

#[test]
fn of_values_that_do_not_fit_the_first_is_told() {
    assert_eq!(
        say(&GOOD.replace("\"10.200.0.0/16\"", "7").replace("\"us-west-2\"", "[1]")),
        "\
error: expected a string or a list of strings, found the number `7`
 --> kroutes.toml:3:12
  |
3 | pod-cidr = 7
  |            ^
"
    );
}

#[test]
fn values_deep_in_a_providers_section_have_their_place() {
    for (given, message, line, column) in [
        (
            "route-table = 5",
            "expected a route table's id or a table such as `{ name = \"kubernetes\" }`, found the number `5`",
            7,
            15,
        ),
        ("route-table = \"kubernetes\"", "`kubernetes` is not the id of a route table", 7, 15),
        ("route-table = [\"rtb-1\", { nam = \"x\" }]", "`nam` is not one of `name`, `tag`, `vpc`, `subnet`", 7, 27),
        ("route-table = { tag = { a = 1 } }", "expected a string, found the number `1`", 7, 29),
        (
            "route-table = \"rtb-1\"\nroutes-limit = \"500\"",
            "expected a whole number from 0 to 4294967295, found the string `500`",
            8,
            16,
        ),
        (
            "route-table = \"rtb-1\"\nroutes-limit = -1",
            "expected a whole number from 0 to 4294967295, found the number `-1`",
            8,
            16,
        ),
        (
            "route-table = \"rtb-1\"\nroutes-limit = 1979-05-27",
            "expected a whole number from 0 to 4294967295, found the date `1979-05-27`",
            8,
            16,
        ),
        ("route-table = \"rtb-1\"\nsource-dest-check = \"of\"", "`of` is not one of `off`, `leave`", 8, 21),
        ("route-table = \"rtb-1\"\nregion = { a = 1 }", "expected a string, found a table", 8, 10),
    ] {
        let text = GOOD.replace("region = \"us-west-2\"", "").replace("route-table = { name = \"kubernetes\" }", given);
        let said = say(&text);
        assert!(said.starts_with(&format!("error: {message}\n --> kroutes.toml:{line}:{column}\n")), "{given}: {said}");
    }
}

#[test]
fn a_key_that_a_provider_refuses_by_itself_has_its_place_too() {
    assert_eq!(
        say(&(GOOD.to_owned() + "aws = { instance = { nmae = \"x\" } }\n")),
        "\
error: unknown key `nmae` in `worker.aws.instance`
  --> kroutes.toml:17:22
   |
17 | aws = { instance = { nmae = \"x\" } }
   |                      ^^^^
   |
   = help: did you mean `name`?
"
    );
    let loaded = load_text(&(GOOD.to_owned() + "aws = { instance = {} }\n")).expect("another provider may be meant");
    assert_eq!(
        loaded.topology_for("aws").expect_err("now it is needed").render(false),
        "\
error: missing key `name` in `worker.aws.instance`
  --> kroutes.toml:17:20
   |
17 | aws = { instance = {} }
   |                    ^^
"
    );
}

#[test]
fn tables_and_lists_of_tables_are_told_apart() {
    assert_eq!(
        say("[cluster]\nname = \"k\"\npod-cidr = \"10.0.0.0/16\"\n[worker]\nname = \"w\"\n"),
        "\
error: expected a list of tables, found a table
 --> kroutes.toml:4:1
  |
4 | [worker]
  | ^^^^^^^^
  |
  = help: a worker begins with `[[worker]]`, in two pairs of brackets
"
    );
    assert!(say("[[cluster]]\n").starts_with("error: expected a table, found a list\n --> kroutes.toml:1:1\n"));
    assert!(say("aws = 5\n").starts_with("error: expected a table, found the number `5`\n --> kroutes.toml:1:7\n"));
    assert!(
        say("worker = [5]\n").starts_with("error: expected a table, found the number `5`\n --> kroutes.toml:1:11\n")
    );
}

#[test]
fn what_is_missing_is_told_where_it_belongs() {
    assert_eq!(
        say("[cluster]\nname = \"kubernetes\"\n\n[[worker]]\npod-cidr = \"10.200.0.0/24\"\n"),
        "\
error: missing key `pod-cidr` in `[cluster]`
 --> kroutes.toml:1:1
  |
1 | [cluster]
  | ^^^^^^^^^
  |
  = help: write it there, or set `KROUTES_TOPOLOGY__CLUSTER__POD_CIDR`

error: missing key `name` in `[[worker]]`
 --> kroutes.toml:4:1
  |
4 | [[worker]]
  | ^^^^^^^^^^
"
    );
    assert_eq!(
        say("[aws]\n"),
        "\
error: missing section `[cluster]`
--> kroutes.toml
 = help: begin with `[cluster]`, `name = \"kubernetes\"` and `pod-cidr = \"10.200.0.0/16\"`

error: the topology has no workers
--> kroutes.toml
 = help: add a `[[worker]]` table with `name` and `pod-cidr` for each, or a `[source]` that knows them
"
    );
    assert!(say("[cluster]\nname = \"k\"\npod-cidr = []\n").contains("a cluster needs at least one pod CIDR"));
}

/// kubernetes#29058: two nodes with one pod CIDR.
#[test]
fn two_workers_with_one_pod_cidr_are_refused_with_both_names_and_the_line() {
    assert_eq!(
        say(&GOOD.replace("10.200.1.0/24", "10.200.0.0/24")),
        "\
error: workers `worker-0` and `worker-1` have the same pod CIDR `10.200.0.0/24`
  --> kroutes.toml:16:12
   |
16 | pod-cidr = \"10.200.0.0/24\"
   |            ^^^^^^^^^^^^^^^
"
    );
}

/// EC2 canonicalises 100.68.0.18/18, and the plan never becomes empty.
#[test]
fn host_bits_in_the_claim_hide_no_fault_of_the_workers() {
    let said = say(&GOOD.replace("10.200.0.0/16", "100.68.0.18/18").replace("10.200.1.0", "10.200.0.0"));
    assert!(said.contains("`100.68.0.18/18` has host bits set; the range is `100.68.0.0/18`"), "{said}");
    assert!(said.contains("have the same pod CIDR"), "{said}");
    assert!(!said.contains("is not inside"), "{said}");
}

#[test]
fn equal_faults_are_one_with_a_count_and_many_different_ones_are_cut() {
    let head = "[cluster]\nname = \"k\"\npod-cidr = \"10.0.0.0/8\"\n";
    let workers = |key: &dyn Fn(usize) -> String| {
        (0..1200).fold(head.to_owned(), |text, number| {
            let (high, low) = (number / 256, number % 256);
            let key = key(number);
            text + &format!("[[worker]]\nname = \"w{number}\"\npod-cidr = \"10.{high}.{low}.0/24\"\n{key} = 1\n")
        })
    };
    assert_eq!(
        say(&workers(&|_| "adress".to_owned())),
        "\
error: unknown key `adress` in `[[worker]]`
 --> kroutes.toml:7:1
  |
7 | adress = 1
  | ^^^^^^
  |
  = note: the same in 1199 more places, lines 11, 15, 19, 23, 27, 31, 35, 39, 43, 47, …
  = help: did you mean `address`?
"
    );
    let said = say(&workers(&|number| format!("zzzz{number}")));
    assert_eq!(said.matches("error: ").count(), 20);
    assert!(said.ends_with("\n\nand 1180 more; these are the first 20\n"), "{said}");
}

#[test]
fn what_could_move_a_cursor_is_not_printed() {
    let said = say(&GOOD.replace("\"10.200.1.0/24\"", "\"\\u001b[2J\""));
    assert!(!said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn colours_are_the_callers_choice() {
    let diagnostics = load_text("[cluster]\nname = 5\n").expect_err("a number");
    assert!(diagnostics.render(true).contains("\u{1b}["));
    assert!(!diagnostics.render(false).contains('\u{1b}'));
    assert_eq!(diagnostics.to_string() + "\n", diagnostics.render(false));
}
