//! Answers as XML: a small tree that is built in one expression and written by quick-xml.

use std::fmt::Display;

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

use crate::model::{Refusal, Tags};

/// How a service wraps what an action answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapping {
    /// EC2: the request's id beside what is answered.
    Plain(&'static str),
    /// The other query services: the answer in a `Result`, the request's id in `ResponseMetadata`.
    Result(&'static str),
}

impl Wrapping {
    pub(crate) const EC2: Self = Self::Plain("http://ec2.amazonaws.com/doc/2016-11-15/");
    pub(crate) const STS: Self = Self::Result("https://sts.amazonaws.com/doc/2011-06-15/");
    pub(crate) const CLOUDFORMATION: Self = Self::Result("http://cloudformation.amazonaws.com/doc/2010-05-15/");

    const fn namespace(self) -> &'static str {
        match self {
            Self::Plain(namespace) | Self::Result(namespace) => namespace,
        }
    }
}

#[derive(Debug, Clone)]
enum Content {
    Text(String),
    Children(Vec<Element>),
}

/// One element and what is inside it.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    name: String,
    content: Content,
}

impl Element {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), content: Content::Children(Vec::new()) }
    }

    /// What an action answers; it gets its name from the action.
    pub(crate) fn response() -> Self {
        Self::new("")
    }

    /// The same under another name.
    pub(crate) fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    pub(crate) fn child(mut self, child: Self) -> Self {
        if let Content::Children(children) = &mut self.content {
            children.push(child);
        }
        self
    }

    pub(crate) fn text(self, name: &str, text: impl Display) -> Self {
        self.child(Self { name: name.to_owned(), content: Content::Text(text.to_string()) })
    }

    /// An element if there is something to say, else none at all.
    pub(crate) fn maybe(self, name: &str, text: Option<impl Display>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    /// A list in EC2's way: an element that holds `item`s, which is there even when it holds none.
    pub(crate) fn list(self, name: &str, items: impl IntoIterator<Item = Self>) -> Self {
        let items = items.into_iter().map(|item| Self { name: "item".to_owned(), ..item }).collect();
        self.child(Self { name: name.to_owned(), content: Content::Children(items) })
    }

    /// A list in the way of the other query services: an element that holds `member`s.
    pub(crate) fn members(self, name: &str, items: impl IntoIterator<Item = Self>) -> Self {
        let items = items.into_iter().map(|item| Self { name: "member".to_owned(), ..item }).collect();
        self.child(Self { name: name.to_owned(), content: Content::Children(items) })
    }

    pub(crate) fn tags(self, tags: &Tags) -> Self {
        self.list("tagSet", tags.iter().map(|(key, value)| Self::new("item").text("key", key).text("value", value)))
    }

    /// The whole answer: named after its action, with the request's id.
    pub(crate) fn into_success(self, action: &str, request_id: &str, wrapping: Wrapping) -> String {
        let root = Self::new(&format!("{action}Response"));
        match wrapping {
            Wrapping::Result(namespace) => {
                let result = self.named(&format!("{action}Result"));
                let metadata = Self::new("ResponseMetadata").text("RequestId", request_id);
                write(&root.child(result).child(metadata), Some(namespace))
            }
            Wrapping::Plain(namespace) => {
                let mut root = root.text("requestId", request_id);
                if let (Content::Children(children), Content::Children(own)) = (&mut root.content, self.content) {
                    children.extend(own);
                }
                write(&root, Some(namespace))
            }
        }
    }
}

/// The whole answer of the other query services to a refused request.
pub(crate) fn error_response(refusal: &Refusal, request_id: &str, wrapping: Wrapping) -> String {
    let fault = if refusal.status < 500 { "Sender" } else { "Receiver" };
    let error = Element::new("Error").text("Type", fault).text("Code", &refusal.code).text("Message", &refusal.message);
    let root = Element::new("ErrorResponse").child(error).text("RequestId", request_id);
    write(&root, Some(wrapping.namespace()))
}

/// The whole answer of EC2 to a refused request.
pub(crate) fn error_body(refusal: &Refusal, request_id: &str) -> String {
    let error = Element::new("Error").text("Code", &refusal.code).text("Message", &refusal.message);
    let root = Element::new("Response").child(Element::new("Errors").child(error)).text("RequestID", request_id);
    write(&root, None)
}

fn write(root: &Element, namespace: Option<&str>) -> String {
    let mut writer = Writer::new(Vec::from(&br#"<?xml version="1.0" encoding="UTF-8"?>"#[..]));
    let mut start = BytesStart::new(root.name.as_str());
    if let Some(namespace) = namespace {
        start.push_attribute(("xmlns", namespace));
    }
    // Writing into memory does not fail.
    let _infallible = write_element(&mut writer, root, start);
    String::from_utf8(writer.into_inner()).unwrap_or_default()
}

fn write_element(writer: &mut Writer<Vec<u8>>, element: &Element, start: BytesStart<'_>) -> std::io::Result<()> {
    let end = BytesEnd::new(element.name.as_str());
    match &element.content {
        Content::Children(children) if children.is_empty() => writer.write_event(Event::Empty(start)),
        Content::Children(children) => {
            writer.write_event(Event::Start(start))?;
            for child in children {
                write_element(writer, child, BytesStart::new(child.name.as_str()))?;
            }
            writer.write_event(Event::End(end))
        }
        Content::Text(text) => {
            writer.write_event(Event::Start(start))?;
            writer.write_event(Event::Text(BytesText::new(text)))?;
            writer.write_event(Event::End(end))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_as_ec2_writes_it() {
        let refusal = Refusal::new("RouteAlreadyExists", "The route identified by 10.200.0.0/24 already exists.");
        assert_eq!(
            error_body(&refusal, "292c04a0"),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Errors><Error><Code>RouteAlreadyExists</Code>\
             <Message>The route identified by 10.200.0.0/24 already exists.</Message></Error></Errors>\
             <RequestID>292c04a0</RequestID></Response>"
        );
    }

    #[test]
    fn text_is_escaped_and_empty_lists_are_there() {
        let body =
            Element::response().text("value", "a<b & c").list("tagSet", []).into_success("X", "id", Wrapping::EC2);
        assert!(body.ends_with("<value>a&lt;b &amp; c</value><tagSet/></XResponse>"), "{body}");
    }
}
