use super::*;

fn read(text: &str) -> std::result::Result<GcpSettings, String> {
    toml::from_str(text).map_err(|error| error.message().to_owned())
}

fn resolved(text: &str) -> Result<Resolved> {
    read(text).expect(text).resolve(&|_| None)
}

fn help(error: &Error) -> &str {
    error.get("help").unwrap_or_default()
}

#[test]
fn absent_keys_have_defaults() {
    let settings = read("").expect("empty");
    assert_eq!(settings, GcpSettings::default());
    assert_eq!((settings.priority, settings.operation_timeout, settings.routes_limit), (1000, 300, None));
    let all = resolved("project = 'hard-way'\nnetwork = 'kubernetes'").expect("enough");
    assert_eq!(all.network_path(), "projects/hard-way/global/networks/kubernetes");
    assert_eq!((all.endpoint, all.operation_timeout), (None, Duration::from_mins(5)));
    assert_eq!(all.template, Template::default());
}

#[test]
fn the_environment_gives_what_the_file_leaves_out_and_never_overrides_it() {
    let variable = |name: &str| match name {
        "CLOUDSDK_CORE_PROJECT" => Some("from-gcloud".to_owned()),
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE" => Some("http://127.0.0.1:1/compute/v1/".to_owned()),
        _ => None,
    };
    let given = read("network = 'n'").expect("read").resolve(&variable).expect("resolved");
    assert_eq!(
        (given.project.as_str(), given.endpoint.as_deref()),
        ("from-gcloud", Some("http://127.0.0.1:1/compute/v1/"))
    );
    let own = read("project = 'p'\nnetwork = 'n'\nendpoint = 'https://x'").expect("read");
    let own = own.resolve(&variable).expect("resolved");
    assert_eq!((own.project.as_str(), own.endpoint.as_deref()), ("p", Some("https://x")));
    let empty = read("network = 'n'").expect("read").resolve(&|_| Some(String::new()));
    assert_eq!(empty.expect_err("an empty variable is none").message(), "the topology names no Google Cloud project");
}

#[test]
fn a_missing_project_or_network_says_where_to_write_it() {
    let error = resolved("network = 'n'").expect_err("no project");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    for place in ["`[gcp]`", "KROUTES_TOPOLOGY__GCP__PROJECT", "CLOUDSDK_CORE_PROJECT"] {
        assert!(help(&error).contains(place), "{error:?}");
    }
    let error = resolved("project = 'p'").expect_err("no network");
    assert!(help(&error).contains("`network = \"…\"`"), "{error:?}");
}

#[test]
fn a_project_has_the_form_of_an_id() {
    for project in ["p", "hard-way", "my-project-123456", "example.com:proj"] {
        assert!(resolved(&format!("project = '{project}'\nnetwork = 'n'")).is_ok(), "{project}");
    }
    for (project, expected) in [
        ("My Project", "looks like `my-project-123456`"),
        ("", "looks like"),
        ("../x", "looks like"),
        ("123456789012", "project number; write the id"),
    ] {
        let error = resolved(&format!("project = '{project}'\nnetwork = 'n'")).expect_err(project);
        assert!(help(&error).contains(expected), "{error:?}");
    }
}

#[test]
fn a_network_is_named_by_name_or_by_any_link_to_it() {
    for network in [
        "kubernetes",
        "global/networks/kubernetes",
        "projects/p/global/networks/kubernetes",
        "https://www.googleapis.com/compute/v1/projects/p/global/networks/kubernetes",
    ] {
        let found = resolved(&format!("project = 'p'\nnetwork = '{network}'")).expect(network);
        assert_eq!(found.network, "kubernetes", "{network}");
    }
    for (network, message, remedy) in [
        ("Kubernetes", "`Kubernetes` is no name of a VPC network", "gcloud compute networks list"),
        ("", "`` is no name", "1 to 63"),
        ("projects/p/regions/r/subnetworks/s", "no link to a VPC network", "the network's name"),
        ("projects/host/global/networks/n", "is in project `host`, not in `p`", "in a Shared VPC the host project"),
    ] {
        let error = resolved(&format!("project = 'p'\nnetwork = '{network}'")).expect_err(network);
        assert!(error.message().contains(message) && help(&error).contains(remedy), "{error:?}");
    }
}

#[test]
fn numbers_are_judged() {
    let error = read("priority = 65536").expect_err("too large");
    assert!(error.contains("from 0 to 65535"), "{error}");
    assert!(read("priority = -1").is_err());
    assert_eq!(read("priority = 0").expect("0").priority, 0);
    let error = resolved("project = 'p'\nnetwork = 'n'\nroutes-limit = 0").expect_err("no routes");
    assert!(error.message().contains("`routes-limit` is 0"), "{error:?}");
    let error = resolved("project = 'p'\nnetwork = 'n'\noperation-timeout = 0").expect_err("no time");
    assert!(error.message().contains("`operation-timeout` is 0 seconds"), "{error:?}");
    let error = read("route-name = '{cluster}'").expect_err("no destination");
    assert!(error.contains("lacks `{destination}`"), "{error}");
}

#[test]
fn the_config_crate_reads_the_same_settings() {
    let text = "project = 'p'\nnetwork = 'n'\nroute-name = 'r-{destination}'\npriority = 900\nendpoint = 'https://x'\n\
                routes-limit = 500\noperation-timeout = 60";
    let layered = config::Config::builder()
        .add_source(config::File::from_str(text, config::FileFormat::Toml))
        .build()
        .expect("built")
        .try_deserialize::<GcpSettings>()
        .expect("read");
    assert_eq!(Ok(layered), read(text));
}

#[test]
fn a_worker_names_its_instance_by_name_or_zone_and_name() {
    let machine = |text: &str| toml::from_str::<GcpWorker>(text).map(GcpWorker::machine);
    assert_eq!(machine("instance = 'w'").expect("name"), Some(MachineRef::Name("w".to_owned())));
    assert_eq!(machine("instance = 'us-west1-a/w'").expect("zone"), Some(MachineRef::Id("us-west1-a/w".to_owned())));
    assert_eq!(machine("").expect("none"), None);
    for text in ["'W'", "''", "'z/'", "'/w'", "'a/b/c'", "'https://x/projects/p/zones/z/instances/w'"] {
        let error = machine(&format!("instance = {text}")).expect_err(text).to_string();
        assert!(error.contains("named by `\"NAME\"` or `\"ZONE/NAME\"`"), "{error}");
    }
}
