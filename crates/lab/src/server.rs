//! The socket: HTTP in, parameters out, and the ways in which an answer can fail to arrive.
//!
//! Every connection is a task of one set, and the set is owned by the accepting task, so that aborting that one task
//! ends everything. A dropped answer is a service error, which makes hyper close the connection without a byte.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing::debug;

use crate::control;
use crate::ec2::Params;
use crate::model::Refusal;
use crate::state::{Caller, Delivery, Reply, State};

/// More than any request of 200 filter values needs, and little enough to hold.
const LARGEST_BODY: usize = 1024 * 1024;

/// Accepts connections until the task is aborted.
pub(crate) async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Small answers must not wait for Nagle; a socket that refuses is merely slower.
                    let _slower = stream.set_nodelay(true);
                    let state = Arc::clone(&state);
                    connections.spawn(async move {
                        let service = service_fn(move |request| respond(Arc::clone(&state), request));
                        let served = http1::Builder::new()
                            .timer(TokioTimer::new())
                            .header_read_timeout(None)
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                        if let Err(error) = served {
                            debug!(%error, "connection ended");
                        }
                    });
                }
                // Out of descriptors, or the peer is gone already: the next one may do better.
                Err(error) => {
                    debug!(%error, "accept failed");
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn respond(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Payload>, io::Error> {
    let reply = reply_to(&state, request).await;
    match reply.delivery {
        Delivery::Dropped => return Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
        Delivery::Never => match std::future::pending::<Infallible>().await {},
        Delivery::Whole | Delivery::CutShort => {}
    }
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Payload::new(reply.body, reply.delivery == Delivery::CutShort));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("content-type", hyper::header::HeaderValue::from_static(reply.content_type));
    if let Ok(value) = reply.request_id.parse() {
        headers.insert("x-amzn-requestid", value);
    }
    Ok(response)
}

async fn reply_to(state: &State, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else {
        let message = format!("The request body is larger than {LARGEST_BODY} bytes or ended early");
        return Reply::refused(&Refusal::with_status(413, "RequestEntityTooLarge", message));
    };
    let body = body.to_bytes();
    let path = head.uri.path();
    if path == "/_lab" || path.starts_with("/_lab/") {
        return control::answer(state, head.method.as_str(), path, &body);
    }
    let mut params = Params::parse(head.uri.query().unwrap_or_default().as_bytes());
    params.extend(&body);
    let header = head.headers.get("authorization").and_then(|value| value.to_str().ok());
    let caller = caller(header, params.get("X-Amz-Credential"));
    state.handle(&params, &caller)
}

/// Reads the region out of a credential scope, `KEY/DATE/REGION/SERVICE/aws4_request`. Nothing is verified: the lab
/// holds no secret, and a wrong clock or key is a fault to be asked for.
fn caller(header: Option<&str>, presigned: Option<&str>) -> Caller {
    let in_header = header.and_then(|header| {
        let (_, rest) = header.split_once("Credential=")?;
        rest.split([',', ' ']).next()
    });
    let scope = in_header.or(presigned);
    scope
        .and_then(|scope| scope.rsplit('/').nth(2))
        .map_or(Caller::Unsigned, |region| Caller::Region(region.to_owned()))
}

/// A body that is there in one piece, or breaks off in the middle although its length was announced.
struct Payload {
    data: Bytes,
    length: u64,
    cut: bool,
}

impl Payload {
    fn new(text: String, cut: bool) -> Self {
        let mut data = Bytes::from(text);
        let length = data.len() as u64;
        if cut {
            data.truncate(data.len() / 2);
        }
        Self { data, length, cut }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if !self.data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.data)))));
        }
        Poll::Ready(self.cut.then(|| Err(io::Error::from(io::ErrorKind::ConnectionAborted))))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && !self.cut
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_read_from_header_and_presigned_scope_alike() {
        let scope = "lab/20261120/eu-central-1/ec2/aws4_request";
        let header = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        let frankfurt = Caller::Region("eu-central-1".to_owned());
        assert_eq!(caller(Some(&header), None), frankfurt);
        assert_eq!(caller(None, Some(scope)), frankfurt);
        assert_eq!(caller(None, None), Caller::Unsigned);
        assert_eq!(caller(Some("Bearer x"), None), Caller::Unsigned);
    }
}
