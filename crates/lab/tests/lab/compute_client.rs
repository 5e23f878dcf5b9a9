//! Compute Engine's protocol over the least HTTP client, and a lab to speak it with.

use kroutes_lab::{Lab, Options, Seed};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::Client;
use crate::topology;

/// The guide's three workers in a network called `kubernetes`.
pub(crate) fn seed() -> Seed {
    let workers =
        [("10.200.0.0/24", "10.240.0.20"), ("10.200.1.0/24", "10.240.0.21"), ("10.200.2.0/24", "10.240.0.22")];
    Seed::default().with_network(&topology("10.200.0.0/16", &workers), "kubernetes")
}

/// A lab and one connection to it.
pub(crate) struct Bench {
    pub(crate) lab: Lab,
    client: Client,
    pub(crate) token: String,
}

/// What came back: the status, and the body as JSON.
pub(crate) type Answered = (u16, Value);

impl Bench {
    pub(crate) async fn new(options: Options) -> Self {
        let lab = Lab::start(seed(), options).await.expect("a lab");
        let client = Client::connect(&lab.endpoint()).await;
        Self { lab, client, token: Lab::ACCESS_TOKEN.to_owned() }
    }

    /// A request below `/compute/v1/projects/lab/`.
    pub(crate) async fn call(&mut self, verb: &str, path: &str, body: &Value) -> Answered {
        self.try_call(verb, path, body).await.expect("an answer in JSON")
    }

    /// The same, for answers that may not arrive, or not as JSON.
    pub(crate) async fn try_call(&mut self, verb: &str, path: &str, body: &Value) -> Option<Answered> {
        let path = format!("/compute/v1/projects/lab/{path}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let authorization = format!("Bearer {}", self.token);
        let response = self.client.try_send(verb, &path, Some(&authorization), &body).await?;
        Some((response.status, serde_json::from_str(&response.body).ok()?))
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answered {
        self.call("GET", path, &Value::Null).await
    }

    pub(crate) async fn insert(&mut self, name: &str, destination: &str) -> Answered {
        self.call("POST", "global/routes", &route(name, destination)).await
    }

    /// The names of a listing's items.
    pub(crate) async fn names(&mut self, path: &str) -> Vec<String> {
        names(&self.get(path).await.1)
    }

    /// A new connection, after one that was cut.
    pub(crate) async fn reconnect(&mut self) {
        self.client = Client::connect(&self.lab.endpoint()).await;
    }
}

/// A route to the first worker as a client sends it.
pub(crate) fn route(name: &str, destination: &str) -> Value {
    let network = "https://compute.googleapis.com/compute/v1/projects/lab/global/networks/kubernetes";
    json!({"name": name, "network": network, "destRange": destination, "nextHopIp": "10.240.0.20", "priority": 1000})
}

/// The names of a listing's items.
pub(crate) fn names(listing: &Value) -> Vec<String> {
    let items = listing["items"].as_array().map_or(&[][..], Vec::as_slice);
    items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
}

/// Status and reason of an error.
pub(crate) fn reason((status, body): &Answered) -> (u16, &str) {
    (*status, body["error"]["errors"][0]["reason"].as_str().unwrap_or_default())
}

/// A request byte by byte, and all that comes back.
pub(crate) async fn raw(lab: &Lab, head: &str, body: &str) -> String {
    let endpoint = lab.endpoint();
    let address = endpoint.strip_prefix("http://").expect("http");
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let request = format!("{}\r\nHost: lab\r\nConnection: close\r\n\r\n{body}", head.replace('\n', "\r\n"));
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}
