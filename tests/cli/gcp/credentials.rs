//! By which door one comes in, and what happens when it is shut.

use std::time::Duration;

use kroutes_lab::{Fault, FaultKind, Lab, Options};

use crate::cli::world::compute::{address, options, seed, topology};
use crate::cli::world::{Ran, World, assert_snapshot, transcript, wait_for};

fn host(world: &World) -> String {
    world.lab.endpoint().replace("http://", "")
}

#[test]
fn a_key_file_gcloud_s_own_file_and_a_metadata_server_each_open_the_cloud() {
    let mut world = World::gcp(2);
    world.use_key();
    world.run("apply").code(0);
    assert_eq!(world.calls("oauth2.token"), 1);

    world.unset("GOOGLE_APPLICATION_CREDENTIALS");
    world.write("gcloud/application_default_credentials.json", world.lab.service_account_key());
    world.set("CLOUDSDK_CONFIG", world.folder().join("gcloud").to_str().expect("a plain path"));
    world.run("verify").code(0);
    assert_eq!(world.calls("oauth2.token"), 2);

    world.unset("CLOUDSDK_CONFIG");
    world.write(".config/gcloud/application_default_credentials.json", world.lab.service_account_key());
    world.run("verify").code(0);
    assert_eq!(world.calls("oauth2.token"), 3);

    std::fs::remove_file(world.folder().join(".config/gcloud/application_default_credentials.json")).expect("the file");
    world.set("GCE_METADATA_HOST", host(&world));
    world.run("verify").code(0);
    assert_eq!((world.calls("oauth2.token"), world.calls("metadata.token")), (3, 1), "{:?}", world.lab.calls());
}

#[test]
fn a_token_that_is_revoked_in_the_middle_of_the_work_is_renewed_once_for_all() {
    let options = Options { operation_delay: Duration::from_millis(700), ..options() };
    let mut world = World::new_gcp(&topology(5), seed(5), options);
    world.use_key();
    let mut child = world.command("apply").spawn().expect("it starts");
    wait_for(&world, &mut child, |world| world.calls("routes.insert") >= 5);
    world.lab.revoke_tokens();
    let end = child.wait_with_output().expect("an end");
    assert_eq!(end.status.code(), Some(0), "{}", String::from_utf8_lossy(&end.stderr));
    world.assert_all_lead(5, address);
    assert_eq!(world.calls("oauth2.token"), 2, "{:?}", world.lab.calls());
}

#[test]
fn a_wrong_token_ends_the_run_at_once_and_says_how_to_get_another() {
    let mut world = World::gcp(2);
    world.set("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.wrong");
    let ready = world.run("apply").code(1);
    assert_eq!(world.writes(), 0);
    assert!(world.lab.calls().values().sum::<u64>() <= 3, "{:?}", world.lab.calls());
    world.set("GOOGLE_OAUTH_ACCESS_TOKEN", "two words");
    let malformed = world.run("apply");
    world.use_key();
    world.lab.reset_calls();
    let (code, message) = ("authError".to_owned(), "Invalid Credentials".to_owned());
    world.lab.add_fault(Fault::new(FaultKind::Error { status: 401, code, message }).on("networks.get"));
    let twice = world.run("apply").code(1);
    assert_eq!(world.calls("oauth2.token"), 2, "one forced refresh: {:?}", world.lab.calls());
    assert_snapshot("gcp-wrong-token", &transcript([&ready, &malformed, &twice]));
}

fn key(world: &World) -> serde_json::Value {
    serde_json::from_str(&world.lab.service_account_key()).expect("a key file")
}

#[test]
fn a_key_file_that_cannot_be_used_is_named_and_its_fault_told() {
    let mut world = World::gcp(1);
    let good = world.lab.service_account_key();
    let changed = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = key(&world);
        change(&mut value);
        value.to_string()
    };
    let files = [
        good[..good.len() / 2].to_owned(),
        String::new(),
        "not json".to_owned(),
        "[]".to_owned(),
        changed(&|key| key["type"] = "gdch_service_account".into()),
        changed(&|key| key["type"] = "sevrice_account".into()),
        changed(&|key| key["type"] = serde_json::Value::Null),
        changed(&|key| key["private_key"] = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n".into()),
        changed(&|key| key["private_key"] = serde_json::Value::Null),
        changed(&|key| key["token_uri"] = "http://192.0.2.1/token".into()),
        changed(&|key| key["client_email"] = "somebody@else.iam.gserviceaccount.com".into()),
    ];
    let mut runs: Vec<Ran> = Vec::new();
    for file in files {
        world.use_key_file(file);
        let run = world.run("apply");
        assert!(matches!(run.code, Some(1 | 64)), "{run}");
        runs.push(run);
    }
    world.set("GOOGLE_APPLICATION_CREDENTIALS", "missing.json");
    runs.push(world.run("apply").code(1));
    runs.push(world.run("apply -o json").code(1));
    assert_eq!(world.calls("networks.get") + world.writes(), 0, "{:?}", world.lab.calls());
    assert_snapshot("gcp-key-files", &transcript(&runs));
}

#[test]
fn a_key_of_another_project_that_is_not_allowed_in_is_told_so() {
    let mut world = World::gcp(1);
    let mut other = key(&world);
    other["project_id"] = "somebody-elses".into();
    world.use_key_file(other.to_string());
    for permission in ["compute.networks.get", "compute.routes.list", "compute.instances.list"] {
        world.lab.change(|cloud| cloud.denied.insert(permission.to_owned()));
    }
    let run = world.run("apply").code(1).says("somebody-elses");
    assert_eq!(world.writes(), 0);
    assert_snapshot("gcp-key-of-another-project", &transcript([&run]));
}

#[test]
fn a_token_endpoint_that_fails_for_a_moment_is_asked_again_and_one_that_never_answers_right_is_told() {
    for kind in [FaultKind::ServerError, FaultKind::DropBefore, FaultKind::DropAfter, FaultKind::Throttle] {
        let mut world = World::gcp(1);
        world.use_key();
        world.lab.add_fault(Fault::new(kind.clone()).on("oauth2.token").times(1));
        let run = world.run("apply").code(0);
        assert_eq!(world.calls("oauth2.token"), 2, "{kind:?}: {run}");
    }
    let mut runs = Vec::new();
    for kind in [FaultKind::Html, FaultKind::Deny, FaultKind::CutShort] {
        let mut world = World::gcp(1);
        world.use_key();
        world.lab.add_fault(Fault::new(kind).on("oauth2.token"));
        runs.push(world.run("apply").code(1));
        assert_eq!(world.writes() + world.calls("networks.get"), 0, "{:?}", world.lab.calls());
    }
    let mut world = World::gcp(1);
    let mut nowhere = key(&world);
    nowhere["token_uri"] = "http://127.0.0.1:1/token".into();
    world.use_key_file(nowhere.to_string());
    runs.push(world.run("apply --timeout 30s").code(1));
    assert_snapshot("gcp-token-endpoint", &transcript(&runs));
}

#[test]
fn without_any_credentials_it_says_how_to_get_some() {
    let mut world = World::gcp(1);
    world.unset("GOOGLE_OAUTH_ACCESS_TOKEN");
    world.set("NO_GCE_CHECK", "true");
    let none = world.run("apply").code(1);
    let json = world.run("apply -o json").code(1);
    assert_eq!(json.json()["error"]["kind"], "unauthenticated", "{json}");
    world.unset("NO_GCE_CHECK");
    world.set("GCE_METADATA_HOST", "127.0.0.1:1");
    let nobody = world.run("apply").code(1);
    assert!(world.lab.calls().is_empty());
    assert_snapshot("gcp-no-credentials", &transcript([&none, &json, &nobody]));
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let mut world = World::gcp(1);
    world.use_key();
    world.set("GOOGLE_OAUTH_ACCESS_TOKEN", "");
    world.run("plan").code(0);
    assert_eq!(world.calls("oauth2.token"), 1);
    world.set("GOOGLE_APPLICATION_CREDENTIALS", "");
    world.set("GOOGLE_OAUTH_ACCESS_TOKEN", Lab::ACCESS_TOKEN);
    world.run("plan").code(0);
}
