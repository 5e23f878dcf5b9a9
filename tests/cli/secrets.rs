//! What is secret stays so, however much is said and whatever goes wrong.

use kroutes_lab::{Fault, FaultKind};

use super::world::World;

const CANARY: &str = "cAnArYcAnArY0123456789";
pub(super) const COMMANDS: [&str; 13] = [
    "plan",
    "plan --out saved.json",
    "apply saved.json",
    "apply",
    "apply -o json",
    "verify",
    "routes",
    "routes --graph mermaid",
    "export",
    "doctor",
    "doctor -o json",
    "destroy --yes",
    "plan -o json",
];

fn search(world: &World) {
    for words in COMMANDS {
        for verbosity in ["", " -v", " -vvv"] {
            world.run(&format!("{words}{verbosity}")).never_says(CANARY);
        }
    }
    let saved = std::fs::read_to_string(world.folder().join("saved.json")).unwrap_or_default();
    assert!(!saved.contains(CANARY), "{saved}");
}

/// flannel-io/flannel: the backends `alivpc` and `tencentvpc` printed the credentials at start.
#[test]
fn no_secret_of_the_environment_is_printed() {
    let mut world = World::of(3);
    world.set("AWS_SECRET_ACCESS_KEY", CANARY);
    world.set("AWS_SESSION_TOKEN", format!("{CANARY}-token"));
    world.set("RUST_LOG", "trace");
    search(&world);
    for kind in [FaultKind::Deny, FaultKind::Html, FaultKind::DropBefore] {
        world.lab.add_fault(Fault::new(kind).on("CreateRoute").times(2));
        world.run("apply -vvv").never_says(CANARY);
    }
    world.lab.clear_faults();
    let refused = FaultKind::Error { status: 401, code: "AuthFailure".to_owned(), message: "no".to_owned() };
    world.lab.add_fault(Fault::new(refused));
    world.run("apply -vvv").code(1).never_says(CANARY);
}

#[test]
fn no_secret_of_a_profile_is_printed() {
    let mut world = World::of(3);
    world.unset("AWS_ACCESS_KEY_ID");
    world.unset("AWS_SECRET_ACCESS_KEY");
    world.write(".aws/credentials", format!("[default]\naws_access_key_id = lab\naws_secret_access_key = {CANARY}\n"));
    world.run("apply").code(0);
    search(&world);
    world.write(".aws/credentials", format!("[default]\naws_access_key_id = lab\naws_secret_access_key {CANARY}\n"));
    world.run("apply -vvv").code(1).never_says(CANARY);
    world.write(".aws/config", format!("[default]\ncredential_process = sh -c 'echo {CANARY}; exit 1'\n"));
    world.write(".aws/credentials", "");
    world.run("apply -vvv").code(1).never_says(CANARY);
}

/// What the SDK's chain may find, one after the other: each is asked for, fails or not, and says nothing of what it was.
#[test]
fn no_secret_of_any_other_source_of_credentials_is_printed() {
    let ask = |world: &World| {
        for words in ["plan", "apply -vvv", "doctor -vvv", "doctor -o json"] {
            world.run(&format!("{words} --timeout 5s")).never_says(CANARY);
        }
    };
    let bare = || {
        let mut world = World::of(1);
        world.unset("AWS_ACCESS_KEY_ID");
        world.unset("AWS_SECRET_ACCESS_KEY");
        world.set("RUST_LOG", "trace");
        world
    };
    let mut role = bare();
    let token = role.write("token", CANARY);
    role.set("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().expect("a plain path"));
    role.set("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/kroutes");
    ask(&role);

    let mut container = bare();
    container.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/credentials", container.lab.endpoint()));
    container.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", CANARY);
    ask(&container);

    let process = bare();
    let answer =
        format!(r#"{{"Version": 1, "AccessKeyId": "lab", "SecretAccessKey": "{CANARY}", "SessionToken": "{CANARY}"}}"#);
    process.write("answer.json", &answer);
    let path = process.folder().join("answer.json");
    process.write(".aws/config", format!("[default]\ncredential_process = cat {}\n", path.display()));
    process.run("apply").code(0);
    ask(&process);
    process.write("answer.json", &answer[..answer.len() - 2]);
    ask(&process);

    let sso = bare();
    let session = "[default]\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = kroutes\n\n\
        [sso-session work]\nsso_region = us-west-2\nsso_start_url = https://sso.invalid/start\n";
    sso.write(".aws/config", session);
    // The SHA-1 of the session's name, as the SDK looks for it.
    let cached = format!(
        r#"{{"accessToken": "{CANARY}", "refreshToken": "{CANARY}", "clientId": "c", "clientSecret": "{CANARY}",
            "registrationExpiresAt": "2099-01-01T00:00:00Z", "expiresAt": "2099-01-01T00:00:00Z", "region": "us-west-2"}}"#
    );
    sso.write(".aws/sso/cache/e274eeff768c6396088ec6eb091f4bf4d47ab1e0.json", cached);
    ask(&sso);
}

#[test]
fn no_secret_in_an_address_is_printed() {
    let mut world = World::of(3);
    world.set("AWS_ENDPOINT_URL", format!("http://user:{CANARY}@127.0.0.1:1"));
    world.run("apply -vvv").never_says(CANARY);
    world.set("AWS_ENDPOINT_URL", format!("http://user:{CANARY}@192.0.2.1"));
    world.run("apply -vvv").never_says(CANARY);
    world.set("AWS_ENDPOINT_URL", "https://ec2.invalid");
    world.set("HTTPS_PROXY", format!("http://user:{CANARY}@127.0.0.1:1"));
    world.run("apply -vvv --timeout 2s").never_says(CANARY);
}
