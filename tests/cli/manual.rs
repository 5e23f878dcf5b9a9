//! What makes a shell complete kroutes' words, and the manual page: made from the parser, with nothing of this machine.

use std::io::Write;
use std::process::{Command, Stdio};

use super::world::World;

const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];
const COMMANDS: [&str; 10] =
    ["plan", "apply", "verify", "destroy", "routes", "doctor", "export", "lab", "completions", "man"];

/// The program with a folder in which there is no topology.
fn without_topology() -> World {
    let world = World::of(0);
    std::fs::remove_file(world.folder().join("kroutes.toml")).expect("the file");
    world
}

/// The long options that `--help` shows.
fn options(world: &World) -> Vec<String> {
    let help = world.run("--help").code(0).out;
    let words = help.split_whitespace().filter_map(|word| word.strip_prefix("--"));
    let names = words.map(|word| word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned());
    let mut options: Vec<String> = names.filter(|name| !name.is_empty()).collect();
    options.sort();
    options.dedup();
    options
}

fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

/// The program's output with this on its standard input.
fn fed(program: &str, arguments: &[&str], input: &str) -> (bool, String, String) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("an end");
    writer.join().expect("a writer").expect("all is read");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn each_shell_gets_a_script_with_every_command_and_option_and_no_topology_is_needed() {
    let world = without_topology();
    let options = options(&world);
    assert!(options.len() > 15, "{options:?}");
    for shell in SHELLS {
        let run = world.run(&format!("completions {shell}")).code(0);
        assert_eq!(run.err, "", "{shell}");
        for word in COMMANDS.into_iter().chain(options.iter().map(String::as_str)) {
            assert!(run.out.contains(word), "{shell} does not know `{word}`");
        }
        let colored = world.run(&format!("--color always completions {shell}")).code(0);
        assert_eq!(colored.out, run.out, "{shell}: the script is the same wherever it goes");
    }
    assert!(world.lab.calls().is_empty());
}

#[test]
fn a_shell_that_is_not_known_is_misuse() {
    let world = without_topology();
    world.run("completions tcsh").code(64).says("possible values");
    world.run("completions").code(64);
    world.run("completions bash -o json").code(64);
    world.run("man -o json").code(64);
}

/// What bash would offer after this line, by the script's own function.
fn offered(script: &str, line: &str) -> Vec<String> {
    let words: Vec<String> = line.split(' ').map(|word| format!("'{word}'")).collect();
    let ask = format!(
        "{script}\nCOMP_WORDS=({})\nCOMP_CWORD={}\nCOMP_LINE='{line}'\n_kroutes kroutes '{}' '{}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        words.join(" "),
        words.len() - 1,
        line.rsplit(' ').next().unwrap_or_default(),
        line.rsplit(' ').nth(1).unwrap_or_default()
    );
    let (_, out, err) = fed("bash", &["--norc"], &ask);
    assert_eq!(err, "", "{line}");
    out.lines().map(str::to_owned).collect()
}

#[test]
fn bash_reads_its_script_and_completes_with_it() {
    let script = without_topology().run("completions bash").code(0).out;
    let (sound, _, why) = fed("bash", &["-n"], &script);
    assert!(sound, "{why}");
    assert_eq!(offered(&script, "kroutes pl"), ["plan"]);
    assert_eq!(offered(&script, "kroutes do"), ["doctor"]);
    assert_eq!(offered(&script, "kroutes plan --take"), ["--take-over"]);
    assert_eq!(offered(&script, "kroutes doctor --pol"), ["--policy"]);
    assert_eq!(offered(&script, "kroutes completions z"), ["zsh"]);
    assert_eq!(offered(&script, "kroutes --output j"), ["json"]);
}

#[test]
fn the_manual_page_has_every_command_and_option_the_exit_codes_the_environment_and_the_files() {
    let world = without_topology();
    let run = world.run("man").code(0);
    assert_eq!(run.err, "");
    assert!(run.out.lines().any(|line| line.starts_with(".TH KROUTES 1 ")), "{run}");
    let plain = run.out.replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "");
    let titles: Vec<&str> = plain.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
    for title in ["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "\"EXIT STATUS\"", "ENVIRONMENT", "FILES"] {
        assert!(titles.contains(&title), "no {title} in {titles:?}");
    }
    let (_, commands) = plain.split_once(".SH COMMANDS").expect("the commands");
    for command in COMMANDS {
        let found = commands.lines().any(|line| line == command || line.starts_with(&format!("{command} ")));
        assert!(found, "no `{command}` in\n{commands}");
    }
    for option in options(&world) {
        assert!(plain.contains(&format!("--{option}")), "no `--{option}` in {plain}");
    }
    let (_, exits) = plain.split_once(".SH \"EXIT STATUS\"").expect("the exit codes");
    for code in ["0", "1", "2", "3", "64", "130"] {
        assert!(exits.lines().any(|line| line == code), "no exit code {code} in\n{exits}");
    }
    for word in ["KROUTES_FILE", "KROUTES_PROVIDER", "NO_COLOR", "HTTPS_PROXY", "config/kroutes.toml"] {
        assert!(exits.contains(word), "no `{word}` in\n{exits}");
    }
    assert!(!run.out.contains(world.folder().to_str().expect("a plain path")), "nothing of this machine is in it");
}

#[test]
fn a_formatter_has_nothing_to_say_against_the_manual_page() {
    let page = without_topology().run("man").code(0).out;
    if has("groff") {
        let (sound, out, warnings) = fed("groff", &["-man", "-ww", "-Tutf8"], &page);
        assert!(sound && warnings.is_empty(), "{warnings}");
        assert!(out.contains("KROUTES") && out.contains("30%"), "{out}");
    }
    if has("mandoc") {
        let (sound, out, _) = fed("mandoc", &["-Tlint", "-Wwarning"], &page);
        assert!(sound, "{out}");
    }
}
