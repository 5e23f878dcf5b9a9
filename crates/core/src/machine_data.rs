//! What a machine says of itself, in the text that it was launched with.
//!
//! Several installers keep each worker's pod CIDR in the machine: EC2 user data `name=worker-0|pod-cidr=10.200.0.0/24`, or
//! an item `pod-cidr` of a Compute Engine instance's metadata. Every provider that knows machines reads the same few
//! forms, so they are read here. Such a text is often a whole boot script with tokens and keys in it: nothing but the
//! value of `pod-cidr` is ever repeated in a message.

use crate::{Error, ErrorKind, PodCidr, Result};

/// The name under which a machine keeps its range.
const KEY: &str = "pod-cidr";

/// The longest part of a value that a message repeats.
const REPEATED: usize = 60;

/// The ranges behind `pod-cidr=` in a text of `key=value` words, separated by `|`, spaces or line ends. The value is what
/// [`pod_cidr_list`] reads.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] where the text has no `pod-cidr`; [`ErrorKind::Invalid`] where it has two, or one that cannot
/// be read.
pub fn pod_cidr_in(text: &str) -> Result<Vec<PodCidr>> {
    let words = text.split(|c: char| c == '|' || c.is_whitespace());
    let mut values = words.filter_map(|word| word.split_once('=')).filter(|(key, _)| *key == KEY);
    let Some((_, value)) = values.next() else {
        return Err(Error::new(ErrorKind::NotFound, "there is no `pod-cidr=` in it")
            .help("launch the machine with its range, such as `name=worker-0|pod-cidr=10.200.0.0/24`"));
    };
    if values.next().is_some() {
        return Err(Error::new(ErrorKind::Invalid, "`pod-cidr=` is in it twice")
            .help("write it once; ranges of two families are separated by a comma"));
    }
    pod_cidr_list(value)
}

/// The ranges of a list with commas between them, one per family: `10.200.0.0/24,fd00:10:200::/64`.
///
/// # Errors
///
/// [`ErrorKind::Invalid`] where the list is empty, a range cannot be read, or two are of one family.
pub fn pod_cidr_list(value: &str) -> Result<Vec<PodCidr>> {
    let invalid = |message: String| Error::new(ErrorKind::Invalid, message);
    if value.trim().is_empty() {
        return Err(invalid("its `pod-cidr` is empty".to_owned()));
    }
    let mut cidrs: Vec<PodCidr> = Vec::new();
    for text in value.split(',') {
        let text = text.trim();
        let cidr: PodCidr = text.parse().map_err(|error| match text.chars().nth(REPEATED) {
            None if !text.contains(char::is_control) => invalid(format!("its `pod-cidr` cannot be read: {error}")),
            _ => invalid("its `pod-cidr` is no CIDR range such as `10.200.0.0/24`".to_owned()),
        })?;
        if let Some(other) = cidrs.iter().find(|other| other.is_ipv6() == cidr.is_ipv6()) {
            return Err(invalid(format!("its `pod-cidr` has `{other}` and `{cidr}`, which are of one family")));
        }
        cidrs.push(cidr);
    }
    Ok(cidrs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        pod_cidr_in(text).expect(text).iter().map(ToString::to_string).collect()
    }

    fn said(text: &str) -> (ErrorKind, String) {
        let error = pod_cidr_in(text).expect_err(text);
        (error.kind(), error.to_string())
    }

    #[test]
    fn every_separator_in_use_is_read() {
        for text in [
            "name=worker-0|pod-cidr=10.200.0.0/24",
            "pod-cidr=10.200.0.0/24",
            "name=worker-0 pod-cidr=10.200.0.0/24\n",
            "name=worker-0\r\npod-cidr=10.200.0.0/24\r\n",
            "#!/bin/sh\nhostname worker-0\npod-cidr=10.200.0.0/24|token=s3cret",
        ] {
            assert_eq!(read(text), ["10.200.0.0/24"], "{text:?}");
        }
        assert_eq!(read("a=b|pod-cidr=10.200.0.0/24,fd00:10:200::/64"), ["10.200.0.0/24", "fd00:10:200::/64"]);
    }

    #[test]
    fn a_key_is_compared_whole() {
        for text in ["", "name=worker-0", "my-pod-cidr=10.200.0.0/24", "pod-cidr-v4=10.200.0.0/24", "pod-cidr"] {
            assert_eq!(said(text), (ErrorKind::NotFound, "there is no `pod-cidr=` in it".to_owned()), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, message) in [
            ("pod-cidr=10.200.0.0/24|pod-cidr=10.200.1.0/24", "`pod-cidr=` is in it twice"),
            ("pod-cidr=10.200.0.0/24|pod-cidr=10.200.0.0/24", "`pod-cidr=` is in it twice"),
            ("pod-cidr=", "its `pod-cidr` is empty"),
            (
                "pod-cidr=10.200.0.7/24",
                "its `pod-cidr` cannot be read: `10.200.0.7/24` has host bits set; the range is `10.200.0.0/24`",
            ),
            (
                "pod-cidr=10.200.0.0/24,10.200.1.0/24",
                "its `pod-cidr` has `10.200.0.0/24` and `10.200.1.0/24`, which are of one family",
            ),
        ] {
            assert_eq!(said(text), (ErrorKind::Invalid, message.to_owned()));
        }
    }

    #[test]
    fn nothing_else_of_the_text_is_repeated() {
        let (_, message) = said("token=s3cret|pod-cidr=nonsense|password=hunter2");
        assert_eq!(message, "its `pod-cidr` cannot be read: `nonsense` is not a CIDR range such as `10.200.0.0/24`");
        let (_, message) = said(&format!("pod-cidr={}", "x".repeat(5000)));
        assert_eq!(message, "its `pod-cidr` is no CIDR range such as `10.200.0.0/24`");
    }
}
