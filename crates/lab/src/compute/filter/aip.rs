//! The newer syntax, by AIP-160's grammar: sequences joined by `AND` or by nothing, factors joined by `OR`.

use std::cmp::Ordering;

use super::{Filter, Test};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Minus,
    Operator(&'static str),
    Word(String),
    Quoted(String),
}

const OPERATORS: [&str; 7] = ["!=", "<=", ">=", "=", "<", ">", ":"];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator));
        let length = match (first, operator) {
            (_, Some(operator)) => {
                tokens.push(Token::Operator(operator));
                operator.len()
            }
            ('(', _) => {
                tokens.push(Token::Open);
                1
            }
            (')', _) => {
                tokens.push(Token::Close);
                1
            }
            ('-', _) if !matches!(tokens.last(), Some(Token::Operator(_))) => {
                tokens.push(Token::Minus);
                1
            }
            ('"' | '\'', _) => {
                let (value, length) = quoted(rest, first)?;
                tokens.push(Token::Quoted(value));
                length
            }
            _ => {
                // Links stand without quotes too, so a colon ends the name of a field and no value.
                let of_value = matches!(tokens.last(), Some(Token::Operator(_)));
                let ends =
                    |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"') || (!of_value && "!=<>:".contains(c));
                let length = rest.find(ends).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..length].to_owned()));
                length
            }
        };
        if length == 0 {
            return Err(format!("`{first}` is not expected here."));
        }
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn quoted(text: &str, quote: char) -> Result<(String, usize), String> {
    let mut value = String::new();
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            c if c == quote => return Ok((value, index + 1)),
            c => value.push(c),
        }
    }
    Err("A quote is not closed.".to_owned())
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

pub(super) fn read(text: &str) -> Result<Filter, String> {
    let mut parser = Parser { tokens: tokens(text)?.into_iter().peekable() };
    let filter = parser.expression()?;
    match parser.tokens.next() {
        None => Ok(filter),
        Some(_) => Err("There is more than an expression.".to_owned()),
    }
}

impl Parser {
    fn takes_word(&mut self, word: &str) -> bool {
        self.tokens.next_if(|token| matches!(token, Token::Word(found) if found == word)).is_some()
    }

    fn expression(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.factor()?];
        while self.tokens.peek().is_some_and(|token| *token != Token::Close) {
            self.takes_word("AND");
            parts.push(self.factor()?);
        }
        Ok(Filter::All(parts))
    }

    fn factor(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.term()?];
        while self.takes_word("OR") {
            parts.push(self.term()?);
        }
        Ok(Filter::Any(parts))
    }

    fn term(&mut self) -> Result<Filter, String> {
        if self.takes_word("NOT") || self.tokens.next_if_eq(&Token::Minus).is_some() {
            return Ok(Filter::Not(Box::new(self.simple()?)));
        }
        self.simple()
    }

    fn simple(&mut self) -> Result<Filter, String> {
        match self.tokens.next() {
            Some(Token::Open) => {
                let inner = self.expression()?;
                let closed = self.tokens.next_if_eq(&Token::Close).is_some();
                if closed { Ok(inner) } else { Err("A parenthesis is not closed.".to_owned()) }
            }
            Some(Token::Word(field)) => self.comparison(field),
            _ => Err("A field is expected.".to_owned()),
        }
    }

    fn comparison(&mut self, field: String) -> Result<Filter, String> {
        let Some(Token::Operator(operator)) = self.tokens.next() else {
            return Err(format!("An operator is expected after `{field}`."));
        };
        let (value, bare) = match self.tokens.next() {
            Some(Token::Word(value)) => (value, true),
            Some(Token::Quoted(value)) => (value, false),
            _ => return Err(format!("A value is expected after `{field} {operator}`.")),
        };
        let test = match operator {
            "=" => Test::Equal(value),
            "!=" => Test::NotEqual(value),
            ":" if bare && value == "*" => Test::Present,
            ":" => Test::Has(value),
            "<" => Test::Ordered(Ordering::Less, false, value),
            "<=" => Test::Ordered(Ordering::Less, true, value),
            ">" => Test::Ordered(Ordering::Greater, false, value),
            _ => Test::Ordered(Ordering::Greater, true, value),
        };
        Ok(Filter::Field(field, test))
    }
}
