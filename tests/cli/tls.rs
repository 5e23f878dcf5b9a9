//! Certificates are verified, always: there is no option that says otherwise, and one that nobody vouches for ends the
//! run before a request, and with it a signature or a token, has been sent.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::world::World;

/// A certificate for 127.0.0.1, its key, and the only one who vouches for it. The authority's own key is nowhere any more.
const CERTIFICATE: &[u8] = include_bytes!("tls/certificate-for-tests-only.pem");
const KEY: &[u8] = include_bytes!("tls/key-for-tests-only-not-a-secret.pem");
const AUTHORITY: &[u8] = include_bytes!("tls/authority-for-tests-only.pem");

/// A server that presents this certificate.
pub(super) fn presenting(certificate: &[u8], key: &[u8]) -> Arc<rustls::ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(certificate).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(key).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    Arc::new(config.expect("a server"))
}

/// TLS in front of a lab. Counts the bytes of requests that came through.
struct Front {
    port: u16,
    received: Arc<AtomicU64>,
}

impl Front {
    fn of(world: &World) -> Self {
        let config = presenting(CERTIFICATE, KEY);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let received: Arc<AtomicU64> = Arc::default();
        let behind = world.lab.endpoint().trim_start_matches("http://").to_owned();
        let counted = Arc::clone(&received);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (config, behind, counted) = (Arc::clone(&config), behind.clone(), Arc::clone(&counted));
                // A client that goes away is no concern of a server.
                std::thread::spawn(move || drop(carry(client, config, &behind, &counted)));
            }
        });
        Self { port, received }
    }

    fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }
}

/// Carries bytes both ways until one side has gone.
fn carry(
    client: TcpStream,
    config: Arc<rustls::ServerConfig>,
    behind: &str,
    counted: &AtomicU64,
) -> std::io::Result<()> {
    let session = rustls::ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut tls = rustls::StreamOwned::new(session, client);
    while tls.conn.is_handshaking() {
        tls.conn.complete_io(&mut tls.sock)?;
    }
    let mut lab = TcpStream::connect(behind)?;
    let turn = Some(Duration::from_millis(2));
    tls.sock.set_read_timeout(turn)?;
    lab.set_read_timeout(turn)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match tls.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                counted.fetch_add(read as u64, Ordering::SeqCst);
                lab.write_all(&buffer[..read])?;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        match lab.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => tls.write_all(&buffer[..read])?,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
}

#[test]
fn a_certificate_that_nobody_vouches_for_ends_the_run_before_a_request_is_sent() {
    for (mut world, path) in [(World::of(2), ""), (World::gcp(2), "/compute/v1/")] {
        let front = Front::of(&world);
        let endpoint = format!("https://127.0.0.1:{}{path}", front.port);
        world.set("AWS_ENDPOINT_URL", &endpoint);
        world.set("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", &endpoint);
        let run = world.run("apply --timeout 30s").code(1).says("certificate");
        assert_eq!(front.received(), 0, "{run}");

        let authority = world.write("authority.pem", AUTHORITY);
        world.set("SSL_CERT_FILE", authority.to_str().expect("a plain path"));
        world.run("apply").code(0);
        assert!(front.received() > 0);
    }
}

#[test]
fn there_is_no_word_that_switches_the_check_off() {
    let world = World::of(1);
    let help = world.run("--help").code(0);
    for word in ["insecure", "skip-tls", "no-verify"] {
        assert!(!help.out.contains(word), "{help}");
        world.run(&format!("plan --{word}")).code(64);
    }
}
