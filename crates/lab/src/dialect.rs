//! What one protocol must know, so that the way of a request through a lab is the same for all of them.
//!
//! EC2 speaks XML, Compute Engine JSON, the token endpoint OAuth; each counts, is faulted, throttled, permitted and
//! remembered in the same place and in the same order. A dialect names the request, judges who asks, acts, and writes
//! the answer down; it never sees a counter.

use std::time::Duration;

use crate::model::Refusal;
use crate::world::World;
use crate::{FaultKind, Options};

/// An answer as it goes out, before its delivery is decided.
#[derive(Debug, Clone)]
pub(crate) struct Rendered {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// One request of one protocol.
pub(crate) trait Dialect {
    /// What the request is answered with if all goes well.
    type Content;

    /// The name under which the request is counted and met by faults.
    fn action(&self) -> &str;

    /// What a fault says in this protocol, if it says anything.
    fn trouble(&self, kind: &FaultKind, options: &Options) -> Option<Refusal>;

    /// Whether a refusal is a throttle.
    fn is_throttle(&self, refusal: &Refusal) -> bool;

    /// All that comes before the parameters: whether there is such an action, who asks, how often, and whether he may.
    fn admit(&self, world: &mut World, options: &Options) -> Result<(), Refusal>;

    /// Whether it asks for a page of a listing that is not the first.
    fn is_later_page(&self) -> bool {
        false
    }

    /// How long the answer is held back, if it is.
    fn hold(&self, _world: &World) -> Option<Duration> {
        None
    }

    /// Acts. `fault` is one that concerns what becomes of a write.
    fn perform(
        &self,
        world: &mut World,
        options: &Options,
        fault: Option<&FaultKind>,
    ) -> Result<Self::Content, Refusal>;

    /// Writes the answer down.
    fn render(&self, answer: Result<Self::Content, Refusal>, options: &Options) -> Rendered;
}
