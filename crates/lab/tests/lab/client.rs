//! The least HTTP client that can keep a connection alive, so that the tests see bytes and not an SDK's opinion of them.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Signed as far as the lab reads it.
pub(crate) const SIGNED: &str =
    "AWS4-HMAC-SHA256 Credential=lab/20260101/us-west-2/ec2/aws4_request, SignedHeaders=host, Signature=0";

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    /// The texts of all elements of this name, in their order.
    pub(crate) fn texts(&self, element: &str) -> Vec<&str> {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        self.body.split(&open).skip(1).filter_map(|rest| rest.split_once(&close)).map(|(text, _)| text).collect()
    }

    /// Status, code and message of an error.
    pub(crate) fn error(&self) -> (u16, &str, &str) {
        let first = |element| self.texts(element).first().copied().unwrap_or_default();
        (self.status, first("Code"), first("Message"))
    }
}

/// One connection.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) async fn connect(endpoint: &str) -> Self {
        let address = endpoint.strip_prefix("http://").expect("an http endpoint");
        Self(BufReader::new(TcpStream::connect(address).await.expect("a connection")))
    }

    /// An action with its parameters, signed for us-west-2.
    pub(crate) async fn call(&mut self, action: &str, params: &[(&str, &str)]) -> Response {
        self.try_call(action, params).await.expect("an answer")
    }

    /// The same, for answers that may not arrive.
    pub(crate) async fn try_call(&mut self, action: &str, params: &[(&str, &str)]) -> Option<Response> {
        self.try_send("POST", "/", Some(SIGNED), &form(action, params)).await
    }

    /// The same of `CloudFormation`.
    pub(crate) async fn cloudformation(&mut self, action: &str, params: &[(&str, &str)]) -> Response {
        let signed = SIGNED.replace("/ec2/", "/cloudformation/");
        self.send("POST", "/", Some(&signed), &form_for("2010-05-15", action, params)).await
    }

    /// The same of STS.
    pub(crate) async fn sts(&mut self, action: &str) -> Response {
        let signed = SIGNED.replace("/ec2/", "/sts/");
        self.send("POST", "/", Some(&signed), &form_for("2011-06-15", action, &[])).await
    }

    pub(crate) async fn send(&mut self, method: &str, path: &str, signature: Option<&str>, body: &str) -> Response {
        self.try_send(method, path, signature, body).await.expect("an answer")
    }

    pub(crate) async fn try_send(
        &mut self,
        method: &str,
        path: &str,
        signature: Option<&str>,
        body: &str,
    ) -> Option<Response> {
        let signature = signature.map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: lab\r\n{signature}Content-Length: {}\r\n\r\n{body}", body.len());
        self.0.write_all(request.as_bytes()).await.ok()?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let lower = head.to_ascii_lowercase();
        let length = lower.split("content-length: ").nth(1)?.lines().next()?.parse().ok()?;
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        Some(Response { status, head: lower, body: String::from_utf8(body).ok()? })
    }
}

/// A form body.
pub(crate) fn form(action: &str, params: &[(&str, &str)]) -> String {
    form_for("2016-11-15", action, params)
}

fn form_for(version: &str, action: &str, params: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", action).append_pair("Version", version).extend_pairs(params).finish()
}
