//! An API server on loopback: it answers what a test says, and remembers what it was asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use crate::cli::tls::presenting;
use crate::cli::world::{Ran, World};

/// What the user of every kubeconfig here bears.
pub(super) const TOKEN: &str = "s3cret-t0ken";

/// A certificate that nobody vouches for, and its key.
const CERTIFICATE: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../driver/src/source/kubernetes/tests/certificate-for-tests-only.pem"
));
const KEY: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../driver/src/source/kubernetes/tests/key-for-tests-only-not-a-secret.pem"
));
const OTHER_CERTIFICATE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../driver/src/source/kubernetes/tests/certificate-of-somebody-else.pem"
));

pub(super) struct ApiServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ApiServer {
    /// Answers each target, such as `/api/v1/nodes?limit=500`, by status and body.
    pub(super) fn start(answer: impl Fn(&str) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is no concern of a server.
                let _ = serve(stream, &answer, &noted);
            }
        });
        Self { address, asked }
    }

    /// Answers everything so.
    pub(super) fn saying(code: u16, body: &str) -> Self {
        let body = body.to_owned();
        Self::start(move |_| (code, body.clone()))
    }

    /// Presents a certificate that it signed itself, and closes.
    pub(super) fn self_signed() -> Self {
        let config = presenting(CERTIFICATE, KEY);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut session = rustls::ServerConnection::new(Arc::clone(&config)).expect("a session");
                while session.is_handshaking() && session.complete_io(&mut stream).is_ok() {}
            }
        });
        Self { address, asked: Arc::default() }
    }

    /// A port where nobody listens.
    pub(super) fn absent() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        Self { address: listener.local_addr().expect("an address"), asked: Arc::default() }
    }

    /// What was asked, as target and credentials.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes a kubeconfig with the contexts `prod-eu-1`, which is this server, and `here`, the current one, which is
    /// nowhere, and points the world at it.
    pub(super) fn known_to(&self, world: &mut World, scheme: &str) {
        let authority = world.write("authority.pem", OTHER_CERTIFICATE);
        let (address, authority) = (self.address, authority.display());
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
             clusters:\n\
             - name: c\n  cluster: {{server: '{scheme}://{address}', certificate-authority: '{authority}'}}\n\
             - name: nowhere\n  cluster: {{server: 'http://127.0.0.1:1'}}\n\
             users:\n- name: u\n  user: {{token: {TOKEN}}}\n\
             contexts:\n\
             - name: here\n  context: {{cluster: nowhere, user: u}}\n\
             - name: prod-eu-1\n  context: {{cluster: c, user: u}}\n"
        );
        let path = world.write("kubeconfig", text);
        world.set("KUBECONFIG", path.to_str().expect("a plain path"));
    }

    /// The run without the port, which differs from run to run.
    pub(super) fn unnamed(&self, run: &Ran) -> String {
        run.to_string().replace(&self.address.to_string(), "SERVER")
    }
}

fn serve(stream: TcpStream, answer: &dyn Fn(&str) -> (u16, String), asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut credentials = "nobody".to_owned();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("authorization")
        {
            value.trim().clone_into(&mut credentials);
        }
    }
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{target} {credentials}"));
    let (code, body) = answer(&target);
    let mut stream = reader.into_inner();
    write!(
        stream,
        "HTTP/1.1 {code} Whatever\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.flush()
}
