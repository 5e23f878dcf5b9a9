//! The list of cases, and how one is run.
//!
//! The list stands once, in `every_case!`, and both [`cases`] and [`conformance!`](crate::conformance) are made from it. A
//! test harness cannot learn of cases while it runs, so the list has to be a macro for each case to be a test by name.

use std::fmt;
use std::future::Future;
use std::io::Write as _;
use std::pin::Pin;

use crate::Bench;

/// Why a case did not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skip {
    /// The contract says nothing here about a backend of these capabilities.
    NotApplicable(&'static str),
    /// The bench cannot arrange what the case needs.
    Unable(&'static str),
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotApplicable(why) => write!(f, "not applicable: {why}"),
            Self::Unable(what) => write!(f, "the bench cannot {what}"),
        }
    }
}

/// How a case ended that did not fail: failures are panics, as in any test.
pub type Outcome = Result<(), Skip>;

/// A case on its way.
pub type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// One sentence of the contract.
#[derive(Clone, Copy)]
pub struct Case {
    /// The sentence.
    pub name: &'static str,
    /// What tries it.
    pub try_on: for<'a> fn(&'a dyn Bench) -> Running<'a>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Runs one case on a fresh world of the bench, in a runtime of its own.
///
/// # Panics
///
/// If the case fails, or the bench could not arrange it and does not list it in [`Bench::skips`], or lists it and could.
pub fn run(bench: &dyn Bench, case: &Case) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let listed = bench.skips().contains(&case.name);
    match runtime.block_on((case.try_on)(bench)) {
        Ok(()) => assert!(!listed, "`{}` runs on this bench, so it must not be among its skips", case.name),
        Err(skip) => {
            let allowed = listed || matches!(skip, Skip::NotApplicable(_));
            assert!(allowed, "`{}` did not run ({skip}), and is not among the bench's skips", case.name);
            // Past the harness's capture on purpose: what was not tried should be seen.
            let line = format!("skipped: {}: {skip}\n", case.name);
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }
}

/// Hands every case to a macro, as `module::name` pairs after its own arguments.
#[doc(hidden)]
#[macro_export]
macro_rules! every_case {
    ([$($then:tt)+] $($argument:tt)*) => {
        $($then)+! {
            $($argument)*;
            listing::a_table_of_many_machine_routes_is_listed_whole
            listing::what_is_no_machine_is_listed_and_blocks_nothing
            listing::a_propagated_route_says_so
            listing::a_prefix_list_is_a_destination_of_its_own
            listing::a_table_that_is_not_there_is_not_found
            listing::a_table_answers_to_its_own_id
            listing::a_listing_whose_second_page_failed_is_an_error
            listing::an_observation_whose_second_page_failed_is_not_taken_for_the_whole
            listing::what_was_written_is_listed_in_the_end
            listing::what_was_deleted_is_gone_from_the_listing_in_the_end
            listing::destinations_are_canonical
            listing::a_route_that_somebody_moved_no_longer_leads_to_the_old_machine
            listing::a_route_to_a_terminated_machine_is_a_black_hole
            listing::quotas_count_what_is_there
            listing::observe_and_list_routes_agree
            observing::every_range_has_a_next_hop_and_every_worker_a_machine
            observing::the_order_of_workers_does_not_matter
            observing::without_workers_the_tables_are_read_all_the_same
            observing::an_unknown_worker_does_not_hide_the_others
            observing::a_terminated_worker_is_an_error_in_its_own_place
            observing::a_table_that_cannot_be_read_does_not_hide_the_others
            observing::a_name_that_two_machines_bear_is_refused_with_both
            observing::of_several_interfaces_the_primary_one_is_used
            observing::an_instance_that_does_not_run_is_a_finding
            observing::refused_credentials_make_the_whole_reading_an_error
            observing::a_route_of_ours_stands_on_a_machine_that_is_known
            observing::reading_changes_nothing
            observing::capabilities_are_constant
            observing::ipv6_is_refused_where_it_is_not_possible
            creating::a_created_route_is_as_wanted
            creating::an_ipv6_route_is_as_wanted
            creating::creating_an_identical_route_is_ok_and_makes_no_second_one
            creating::creating_over_another_route_is_a_conflict_that_changes_nothing
            creating::where_duplicates_are_possible_a_route_is_created_beside_another
            creating::a_create_whose_answer_was_lost_can_be_tried_again
            creating::a_refused_create_reaches_the_caller_and_makes_nothing
            creating::a_full_table_is_a_quota_and_not_worth_waiting_for
            creating::creating_in_a_table_that_is_not_there_is_an_error
            creating::a_route_to_a_machine_that_is_gone_is_an_error
            creating::routes_created_at_once_all_arrive
            creating::a_throttled_call_is_waited_out_or_says_that_waiting_helps
            replacing::a_replaced_route_leads_to_the_new_machine_only
            replacing::replacing_again_is_ok
            replacing::replacing_what_is_right_already_is_ok
            replacing::replacing_what_is_not_there_is_not_found
            replacing::where_writes_are_conditional_a_changed_route_is_not_replaced
            replacing::a_replace_whose_answer_was_lost_can_be_tried_again
            replacing::a_refused_replace_reaches_the_caller_and_leaves_the_old_route
            replacing::no_listing_during_a_replacement_lacks_the_destination
            replacing::a_surplus_route_gives_way_to_the_one_that_is_there
            deleting::a_deleted_route_is_gone_and_all_others_stay
            deleting::deleting_what_is_absent_is_ok
            deleting::where_writes_are_conditional_a_changed_route_is_not_deleted
            deleting::a_delete_whose_answer_was_lost_can_be_tried_again
            deleting::a_refused_delete_reaches_the_caller_and_leaves_the_route
            deleting::where_duplicates_are_possible_the_twin_stays
            deleting::nothing_goes_while_what_should_stay_is_gone
            deleting::a_route_to_a_terminated_machine_can_be_deleted
            fixing::a_check_that_stops_packets_is_found_fixed_and_gone
            fixing::a_fix_for_what_is_not_there_is_an_error
            fixing::a_refused_fix_reaches_the_caller
            fixing::a_claim_can_be_set_read_and_dropped
            fixing::setting_and_dropping_a_claim_again_is_ok
            fixing::a_claim_takes_the_place_of_an_older_one_of_its_cluster
            fixing::the_claims_of_others_stay
            fixing::where_routes_carry_marks_claims_are_unsupported
        }
    };
}

macro_rules! list_of_cases {
    (; $($module:ident :: $case:ident)*) => {
        vec![$(Case { name: stringify!($case), try_on: |bench| Box::pin(crate::cases::$module::$case(bench)) }),*]
    };
}
pub(crate) use list_of_cases;

/// Every case there is.
pub fn cases() -> Vec<Case> {
    crate::every_case!([crate::suite::list_of_cases])
}

/// One `#[test]` per case on the bench that the expression makes. It is made anew for every test.
#[macro_export]
macro_rules! conformance {
    ($bench:expr) => {
        $crate::every_case! { [$crate::one_test_per_case] $bench }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! one_test_per_case {
    ($bench:expr; $($module:ident :: $case:ident)*) => {
        $(
            #[test]
            fn $case() {
                let case = $crate::Case {
                    name: stringify!($case),
                    try_on: |bench| Box::pin($crate::cases::$module::$case(bench)),
                };
                $crate::run(&$bench, &case);
            }
        )*
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A case that is written and not listed would never run, and nothing else would say so.
    #[test]
    fn every_case_that_is_written_is_listed_once() {
        let sources = [
            include_str!("cases/creating.rs"),
            include_str!("cases/deleting.rs"),
            include_str!("cases/fixing.rs"),
            include_str!("cases/listing.rs"),
            include_str!("cases/observing.rs"),
            include_str!("cases/replacing.rs"),
        ];
        let lines = sources.iter().flat_map(|source| source.lines());
        let named = lines.filter_map(|line| line.strip_prefix("pub async fn "));
        let written: BTreeSet<&str> = named.filter_map(|rest| rest.split('(').next()).collect();
        let listed: Vec<&str> = cases().iter().map(|case| case.name).collect();
        assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), written);
        assert_eq!(listed.len(), written.len(), "a case is listed twice");
    }
}
