//! `CloudFormation`'s query protocol over the model, as far as a guide needs it that lets stacks make routes and name them.
//!
//! A template is read ([`text`]), its references are resolved ([`values`]) and it becomes an order for the model
//! ([`template`]), which alone knows what may stand beside what. Only routes can be made; anything else is refused by
//! name, so that nobody takes a stack for made that is not.

mod actions;
mod dialect;
mod template;
mod text;
mod values;

use crate::model::Refusal;

pub(crate) use dialect::{Request, refused};

/// The version of the API, by which its requests are known.
pub(crate) const VERSION: &str = "2010-05-15";

/// Whether there is such an action.
pub(crate) fn knows(action: &str) -> bool {
    actions::step(action).is_some()
}

/// The code of nearly everything that `CloudFormation` refuses.
fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message)
}
