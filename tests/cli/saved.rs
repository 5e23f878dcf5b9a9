//! A plan that was saved is done exactly, or not at all.

mod places;

use std::fs;
use std::net::Ipv4Addr;

use kroutes_lab::model::{Gateway, Life, Target};
use kroutes_lab::{Fault, FaultKind};
use sha2::{Digest, Sha256};

use super::world::compute::{self, MARK, via};
use super::world::{Ran, World, assert_interruptible, pod_range, topology, worker};

/// A saved plan that makes a route, replaces one and deletes one.
fn eventful() -> World {
    let world = World::of(4);
    world.run("apply").code(0);
    world.write("kroutes.toml", topology(3));
    world.lead("10.200.1.0/24", "worker-2");
    world.drop_route("10.200.0.0/24");
    let run = world.run("plan --prune --max-deletes 4 --out saved.json").code(0);
    assert!(run.err.contains("kroutes apply saved.json"), "{run}");
    world
}

fn saved(world: &World) -> serde_json::Value {
    let text = fs::read_to_string(world.folder().join("saved.json")).expect("a file");
    serde_json::from_str(&text).expect("json")
}

/// That this run was refused, said so with these words, and changed nothing since the picture was taken.
#[track_caller]
fn assert_refused(world: &World, before: &str, run: Ran, words: &str) {
    let run = run.code(3).says(words);
    assert!(run.err.contains("nothing was changed"), "{run}");
    assert_eq!(world.picture(), before, "{run}");
    assert_eq!(world.writes(), 0, "{run}");
}

#[test]
fn a_saved_plan_makes_replaces_and_deletes_what_it_says_and_asks_nobody() {
    let world = eventful();
    let json = saved(&world);
    let changes: Vec<&str> = json["tables"][0]["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .map(|change| change["action"].as_str().expect("an action"))
        .collect();
    assert_eq!(changes, ["create", "replace", "delete"]);
    assert_eq!(json["options"]["max-deletes"], "4");
    // Without a terminal and without --yes.
    world.run("apply saved.json").code(0).says("Done: 3 of 3");
    world.assert_all_routed(3);
    assert_eq!(world.leads("10.200.3.0/24"), None);
    world.run("verify").code(0);
}

#[test]
fn a_saved_plan_works_on_google_cloud_too() {
    let world = World::gcp(3);
    world.run("apply").code(0);
    world.move_worker(1, Ipv4Addr::new(10, 240, 0, 99));
    world.write("kroutes.toml", compute::topology(2));
    world.put_beside("stray", "10.200.0.0/24", via(Ipv4Addr::new(10, 240, 0, 77)), MARK);
    world.run("plan --prune --out saved.json").says("saved as `saved.json`");
    let before = saved(&world);
    assert_eq!(before["provider"], "gcp");
    world.run("apply saved.json").says("Done: ").never_says("refused");
    assert_eq!(world.to("10.200.2.0/24").len(), 0);
    assert_eq!(world.to("10.200.0.0/24").len(), 1);
    world.run("apply saved.json").code(3).says("not any more what the plan saw");
}

#[test]
fn on_google_cloud_a_route_that_somebody_put_beside_is_named_and_refuses_the_plan() {
    let world = World::gcp(3);
    world.run("plan --out saved.json").code(0);
    world.put_beside("by-hand", "10.200.1.0/24", via(Ipv4Addr::new(10, 240, 0, 77)), "by hand");
    world.lab.reset_calls();
    let before = format!("{:?}", world.project_routes());
    let run = world.run("apply saved.json").code(3).says("10.200.1.0/24").says("by-hand").says("was no route");
    assert!(!run.err.contains("10.200.0.0/24"), "{run}");
    assert_eq!(format!("{:?}", world.project_routes()), before);
    assert_eq!(world.writes(), 0);
}

#[test]
fn what_has_moved_is_named_all_of_it_and_nothing_is_done() {
    let world = eventful();
    // The replaced one is changed, the deleted one is gone, the missing one is there by another's hand.
    world.lead("10.200.1.0/24", "worker-3");
    world.drop_route("10.200.3.0/24");
    world.lead("10.200.0.0/24", "worker-0");
    world.lab.reset_calls();
    let before = world.picture();
    let run = world.run("apply saved.json");
    for words in ["10.200.0.0/24", "already as wanted", "10.200.1.0/24", "has changed", "10.200.3.0/24", "gone already"]
    {
        assert!(run.err.contains(words), "`{words}` is not in {run}");
    }
    assert_refused(&world, &before, run, "3 are not any more what the plan saw");
    let run = world.run("apply saved.json -o json");
    let moved = run.json()["moved"].as_array().expect("a list").clone();
    assert_eq!(moved.len(), 3, "{run}");
    assert_eq!(moved[0]["destination"], "10.200.0.0/24");
    assert_eq!(moved[0]["was"], "no route");
    assert_eq!(moved[0]["is"], world.instance("worker-0"));
    assert_refused(&world, &before, run, "\"command\": \"apply\"");
}

#[test]
fn one_route_that_moved_keeps_the_others_from_being_made() {
    for what in ["added", "removed", "changed", "taken"] {
        let world = eventful();
        match what {
            "added" => world.lead("10.200.0.0/24", "worker-1"),
            "removed" => world.drop_route("10.200.1.0/24"),
            "changed" => world.lead("10.200.1.0/24", "worker-3"),
            _ => world.put_route("10.200.0.0/24", Target::Gateway(Gateway::Nat, "nat-0123456789abcdef0".to_owned())),
        }
        world.lab.reset_calls();
        let before = world.picture();
        assert_refused(&world, &before, world.run("apply saved.json"), "1 is not any more what the plan saw");
    }
}

#[test]
fn what_moved_beside_the_plan_is_left_alone_and_the_verdict_tells_it() {
    let world = World::of(3);
    world.run("apply").code(0);
    world.drop_route("10.200.0.0/24");
    world.run("plan --out saved.json").code(0);
    world.drop_route("10.200.1.0/24");
    world.run("apply saved.json").code(1).says("Done: 1 of 1").says("missing");
    assert_eq!(world.leads("10.200.0.0/24").as_deref(), Some("worker-0"));
    assert_eq!(world.leads("10.200.1.0/24"), None);
}

#[test]
fn a_plan_that_was_applied_is_refused_the_second_time() {
    let world = World::of(3);
    world.run("plan --out saved.json").code(0);
    world.run("apply saved.json").code(0);
    world.lab.reset_calls();
    let before = world.picture();
    assert_refused(&world, &before, world.run("apply saved.json"), "already as wanted");
}

#[test]
fn an_empty_plan_is_saved_and_changes_nothing() {
    let world = World::of(3);
    world.run("apply").code(0);
    world.run("plan --out saved.json").code(0);
    world.lab.reset_calls();
    world.run("apply saved.json").code(0).says("Nothing to change");
    assert_eq!(world.writes(), 0);
}

#[test]
fn an_instance_that_stops_has_moved_nothing() {
    let world = eventful();
    let stopped = world.instance("worker-2");
    world.lab.change(|cloud| cloud.set_life(&stopped, Life::Stopped)).expect("the instance");
    world.run("apply saved.json").says("Done: 3 of 3");
}

#[test]
fn a_worker_that_became_another_instance_is_named() {
    let world = World::of(3);
    world.run("plan --out saved.json").code(0);
    let (old, new) = (world.instance("worker-1"), world.instance("worker-2"));
    world.lab.change(|cloud| {
        for (id, name) in [(&old, "retired"), (&new, "worker-1")] {
            let instance = cloud.instances.get_mut(id).expect("an instance");
            instance.tags.insert("Name".to_owned(), name.to_owned());
        }
    });
    world.lab.reset_calls();
    let before = world.picture();
    let run = world.run("apply saved.json");
    assert!(run.err.contains(&format!("would lead to {new} (worker-1) now")), "{run}");
    assert_refused(&world, &before, run, "10.200.1.0/24");
}

#[test]
fn a_file_that_was_edited_is_refused() {
    let world = eventful();
    world.lab.reset_calls();
    let before = world.picture();
    let path = world.folder().join("saved.json");
    let text = fs::read_to_string(&path).expect("a file");
    for (from, to, words) in [
        ("10.200.0.0/24", "10.200.9.0/24", "it was changed since it was saved"),
        ("\"prune\": true", "\"prune\": false", "it was changed since it was saved"),
        ("\"worker-1\"", "\"worker-2\"", "it was changed since it was saved"),
        ("\"max-deletes\": \"4\"", "\"max-deletes\": \"400\"", "it was changed since it was saved"),
        ("\"max-deletes\": \"4\"", "\"max-deletes\": \"many\"", "it is damaged"),
        ("\"prune\": true", "\"prune\": true, \"force\": true", "it is damaged"),
        ("\"format\": 1", "\"format\": 2", "its format is 2, and this kroutes reads 1"),
        (concat!("\"", env!("CARGO_PKG_VERSION"), "\""), "\"9.9.9\"", "kroutes 9.9.9 has saved it"),
        ("kroutes-plan", "another-plan", "it is no plan that kroutes has saved"),
    ] {
        let edited = text.replacen(from, to, 1);
        assert_ne!(edited, text, "{from}");
        fs::write(&path, edited).expect("a file");
        assert_refused(&world, &before, world.run("apply saved.json"), words);
    }
    // Spaces are nobody's business.
    fs::write(&path, format!("\n{}\n\n", text.replace("  ", "\t"))).expect("a file");
    world.run("apply saved.json").code(0);
}

/// Whoever can write the file can write the checksum, too. It gets no further than a plan of this moment would.
#[test]
fn a_forged_file_can_do_nothing_that_a_plan_would_not() {
    let world = eventful();
    world.lab.reset_calls();
    let before = world.picture();
    let honest = fs::read_to_string(world.folder().join("saved.json")).expect("a file");
    let first = format!("\"instance\": \"{}\"", world.instance("worker-0"));
    for (from, to, words) in [
        ("10.200.0.0/24", "10.200.9.0/24", "10.200.9.0/24"),
        ("10.200.0.0/24", "0.0.0.0/0", "0.0.0.0/0"),
        ("10.200.3.0/24", "10.240.0.0/16", "10.240.0.0/16"),
        (&first, "\"instance\": \"i-evil\\u001b[2J\"", "10.200.0.0/24"),
        (&world.table, "rtb-0123456789abcdef0", "rtb-0123456789abcdef0"),
        ("\"prune\": true", "\"prune\": false", "10.200.3.0/24"),
        ("\"max-deletes\": \"4\"", "\"max-deletes\": \"0\"", "at most 0 may be"),
    ] {
        let forged = honest.replacen(from, to, 1);
        assert_ne!(forged, honest, "{from}");
        world.write("saved.json", signed(&forged));
        let run = world.run("apply saved.json").never_says("\u{1b}[2J").never_says("was changed since");
        assert_refused(&world, &before, run, words);
    }
    // Less than was planned, and that twice, is done as far as it goes.
    let begin = honest.find("\n        {\n").expect("a change") + 1;
    let end = honest.find("\n        },\n").expect("its end") + "\n        }".len();
    let rest = honest.find("\n      ]").expect("the end of all");
    let change = &honest[begin..end];
    world.write("saved.json", signed(&format!("{}{change},\n{change}{}", &honest[..begin], &honest[rest..])));
    world.run("apply saved.json").code(1).says("Done: 1 of 1");
    assert_eq!(world.leads("10.200.0.0/24").as_deref(), Some("worker-0"));
    assert_eq!(world.leads("10.200.1.0/24").as_deref(), Some("worker-2"));
    assert_eq!(world.leads("10.200.3.0/24").as_deref(), Some("worker-3"));
}

/// A saved plan with a checksum that fits, made as somebody would who has read how.
fn signed(text: &str) -> String {
    let end = text.find("  \"checksum\"").expect("a checksum");
    let bare = format!("{}  \"checksum\": \"\"\n}}", &text[..end]);
    let compact: String = bare.lines().map(str::trim_start).collect::<String>().replace("\": ", "\":");
    let sum = Sha256::digest(compact.as_bytes()).iter().fold(String::new(), |sum, byte| format!("{sum}{byte:02x}"));
    format!("{}  \"checksum\": \"sha256:{sum}\"\n}}\n", &text[..end])
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let world = eventful();
    world.lab.reset_calls();
    let before = world.picture();
    let path = world.folder().join("saved.json");
    let whole = fs::read(&path).expect("a file");
    for length in (0..whole.len() - 2).step_by(50).chain([whole.len() - 2]) {
        fs::write(&path, &whole[..length]).expect("a file");
        let words = if length == 0 { "it is empty" } else { "it is truncated" };
        assert_refused(&world, &before, world.run("apply saved.json"), words);
    }
}

#[test]
fn what_is_no_saved_plan_is_refused_and_what_cannot_be_read_is_a_mistake() {
    let world = World::of(1);
    let before = world.picture();
    let out = world.run("plan -o json").code(0).out;
    for content in ["hello", "[]", "null", "{}", "{\"kind\": 7}", &out, "\u{0}\u{1}", "\"kroutes-plan\""] {
        world.write("saved.json", content);
        assert_refused(&world, &before, world.run("apply saved.json"), "no plan that kroutes has saved");
    }
    world.write("saved.json", b"\xff\xfe\x00");
    assert_refused(&world, &before, world.run("apply saved.json"), "no plan that kroutes has saved");
    world.write("saved.json", "[".repeat(1_000_000));
    assert_refused(&world, &before, world.run("apply saved.json"), "no plan that kroutes has saved");
    world.run("apply nowhere.json").code(64).says("no such file: `nowhere.json`");
    world.run("apply .").code(64).says("is a folder");
    world.run("apply kroutes.toml/x").code(64).says("cannot be read");
    let json = world.run("apply saved.json -o json").code(3).json();
    assert_eq!(json["command"], "apply");
    assert_eq!(json["error"]["kind"], "invalid");
}

#[test]
fn a_plan_of_another_cluster_topology_or_cloud_is_refused() {
    let mut world = eventful();
    world.lab.reset_calls();
    let before = world.picture();
    let file = topology(3);
    world.write("kroutes.toml", file.replace("name = \"kubernetes\"\npod", "name = \"other\"\npod"));
    assert_refused(
        &world,
        &before,
        world.run("apply saved.json"),
        "it is of cluster `kubernetes`, and the topology is of `other`",
    );
    let another = "the topology is not the one the plan was made from";
    for other in [
        topology(4),
        topology(2),
        file.replace("pod-cidr = \"10.200.0.0/16\"", "pod-cidr = \"10.200.0.0/15\""),
        file.clone() + "aws = { instance = { name = \"worker-1\" } }\n",
        file.replace("[aws]\n", "[aws]\nsource-dest-check = \"leave\"\n"),
    ] {
        world.write("kroutes.toml", other);
        assert_refused(&world, &before, world.run("apply saved.json"), another);
    }
    world.write("kroutes.toml", &file);
    world.set("KROUTES_TOPOLOGY__AWS__REGION", "us-west-2");
    assert_refused(&world, &before, world.run("apply saved.json"), another);
    world.unset("KROUTES_TOPOLOGY__AWS__REGION");
    assert_refused(&world, &before, world.run("apply saved.json --lab"), "it was made in a real cloud");
    assert_refused(&world, &before, world.run("apply saved.json --provider gcp"), "it is for provider `aws`");
    // Nothing but its looks: comments, spaces, the order.
    let workers: String = [2, 1, 0].into_iter().map(worker).collect();
    let head = file.split("\n[[worker]]").next().expect("a head").replace(" = ", "   =   ");
    world.write("kroutes.toml", format!("# turned round\n{head}{workers}"));
    world.run("apply saved.json").code(0).says("Done: 3 of 3");
}

#[test]
fn options_that_the_file_has_settled_are_refused_beside_it() {
    let world = eventful();
    for option in ["--prune", "--take-over", "--max-deletes 5", "--only worker-0", "--out x.json"] {
        world.run(&format!("apply saved.json {option}")).code(64).says("a saved plan");
    }
    world.run("apply saved.json --yes").code(0);
}

#[test]
fn a_part_stays_a_part() {
    let world = World::of(3);
    world.run("plan --only worker-1 --out saved.json").code(0);
    world.run("apply saved.json").says("Done: ");
    assert_eq!(world.leads("10.200.1.0/24").as_deref(), Some("worker-1"));
    assert_eq!(world.leads("10.200.0.0/24"), None);
}

#[test]
fn a_plan_of_the_built_in_cloud_is_applied_in_one_made_alike() {
    for world in [World::of(3), World::gcp(3)] {
        let run = world.run("plan --lab --out saved.json").code(0);
        assert!(run.err.contains("kroutes apply saved.json --lab"), "{run}");
        world.run("apply saved.json --lab").code(0).says("Done: ");
        world.run("apply saved.json").code(3).says("it was made in the built-in cloud");
    }
}

#[test]
fn a_plan_that_apply_would_refuse_is_not_saved() {
    let world = World::of(12);
    world.run("apply").code(0);
    world.write("kroutes.toml", topology(4));
    world.run("plan --prune --out saved.json").code(3).says("the plan is not saved as `saved.json`");
    world.run("plan --prune --max-deletes 8 --out elsewhere.json").code(0);
    world.tag("kroutes/other", "10.200.0.0/16");
    let run = world.run("plan --out saved.json -o json").code(3);
    assert!(run.json()["error"]["message"].as_str().expect("words").contains("other"), "{run}");
    assert!(!world.folder().join("saved.json").exists());
    world.lab.reset_calls();
    let before = world.picture();
    assert_refused(&world, &before, world.run("apply elsewhere.json"), "other");
}

#[test]
fn an_incomplete_plan_is_saved_as_far_as_it_goes() {
    let world = World::of(3);
    world.write("kroutes.toml", topology(4));
    world.run("plan --out saved.json").code(1).says("not everything could be read");
    world.run("apply saved.json").code(1).says("Done: ");
    world.assert_all_routed(3);
}

#[test]
fn no_secret_is_in_a_saved_plan() {
    const CANARY: &str = "cAnArYcAnArY0123456789";
    let mut world = World::of(2);
    world.set("AWS_SECRET_ACCESS_KEY", CANARY);
    world.set("AWS_SESSION_TOKEN", CANARY);
    world.set("HTTPS_PROXY", format!("http://user:{CANARY}@127.0.0.1:1"));
    world.run("plan --out saved.json").code(0).never_says(CANARY);
    let text = fs::read_to_string(world.folder().join("saved.json")).expect("a file");
    assert!(!text.contains(CANARY) && !text.contains(&world.lab.endpoint()), "{text}");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(world.folder().join("saved.json")).expect("a file").permissions(),
    );
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

#[test]
fn what_cannot_be_read_at_apply_is_not_guessed() {
    let world = eventful();
    world.lab.reset_calls();
    let before = world.picture();
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("DescribeRouteTables"));
    let run = world.run("apply saved.json");
    assert!(matches!(run.code, Some(1 | 3)), "{run}");
    assert_eq!(world.picture(), before);
    world.lab.clear_faults();
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("DescribeInstances"));
    let run = world.run("apply saved.json");
    assert!(matches!(run.code, Some(1 | 3)), "{run}");
    assert_eq!(world.picture(), before);
    assert!(!run.err.contains(&pod_range(77)), "{run}");
}

/// The limit was judged by what stood then, and less stands now.
#[test]
fn a_guard_that_holds_a_saved_plan_back_says_to_save_it_anew_with_another_limit() {
    let world = World::of(12);
    world.run("apply").code(0);
    world.write("kroutes.toml", topology(9));
    world.run("plan --prune --max-deletes 25% --out saved.json").code(0);
    world.drop_route("10.200.0.0/24");
    world.lab.reset_calls();
    let before = world.picture();
    let run = world.run("apply saved.json").says("save the plan anew").says("--max-deletes 3").never_says("say --max");
    assert_refused(&world, &before, run, "3 (28%) of this cluster's 11 routes");
    let help = world.run("apply saved.json -o json").code(3).json()["refused"][0]["help"].to_string();
    assert!(help.contains("save the plan anew"), "{help}");
    world.run("apply saved.json --max-deletes 3").code(64);
    world.run("plan --prune --max-deletes 3 --out saved.json").code(0);
    world.run("apply saved.json").says("Done: 4 of 4");
}

#[test]
fn a_claim_is_written_only_if_the_plan_says_so() {
    const CLAIM: &str = "kroutes/kubernetes";
    let world = World::of(3);
    world.run("plan --out saved.json").code(0);
    assert_eq!(saved(&world)["tables"][0]["claim"], "to-set");
    world.run("apply saved.json").code(0);
    assert!(world.tags().contains_key(CLAIM), "{:?}", world.tags());
    world.drop_route("10.200.0.0/24");
    world.run("plan --out saved.json").code(0);
    assert_eq!(saved(&world)["tables"][0]["claim"], "ours");
    // Somebody takes the claim away between the two.
    world.lab.change(|cloud| cloud.tables.get_mut(&world.table).expect("the table").tags.remove(CLAIM));
    world.run("apply saved.json").code(0).says("Done: 1 of 1");
    world.assert_all_routed(3);
    assert!(!world.tags().contains_key(CLAIM), "{:?}", world.tags());
}

#[test]
fn a_saved_plan_that_never_ends_can_be_interrupted() {
    assert_interruptible(&World::of(1), "apply pipe");
}
