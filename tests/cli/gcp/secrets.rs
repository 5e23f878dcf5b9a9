//! What is secret stays so, however much is said and whatever goes wrong.

use kroutes_lab::{Fault, FaultKind};

use crate::cli::secrets::COMMANDS;
use crate::cli::world::World;

const CANARY: &str = "cAnArYcAnArY0123456789";

fn search(world: &World, secrets: &[&str]) {
    for words in COMMANDS {
        for verbosity in ["", " -v", " -vvv"] {
            let run = world.run(&format!("{words}{verbosity}"));
            for secret in secrets {
                assert!(!run.out.contains(secret) && !run.err.contains(secret), "a secret is in {run}");
            }
        }
    }
    let saved = std::fs::read_to_string(world.folder().join("saved.json")).unwrap_or_default();
    assert!(!secrets.iter().any(|secret| saved.contains(secret)), "{saved}");
}

#[test]
fn nothing_of_a_login_or_of_a_federated_token_is_printed() {
    let mut world = World::gcp(1);
    world.set("RUST_LOG", "trace");
    let token = world.write("subject-token", CANARY);
    let login = serde_json::json!({
        "type": "authorized_user", "client_id": "c", "client_secret": CANARY, "refresh_token": CANARY,
    });
    let federated = serde_json::json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}/token", world.lab.endpoint()),
        "credential_source": {"file": token.to_str().expect("a plain path")},
    });
    for file in [login, federated] {
        world.use_key_file(file.to_string());
        for words in ["plan", "apply -vvv", "doctor -vvv", "doctor -o json"] {
            world.run(&format!("{words} --timeout 3s")).never_says(CANARY);
        }
    }
}

#[test]
fn no_ready_token_is_printed() {
    let mut world = World::gcp(2);
    world.set("RUST_LOG", "trace");
    search(&world, &["ya29"]);
    world.set("GOOGLE_OAUTH_ACCESS_TOKEN", format!("ya29.{CANARY}"));
    search(&world, &[CANARY]);
    world.set("GOOGLE_OAUTH_ACCESS_TOKEN", format!("{CANARY} {CANARY}"));
    search(&world, &[CANARY]);
}

/// flannel-io/flannel: the backends `alivpc` and `tencentvpc` printed the credentials at start.
#[test]
fn no_key_no_assertion_and_no_token_of_a_service_account_is_printed() {
    let mut world = World::gcp(2);
    world.set("RUST_LOG", "trace");
    world.use_key();
    let file: serde_json::Value = serde_json::from_str(&world.lab.service_account_key()).expect("a key");
    let key = file["private_key"].as_str().expect("a key");
    let line = key.lines().nth(1).expect("a line of the key");
    // An assertion begins with the header of every such JWT.
    let secrets = [line, "ya29", "eyJ", "BEGIN PRIVATE KEY", "assertion="];
    search(&world, &secrets);
    for kind in [FaultKind::Deny, FaultKind::Html, FaultKind::DropBefore, FaultKind::CutShort] {
        for action in ["oauth2.token", "routes.insert", "networks.get"] {
            world.lab.add_fault(Fault::new(kind.clone()).on(action).times(2));
            let run = world.run("apply -vvv");
            assert!(secrets.iter().all(|secret| !run.out.contains(secret) && !run.err.contains(secret)), "{run}");
            world.lab.clear_faults();
        }
    }
    world.lab.revoke_tokens();
    search(&world, &secrets);
}

#[test]
fn nothing_of_a_file_that_cannot_be_used_is_printed() {
    let mut world = World::gcp(1);
    let files = [
        format!("{{\"type\": \"service_account\", \"client_email\": \"a@b\", \"private_key\": \"{CANARY}\"}}"),
        format!("{{\"type\": \"service_account\", \"private_kee\": \"{CANARY}\"}}"),
        format!("{{\"type\": \"{CANARY}\"}}"),
        format!("{{\"type\": \"authorized_user\", \"client_id\": \"{CANARY}\", \"refresh_token\": 7}}"),
        format!("{{\"type\": \"authorized_user\", \"refresh_token\": \"{CANARY}"),
        CANARY.to_string(),
        format!("[\"{CANARY}\"]"),
    ];
    for file in files {
        world.use_key_file(file);
        let run = world.run("plan -vvv").never_says(CANARY);
        assert_ne!(run.code, Some(0), "{run}");
    }
}

#[test]
fn no_secret_in_an_address_is_printed() {
    let mut world = World::gcp(1);
    for endpoint in
        ["http://user:CANARY@127.0.0.1:1/", "http://user:CANARY@192.0.2.1/", "https://user:CANARY@compute.invalid/"]
    {
        world.set("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", endpoint.replace("CANARY", CANARY));
        world.run("apply -vvv --timeout 2s").never_says(CANARY);
    }
    world.set("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", "https://compute.invalid/compute/v1/");
    world.set("HTTPS_PROXY", format!("http://user:{CANARY}@127.0.0.1:1"));
    world.run("apply -vvv --timeout 2s").never_says(CANARY);
}
