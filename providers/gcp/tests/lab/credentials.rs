//! Credentials as the environment gives them.
//!
//! A process has one environment, which tests that run side by side must not change. So each of these runs this very
//! program again, for one test that is ignored otherwise, in an environment of its own.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use kroutes_core::{Gate, RouteBackend};
use kroutes_gcp::{Connection, GcpBackend};
use kroutes_lab::{Fault, FaultKind};

use crate::bench::{Bench, NAME, cluster, impatient, settings, workers};

/// Set for the child alone; the project.
const CHILD: &str = "KROUTES_TEST_CHILD";
const OK: &str = "outcome: read";

#[test]
#[ignore = "the other tests of this file run it, in an environment of its own"]
fn the_child() {
    let Ok(project) = std::env::var(CHILD) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let outcome = runtime.block_on(async {
        let gate = Arc::new(Gate::new(impatient()));
        let backend = GcpBackend::open(&settings(&project, NAME), &cluster(), gate, Connection::Standard).await?;
        backend.observe(&workers(1)).await?.tables.remove(0).table
    });
    let told = match outcome {
        Ok(_) => format!("\n{OK}\n"),
        Err(error) => format!("\noutcome: {:?}: {error}\n{error:?}\n", error.kind()),
    };
    std::io::stdout().write_all(told.as_bytes()).expect("somebody listens");
}

/// What a run says that has these variables, and nothing else, to go by.
async fn run(bench: &Bench, home: &Path, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "credentials::the_child", "--ignored", "--nocapture"]).env_clear();
    command.env("HOME", home).env(CHILD, bench.lab.project());
    command.env("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", bench.lab.compute_endpoint());
    command.envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("outcome: "), "{said}");
    said
}

/// The file of the lab's service account, and its path.
fn key(bench: &Bench, home: &Path) -> String {
    let path = home.join("key.json");
    std::fs::write(&path, bench.lab.service_account_key()).expect("written");
    path.to_str().expect("a path").to_owned()
}

#[tokio::test]
async fn a_service_accounts_key_gets_one_token_for_a_whole_run() {
    let (bench, home) = (Bench::new(1).await, tempfile::tempdir().expect("a folder"));
    let key = key(&bench, home.path());
    let said = run(&bench, home.path(), &[("GOOGLE_APPLICATION_CREDENTIALS", &key)]).await;
    assert!(said.contains(OK), "{said}");
    let calls = bench.calls();
    assert_eq!((calls["oauth2.token"], calls["routes.list"]), (1, 1));
}

#[tokio::test]
async fn a_token_that_is_not_accepted_any_more_is_renewed_once() {
    let (bench, home) = (Bench::new(1).await, tempfile::tempdir().expect("a folder"));
    let key = key(&bench, home.path());
    let expired =
        FaultKind::Error { status: 401, code: "authError".to_owned(), message: "Invalid Credentials".to_owned() };
    bench.lab.add_fault(Fault::new(expired.clone()).on("routes.list").times(1));
    let said = run(&bench, home.path(), &[("GOOGLE_APPLICATION_CREDENTIALS", &key)]).await;
    assert!(said.contains(OK), "{said}");
    let calls = bench.calls();
    assert_eq!((calls["oauth2.token"], calls["routes.list"]), (2, 2));

    for action in ["networks.get", "routes.list", "instances.aggregatedList"] {
        bench.lab.add_fault(Fault::new(expired.clone()).on(action));
    }
    let said = run(&bench, home.path(), &[("GOOGLE_APPLICATION_CREDENTIALS", &key)]).await;
    assert!(said.contains("outcome: Unauthenticated"), "{said}");
    assert_eq!(bench.calls()["oauth2.token"], 2, "one refresh, whoever asked for it");
    assert!(!said.contains("PRIVATE KEY") && !said.contains("ya29."), "{said}");
}

#[tokio::test]
async fn a_key_of_another_project_says_so_where_it_is_refused() {
    let (bench, home) = (Bench::new(1).await, tempfile::tempdir().expect("a folder"));
    let key = key(&bench, home.path());
    let said =
        run(&bench, home.path(), &[("GOOGLE_APPLICATION_CREDENTIALS", &key), (CHILD, "somebody-elses-project")]).await;
    assert!(said.contains("outcome: NotFound"), "{said}");
    assert!(said.contains(&format!("which are of project `{}`", bench.lab.project())), "{said}");
}

#[tokio::test]
async fn a_vm_gets_its_token_from_the_metadata_server() {
    let (bench, home) = (Bench::new(1).await, tempfile::tempdir().expect("a folder"));
    let host = bench.lab.endpoint().replace("http://", "");
    let said = run(&bench, home.path(), &[("GCE_METADATA_HOST", &host)]).await;
    assert!(said.contains(OK), "{said}");
    assert_eq!(bench.calls()["metadata.token"], 1);
}

#[tokio::test]
async fn a_token_endpoint_that_answers_html_or_nothing_is_told_and_asked_again() {
    let (bench, home) = (Bench::new(1).await, tempfile::tempdir().expect("a folder"));
    let key = key(&bench, home.path());
    let variables = [("GOOGLE_APPLICATION_CREDENTIALS", key.as_str())];
    for kind in [FaultKind::Html, FaultKind::DropBefore, FaultKind::ServerError, FaultKind::CutShort] {
        bench.lab.add_fault(Fault::new(kind.clone()).on("oauth2.token").times(1));
        let said = run(&bench, home.path(), &variables).await;
        assert!(said.contains(OK), "{kind:?}: {said}");
        assert_eq!(bench.calls()["oauth2.token"], 2, "{kind:?}");
    }
    bench.lab.add_fault(Fault::new(FaultKind::Html).on("oauth2.token"));
    let said = run(&bench, home.path(), &variables).await;
    assert!(said.contains("outcome: Unavailable"), "{said}");
    assert_eq!(bench.calls().get("routes.list"), None, "nothing is asked without a token");
}
