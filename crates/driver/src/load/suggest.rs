//! "Did you mean".
//!
//! A suggestion that is wrong is worse than none, so a name is only offered when little separates it from what was
//! written. Snake case and capitals are not a typo but a habit, and are seen through first.

/// The known name that was probably meant, if one is close enough.
pub fn suggest<'a, S: AsRef<str>>(written: &str, known: &'a [S]) -> Option<&'a str> {
    let plain = written.to_lowercase().replace('_', "-");
    let allowed = (plain.chars().count() / 3).max(1);
    known
        .iter()
        .map(AsRef::as_ref)
        .map(|name| (strsim::damerau_levenshtein(&plain, name), name))
        .filter(|(distance, name)| *distance <= allowed && *distance < name.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Names in backticks, separated by commas.
pub(crate) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    names.iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_close_is_offered_and_what_is_not_is_left_alone() {
        let known = ["name", "pod-cidr", "service-cidr", "address"];
        for (written, meant) in [
            ("pod_cidr", Some("pod-cidr")),
            ("podcidr", Some("pod-cidr")),
            ("PodCidr", Some("pod-cidr")),
            ("adress", Some("address")),
            ("nmae", Some("name")),
            ("x", None),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(suggest(written, &known), meant, "{written}");
        }
    }
}
