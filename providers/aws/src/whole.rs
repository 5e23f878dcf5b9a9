//! That an answer is the whole answer to what was asked.
//!
//! The SDK reads what it needs and stops at the end of what there is. Of actions that only say yes it reads nothing at all,
//! so that a sign-in page with 200 is a success; and a listing whose second half is missing is a shorter listing, if
//! nothing on the way has told its length. Neither may pass here: a route is deleted because it is not listed.
//! Amazon's query protocols give every answer a root of its action's name, so there is something to hold it to, and half an
//! answer has no end of it.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Turns a success into a failure of reading if its text does not begin and end as an answer to this action.
#[derive(Debug)]
pub(crate) struct WholeAnswer;

impl Intercept for WholeAnswer {
    fn name(&self) -> &'static str {
        "WholeAnswer"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (Some(action), Some(body)) = (config.load::<Metadata>(), context.response().body().bytes()) else {
            return Ok(());
        };
        // What has failed already has its own words.
        if context.output_or_error().is_err() || is_whole(action.name(), body) {
            return Ok(());
        }
        Err(format!("this is no whole answer to `{}`", action.name()).into())
    }
}

fn is_whole(action: &str, body: &[u8]) -> bool {
    let body = body.trim_ascii();
    let (open, close) = (format!("<{action}Response"), format!("</{action}Response>"));
    let begins = body.windows(open.len()).take(256).any(|window| window == open.as_bytes());
    begins && body.ends_with(close.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_the_root_of_its_action_and_the_end_of_it() {
        let answer =
            "<?xml version=\"1.0\"?>\n<CreateTagsResponse xmlns=\"x\"><return>true</return></CreateTagsResponse>\n";
        assert!(is_whole("CreateTags", answer.as_bytes()));
        for cut in 0..answer.len() - 1 {
            assert!(!is_whole("CreateTags", &answer.as_bytes()[..cut]), "{cut}");
        }
        for other in ["", "true", "<html><body>Please log in</body></html>"] {
            assert!(!is_whole("CreateTags", other.as_bytes()), "{other}");
        }
        assert!(!is_whole("DeleteTags", answer.as_bytes()) && !is_whole("CreateTag", answer.as_bytes()));
    }
}
