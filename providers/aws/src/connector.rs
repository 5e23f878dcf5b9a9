//! How bytes get to an endpoint.
//!
//! The SDK has a default client; ours differs in what an operator would be hurt by. Requests are signed, not secret, so
//! plain http is for this machine alone and for the link-local addresses where EC2 and ECS hand out credentials: one
//! place sees every request whatever its endpoint came from, and refuses the rest, unless the topology says that it may
//! be, and then for the APIs and never for credentials. Such requests never go through a proxy either. TLS, with its trust roots to load, is set up when the first https request asks for it, since a run
//! against a local cloud should not pay for it. And a failure keeps what only this place knows: the endpoint, and whether
//! the request had been sent at all, which decides whether a write may have happened.

use std::error::Error as StdError;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use hyper_util::client::legacy::Error as ClientError;

/// How long a connection may take to come about. The SDK's own default is 3.1 s.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a request did not get through, as far as the connection knows.
#[derive(Debug)]
pub(crate) struct Unreached {
    /// Scheme, host and port.
    pub(crate) endpoint: String,
    /// Whether the failure came before a byte of the request was sent.
    pub(crate) before_sending: bool,
    /// Whether the endpoint is on this machine.
    pub(crate) loopback: bool,
    source: Box<dyn StdError + Send + Sync>,
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.before_sending { "cannot connect to" } else { "lost the connection to" };
        write!(f, "{what} `{}`", self.endpoint)
    }
}

impl StdError for Unreached {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
    }
}

/// Plain http to another machine was asked for.
#[derive(Debug)]
pub(crate) struct PlainHttp {
    pub(crate) endpoint: String,
}

impl fmt::Display for PlainHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is plain http to another machine, which anybody on the way could read and change",
            self.endpoint
        )
    }
}

impl StdError for PlainHttp {}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Plain http to this machine.
    Loopback,
    /// Plain http to the link-local services that hand out credentials.
    Metadata,
    /// Plain http to any other machine.
    Plain,
    /// https.
    Tls,
    /// No http at all.
    Unknown,
}

/// Splits an URL into its way and its endpoint: scheme, host and port.
pub(crate) fn way(url: &str) -> (Way, String) {
    let Ok(uri) = url.parse::<http::Uri>() else { return (Way::Unknown, url.to_owned()) };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return (Way::Unknown, url.to_owned());
    };
    // Only host and port are shown: whatever stands before an `@` is a secret.
    let host = authority.host();
    let port = authority.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    let endpoint = format!("{scheme}://{host}{port}");
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let way = match (scheme, address) {
        ("https", _) => Way::Tls,
        ("http", Ok(address)) if address.is_loopback() => Way::Loopback,
        ("http", Err(_)) if host.eq_ignore_ascii_case("localhost") => Way::Loopback,
        ("http", Ok(address)) if is_metadata(address) => Way::Metadata,
        ("http", _) => Way::Plain,
        _ => Way::Unknown,
    };
    (way, endpoint)
}

/// The addresses of the EC2 instance metadata service and of the ECS and EKS agents ("Use the Instance Metadata Service",
/// EC2 User Guide; "Container credential provider", AWS SDKs and Tools Reference Guide).
fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.segments()[..6] == [0xfd00, 0x0ec2, 0, 0, 0, 0],
    }
}

/// The one way out: an HTTP client for everything that the SDK does.
#[derive(Debug, Clone)]
pub(crate) struct Door(Arc<Connectors>);

#[derive(Debug)]
struct Connectors {
    anywhere: bool,
    plain: Connector,
    tls: OnceLock<Connector>,
}

fn builder() -> ConnectorBuilder {
    Connector::builder().connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build())
}

impl Door {
    pub(crate) fn new() -> Self {
        Self::with(false)
    }

    /// A door through which plain http may go `anywhere`, or only where it is safe.
    pub(crate) fn with(anywhere: bool) -> Self {
        Self(Arc::new(Connectors { anywhere, plain: builder().build_http(), tls: OnceLock::new() }))
    }
}

impl Connectors {
    fn tls(&self) -> &Connector {
        self.tls.get_or_init(|| {
            builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).proxy_config(ProxyConfig::from_env()).build()
        })
    }
}

impl HttpClient for Door {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Door {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (way, endpoint) = way(request.uri());
        let connector = match way {
            Way::Loopback | Way::Metadata => &self.0.plain,
            Way::Tls => self.0.tls(),
            Way::Plain if self.0.anywhere => &self.0.plain,
            Way::Plain | Way::Unknown => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(Box::new(PlainHttp { endpoint }))));
            }
        };
        let answer = connector.call(request);
        let loopback = way == Way::Loopback;
        HttpConnectorFuture::new(async move { answer.await.map_err(|error| unreached(error, endpoint, loopback)) })
    }
}

fn unreached(error: ConnectorError, endpoint: String, loopback: bool) -> ConnectorError {
    let before_sending = find::<ClientError>(&error).is_some_and(ClientError::is_connect);
    let timeout = error.is_timeout();
    let source = Box::new(Unreached { endpoint, before_sending, loopback, source: error.into_source() });
    // The kind tells the SDK whether the connection is still good; nothing else reads it here.
    if timeout { ConnectorError::timeout(source) } else { ConnectorError::io(source) }
}

/// An error and all that lies beneath it.
pub(crate) fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

/// The first error of a type along a chain of sources.
pub(crate) fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    chain(error).find_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        for (url, expected) in [
            ("http://127.0.0.1:4566", Way::Loopback),
            ("http://127.8.8.8/x", Way::Loopback),
            ("http://[::1]:80/", Way::Loopback),
            ("http://LocalHost:80/", Way::Loopback),
            ("http://localhost.example.com/", Way::Plain),
            ("http://127.0.0.1.example.com/", Way::Plain),
            ("http://169.254.169.254/latest", Way::Metadata),
            ("http://169.254.170.2/creds", Way::Metadata),
            ("http://[fd00:ec2::254]/latest", Way::Metadata),
            ("http://10.0.0.1:4566", Way::Plain),
            ("http://ec2.us-west-2.amazonaws.com", Way::Plain),
            ("https://10.0.0.1:4566", Way::Tls),
            ("ftp://127.0.0.1", Way::Unknown),
            ("127.0.0.1:4566", Way::Unknown),
            ("", Way::Unknown),
        ] {
            assert_eq!(way(url).0, expected, "{url}");
        }
    }

    #[test]
    fn an_endpoint_is_shown_without_what_is_secret() {
        assert_eq!(way("https://user:secret@example.com:8443/path?token=1").1, "https://example.com:8443");
    }
}
