//! What stacks export.
//!
//! A stack of `CloudFormation` can give a value a name that other stacks import, and so a topology can name a table or an
//! instance by what the stack that made it calls it. The API takes no name to look for: every page of 100 exports is read
//! (`CloudFormation` API Reference, `ListExports`), once for the life of a backend however many exports are asked for: an
//! export that changes meanwhile is seen by the next run.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_sdk_cloudformation::Client;
use kroutes_core::{Error, ErrorKind, Gate, MachineRef, Repeat, Result};
use tokio::sync::OnceCell;

use crate::action::Action;
use crate::errors::from_sdk;
use crate::settings::is_id;
use crate::table_refs::TableRef;

/// How many names are shown where one was not found.
const NEARBY: usize = 3;
/// How alike two names have to be for one to be shown for the other (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.8;

/// The exports of one account and region, read when first asked for.
pub(crate) struct Exports {
    client: Client,
    region: String,
    gate: Arc<Gate>,
    listed: OnceCell<Listed>,
}

impl fmt::Debug for Exports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exports").field("listed", &self.listed).finish_non_exhaustive()
    }
}

/// Every export by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listed {
    region: String,
    values: BTreeMap<String, String>,
}

/// What is known of exports: nothing where nobody asked.
#[derive(Debug, Clone)]
pub(crate) enum Asked<'a> {
    Nothing,
    Listed(&'a Listed),
    Failed(Error),
}

impl Exports {
    pub(crate) const fn new(client: Client, region: String, gate: Arc<Gate>) -> Self {
        Self { client, region, gate, listed: OnceCell::const_new() }
    }

    /// All exports, if any table or worker is named by one.
    ///
    /// # Errors
    ///
    /// Where nothing else will get an answer either. What makes only exports unreadable is told where they are used.
    pub(crate) async fn asked<'a>(
        &self,
        tables: &[TableRef],
        mut machines: impl Iterator<Item = &'a MachineRef>,
    ) -> Result<Asked<'_>> {
        let asked = tables.iter().any(|table| matches!(table, TableRef::Export(_)))
            || machines.any(|machine| matches!(machine, MachineRef::Export(_)));
        if !asked {
            return Ok(Asked::Nothing);
        }
        match self.listed.get_or_try_init(|| self.list()).await {
            Ok(listed) => Ok(Asked::Listed(listed)),
            Err(error) if matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::Interrupted) => Err(error),
            Err(error) => Ok(Asked::Failed(error)),
        }
    }

    /// Reads all exports, unless that was done already.
    pub(crate) async fn read(&self) -> Result<()> {
        self.listed.get_or_try_init(|| self.list()).await.map(drop)
    }

    async fn list(&self) -> Result<Listed> {
        let mut values = BTreeMap::new();
        let mut token: Option<String> = None;
        loop {
            let request = self.client.list_exports().set_next_token(token.clone());
            let attempt = |_| {
                let sent = request.clone().send();
                async move { sent.await.map_err(|error| from_sdk(Action::ListExports, &error)) }
            };
            let answer = self.gate.call(Action::ListExports.name(), Repeat::Always, attempt).await?;
            let pairs = answer.exports.unwrap_or_default().into_iter().filter_map(|one| Some((one.name?, one.value?)));
            values.extend(pairs);
            match answer.next_token.filter(|next| !next.is_empty()) {
                None => return Ok(Listed { region: self.region.clone(), values }),
                next if next == token => {
                    let message = "CloudFormation gave the same page of a listing twice";
                    return Err(Error::new(ErrorKind::Unexpected, message).with("action", Action::ListExports.name()));
                }
                next => token = next,
            }
        }
    }
}

impl Asked<'_> {
    /// A table as EC2 can be asked for it.
    pub(crate) fn table(&self, wanted: &TableRef) -> Result<TableRef> {
        match wanted {
            TableRef::Export(export) => self.id(export, "rtb", "route table").map(TableRef::Id),
            other => Ok(other.clone()),
        }
    }

    /// A machine as EC2 can be asked for it.
    pub(crate) fn machine(&self, wanted: &MachineRef) -> Result<MachineRef> {
        match wanted {
            MachineRef::Export(export) => self.id(export, "i", "instance").map(MachineRef::Id),
            other => Ok(other.clone()),
        }
    }

    fn id(&self, export: &str, prefix: &str, what: &str) -> Result<String> {
        let listed = match self {
            Self::Listed(listed) => listed,
            Self::Failed(error) => return Err(error.clone().with("export", export)),
            Self::Nothing => return Err(Error::new(ErrorKind::Unexpected, "the exports were not read")),
        };
        let shown = export.escape_debug();
        let Some(value) = listed.values.get(export) else {
            let message = format!("no stack exports `{shown}` in region `{}`", listed.region);
            return Err(Error::new(ErrorKind::NotFound, message).help(listed.nearby(export)));
        };
        if is_id(prefix, value) {
            return Ok(value.clone());
        }
        let value: String = value.chars().take(60).collect();
        let message = format!("the export `{shown}` is `{}`, which is no {what} id", value.escape_debug());
        Err(Error::new(ErrorKind::Invalid, message)
            .help(format!("a {what} id looks like `{prefix}-0123456789abcdef0`; export `!Ref` of the {what}")))
    }
}

impl Listed {
    /// Names that there are, the likest first.
    fn nearby(&self, export: &str) -> String {
        let look = format!("`aws cloudformation list-exports --region {}` lists what is there", self.region);
        let mut alike: Vec<(f64, &str)> = self
            .values
            .keys()
            .map(|name| (strsim::jaro_winkler(export, name), name.as_str()))
            .filter(|(likeness, _)| *likeness >= ALIKE)
            .collect();
        alike.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        let names: Vec<String> = alike.iter().take(NEARBY).map(|(_, name)| format!("`{name}`")).collect();
        match names.as_slice() {
            [] => format!("check the name and `region` in the topology; {look}"),
            names => format!("similar names there: {}; {look}", names.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Listed {
        let pairs = [
            ("hard-k8s-rtb", "rtb-0123456789abcdef0"),
            ("hard-k8s-worker-0", "i-0123456789abcdef0"),
            ("hard-k8s-worker-1", "i-0123456789abcdef1"),
            ("other", "value"),
        ];
        let values = pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Listed { region: "us-west-2".to_owned(), values }
    }

    #[test]
    fn an_export_stands_for_the_id_that_it_holds() {
        let listed = listed();
        let asked = Asked::Listed(&listed);
        let table = asked.table(&TableRef::Export("hard-k8s-rtb".to_owned())).expect("table");
        assert_eq!(table, TableRef::Id("rtb-0123456789abcdef0".to_owned()));
        let machine = asked.machine(&MachineRef::Export("hard-k8s-worker-1".to_owned())).expect("machine");
        assert_eq!(machine, MachineRef::Id("i-0123456789abcdef1".to_owned()));
        let named = MachineRef::Name("w".to_owned());
        assert_eq!(Asked::Nothing.machine(&named).expect("as it is"), named);
    }

    #[test]
    fn an_export_that_does_not_exist_is_told_with_similar_names() {
        let listed = listed();
        let error = Asked::Listed(&listed).machine(&MachineRef::Export("hard-k8s-worker0".to_owned())).expect_err("no");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.message(), "no stack exports `hard-k8s-worker0` in region `us-west-2`");
        let help = error.get("help").expect("help");
        assert!(help.starts_with("similar names there: `hard-k8s-worker-0`, `hard-k8s-worker-1`"), "{help}");
        let error = Asked::Listed(&listed).table(&TableRef::Export("zzz".to_owned())).expect_err("no");
        assert!(error.get("help").is_some_and(|help| help.starts_with("check the name")), "{error:?}");
    }

    #[test]
    fn an_export_that_holds_something_else_is_refused() {
        let listed = listed();
        let asked = Asked::Listed(&listed);
        let error = asked.table(&TableRef::Export("hard-k8s-worker-0".to_owned())).expect_err("an instance");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let expected = "the export `hard-k8s-worker-0` is `i-0123456789abcdef0`, which is no route table id";
        assert_eq!(error.message(), expected);
        assert!(asked.machine(&MachineRef::Export("other".to_owned())).is_err());
    }
}
