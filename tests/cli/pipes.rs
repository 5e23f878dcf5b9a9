//! Readers that leave, disks that are full, and colours that nobody asked for.

use std::fs::OpenOptions;
use std::process::Stdio;

use super::world::{World, topology};

#[test]
fn a_reader_that_leaves_early_ends_it_quietly_with_the_works_own_code() {
    let world = World::of(150);
    for (words, code) in [("plan", 0), ("verify", 2), ("routes", 0), ("plan --detailed-exitcode -o json", 2)] {
        let mut child = world.command(words).spawn().expect("it starts");
        drop(child.stdout.take());
        let end = child.wait_with_output().expect("an end");
        assert_eq!(end.status.code(), Some(code), "{words}");
        assert_eq!(String::from_utf8_lossy(&end.stderr), "", "{words}");
    }
}

#[test]
fn an_apply_whose_reader_has_left_is_finished_all_the_same() {
    let world = World::of(3);
    let mut child = world.command("apply").spawn().expect("it starts");
    drop(child.stdout.take());
    let end = child.wait_with_output().expect("an end");
    assert_eq!(end.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&end.stderr), "");
    world.assert_all_routed(3);
}

#[test]
fn a_full_disk_is_told_and_a_plan_that_cannot_be_shown_is_not_carried_out() {
    let world = World::of(3);
    let before = world.picture();
    for words in ["plan", "apply", "verify", "routes", "plan -o json", "--help"] {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("the full device");
        let end = world.command(words).stdout(full).output().expect("an end");
        let said = String::from_utf8_lossy(&end.stderr).into_owned();
        if words == "--help" {
            assert!(!said.contains("panicked"), "{said}");
        } else {
            assert_eq!(end.status.code(), Some(1), "{words}: {said}");
            assert!(said.contains("the output could not be written"), "{words}: {said}");
        }
    }
    assert_eq!(world.picture(), before);
    assert_eq!(world.writes(), 0);
}

#[test]
fn a_report_that_cannot_be_written_fails_the_apply() {
    let world = World::of(3);
    let full = OpenOptions::new().write(true).open("/dev/full").expect("the full device");
    let end = world.command("apply -o json").stdout(full).output().expect("an end");
    assert_eq!(end.status.code(), Some(1));
    world.run("apply").code(0);
}

#[test]
fn messages_that_cannot_be_written_change_nothing() {
    let world = World::of(3);
    let full = OpenOptions::new().write(true).open("/dev/full").expect("the full device");
    let end = world.command("apply --lab -vv").stderr(full).stdout(Stdio::null()).output().expect("an end");
    assert_eq!(end.status.code(), Some(0));
}

#[test]
fn a_pipe_gets_no_colour_unless_it_is_asked_for() {
    let mut world = World::of(3);
    let colour = |world: &World, words: &str| {
        let run = world.run(words);
        (run.out.contains('\u{1b}'), run.err.contains('\u{1b}'))
    };
    let broken = topology(1).replace("route-table", "route-tabel");
    world.write("broken.toml", broken);
    assert_eq!(colour(&world, "plan"), (false, false));
    assert_eq!(colour(&world, "plan -f broken.toml"), (false, false));
    assert_eq!(colour(&world, "plan -vv"), (false, false));
    assert_eq!(colour(&world, "plan --color always"), (true, false));
    assert_eq!(colour(&world, "plan --color always -f broken.toml"), (false, true));
    assert_eq!(colour(&world, "plan --color always -o json"), (false, false));
    world.set("CLICOLOR_FORCE", "1");
    assert_eq!(colour(&world, "plan --color never -vv"), (false, false));
    assert_eq!(colour(&world, "plan --color never -f broken.toml"), (false, false));
    world.unset("CLICOLOR_FORCE");
    world.set("NO_COLOR", "1");
    assert_eq!(colour(&world, "plan -vv"), (false, false));
    world.set("TERM", "xterm-256color");
    assert_eq!(colour(&world, "verify"), (false, false));
}

#[test]
fn colour_says_nothing_that_words_do_not() {
    let world = World::of(3);
    let plain = world.run("verify").out;
    let coloured = world.run("verify --color always").out;
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        stripped.push_str(before);
        rest = after.split_once('m').expect("an end of the sequence").1;
    }
    stripped.push_str(rest);
    assert_eq!(stripped, plain);
}
