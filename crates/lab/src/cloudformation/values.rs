//! What the expressions of a template come to: literals, `Ref`, and the functions that texts are put together from.
//!
//! A stack's routes have ids that follow from their own values, so nothing here waits for anything to be made: the value
//! of every expression is known before the first route is. A wrong expression refuses the template; an export that is
//! not there only fails the stack, as `CloudFormation` has it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::invalid;
use crate::model::Refusal;

/// Resources may name each other, and in a circle.
const DEEPEST: usize = 32;

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The template is wrong.
    Refused(Refusal),
    /// The template is right, and the stack cannot be made.
    Hopeless(String),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

fn wrong<T>(message: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Refused(invalid(message)))
}

/// All that an expression may name.
pub(super) struct Scope<'a> {
    /// Parameters, and what every stack knows by `AWS::...`.
    pub(super) names: BTreeMap<String, String>,
    /// The properties of the resources, all of them routes.
    pub(super) routes: BTreeMap<&'a str, &'a Map<String, Value>>,
    /// The region's exports.
    pub(super) exports: BTreeMap<&'a str, (&'a str, &'a str)>,
    /// The exports that were used.
    pub(super) imports: RefCell<BTreeSet<String>>,
}

impl Scope<'_> {
    /// The value of an expression.
    pub(super) fn text(&self, value: &Value, at: &str) -> Result<String, Trouble> {
        self.resolve(value, at, 0)
    }

    fn resolve(&self, value: &Value, at: &str, depth: usize) -> Result<String, Trouble> {
        if depth > DEEPEST {
            return wrong(format!("Circular dependency between resources, or too many functions, at {at}"));
        }
        match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(flag) => Ok(flag.to_string()),
            Value::Null => wrong(format!("[{at}] 'null' values are not allowed in templates")),
            Value::Array(_) => wrong(format!("Template error: {at} must be a text")),
            Value::Object(members) => match members.iter().next() {
                Some((name, argument)) if members.len() == 1 => self.call(name, argument, at, depth + 1),
                _ => wrong(format!("Template error: {at} must be a text or a function")),
            },
        }
    }

    fn call(&self, function: &str, argument: &Value, at: &str, depth: usize) -> Result<String, Trouble> {
        match function {
            "Ref" => match argument {
                Value::String(name) => self.named(name, at, depth),
                _ => wrong(format!("Template error: Ref at {at} must name a parameter or a resource")),
            },
            "Fn::ImportValue" => {
                let name = self.resolve(argument, at, depth)?;
                let Some((_, value)) = self.exports.get(name.as_str()) else {
                    return Err(Trouble::Hopeless(format!("No export named {name} found.")));
                };
                self.imports.borrow_mut().insert(name);
                Ok((*value).to_owned())
            }
            "Fn::Sub" => match argument {
                Value::String(text) => self.substitute(text, &Map::new(), at, depth),
                Value::Array(parts) => match parts.as_slice() {
                    [Value::String(text), Value::Object(own)] => self.substitute(text, own, at, depth),
                    _ => wrong(format!("Template error: Fn::Sub at {at} takes a text, or a text and a map")),
                },
                _ => wrong(format!("Template error: Fn::Sub at {at} takes a text, or a text and a map")),
            },
            "Fn::Join" => match argument.as_array().map(Vec::as_slice) {
                Some([delimiter, Value::Array(parts)]) => {
                    let delimiter = self.resolve(delimiter, at, depth)?;
                    let parts: Result<Vec<_>, _> = parts.iter().map(|part| self.resolve(part, at, depth)).collect();
                    Ok(parts?.join(&delimiter))
                }
                _ => wrong(format!("Template error: every Fn::Join object requires two parameters; see {at}")),
            },
            "Fn::GetAtt" => {
                let path = match argument {
                    Value::String(path) => path.split_once('.'),
                    Value::Array(parts) => match parts.as_slice() {
                        [Value::String(resource), Value::String(attribute)] => {
                            Some((resource.as_str(), attribute.as_str()))
                        }
                        _ => None,
                    },
                    _ => None,
                };
                match path {
                    Some((resource, attribute)) => self.attribute(resource, attribute, at, depth),
                    None => wrong(format!("Template error: Fn::GetAtt at {at} takes a resource and an attribute")),
                }
            }
            _ => wrong(format!(
                "Template error: {function} at {at} is none of the functions that the lab has: Ref, Fn::ImportValue, \
                 Fn::Sub, Fn::Join, Fn::GetAtt"
            )),
        }
    }

    fn named(&self, name: &str, at: &str, depth: usize) -> Result<String, Trouble> {
        if let Some(value) = self.names.get(name) {
            return Ok(value.clone());
        }
        let Some(route) = self.routes.get(name) else {
            return wrong(format!(
                "Template format error: Unresolved resource dependencies [{name}] in the {} block of the template",
                at.split('/').nth(1).unwrap_or("Resources")
            ));
        };
        // The id that a route will have, as the model makes it.
        let table = route.get("RouteTableId").unwrap_or(&Value::Null);
        let table = self.resolve(table, at, depth)?;
        Ok(format!("{table}|{}", self.range(route, at, depth)?))
    }

    fn attribute(&self, resource: &str, attribute: &str, at: &str, depth: usize) -> Result<String, Trouble> {
        match self.routes.get(resource) {
            Some(route) if attribute == "CidrBlock" => self.range(route, at, depth),
            Some(_) => wrong(format!(
                "Template error: resource {resource} does not support attribute type {attribute} in Fn::GetAtt"
            )),
            None => wrong(format!("Template error: instance of Fn::GetAtt references undefined resource {resource}")),
        }
    }

    fn range(&self, route: &Map<String, Value>, at: &str, depth: usize) -> Result<String, Trouble> {
        let range = route.get("DestinationCidrBlock").or_else(|| route.get("DestinationIpv6CidrBlock"));
        self.resolve(range.unwrap_or(&Value::Null), at, depth)
    }

    /// `${Name}`, `${Resource.Attribute}`, and `${!Literal}` for what shall stay.
    fn substitute(&self, text: &str, own: &Map<String, Value>, at: &str, depth: usize) -> Result<String, Trouble> {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, after)) = after.split_once('}') else {
                return wrong(format!("Template error: a variable of Fn::Sub at {at} has no end"));
            };
            result.push_str(before);
            if let Some(literal) = name.strip_prefix('!') {
                result.extend(["${", literal, "}"]);
            } else if let Some(value) = own.get(name) {
                result.push_str(&self.resolve(value, at, depth)?);
            } else if let Some((resource, attribute)) = name.split_once('.') {
                result.push_str(&self.attribute(resource, attribute, at, depth)?);
            } else {
                result.push_str(&self.named(name.trim(), at, depth)?);
            }
            rest = after;
        }
        result.push_str(rest);
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn value(expression: &Value) -> Result<String, Trouble> {
        let route = json!({"RouteTableId": {"Ref": "Table"}, "DestinationCidrBlock": "10.200.0.0/24"});
        let circle = json!({"RouteTableId": {"Ref": "Circle"}, "DestinationCidrBlock": "10.200.0.0/24"});
        let routes = [("Route", &route), ("Circle", &circle)];
        let scope = Scope {
            names: [("Table".to_owned(), "rtb-1".to_owned()), ("AWS::Region".to_owned(), "us-west-2".to_owned())]
                .into(),
            routes: routes.into_iter().filter_map(|(name, it)| Some((name, it.as_object()?))).collect(),
            exports: [("hard-k8s-rtb", ("arn", "rtb-2"))].into(),
            imports: RefCell::default(),
        };
        scope.text(expression, "/Resources/X")
    }

    #[test]
    fn expressions_come_to_texts() {
        let rows = [
            (json!(7), "7"),
            (json!({"Ref": "Table"}), "rtb-1"),
            (json!({"Ref": "Route"}), "rtb-1|10.200.0.0/24"),
            (json!({"Fn::GetAtt": ["Route", "CidrBlock"]}), "10.200.0.0/24"),
            (json!({"Fn::ImportValue": {"Fn::Sub": "hard-${P}-rtb"}}), ""),
            (json!({"Fn::ImportValue": {"Fn::Sub": ["hard-${P}-rtb", {"P": "k8s"}]}}), "rtb-2"),
            (
                json!({"Fn::Sub": "${AWS::Region}/${Route.CidrBlock}/${!Table}/${Table}"}),
                "us-west-2/10.200.0.0/24/${Table}/rtb-1",
            ),
            (json!({"Fn::Join": ["-", ["a", {"Ref": "Table"}]]}), "a-rtb-1"),
        ];
        for (expression, expected) in rows {
            assert_eq!(value(&expression).unwrap_or_default(), expected, "{expression}");
        }
    }

    #[test]
    fn an_export_that_is_not_there_fails_the_stack_and_all_else_refuses_the_template() {
        let absent = value(&json!({"Fn::ImportValue": "x"}));
        assert_eq!(absent, Err(Trouble::Hopeless("No export named x found.".to_owned())));
        let rows = [
            json!({"Ref": "Nobody"}),
            json!({"Ref": "Circle"}),
            json!({"Fn::GetAtt": ["Nobody", "CidrBlock"]}),
            json!({"Fn::GetAtt": ["Route", "Colour"]}),
            json!({"Fn::Cidr": ["10.0.0.0/8", 4, 8]}),
            json!({"Ref": "Table", "Fn::Sub": "x"}),
            json!({"Fn::Sub": "${open"}),
            json!([1]),
            Value::Null,
        ];
        for expression in rows {
            assert!(matches!(value(&expression), Err(Trouble::Refused(_))), "{expression}");
        }
    }
}
