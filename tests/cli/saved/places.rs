//! Where a plan is saved: whole, in one step, and over nothing that somebody might miss.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cli::world::{World, topology};

/// What is left lying about in the folder besides what belongs there.
fn litter(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    names.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.contains("kroutes-plan")).collect()
}

#[test]
fn a_plan_cannot_be_saved_where_no_file_can_be() {
    let world = World::of(2);
    world.write("folder/x", "");
    for (path, code, words) in [
        ("-", 64, "say -o json"),
        ("folder", 64, "is a folder"),
        ("/dev/full", 64, "is no file"),
        ("/dev/stdout", 64, "is no file"),
        ("kroutes.toml/saved.json", 1, "cannot be saved"),
        ("nowhere/saved.json", 1, "cannot be saved"),
    ] {
        world.lab.reset_calls();
        world.run(&format!("plan --out {path}")).code(code).says(words).never_says("to do exactly this");
        assert_eq!(world.lab.calls().values().sum::<u64>(), 0, "{path}");
    }
    // What is printed is not replaced while it is printed to.
    let printed = fs::File::create(world.folder().join("printed")).expect("a file");
    let status = world.command("plan --out printed").stdout(printed).status().expect("the binary starts");
    assert_eq!(status.code(), Some(64));
    // Nobody can make a file there, not even root.
    let run = world.run("plan --out /proc/saved.json").code(1).says("cannot be saved").never_says("to do exactly this");
    assert!(run.out.contains("Plan: 2 to add"), "{run}");
    let json = world.run("plan --out /proc/saved.json -o json").code(1).json();
    assert!(json["error"]["message"].as_str().expect("words").contains("cannot be saved"), "{json}");
    assert_eq!(json["summary"]["create"], 2);
}

#[test]
fn a_file_that_does_not_fit_leaves_what_was_there_and_nothing_else() {
    let world = World::of(60);
    let before = r#"{"format": 1, "kind": "kroutes-plan", "what": "was there"}"#;
    world.write("saved.json", before);
    let kroutes = assert_cmd::cargo::cargo_bin!("kroutes");
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -f 1; exec {} plan --out saved.json", kroutes.display())]);
    let output = command.env_clear().envs(world.variables()).current_dir(world.folder()).output().expect("a shell");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot be saved") && !said.contains("to do exactly this"), "{said}");
    assert_eq!(fs::read_to_string(world.folder().join("saved.json")).expect("a file"), before);
    assert_eq!(litter(world.folder()), [""; 0]);
}

/// A file system of four kilobytes, where the system lets its users have one.
// The harness shows it where somebody looks for what was left out.
#[allow(clippy::print_stdout)]
#[test]
fn a_full_disk_leaves_no_half_file() {
    let world = World::of(60);
    let disk = world.folder().join("disk");
    fs::create_dir(&disk).expect("a folder");
    let kroutes = assert_cmd::cargo::cargo_bin!("kroutes");
    let script = format!(
        "mount -t tmpfs -o size=4k none disk || exit 99; {} plan --out disk/saved.json; echo \"exit $?\"; ls -A disk",
        kroutes.display()
    );
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &script]);
    let ran = command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").envs(world.variables());
    let Ok(output) = ran.current_dir(world.folder()).output() else { return };
    let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !out.contains("exit ") {
        println!("left out: no file system of its own here: {said}");
        return;
    }
    assert!(out.ends_with("exit 1\n"), "{out}{said}");
    assert!(said.contains("cannot be saved") && said.contains("No space left"), "{said}");
}

#[test]
fn a_link_is_followed_and_a_file_replaced() {
    let world = World::of(2);
    world.write("there/old.json", "");
    std::os::unix::fs::symlink("there/old.json", world.folder().join("link.json")).expect("a link");
    std::os::unix::fs::symlink("there/new.json", world.folder().join("dangling.json")).expect("a link");
    std::os::unix::fs::symlink("loop.json", world.folder().join("loop.json")).expect("a link");
    for (link, end) in [("link.json", "there/old.json"), ("dangling.json", "there/new.json")] {
        world.run(&format!("plan --out {link}")).code(0);
        assert!(world.folder().join(link).symlink_metadata().expect("a link").is_symlink());
        let text = fs::read_to_string(world.folder().join(end)).expect("a file");
        assert!(text.contains("kroutes-plan"), "{text}");
    }
    world.run("plan --out loop.json").code(1).says("cannot be saved");
    world.run("apply link.json").code(0);
    assert_eq!(litter(&world.folder().join("there")), [""; 0]);
}

#[test]
fn what_is_no_saved_plan_is_not_replaced_and_least_of_all_the_topology() {
    let world = World::of(2);
    let text = topology(2);
    world.write("k.toml", &text);
    fs::hard_link(world.folder().join("k.toml"), world.folder().join("hard.toml")).expect("a link");
    std::os::unix::fs::symlink("k.toml", world.folder().join("soft.toml")).expect("a link");
    let nodes = r#"{"kind": "List", "items": []}"#;
    world.write("nodes.json", nodes);
    world.write("cut.json", r#"{"kind": "List", "items": ["#);
    world.write("notes", "kroutes-plan");
    for (words, words_said) in [
        ("plan -f k.toml --out k.toml", "the topology of this run"),
        ("plan -f k.toml --out ./k.toml", "the topology of this run"),
        ("plan -f k.toml --out hard.toml", "the topology of this run"),
        ("plan -f k.toml --out soft.toml", "the topology of this run"),
        ("plan -f soft.toml --out k.toml", "the topology of this run"),
        ("plan --out kroutes.toml", "the topology of this run"),
        ("plan --out k.toml", "no plan that kroutes has saved"),
        ("plan --out nodes.json", "no plan that kroutes has saved"),
        ("plan --out cut.json", "no plan that kroutes has saved"),
        ("plan --out notes", "no plan that kroutes has saved"),
    ] {
        world.lab.reset_calls();
        let run = world.run(words).code(64).says(words_said).says("another");
        assert_eq!(world.lab.calls().values().sum::<u64>(), 0, "{run}");
    }
    for (name, content) in [("k.toml", text.as_str()), ("kroutes.toml", &text), ("nodes.json", nodes)] {
        assert_eq!(fs::read_to_string(world.folder().join(name)).expect("a file"), content);
    }
}

#[test]
fn a_saved_plan_is_replaced_whatever_became_of_it() {
    let world = World::of(2);
    world.run("plan --out saved.json").code(0);
    let whole = fs::read_to_string(world.folder().join("saved.json")).expect("a file");
    let foreign = whole.replacen(concat!("\"", env!("CARGO_PKG_VERSION"), "\""), "\"9.9.9\"", 1);
    let compact = serde_json::from_str::<serde_json::Value>(&whole).expect("json").to_string();
    for before in ["", "\n", &whole, &whole[..whole.len() / 2], &foreign, &compact] {
        world.write("saved.json", before);
        world.run("plan --out saved.json").code(0);
        assert_eq!(fs::read_to_string(world.folder().join("saved.json")).expect("a file"), whole);
    }
}
