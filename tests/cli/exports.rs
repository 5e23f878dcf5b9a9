//! The routes as somebody would type them, and that typing them leaves nothing to do.
//!
//! The real `aws`, `gcloud` and cfn-lint judge the same texts in the interop tests. Here a few lines take the commands by
//! their words, so that a wrong option is noticed wherever these tests run.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};

use kroutes_lab::model::Destination;
use kroutes_lab::model::compute::Hop;
use kroutes_lab::{Options, Seed, SeedInstance, SeedTable};

use super::world::compute::{self, address, network};
use super::world::{Ran, World, assert_snapshot, pod_range, seed, transcript};

const DUAL: &str = "[cluster]
name = \"kubernetes\"
pod-cidr = [\"10.200.0.0/16\", \"fd00:10:200::/48\"]
";

fn worker(nth: usize) -> String {
    format!(
        "\n[[worker]]\nname = \"worker-{nth}\"\npod-cidr = [\"{}\", \"fd00:10:200:{nth}::/64\"]\n\
         address = [\"{}\", \"2600:1f14:abc:de00::3{nth}\"]\n",
        pod_range(nth),
        address(nth)
    )
}

/// Two tables, and three workers with ranges of both families of which the last has two interfaces.
fn dual_aws(tables: &str) -> World {
    let mut cloud = Seed { vpc_ipv6_cidrs: vec!["2600:1f14:abc:de00::/56".parse().expect("a range")], ..seed(0) };
    let spare = SeedTable { tags: [("team/zone".to_owned(), "b".to_owned())].into(), ..SeedTable::default() };
    cloud.tables.push(spare);
    cloud.tables[0].export = Some("hard k8s \"rtb\"".to_owned());
    let instance = |nth: usize| SeedInstance {
        private_ip: Some(address(nth)),
        export: Some(format!("worker:{nth}'s")),
        ..SeedInstance::named(&format!("worker-{nth}"))
    };
    cloud.instances = (0..3).map(instance).collect();
    let text = (0..3).fold(format!("{DUAL}\n[aws]\nroute-table = {tables}\n"), |text, nth| text + &worker(nth));
    let world = World::new(&text, cloud, Options::default());
    let second = world.instance("worker-2");
    world.lab.change(|cloud| cloud.add_interface(&second)).expect("a second interface");
    world
}

const TWO_TABLES: &str = "[{ name = \"kubernetes\" }, { tag = { \"team/zone\" = \"b\" } }]";

/// The words of a command as a shell divides them.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().expect("a word").push(c),
        }
    }
    words
}

/// What stands behind an option, if it is there.
fn option<'a>(words: &'a [String], name: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| word == name)?;
    words.get(at + 1).map(String::as_str)
}

/// Does to the cloud what the commands say.
fn type_aws(world: &World, commands: &str) {
    for line in commands.lines() {
        let words = words(line);
        let given = |name: &str| option(&words, name).map(str::to_owned);
        assert_eq!(given("--region").as_deref(), Some("us-west-2"), "{line}");
        let done = world.lab.change(|cloud| match words[2].as_str() {
            "create-route" => {
                let table = given("--route-table-id").expect("a table");
                let range = given("--destination-cidr-block").or(given("--destination-ipv6-cidr-block"));
                let range: ipnet::IpNet = range.expect("a range").parse().expect("a range");
                assert_eq!(given("--destination-ipv6-cidr-block").is_some(), range.addr().is_ipv6(), "{line}");
                let target = match given("--instance-id") {
                    Some(id) => cloud.instance_target(&id),
                    None => cloud.interface_target(&given("--network-interface-id").expect("a target")),
                };
                target.and_then(|target| cloud.create_route(&table, Destination::Net(range), target))
            }
            "modify-instance-attribute" => {
                cloud.set_source_dest_check(&given("--instance-id").expect("an instance"), false)
            }
            "modify-network-interface-attribute" => {
                cloud.set_interface_check(&given("--network-interface-id").expect("an interface"), false)
            }
            other => panic!("{other}"),
        });
        done.unwrap_or_else(|refusal| panic!("{line}: {refusal:?}"));
    }
}

/// The same for Google Cloud.
fn type_gcloud(world: &World, commands: &str) {
    for line in commands.lines() {
        let words = words(line);
        assert_eq!(words[..4], ["gcloud", "compute", "routes", "create"], "{line}");
        let given = |name: &str| option(&words, name).unwrap_or_else(|| panic!("{name}: {line}"));
        assert_eq!((given("--project"), given("--priority")), ("hard-way", "1000"), "{line}");
        let hop: IpAddr = given("--next-hop-address").parse().expect("an address");
        let range = given("--destination-range");
        world.put_in(given("--network"), &words[4], range, Hop::Address(hop), given("--description"));
    }
}

/// Gives a template to the cloud; the answer.
fn create_stack(world: &World, template: &str) -> String {
    let encoded = template.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
    let body = format!("Action=CreateStack&Version=2010-05-15&StackName=routes&TemplateBody={encoded}");
    let endpoint = world.lab.endpoint();
    let mut stream = TcpStream::connect(endpoint.strip_prefix("http://").expect("http")).expect("the lab");
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=lab/20260101/us-west-2/cloudformation/aws4_request, SignedHeaders=host, Signature=0\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[track_caller]
fn prints(world: &World, words: &str) -> Ran {
    world.lab.reset_calls();
    let run = world.run(words).code(0);
    assert_eq!(run.err, "", "{run}");
    assert_eq!(world.writes() - world.calls("ListExports"), 0, "{:?}", world.lab.calls());
    assert_eq!(world.run(words).out, run.out, "the same again");
    run
}

#[test]
fn the_commands_for_aws_leave_nothing_to_do_in_any_table_or_family() {
    let world = dual_aws(TWO_TABLES);
    let run = prints(&world, "export --format aws-cli");
    assert_eq!(prints(&world, "export").out, run.out, "these are the words of the provider's own tool");
    assert_snapshot("export-aws-cli", &transcript([&run]));
    world.run("plan --detailed-exitcode").code(2);
    type_aws(&world, &run.out);
    world.run("plan --detailed-exitcode").code(0).says("0 to add, 0 to change, 0 to delete, 0 to fix");
    world.run("verify").code(0);
    assert_eq!(prints(&world, "export").out, run.out, "what is exported is what is wanted, not what is missing");
}

#[test]
fn checks_that_are_to_be_left_alone_are_in_no_command() {
    let world = World::of(2);
    world.write("kroutes.toml", super::world::topology(2).replace("[aws]\n", "[aws]\nsource-dest-check = \"leave\"\n"));
    let run = prints(&world, "export");
    assert_eq!((run.out.matches("create-route").count(), run.out.matches("modify-").count()), (2, 0), "{run}");
}

#[test]
fn the_commands_for_google_cloud_leave_nothing_to_do() {
    let text = (0..3).fold(compute::HEAD.to_owned(), |text, nth| text + &compute::worker_at(nth, address(nth)));
    let world = World::new_gcp(&text, compute::seed(3), compute::options());
    let run = prints(&world, "export --format gcloud");
    assert_eq!(prints(&world, "export").out, run.out);
    assert_snapshot("export-gcloud", &transcript([&run]));
    type_gcloud(&world, &run.out);
    world.run("plan --detailed-exitcode").code(0).says("0 to add, 0 to change, 0 to delete");
    world.run("verify").code(0);
    world.run("destroy --yes").code(0);
    assert!(world.to(&pod_range(0)).is_empty(), "their mark makes them ours");
}

#[test]
fn names_and_priorities_of_the_topology_are_in_the_commands() {
    let text = compute::topology(1)
        .replace("network = ", "route-name = \"pods-{destination}\"\npriority = 900\nnetwork = ")
        .replace("\"hard-way\"", "\"example.com:hard-way\"");
    let options = Options { project: "example.com:hard-way".to_owned(), ..compute::options() };
    let world = World::new_gcp(&text, Seed { compute: vec![network(1)], ..Seed::default() }, options);
    let run = world.run("export").code(0);
    assert_eq!(
        run.out,
        "gcloud compute routes create pods-10-200-0-0-24 --project example.com:hard-way --network kubernetes \
         --destination-range 10.200.0.0/24 --next-hop-address 10.240.0.30 --priority 900 \
         --description 'kroutes cluster=kubernetes'\n"
    );
}

#[test]
fn the_template_leaves_nothing_to_do_but_the_checks_that_no_stack_can_switch_off() {
    for tables in ["{ name = \"kubernetes\" }", TWO_TABLES] {
        let world = dual_aws(tables);
        let run = prints(&world, "export --format cloudformation");
        if tables == TWO_TABLES {
            assert_snapshot("export-cloudformation", &transcript([&run]));
        }
        let answer = create_stack(&world, &run.out);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        world.run("plan").code(0).says("Plan: 0 to add, 0 to change, 0 to delete, 3 to fix");
    }
}

#[test]
fn what_is_named_by_exports_is_imported_with_its_name_quoted() {
    let worker = |text: String, nth| {
        format!(
            "{text}\n[[worker]]\nname = \"worker-{nth}\"\npod-cidr = \"{}\"\n\
             aws = {{ instance = {{ export = \"worker:{nth}'s\" }} }}\n",
            pod_range(nth)
        )
    };
    let text = (0..2).fold(String::new(), worker);
    let world = dual_aws("{ export = 'hard k8s \"rtb\"' }");
    world.write("kroutes.toml", format!("{DUAL}\n[aws]\nroute-table = {{ export = 'hard k8s \"rtb\"' }}\n{text}"));
    let run = prints(&world, "export --format cloudformation");
    assert_snapshot("export-imports", &transcript([&run]));
    let answer = create_stack(&world, &run.out);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    world.run("plan").code(0).says("Plan: 0 to add, 0 to change, 0 to delete, 2 to fix");
}

#[test]
fn a_router_needs_no_cloud_but_the_addresses() {
    let world = dual_aws(TWO_TABLES);
    let run = prints(&world, "export --format ip-route");
    assert!(world.lab.calls().is_empty(), "{:?}", world.lab.calls());
    assert_snapshot("export-ip-route", &transcript([&run]));
    world.write("kroutes.toml", super::world::topology(2));
    let run = world.run("export --format ip-route").code(1);
    assert_eq!(run.out, "");
    run.says("worker `worker-0` has no IPv4 address, and a router sends to addresses");
}

#[test]
fn an_export_that_would_lack_something_prints_nothing() {
    let world = World::of(2);
    let text = super::world::topology(3);
    for (text, said) in [
        (text.clone(), "no instance with the Name tag `worker-2`"),
        (text.replace("{ name = \"kubernetes\" }", "[{ name = \"kubernetes\" }, { name = \"nowhere\" }]"), "`nowhere`"),
    ] {
        world.write("kroutes.toml", text);
        for format in ["aws-cli", "cloudformation"] {
            let run = world.run(&format!("export --format {format}")).code(1);
            assert_eq!(run.out, "", "{run}");
            run.says(said);
        }
    }
    let world = World::gcp(1);
    let nameless = "\n[[worker]]\nname = \"worker-9\"\npod-cidr = \"10.200.9.0/24\"\n";
    world.write("kroutes.toml", compute::topology(1) + nameless);
    let run = world.run("export").code(1);
    assert_eq!(run.out, "", "{run}");
    run.says("no instance named `worker-9` in network `kubernetes`");
}

#[test]
fn a_node_that_is_at_fault_is_lacking_in_an_export_and_one_that_is_not_is_not() {
    let source = "\n[source]\nkind = \"node-list\"\npath = \"nodes.json\"\n";
    let world = World::new(&format!("{}{source}", super::world::HEAD), seed(2), Options::default());
    let node = |name: &str, spec: &str| {
        format!("{{\"kind\":\"Node\",\"metadata\":{{\"name\":\"{name}\"}},\"spec\":{{{spec}}}}}")
    };
    let list = |second: &str| {
        let first = node("worker-0", "\"podCIDR\":\"10.200.0.0/24\"");
        format!("{{\"kind\":\"List\",\"items\":[{first},{}]}}", node("worker-1", second))
    };
    world.write("nodes.json", list(""));
    let run = world.run("export").code(0);
    assert!(run.out.contains("10.200.0.0/24") && !run.out.contains("10.200.1.0/24"), "{run}");
    world.write("nodes.json", list("\"podCIDR\":\"10.200.1\""));
    let run = world.run("export").code(1);
    assert_eq!(run.out, "", "{run}");
    run.says("`10.200.1` is not a CIDR range");
}

#[test]
fn a_format_of_another_provider_and_options_in_the_wrong_place_are_misuse() {
    let world = World::of(1);
    let gcp = World::gcp(1);
    let runs = [
        world.run("export --format gcloud").code(64),
        world.run("export --format gcloud --provider aws").code(64),
        gcp.run("export --format cloudformation --provider gcp").code(64),
        gcp.run("export --format aws-cli").code(64),
        world.run("export --format bash").code(64),
        world.run("export -o json").code(64),
        world.run("plan --format aws-cli").code(64),
        world.run("--format aws-cli").code(64),
        world.run("plan --graph mermaid").code(64),
        world.run("routes --graph mermaid -o json").code(64),
        world.run("routes --graph dot").code(64),
        world.run("export --prune").code(64),
    ];
    assert!(runs.iter().all(|run| run.out.is_empty()));
    assert!(world.lab.calls().is_empty() && gcp.lab.calls().is_empty());
    assert_snapshot("export-misuse", &transcript(&runs));
}

#[test]
fn an_export_can_be_tried_in_the_built_in_cloud() {
    let world = World::of(0);
    let text = format!("{}\n[gcp]\nproject = \"hard-way\"\nnetwork = \"kubernetes\"\n", super::world::topology(0))
        + &compute::worker_at(0, address(0));
    world.write("both.toml", text);
    let run = world.run("export --lab -f both.toml --provider aws").code(0);
    assert_eq!(run.out.matches("aws ec2 create-route --region us-west-2").count(), 1, "{run}");
    // A format tells the provider, where the file has several.
    let run = world.run("export --lab -f both.toml --format gcloud").code(0);
    assert_eq!(run.out.matches("gcloud compute routes create").count(), 1, "{run}");
}
