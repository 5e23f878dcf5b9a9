//! What is a node list, and what is not.

use std::path::Path;

use kroutes_core::ErrorKind;

use crate::{BY_ID, cidr, found, list, loaded, node};

async fn names(text: impl AsRef<[u8]>) -> Vec<String> {
    let found = found(text, "", &BY_ID).await.expect("a node list");
    found.workers.iter().map(|worker| format!("{} {}", worker.name, worker.pod_cidrs[0])).collect()
}

async fn said(text: impl AsRef<[u8]>) -> String {
    found(text, "", &BY_ID).await.expect_err("no node list").to_string()
}

fn two() -> [String; 2] {
    [node("worker-0", &cidr("10.200.0.0/24"), &[]), node("worker-1", &cidr("10.200.1.0/24"), &[])]
}

const BOTH: [&str; 2] = ["worker-0 10.200.0.0/24", "worker-1 10.200.1.0/24"];

#[tokio::test]
async fn a_list_a_node_list_and_a_single_node_are_read() {
    assert_eq!(names(list(&two())).await, BOTH);
    assert_eq!(names(list(&two()).replace("\"List\"", "\"NodeList\"").replace(r#""kind":"Node","#, "")).await, BOTH);
    assert_eq!(names(&two()[0]).await, BOTH[..1]);
    assert_eq!(names(format!("\u{feff}\n{}\n", list(&two()))).await, BOTH);
}

#[tokio::test]
async fn the_list_of_ranges_wins_over_the_single_one() {
    let both = r#""podCIDR":"10.200.0.0/24","podCIDRs":["10.200.0.0/24","fd00::/64"]"#;
    for (spec, ranges) in [
        (both, "10.200.0.0/24 fd00::/64"),
        (r#""podCIDR":"10.200.9.0/24","podCIDRs":["10.200.0.0/24"]"#, "10.200.0.0/24"),
        (r#""podCIDR":"10.200.9.0/24""#, "10.200.9.0/24"),
        (r#""podCIDR":"10.200.9.0/24","podCIDRs":[]"#, "10.200.9.0/24"),
        (r#""podCIDR":"10.200.9.0/24","podCIDRs":null"#, "10.200.9.0/24"),
    ] {
        let found = found(list(&[node("w", spec, &[])]), "", &BY_ID).await.expect(spec);
        let read: Vec<String> = found.workers[0].pod_cidrs.iter().map(ToString::to_string).collect();
        assert_eq!(read.join(" "), ranges);
    }
}

#[tokio::test]
async fn what_is_no_json_says_what_it_is() {
    for (text, message) in [
        ("", "`nodes.json` is empty"),
        ("\u{feff} \n", "`nodes.json` is empty"),
        ("apiVersion: v1\nitems:\n", "`nodes.json` is YAML, not JSON"),
        ("---\nkind: List\n", "`nodes.json` is YAML, not JSON"),
        ("NAME       STATUS\n", "`nodes.json` is the table that `kubectl` prints, not JSON"),
        ("[]", "`nodes.json` is not JSON: it does not begin with `{`"),
        ("{]", "`nodes.json` is not JSON: key must be a string at line 1 column 2"),
        (r#"{"kind":"List","items":[]} x"#, "`nodes.json` is not JSON: trailing characters at line 1 column 28"),
    ] {
        assert_eq!(said(text).await, message, "{text}");
    }
    assert_eq!(
        said(b"\xff\xfe{\0").await,
        "`nodes.json` is UTF-16 text, as PowerShell's `>` writes it; save it as UTF-8"
    );
    let deep = r#"{"items":["#.repeat(100_000);
    assert!(said(deep).await.starts_with("`nodes.json` is not JSON: recursion limit exceeded"));
}

#[tokio::test]
async fn a_list_that_ends_in_the_middle_is_no_list_wherever_it_is_cut() {
    let whole = list(&two());
    for end in 1..whole.len() {
        let said = said(&whole[..end]).await;
        assert!(said.starts_with("`nodes.json` ends in the middle, at line "), "{end}: {said}");
    }
}

/// A listing whose second page failed was taken for the whole.
#[tokio::test]
async fn one_page_of_a_longer_list_is_no_list() {
    let page = list(&two()).replace("\"resourceVersion\":\"\"", "\"continue\":\"eyJ2Ijo\",\"resourceVersion\":\"7\"");
    assert_eq!(said(page).await, "`nodes.json` is one page of a longer list: its `metadata.continue` is set");
    let last = list(&two()).replace("\"resourceVersion\":\"\"", "\"continue\":\"\"");
    assert_eq!(names(last).await, BOTH);
}

#[tokio::test]
async fn a_list_of_other_things_names_them() {
    let pod = r#"{"kind":"Pod","metadata":{"name":"p"},"spec":{"podCIDR":5},"status":{"addresses":"x"}}"#;
    let service = r#"{"kind":"Service","metadata":{"name":"s"}}"#;
    for (text, message) in [
        (list(&[pod.to_owned()]), "`nodes.json` has objects of kind `Pod`, no nodes"),
        (list(&[two()[0].clone(), service.to_owned()]), "`nodes.json` has objects of kind `Service`, no nodes"),
        (list(&[]).replace("\"List\"", "\"PodList\""), "`nodes.json` has objects of kind `Pod`, no nodes"),
        (service.to_owned(), "`nodes.json` has objects of kind `Service`, no nodes"),
        (pod.to_owned(), "`nodes.json` has objects of kind `Pod`, no nodes"),
        (r#"{"format":1}"#.to_owned(), "`nodes.json` is no node list: it has no `items`"),
        (r#"{"kind":"List"}"#.to_owned(), "`nodes.json` is no node list: it has no `items`"),
    ] {
        assert_eq!(said(&text).await, message, "{text}");
    }
    let odd = list(&[node("w", r#""podCIDR":5"#, &[])]);
    let odd = said(odd).await;
    assert!(odd.starts_with("`nodes.json` is no node list: invalid type: integer `5`, expected a string"), "{odd}");
}

#[tokio::test]
async fn a_node_without_a_name_spoils_the_list() {
    let error = said(list(&[two()[0].clone(), r#"{"kind":"Node"}"#.to_owned()])).await;
    assert!(error.starts_with("the node list `nodes.json`: node 2 in the list has no usable name: "), "{error}");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().expect("folder");
    let here = folder.path().to_str().expect("text");
    for (path, kind, message) in [
        ("nodes.json", ErrorKind::NotFound, format!("no such file: `{here}/nodes.json`")),
        (".", ErrorKind::Invalid, format!("`{}` is a directory, not a node list", Path::new(here).join(".").display())),
    ] {
        let loaded = loaded(here, "", &format!("kind = \"node-list\"\npath = \"{path}\""));
        let source = loaded.source().expect("a source");
        let error = kroutes_driver::source::read(source, &BY_ID, None).await.expect_err("cannot be read");
        assert_eq!((error.kind(), error.to_string()), (kind, message));
        assert_eq!(error.get("help"), Some("write it with `kubectl get nodes -o json`"));
    }
}

#[tokio::test]
async fn without_the_feature_the_way_around_is_told() {
    if cfg!(feature = "kubernetes") {
        return;
    }
    let loaded = loaded("here", "", "kind = \"kubernetes\"\ncontext = \"prod\"\nselector = \"role=worker\"");
    let source = loaded.source().expect("a source");
    let error = kroutes_driver::source::read(source, &BY_ID, None).await.expect_err("not built in");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(
        error.get("help").is_some_and(|help| {
            help.contains("--features kubernetes")
                && help.contains("`kubectl --context prod get nodes -l 'role=worker' -o json`")
        }),
        "{error:?}"
    );
}
