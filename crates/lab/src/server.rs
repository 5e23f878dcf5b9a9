//! The socket: HTTP in, a request of one dialect out, and the ways in which an answer can fail to arrive.
//!
//! Every connection is a task of one set, and the set is owned by the accepting task, so that aborting that one task
//! ends everything. A dropped answer is a service error, which makes hyper close the connection without a byte.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep};
use tracing::debug;

use crate::model::Refusal;
use crate::query::{Caller, Params};
use crate::state::{Delivery, Reply, State};
use crate::{cloudformation, compute, control, ec2, identity, sts};

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
                    sleep(Duration::from_millis(10)).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn respond(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Payload>, io::Error> {
    let Reply { rendered, delivery } = reply_to(&state, request).await;
    match delivery {
        Delivery::Dropped => return Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
        Delivery::Never => match std::future::pending::<Infallible>().await {},
        Delivery::Slow(time) => sleep(time / 2).await,
        Delivery::Whole | Delivery::Truncated | Delivery::CutShort => {}
    }
    let status = StatusCode::from_u16(rendered.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Payload::new(rendered.body, delivery));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(rendered.content_type));
    for (name, value) in rendered.headers {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

/// Which of the lab's doors a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Control,
    Compute,
    Batch,
    Identity,
    Amazon,
}

impl Door {
    fn of(head: &Parts) -> Self {
        let below = |path: &str| {
            head.uri.path().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let ping = head.method == Method::GET && head.uri.path() == "/" && is_flavoured(head);
        match () {
            () if below("/_lab") => Self::Control,
            () if below("/compute") => Self::Compute,
            () if below("/batch") => Self::Batch,
            () if below("/token") || below("/computeMetadata") || ping => Self::Identity,
            () => Self::Amazon,
        }
    }
}

fn header<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    head.headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a metadata server is meant.
fn is_flavoured(head: &Parts) -> bool {
    header(head, "metadata-flavor") == Some("Google")
}

async fn reply_to(state: &State, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else {
        let message = format!("The request body is larger than {LARGEST_BODY} bytes or ended early");
        let refusal = Refusal::with_status(413, "RequestEntityTooLarge", message);
        return Reply { rendered: ec2::refused(&refusal), delivery: Delivery::Whole };
    };
    let body = body.to_bytes();
    let (verb, path, query) = (head.method.as_str(), head.uri.path(), head.uri.query().unwrap_or_default());
    let authorization = header(&head, "authorization");
    let door = Door::of(&head);
    let google = matches!(door, Door::Compute | Door::Batch | Door::Identity);
    let tells_length = head.headers.contains_key(CONTENT_LENGTH) || head.headers.contains_key(TRANSFER_ENCODING);
    if google && head.method == Method::POST && !tells_length {
        return Reply::page(411, "text/html; charset=UTF-8", compute::length_required());
    }
    match door {
        Door::Control => control::answer(state, verb, path, &body),
        Door::Compute => state.handle(&compute::Request::new(verb, path, query, authorization, &body)).await,
        Door::Batch => {
            let content_type = header(&head, "content-type").unwrap_or_default();
            let parts = match compute::batch_parts(content_type, authorization, &body) {
                Ok(parts) => parts,
                Err(reply) => return reply,
            };
            let mut replies = Vec::new();
            for (id, part) in parts {
                replies.push((id, state.handle(&part).await));
            }
            compute::batch_answers(replies)
        }
        Door::Identity => {
            let flavoured = is_flavoured(&head);
            state.handle(&identity::Request::new(verb, path, &body, state.token_uri(), flavoured)).await
        }
        Door::Amazon => amazon(state, query, &body, authorization).await,
    }
}

/// Amazon's services share address and port; what tells them apart is the version of the API, and the signature.
async fn amazon(state: &State, query: &str, body: &[u8], authorization: Option<&str>) -> Reply {
    let mut params = Params::parse(query.as_bytes());
    params.extend(body);
    let caller = Caller::read(authorization, params.get("X-Amz-Credential"));
    let is_cloudformation = match params.get("Version") {
        Some(version) => version == cloudformation::VERSION,
        None => caller.is_for("cloudformation"),
    };
    if is_cloudformation {
        return match cloudformation::Request::read(params, caller) {
            Ok(request) => state.handle(&request).await,
            Err(refusal) => Reply { rendered: cloudformation::refused(&refusal), delivery: Delivery::Whole },
        };
    }
    let is_sts = match params.get("Version") {
        Some(version) => version == sts::VERSION,
        None => caller.is_for("sts"),
    };
    if is_sts {
        return state.handle(&sts::Request::read(&params, caller)).await;
    }
    match ec2::Request::read(params, caller) {
        Ok(request) => state.handle(&request).await,
        Err(refusal) => Reply { rendered: ec2::refused(&refusal), delivery: Delivery::Whole },
    }
}

/// In how many pieces a slow answer comes.
const PIECES: usize = 16;

/// A body that is there in one piece, comes by and by, or breaks off in the middle although its length was announced.
struct Payload {
    data: Bytes,
    length: u64,
    cut: bool,
    /// For a slow one: how large a piece is, how long it takes, and the wait for the next.
    pace: Option<(usize, Duration, Pin<Box<Sleep>>)>,
}

impl Payload {
    fn new(text: String, delivery: Delivery) -> Self {
        let mut data = Bytes::from(text);
        let whole = data.len();
        let cut = delivery == Delivery::CutShort;
        if cut || delivery == Delivery::Truncated {
            data.truncate(whole / 2);
        }
        let length = if cut { whole } else { data.len() } as u64;
        let pace = match delivery {
            Delivery::Slow(time) => {
                let pause = time / 2 / u32::try_from(PIECES).unwrap_or(1);
                Some((whole.div_ceil(PIECES).max(1), pause, Box::pin(sleep(pause))))
            }
            _ => None,
        };
        Self { data, length, cut, pace }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        if let Some((piece, pause, wait)) = &mut this.pace
            && !this.data.is_empty()
        {
            ready!(wait.as_mut().poll(context));
            wait.as_mut().reset(Instant::now() + *pause);
            return Poll::Ready(Some(Ok(Frame::data(this.data.split_to(this.data.len().min(*piece))))));
        }
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
