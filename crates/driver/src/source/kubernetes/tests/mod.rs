//! An API server on loopback that answers from a script, and what is made of its answers.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;

use super::*;

#[derive(Clone, Default)]
struct Server {
    /// Status and body of each answer; the last one again and again.
    script: Arc<Mutex<VecDeque<(u16, String)>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(script: &[(u16, &str)]) -> (Self, SocketAddr) {
        let server = Self::default();
        let owned = script.iter().map(|(code, body)| (*code, (*body).to_owned()));
        *server.script.lock().unwrap_or_else(PoisonError::into_inner) = owned.collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("address");
        let own = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let own = own.clone();
                let service = service_fn(move |request| std::future::ready(Ok::<_, Infallible>(own.answer(&request))));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        (server, address)
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let token = request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or("nobody");
        let line = format!("{} {} {token}", request.method(), request.uri());
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        let (code, body) =
            if script.len() > 1 { script.pop_front() } else { script.front().cloned() }.expect("a script");
        let body = Full::new(Bytes::from(body));
        Response::builder().status(code).header("content-type", "application/json").body(body).expect("an answer")
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn kubeconfig(server: &str) -> Kubeconfig {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
         clusters:\n- name: c\n  cluster: {{server: '{server}'}}\n\
         users:\n- name: u\n  user: {{token: s3cret}}\n\
         contexts:\n- name: here\n  context: {{cluster: c, user: u}}\n\
         - name: prod-eu-1\n  context: {{cluster: c, user: u}}\n"
    );
    Kubeconfig::from_yaml(&text).expect("a kubeconfig")
}

/// Without the proxy that a developer's environment may name.
async fn direct(kubeconfig: Kubeconfig) -> Result<Config> {
    let mut config = configuration(kubeconfig, None).await?;
    config.proxy_url = None;
    Ok(config)
}

async fn ask(address: SocketAddr, selector: Option<&str>) -> Result<Vec<String>> {
    let config = direct(kubeconfig(&format!("http://{address}"))).await?;
    let nodes = Cluster::new(config)?.nodes(selector).await?;
    Ok(nodes.into_iter().map(|node| node.name).collect())
}

fn status(code: u16, reason: &str, message: &str) -> String {
    format!(
        r#"{{"kind":"Status","apiVersion":"v1","status":"Failure","message":"{message}","reason":"{reason}","code":{code}}}"#
    )
}

fn a_page(next: &str, names: &[&str]) -> String {
    let items: Vec<String> = names.iter().map(|name| format!(r#"{{"metadata":{{"name":"{name}"}}}}"#)).collect();
    format!(r#"{{"kind":"NodeList","metadata":{{"continue":"{next}"}},"items":[{}]}}"#, items.join(","))
}

/// The error of a server that answers so, whatever it is asked.
async fn said(code: u16, body: &str, selector: Option<&str>) -> Error {
    let (_, address) = Server::start(&[(code, body)]).await;
    let error = ask(address, selector).await.expect_err("an error");
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    let plain = Error::new(error.kind(), error.message().replace(&address.to_string(), "SERVER"));
    plain.help(error.get("help").unwrap_or_default())
}

#[tokio::test]
async fn nodes_are_listed_in_pages_with_the_selector_and_the_token() {
    let pages = [a_page("p2", &["a", "b"]), a_page("p/3", &["c"]), a_page("", &["d"])];
    let script: Vec<(u16, &str)> = pages.iter().map(|page| (200, page.as_str())).collect();
    let (server, address) = Server::start(&script).await;
    assert_eq!(ask(address, Some("!node-role, a in (b,c)")).await.expect("nodes"), ["a", "b", "c", "d"]);
    let first = "GET /api/v1/nodes?limit=500&labelSelector=%21node-role%2C+a+in+%28b%2Cc%29";
    assert_eq!(
        server.asked(),
        [
            format!("{first} Bearer s3cret"),
            format!("{first}&continue=p2 Bearer s3cret"),
            format!("{first}&continue=p%2F3 Bearer s3cret"),
        ]
    );
}

/// A listing whose second page failed was taken for the whole.
#[tokio::test]
async fn a_page_that_fails_fails_the_listing() {
    let (first, second) = (a_page("p2", &["a"]), status(403, "Forbidden", "no more"));
    let (_, address) = Server::start(&[(200, &first), (403, &second)]).await;
    assert_eq!(ask(address, None).await.expect_err("half a list").kind(), ErrorKind::PermissionDenied);
    let (_, address) = Server::start(&[(200, &first)]).await;
    let error = ask(address, None).await.expect_err("for ever");
    assert!(error.to_string().ends_with("lists the same page of nodes again and again"), "{error}");
}

#[tokio::test]
async fn a_listing_that_has_expired_begins_again_without_pages() {
    let (first, gone, all) = (a_page("p2", &["a"]), status(410, "Expired", "too old"), a_page("", &["a", "b"]));
    let (server, address) = Server::start(&[(200, &first), (410, &gone), (200, &all)]).await;
    assert_eq!(ask(address, None).await.expect("nodes"), ["a", "b"]);
    assert_eq!(server.asked()[2], "GET /api/v1/nodes? Bearer s3cret");
}

#[tokio::test]
async fn a_server_that_is_busy_for_a_moment_is_asked_again() {
    let (busy, all) = (status(429, "TooManyRequests", "slow down"), a_page("", &["a"]));
    let (server, address) = Server::start(&[(429, &busy), (200, &all)]).await;
    assert_eq!(ask(address, None).await.expect("nodes"), ["a"]);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn what_a_server_refuses_is_told_with_what_to_do() {
    let message = r#"nodes is forbidden: User \"x\" cannot list resource \"nodes\""#;
    let error = said(403, &status(403, "Forbidden", message), None).await;
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert_eq!(
        error.to_string(),
        "`SERVER` forbids to list nodes: nodes is forbidden: User \"x\" cannot list resource \"nodes\""
    );
    assert!(error.get("help").is_some_and(|help| help.contains("--verb=list --resource=nodes")), "{error:?}");

    let error = said(401, &status(401, "Unauthorized", "Unauthorized"), None).await;
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert_eq!(error.to_string(), "`SERVER` does not accept the credentials");

    let error = said(400, &status(400, "BadRequest", "unable to parse requirement"), Some("a in b")).await;
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.to_string(), "`SERVER` does not take the selector `a in b`: unable to parse requirement");

    let error = said(404, "<html>not here</html>", None).await;
    assert_eq!(error.to_string(), "`SERVER` has no nodes to list; is it a Kubernetes API server?");
}

#[tokio::test]
async fn an_answer_that_is_no_node_list_is_no_empty_one() {
    for (body, message) in [
        ("<html>log in</html>", "`SERVER` is not JSON: it does not begin with `{`; is it a Kubernetes API server?"),
        ("{}", "`SERVER` is no node list: it has no `items`; is it a Kubernetes API server?"),
        (
            r#"{"kind":"PodList","items":[]}"#,
            "`SERVER` has objects of kind `Pod`, no nodes; is it a Kubernetes API server?",
        ),
    ] {
        let error = said(200, body, None).await;
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Unexpected, message.to_owned()));
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("address");
    drop(listener);
    let error = ask(address, None).await.expect_err("nobody is there");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!error.is_retryable());
    assert_eq!(error.to_string(), format!("`{address}` does not answer: connection refused"));
}

/// Presents a certificate that it signed itself, to whoever comes first.
fn self_signed() -> SocketAddr {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("certificate-for-tests-only.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("key-for-tests-only-not-a-secret.pem"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.expect("a certificate")], key.expect("a key"))
        .expect("a server");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("address");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut session = rustls::ServerConnection::new(Arc::new(config)).expect("a session");
        while session.is_handshaking() && session.complete_io(&mut stream).is_ok() {}
    });
    address
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_told() {
    let address = self_signed();
    let folder = tempfile::tempdir().expect("folder");
    let authority = folder.path().join("ca.pem");
    std::fs::write(&authority, include_bytes!("certificate-of-somebody-else.pem")).expect("write");
    let mut kubeconfig = kubeconfig(&format!("https://{address}"));
    let cluster = kubeconfig.clusters[0].cluster.as_mut().expect("a cluster");
    cluster.certificate_authority = authority.to_str().map(str::to_owned);
    let config = direct(kubeconfig).await.expect("a configuration");
    let error = Cluster::new(config).expect("a client").nodes(None).await.expect_err("not trusted");
    let begin = format!("the certificate of `{address}` is not accepted: invalid peer certificate: ");
    assert!(error.to_string().starts_with(&begin), "{error}");
    assert!(!error.is_retryable());
    assert!(error.get("help").is_some_and(|help| help.contains("certificate-authority")), "{error:?}");
}

#[tokio::test]
async fn a_context_that_does_not_exist_is_told_with_those_that_do() {
    let ask = async |context: Option<&str>, kubeconfig: Kubeconfig| {
        let error = configuration(kubeconfig, context).await.expect_err("no such context");
        (error.to_string(), error.get("help").unwrap_or_default().to_owned())
    };
    assert_eq!(
        ask(Some("prod-eu1"), kubeconfig("http://x")).await,
        (
            "the kubeconfig has no context `prod-eu1`".to_owned(),
            "did you mean `prod-eu-1`? It has `here`, `prod-eu-1`".to_owned()
        )
    );
    assert_eq!(ask(Some("staging"), kubeconfig("http://x")).await.1, "it has `here`, `prod-eu-1`");
    let mut without = kubeconfig("http://x");
    without.current_context = None;
    assert_eq!(
        ask(None, without).await,
        (
            "the kubeconfig has no current context, and `[source]` names none".to_owned(),
            "set `context` in `[source]` to one of `here`, `prod-eu-1`".to_owned()
        )
    );
    assert_eq!(ask(Some("x"), Kubeconfig::default()).await.1, "it has none at all; is `KUBECONFIG` the right file?");
}

#[test]
fn no_line_of_a_kubeconfig_is_ever_repeated() {
    let text = "apiVersion: v1\nusers:\n- name: u\n  user:\n    token: [s3cret]\n    password: s3cret\n";
    let error = unusable(&Kubeconfig::from_yaml(text).expect_err("a list is no token"));
    assert_eq!(error.to_string(), "the kubeconfig cannot be used: it is not the YAML of a kubeconfig");
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
}

/// Exec plugins print tokens: nothing of what one prints is repeated.
#[cfg(unix)]
#[tokio::test]
async fn what_an_exec_plugin_prints_is_never_repeated() {
    let mut kubeconfig = kubeconfig("http://127.0.0.1:1");
    let text = "users:\n- name: u\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      \
                command: sh\n      interactiveMode: Never\n      args: [-c, 'echo t0ken; echo t0ken >&2; exit 3']\n";
    kubeconfig.auth_infos = Kubeconfig::from_yaml(text).expect("users").auth_infos;
    let config = direct(kubeconfig).await.expect("a configuration");
    let error = match Cluster::new(config) {
        Ok(cluster) => cluster.nodes(None).await.expect_err("no credentials"),
        Err(error) => error,
    };
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert_eq!(
        error.to_string(),
        "no credentials for `127.0.0.1:1`: the kubeconfig's command failed with exit status: 3"
    );
    assert!(!format!("{error:?}").contains("t0ken"), "{error:?}");
}
