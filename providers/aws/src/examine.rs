//! What `doctor` can learn from AWS alone: who we are there, what we may do, and who else might write.
//!
//! Nothing here fails as a whole. A question that gets no clear answer is told as one that could not be answered, with
//! what came instead, and stands in the way of no other; only a clear no is a failure. How a permission is asked about
//! without using it is [`crate::dry_run`]'s business; which there are is [`crate::permissions`]'.
//!
//! How bad a no is depends on what is lost. Without the claim's tag kroutes works, a little more forgetful; and a check
//! that is off everywhere need not be switched off. Quotas are not asked for: that would take another service and another
//! permission, for a number that the topology can give (`routes-limit`).

use kroutes_core::{Check, CheckGroup, CheckStatus, Destination, Error, ErrorKind, Observation, Table};

use crate::action::Action;
use crate::backend::AwsBackend;
use crate::dry_run::{Subject, Verdict, is_of_table, unrouted};
use crate::known::Forwarder;
use crate::permissions::{Needs, Permission, permissions};
use crate::table_refs::TableRef;

/// The most tables that one permission is asked about: each costs a call, of which EC2 grants fifty at once.
const TABLES_ASKED: usize = 10;

/// A table, and what is known of it.
struct Place {
    id: String,
    claim: Option<String>,
    destination: &'static str,
}

impl Place {
    fn subject<'a>(&'a self, otherwise: Subject<'a>) -> Subject<'a> {
        Subject { table: &self.id, claim: self.claim.as_deref(), destination: self.destination, ..otherwise }
    }
}

impl AwsBackend {
    pub(crate) async fn examination(&self, observation: Option<&Observation>) -> Vec<Check> {
        let tables: Vec<&Table> =
            observation.into_iter().flat_map(|seen| &seen.tables).filter_map(|one| one.table.as_ref().ok()).collect();
        let who = self.who(!tables.is_empty()).await;
        let known = who.status != CheckStatus::Fail;
        let mut checks = vec![who];
        // With credentials that nobody takes, every answer would be the same, and none about permissions.
        if known {
            checks.extend(self.rights(&tables).await);
        }
        checks.extend(self.controllers(&tables));
        checks
    }

    async fn who(&self, could_read: bool) -> Check {
        const NAME: &str = "caller-identity";
        let group = CheckGroup::Credentials;
        match self.sts.caller().await {
            Ok(caller) => {
                let message = format!("`{}` in account {}, region `{}`", caller.arn, caller.account, self.ec2.region);
                Check::pass(group, NAME, message)
            }
            Err(error) if error.kind() == ErrorKind::Unauthenticated && !could_read => {
                Check::fail(group, NAME, error.message(), help(&error, "renew the credentials"))
            }
            Err(error) => {
                let message = format!("could not be found out: {}", error.message());
                let otherwise = "`aws sts get-caller-identity` asks the same; EC2 may work all the same";
                Check::warn(group, NAME, message, help(&error, otherwise))
            }
        }
    }

    async fn rights(&self, tables: &[&Table]) -> Vec<Check> {
        let needs = Needs {
            exports: self.uses_exports(),
            user_data: self.uses_user_data(),
            ..Needs::of(&self.settings, &[], false)
        };
        let places = self.places(tables);
        let forwarders = self.known().forwarders().to_vec();
        let cluster = self.cluster.name.as_str();
        let mut nobody = Subject::nobody(cluster);
        if let Some(first) = forwarders.first() {
            nobody.instance = &first.instance;
            nobody.interface = first.interface.as_deref().unwrap_or(nobody.interface);
            nobody.source_dest_check = first.source_dest_check.unwrap_or_default();
        }
        let mut subjects: Vec<Subject<'_>> = places.iter().map(|place| place.subject(nobody)).collect();
        if subjects.is_empty() {
            subjects.push(nobody);
        }

        let mut checks = Vec::new();
        // Why nothing is asked that would write. Only the two answers of a dry run show that this is one.
        let mut withheld = Some(UNPROVED);
        let mut silent = None;
        for permission in permissions(&needs) {
            let action = permission.action;
            let asked = match action {
                _ if is_of_table(action) => &subjects[..subjects.len().min(TABLES_ASKED)],
                _ => &subjects[..1],
            };
            let verdict = match (action, &silent) {
                (_, Some(why)) => Err(*why),
                (Action::ListExports, None) => Ok((self.exports_verdict().await, asked[0])),
                (action, None) => match withheld.filter(|_| action.is_write()) {
                    Some(why) => Err(why),
                    None => Ok(self.first_no(action, asked).await),
                },
            };
            let tables = if is_of_table(action) { (asked.len(), subjects.len()) } else { (1, 1) };
            checks.push(check(&permission, &verdict, tables, &forwarders));
            match verdict {
                // A claim's tag that was written is taken away by the next question.
                Ok((Verdict::CarriedOut, _)) if action != Action::CreateTags => withheld = Some(WITHHELD),
                // The exports are no question of a dry run, and not EC2's.
                Ok((Verdict::Allowed | Verdict::Denied, _))
                    if action != Action::ListExports && withheld == Some(UNPROVED) =>
                {
                    withheld = None;
                }
                Ok((Verdict::Unknown(error), _)) if is_silence(&error) => silent = Some(SILENT),
                _ => {}
            }
        }
        checks
    }

    /// The first answer that is no yes, or else the last, with what it is about.
    async fn first_no<'a>(&self, action: Action, subjects: &[Subject<'a>]) -> (Verdict, Subject<'a>) {
        let mut last = (Verdict::Allowed, subjects[0]);
        for subject in subjects {
            last = (self.ec2.dry_run(action, subject).await, *subject);
            if !matches!(last.0, Verdict::Allowed) {
                break;
            }
        }
        last
    }

    /// `CloudFormation` knows no dry run. Reading the exports is harmless, and mostly done already.
    async fn exports_verdict(&self) -> Verdict {
        match self.exports.read().await {
            Ok(()) => Verdict::Allowed,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Verdict::Denied,
            Err(error) => Verdict::Unknown(error),
        }
    }

    /// The tables that were read, and those that are named by id.
    fn places(&self, tables: &[&Table]) -> Vec<Place> {
        let cluster = self.cluster.name.as_str();
        let known = self.known();
        let read = tables.iter().map(|table| Place {
            id: table.id.0.clone(),
            claim: known.claim_of(&table.id, cluster),
            destination: unrouted(|example| {
                let example = example.parse().ok().map(Destination::net);
                table.routes.iter().any(|route| Some(&route.destination) == example.as_ref())
            }),
        });
        let mut places: Vec<Place> = read.collect();
        for table in &self.settings.route_table {
            if let TableRef::Id(id) = table
                && !places.iter().any(|place| place.id == *id)
            {
                places.push(Place { id: id.clone(), claim: None, destination: unrouted(|_| false) });
            }
        }
        places
    }

    /// A cloud-controller-manager finds its route table by such a tag (kubernetes/cloud-provider-aws,
    /// `pkg/providers/v1/tags.go`), and takes a route for each node that it knows, and none of the others.
    fn controllers(&self, tables: &[&Table]) -> Vec<Check> {
        const NAME: &str = "cloud-controller-manager";
        let group = CheckGroup::Writers;
        let known = self.known();
        let tagged: Vec<Check> = tables
            .iter()
            .flat_map(|table| known.controllers(&table.id).iter().map(move |tag| (&table.id, tag)))
            .map(|(table, tag)| {
                let message = format!(
                    "`{table}` has the tag `{}`, by which a cloud-controller-manager finds the table that it writes node \
                     routes to",
                    tag.escape_debug()
                );
                Check::warn(
                    group,
                    NAME,
                    message,
                    "if there is one, start it with `--configure-cloud-routes=false`, or leave these routes to it",
                )
            })
            .collect();
        match (tagged.is_empty(), tables.len()) {
            (false, _) => tagged,
            (true, 0) => Vec::new(),
            (true, _) => vec![Check::pass(group, NAME, "no table has the tag of a cloud-controller-manager")],
        }
    }
}

/// Whether nobody answers at all, so that further questions would only take their time.
fn is_silence(error: &Error) -> bool {
    let unanswered = error.get("code").is_none() && error.get("status").is_none();
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Unauthenticated | ErrorKind::Interrupted) && unanswered
}

const SILENT: &str = "it was not asked about after the one above";
const UNPROVED: &str = "no question that only reads was answered as a dry run is, and a server that does not know dry runs would \
     write, so this was not asked";
const WITHHELD: &str = "the endpoint carries out what is marked as a dry run, so nothing more was asked that writes";

fn help(error: &Error, otherwise: &str) -> String {
    error.get("help").unwrap_or(otherwise).to_owned()
}

/// What a denial costs, as things are.
fn cost(action: Action, forwarders: &[Forwarder]) -> (CheckStatus, Option<&'static str>) {
    let to_do =
        |several: bool| forwarders.iter().any(|one| one.has_several == several && one.source_dest_check == Some(true));
    let later = "not needed by the workers as they are";
    match action {
        Action::CreateTags => (
            CheckStatus::Warn,
            Some("without it routes of workers that have left are foreign as long as their instance lives"),
        ),
        Action::ModifyInstanceAttribute if !to_do(false) => (CheckStatus::Warn, Some(later)),
        Action::ModifyNetworkInterfaceAttribute if !to_do(true) => (CheckStatus::Warn, Some(later)),
        _ => (CheckStatus::Fail, None),
    }
}

/// `tables` are those asked about and those that there are.
fn check(
    permission: &Permission,
    verdict: &Result<(Verdict, Subject<'_>), &str>,
    tables: (usize, usize),
    forwarders: &[Forwarder],
) -> Check {
    let group = CheckGroup::Permissions;
    let (name, what_for) = (permission.name(), permission.what_for);
    let unknown = |why: &str, remedy: String| {
        Check::warn(group, name.clone(), format!("could not be found out: {why}; needed to {what_for}"), remedy)
    };
    let look = || "look at the policies of whoever runs this; docs/aws-iam.md has what is needed".to_owned();
    let grant = format!(
        "allow `{name}` to whoever runs this; `kroutes doctor --policy` prints the whole policy, docs/aws-iam.md explains it"
    );
    let (verdict, subject) = match verdict {
        Ok(known) => known,
        Err(why) => return unknown(why, look()),
    };
    match verdict {
        Verdict::Allowed => {
            let on = match tables {
                (1, 1) => String::new(),
                (asked, all) if asked == all => format!(" on all {all} tables"),
                (asked, all) => format!(" on the first {asked} of {all} tables"),
            };
            Check::pass(group, name, format!("allowed{on}: {what_for}"))
        }
        // A read that was done is allowed.
        Verdict::CarriedOut if !permission.action.is_write() => {
            Check::pass(group, name, format!("allowed: {what_for}"))
        }
        Verdict::CarriedOut => unknown(
            "the endpoint did what was marked as a dry run",
            "look at the table with `kroutes routes`; kroutes asked for nothing that should have changed it".to_owned(),
        ),
        Verdict::Denied => match subject.judged(permission.action) {
            Some((id, false)) => unknown(&format!("denied for the made-up `{id}`, and no real one is known"), grant),
            judged => {
                let on = judged.map(|(id, _)| format!(" on `{id}`")).unwrap_or_default();
                let (status, why) = cost(permission.action, forwarders);
                let why = why.map(|why| format!("; {why}")).unwrap_or_default();
                let message = format!("denied{on}, and needed to {what_for}{why}");
                Check { group, name, status, message, remedy: Some(grant) }
            }
        },
        Verdict::Unknown(error) => unknown(error.message(), help(error, &look())),
    }
}
