//! Whatever is in the file, reading it ends with a topology or with a message, never with a panic.

use proptest::prelude::*;

use crate::stand_in::{GOOD, load_text, load_with};

/// Loads and says everything that can be said.
fn exercise(text: &str) {
    match load_text(text) {
        Ok(loaded) => {
            let _ = (loaded.topology_for("aws"), loaded.topology_for("metal"));
            let _ = loaded.section::<crate::stand_in::Settings>("aws");
        }
        Err(diagnostics) => {
            assert!(diagnostics.iter().count() > 0);
            for diagnostic in &diagnostics {
                if let Some(place) = &diagnostic.place {
                    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
                    assert!(text.get(place.span.clone()).is_some(), "{:?} is no part of the text", place.span);
                }
            }
            assert!(diagnostics.render(false).starts_with("error: "));
            assert!(!diagnostics.render(true).is_empty());
        }
    }
}

/// A piece of TOML, of what surrounds it, or of what breaks it.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("\u{feff}".to_owned()),
        Just("\r\n".to_owned()),
        Just("\t".to_owned()),
        Just("[[worker]]\n".to_owned()),
        Just("[worker]\n".to_owned()),
        Just("[aws]\n".to_owned()),
        Just("[source]\nkind = \"cloud\"\ntags = { a = \"b\" }\n".to_owned()),
        Just("pod-cidr = \"node-prefix\"\n".to_owned()),
        Just("node-prefix = [24, 200]\n".to_owned()),
        Just("\"\"\"".to_owned()),
        Just("ü\u{301}👩‍🚀".to_owned()),
        Just("pod-cidr = [\"10.200.0.0/24\", \"::/0\"]\n".to_owned()),
        Just("aws.instance.name = 5\n".to_owned()),
        Just("[[[[".to_owned()),
        Just("a.".repeat(200)),
        Just("= 99999999999999999999999999999999999999999\n".to_owned()),
        "[ -~]{0,8}",
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn any_text_ends_in_a_topology_or_a_message(text in any::<String>()) {
        exercise(&text);
    }

    #[test]
    fn any_pieces_of_toml_end_in_a_topology_or_a_message(pieces in prop::collection::vec(piece(), 0..12)) {
        exercise(&pieces.concat());
    }

    #[test]
    fn a_good_file_with_a_wound_ends_in_a_topology_or_a_message(
        from in 0..=GOOD.len(),
        length in 0_usize..40,
        piece in piece(),
    ) {
        let to = (from + length).min(GOOD.len());
        exercise(&[&GOOD[..from], &piece, &GOOD[to..]].concat());
    }

    #[test]
    fn any_variable_ends_in_a_topology_or_a_message(
        rest in prop_oneof!["[A-Za-z_0-9.\\[\\]-]{0,30}", any::<String>()],
        value in any::<String>(),
    ) {
        let name = format!("KROUTES_TOPOLOGY{rest}").replace('\0', "");
        match load_with(GOOD, &[(&name, &value)]) {
            Ok(loaded) => prop_assert_eq!(loaded.topology_for("aws").expect("workers are untouched").workers().len(), 2),
            Err(diagnostics) => prop_assert!(diagnostics.render(false).starts_with("error: ")),
        }
    }
}
