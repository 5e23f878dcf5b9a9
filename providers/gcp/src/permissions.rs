//! What kroutes has to be allowed on Google Cloud: the one list from which the role, the document and the checks follow.
//!
//! A permission that is used and not listed is found out by whoever grants exactly the role, and one that is listed and not
//! used is too much trust; so nothing else in this crate, and nothing in the documents, says on its own what is needed. The
//! tests hold `docs/gcp-iam.md` to this list, and take every entry out of it once.
//!
//! On Google Cloud no setting of a topology makes a permission unnecessary: the same calls are made for every network. What
//! differs is how bad it is to go without one. Following an operation has two ways, and instances are looked at only to warn
//! where the topology gives addresses.

use std::fmt::Write as _;

/// How bad it is to go without a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// A command fails.
    Always,
    /// Workers without an address in the topology are not found.
    ForWorkersWithoutAddress,
    /// Everything works, and some things are slower or not told.
    ForComfort,
}

/// One permission that kroutes uses, by Google's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Permission {
    pub(crate) name: &'static str,
    /// The commands that use it.
    pub(crate) used_by: &'static str,
    /// What it is used for, as sentences.
    pub(crate) what_for: &'static str,
    /// What becomes of kroutes without it, as sentences.
    pub(crate) without: &'static str,
    pub(crate) need: Need,
}

pub(crate) const NETWORK: &str = "compute.networks.get";
pub(crate) const LIST: &str = "compute.routes.list";
pub(crate) const INSTANCES: &str = "compute.instances.list";
pub(crate) const CREATE: &str = "compute.routes.create";
pub(crate) const POLICY: &str = "compute.networks.updatePolicy";
pub(crate) const DELETE: &str = "compute.routes.delete";
pub(crate) const GET: &str = "compute.routes.get";
pub(crate) const OPERATIONS: &str = "compute.globalOperations.list";
pub(crate) const OPERATION: &str = "compute.globalOperations.get";

/// All of them, in the order in which a run needs them first.
pub(crate) const ALL: [Permission; 9] = [
    Permission {
        name: NETWORK,
        used_by: "every command",
        what_for: "Whether there is such a network: one that is not there has no routes either, and must not be taken for an empty one.",
        without: "The network is reported as unreadable, exit code 1.",
        need: Need::Always,
    },
    Permission {
        name: LIST,
        used_by: "every command",
        what_for: "It reads the network's routes, and reads back what was written. Google asks for it also when `doctor` asks what is allowed.",
        without: "The network is reported as unreadable, exit code 1.",
        need: Need::Always,
    },
    Permission {
        name: INSTANCES,
        used_by: "every command",
        what_for: "Who has which address, runs and may forward packets.",
        without: "Workers with an `address` get their routes, with the warning `not-checked`; those without one are not resolved, exit code 1. With `[source]` and `kind = \"cloud\"` nothing works without it: it shows labels and metadata.",
        need: Need::ForWorkersWithoutAddress,
    },
    Permission {
        name: CREATE,
        used_by: "`apply`",
        what_for: "It makes routes.",
        without: "Every creation and replacement fails.",
        need: Need::Always,
    },
    Permission {
        name: POLICY,
        used_by: "`apply`, `destroy`",
        what_for: "Making or deleting a route changes the network. The one that is forgotten most.",
        without: "Every creation, replacement and deletion fails.",
        need: Need::Always,
    },
    Permission {
        name: DELETE,
        used_by: "`apply`, `destroy`",
        what_for: "It removes what was replaced, and with `--prune` or `destroy` what is ours.",
        without: "A replacement leaves both routes, and the next plan tells the old one as `duplicate`.",
        need: Need::Always,
    },
    Permission {
        name: GET,
        used_by: "`apply`, `destroy`",
        what_for: "It looks at a route right before deleting it, and at who has a name that is taken.",
        without: "Every deletion and replacement fails; a creation only where its name is taken.",
        need: Need::Always,
    },
    Permission {
        name: OPERATIONS,
        used_by: "`plan`, `verify`, `apply`, `destroy`",
        what_for: "It follows all operations that are under way with one call, and finds those that a run which was killed has left under way.",
        without: "Each is asked for by name: more calls. What a killed run left under way is not waited for.",
        need: Need::ForComfort,
    },
    Permission {
        name: OPERATION,
        used_by: "`apply`, `destroy`",
        what_for: "It tells why an operation failed where the list does not, and what became of one that the list does not show.",
        without: "Some failures are told without their reason. Without both, only reading back tells whether a write was done.",
        need: Need::ForComfort,
    },
];

/// The least role that kroutes can work with, in the form that `gcloud iam roles create kroutes --project=PROJECT --file=FILE`
/// reads ("Create and manage custom roles", Identity and Access Management documentation).
pub fn role() -> String {
    let mut text = "title: kroutes\n\
                    description: Pod routes in VPC networks, kept by kroutes\n\
                    stage: GA\n\
                    includedPermissions:\n"
        .to_owned();
    for permission in ALL {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "- {}", permission.name);
    }
    text
}

/// Sentences of the list as part of a message: lower-case, and without a final period.
pub(crate) fn spoken(sentences: &str) -> String {
    let mut letters = sentences.trim_end_matches('.').chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase);
    first.chain(letters.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/gcp-iam.md");
        std::fs::read_to_string(path).expect("the document")
    }

    #[test]
    fn the_document_shows_the_role_as_it_is_printed() {
        assert!(document().contains(&format!("```yaml\n{}```\n", role())), "docs/gcp-iam.md shows another role");
    }

    #[test]
    fn the_documents_table_has_a_row_for_each_permission_and_no_other() {
        let document = document();
        let rows: Vec<&str> = document.lines().filter(|line| line.starts_with("| `compute.")).collect();
        let expected: Vec<String> = ALL
            .iter()
            .map(|Permission { name, used_by, what_for, without, .. }| {
                format!("| `{name}` | {used_by} | {what_for} | {without} |")
            })
            .collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn the_documents_command_has_each_permission_and_no_other() {
        let document = document();
        let (_, rest) = document.split_once("--permissions=\\\n").expect("the command");
        let (list, _) = rest.split_once("\n\n").expect("its end");
        let mut given: Vec<&str> =
            list.split(|letter: char| ",\\\n".contains(letter)).filter(|it| !it.is_empty()).collect();
        let mut expected: Vec<&str> = ALL.iter().map(|permission| permission.name).collect();
        given.sort_unstable();
        expected.sort_unstable();
        assert_eq!(given, expected);
    }
}
