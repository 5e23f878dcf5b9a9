//! What is secret stays so, however much is said and whatever goes wrong.

use kroutes_lab::{Fault, FaultKind};

use super::world::World;

const CANARY: &str = "cAnArYcAnArY0123456789";
const COMMANDS: [&str; 6] = ["plan", "apply", "verify", "routes", "destroy --yes", "plan -o json"];

fn search(world: &World) {
    for words in COMMANDS {
        for verbosity in ["", " -v", " -vvv"] {
            world.run(&format!("{words}{verbosity}")).never_says(CANARY);
        }
    }
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
