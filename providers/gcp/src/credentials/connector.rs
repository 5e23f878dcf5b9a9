//! How token requests get out.
//!
//! yup-oauth2 speaks through a hyper client, so proxies and trust have to be the same there as they are for Compute:
//! `HTTPS_PROXY` and `NO_PROXY` honoured, the machine's own trust, loaded only when the first https request asks for it.
//! Plain http goes straight to where it is meant; which plain URLs there may be at all is decided when a credential file
//! is read. No client here follows redirects.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::http::{CONNECT_TIMEOUT, tls};

type BoxError = Box<dyn StdError + Send + Sync>;
type Pending<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;
/// To a server, or to a proxy that is itself behind TLS.
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Connections for token requests.
#[derive(Clone)]
pub(crate) struct Connector {
    way: Way,
}

impl Connector {
    /// With the proxies of the process's environment.
    pub(super) fn new() -> Self {
        Self::with_proxies(Matcher::from_env())
    }

    fn with_proxies(proxies: Matcher) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        Self { way: Way { tcp, proxies: Arc::new(proxies), tls: Arc::default() } }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A proxy's URL may have a password in it.
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<Stream>;
    type Error = BoxError;
    type Future = Pending<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let mut way = self.way.clone();
        Box::pin(async move {
            if to.scheme() == Some(&Scheme::HTTP) {
                let stream = way.tcp.call(to).await?;
                return Ok(MaybeHttpsStream::Http(MaybeHttpsStream::Http(stream)));
            }
            let tls = way.tls()?;
            HttpsConnector::from((way, tls)).call(to).await
        })
    }
}

/// The way to a server that TLS is then spoken with: straight, or through a proxy.
#[derive(Clone)]
struct Way {
    tcp: HttpConnector,
    proxies: Arc<Matcher>,
    tls: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl Way {
    fn tls(&self) -> Result<Arc<ClientConfig>, BoxError> {
        if let Some(config) = self.tls.get() {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(tls::config()?);
        Ok(Arc::clone(self.tls.get_or_init(|| config)))
    }
}

impl Service<Uri> for Way {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pending<Stream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let mut way = self.clone();
        Box::pin(async move {
            let Some(proxy) = way.proxies.intercept(&to) else {
                return Ok(MaybeHttpsStream::Http(way.tcp.call(to).await?));
            };
            if !matches!(proxy.uri().scheme_str(), Some("http" | "https")) {
                return Err(
                    io::Error::other("HTTPS_PROXY or ALL_PROXY names a proxy that is no http or https one").into()
                );
            }
            let tls = way.tls()?;
            let mut tunnel = Tunnel::new(proxy.uri().clone(), HttpsConnector::from((way.tcp, tls)));
            if let Some(login) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(login.clone());
            }
            Ok(tunnel.call(to).await?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::stub::{Stub, header};

    #[tokio::test]
    async fn a_proxy_is_asked_for_a_tunnel_and_sees_nothing_else() {
        let refuse = "HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n";
        let proxy = Stub::start(move |_, _| Some(refuse.to_owned())).await;
        let url = proxy.url.replace("http://", "http://user:pass@");
        let matcher = || Matcher::builder().https(url.clone()).no("direct.example").build();
        let to = Uri::from_static("https://oauth2.example/token?secret=1");
        let answer = Connector::with_proxies(matcher()).call(to).await;
        assert!(answer.is_err(), "the proxy said no");
        let asked = proxy.asked();
        assert!(asked[0].starts_with("CONNECT oauth2.example:443 HTTP/1.1\r\n"), "{asked:?}");
        assert_eq!(header(&asked[0], "proxy-authorization"), Some("Basic dXNlcjpwYXNz"));
        assert!(!asked[0].contains("secret"), "{asked:?}");
    }

    #[tokio::test]
    async fn plain_http_never_goes_through_a_proxy() {
        let server = Stub::start(|_, _| None).await;
        let nobody = Matcher::builder().all("http://127.0.0.1:1").build();
        let to: Uri = server.url.parse().expect("uri");
        Connector::with_proxies(nobody).call(to).await.expect("straight");
    }
}
