//! A template's text, JSON or YAML, as one tree in which every function has its long form.
//!
//! `CloudFormation` takes every scalar of a template for a text and lets a function decide what to make of it, so YAML's own
//! opinion of what `0.0.0.0` or `yes` might be is never asked for; that is why this builds on a parser's events and not
//! on a loader. Aliases, which `CloudFormation` does not take either ("Template formats"), are refused, and so nothing can
//! grow beyond the text that was sent.

use saphyr_parser::{Event, Parser, Span, StrInput, Tag};
use serde_json::{Map, Value};

use super::invalid;
use crate::model::Refusal;

/// Deeper than any template that means anything, and shallow enough for the stack.
const DEEPEST: usize = 64;

/// Reads a template.
pub(super) fn parse(text: &str) -> Result<Value, Refusal> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            invalid(format!("Template format error: JSON not well-formed. (line {line}, column {column})"))
        });
    }
    let mut events = Events(Parser::new_from_str(text));
    loop {
        match events.next()?.0 {
            Event::StreamStart | Event::DocumentStart(_) => {}
            Event::StreamEnd => return Ok(Value::Null),
            event => return events.node(event, 0),
        }
    }
}

struct Events<'a>(Parser<'a, StrInput<'a>>);

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Refusal> {
        match self.0.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(malformed(error.marker().line(), error.marker().col() + 1)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<Value, Refusal> {
        if depth > DEEPEST {
            return Err(invalid("Template format error: the template is nested too deeply."));
        }
        match event {
            Event::Scalar(text, style, _, tag) => {
                let is_null = tag.is_none()
                    && style == saphyr_parser::ScalarStyle::Plain
                    && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL");
                let value = if is_null { Value::Null } else { Value::String(text.into_owned()) };
                Ok(long_form(tag.as_deref(), value))
            }
            Event::SequenceStart(_, tag) => {
                let mut items = Vec::new();
                loop {
                    match self.next()?.0 {
                        Event::SequenceEnd => return Ok(long_form(tag.as_deref(), Value::Array(items))),
                        event => items.push(self.node(event, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(_, tag) => {
                let mut members = Map::new();
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::MappingEnd {
                        return Ok(long_form(tag.as_deref(), Value::Object(members)));
                    }
                    let Value::String(key) = self.node(event, depth + 1)? else {
                        return Err(malformed(span.start.line(), span.start.col() + 1));
                    };
                    let (event, _) = self.next()?;
                    let value = self.node(event, depth + 1)?;
                    members.insert(key, value);
                }
            }
            Event::Alias(_) => Err(invalid("Template error: YAML aliases are not allowed in CloudFormation templates")),
            _ => Err(malformed(1, 1)),
        }
    }
}

fn malformed(line: usize, column: usize) -> Refusal {
    invalid(format!("Template format error: YAML not well-formed. (line {line}, column {column})"))
}

/// `!Sub x` as `{"Fn::Sub": x}`.
fn long_form(tag: Option<&Tag>, value: Value) -> Value {
    let Some(tag) = tag.filter(|tag| tag.handle == "!" && !tag.suffix.is_empty()) else { return value };
    let (name, value) = match (tag.suffix.as_str(), value) {
        ("Ref" | "Condition", value) => (tag.suffix.clone(), value),
        ("GetAtt", Value::String(path)) => {
            let (resource, attribute) = path.split_once('.').unwrap_or((&path, ""));
            ("Fn::GetAtt".to_owned(), serde_json::json!([resource, attribute]))
        }
        (name, value) => (format!("Fn::{name}"), value),
    };
    Value::Object(Map::from_iter([(name, value)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_become_long_ones_and_scalars_stay_texts() {
        let yaml = "
AWSTemplateFormatVersion: 2010-09-09
A: !Ref B
C: !ImportValue  hard-k8s-rtb
D: !Sub '${A}-x'
E: !GetAtt Route.CidrBlock
F: !Join ['', [a, !Ref B]]
G: {Fn::ImportValue: !Sub x}
H: !ImportValue
  Fn::Sub: y
I: 0.0.0.0/0
J:
K: yes
";
        let expected = serde_json::json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "A": {"Ref": "B"},
            "C": {"Fn::ImportValue": "hard-k8s-rtb"},
            "D": {"Fn::Sub": "${A}-x"},
            "E": {"Fn::GetAtt": ["Route", "CidrBlock"]},
            "F": {"Fn::Join": ["", ["a", {"Ref": "B"}]]},
            "G": {"Fn::ImportValue": {"Fn::Sub": "x"}},
            "H": {"Fn::ImportValue": {"Fn::Sub": "y"}},
            "I": "0.0.0.0/0",
            "J": null,
            "K": "yes",
        });
        assert_eq!(parse(yaml), Ok(expected));
    }

    #[test]
    fn what_is_no_template_is_told_with_its_place() {
        let rows = [
            ("{\"Resources\": ", "JSON not well-formed. (line 1, column 14)"),
            ("Resources:\n  A: [", "YAML not well-formed. (line 3, column 1)"),
            ("A: &x 1\nB: *x\n", "YAML aliases are not allowed"),
            ("[a]: b", "YAML not well-formed. (line 1, column 1)"),
        ];
        for (text, expected) in rows {
            let message = parse(text).map_err(|refusal| refusal.message);
            assert!(message.as_ref().is_err_and(|it| it.contains(expected)), "{text}: {message:?}");
        }
        let deep = format!("A: {}{}", "[".repeat(5000), "]".repeat(5000));
        assert!(parse(&deep).is_err());
    }
}
