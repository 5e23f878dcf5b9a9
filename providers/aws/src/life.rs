//! Whether the instance behind a route still exists.
//!
//! A route whose instance is gone is ours to remove, so "gone" has to be proved, never guessed. EC2 shows a terminated
//! instance for "usually less than one hour" (EC2 API Reference, `DescribeInstances`) and then not at all; but it does not
//! show other accounts' instances either, which in a shared VPC may be alive and well behind a route of this table. So
//! absence counts only together with a route that EC2 itself calls a black hole, and only where the instance was the
//! table owner's own. A lookup that failed proves nothing.

use kroutes_core::Life;

/// What a complete lookup by the filter `instance-id` showed of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sighting {
    /// It is there, in this state.
    Shown(String),
    /// It is not there.
    Absent,
    /// The lookup failed; why.
    Failed(String),
}

/// What else a route and its table say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    /// The route is a black hole.
    pub(crate) blackhole: bool,
    /// The account that owns the instance, as the route has it.
    pub(crate) instance_owner: Option<&'a str>,
    /// The account that owns the table.
    pub(crate) table_owner: Option<&'a str>,
}

pub(crate) fn life(id: &str, sighting: &Sighting, around: Circumstances<'_>) -> Life {
    match sighting {
        Sighting::Shown(state) if state == "terminated" => Life::Gone(format!("its instance `{id}` is terminated")),
        Sighting::Shown(_) => Life::Live,
        Sighting::Failed(why) => Life::Unknown(why.clone()),
        Sighting::Absent if around.instance_owner.is_some() && around.instance_owner != around.table_owner => {
            Life::Unknown(format!("`{id}` belongs to another account, whose instances cannot be seen from here"))
        }
        Sighting::Absent if around.blackhole => Life::Gone(format!("its instance `{id}` does not exist any more")),
        Sighting::Absent => Life::Unknown(format!("`{id}` cannot be seen, yet its route is no black hole")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_proved_to_be_gone_is_gone() {
        let shown = |state: &str| Sighting::Shown(state.to_owned());
        let (us, them) = (Some("111111111111"), Some("222222222222"));
        let rows = [
            // sighting, blackhole, owner of the instance, owner of the table; the first letter of the life
            (shown("terminated"), false, us, us, 'G'),
            (shown("terminated"), true, them, us, 'G'),
            (shown("running"), true, us, us, 'L'),
            (shown("stopped"), true, us, us, 'L'),
            (shown("shutting-down"), true, us, us, 'L'),
            (Sighting::Absent, true, us, us, 'G'),
            (Sighting::Absent, true, None, us, 'G'),
            (Sighting::Absent, true, None, None, 'G'),
            (Sighting::Absent, true, them, us, 'U'),
            (Sighting::Absent, true, us, None, 'U'),
            (Sighting::Absent, false, us, us, 'U'),
            (Sighting::Absent, false, None, us, 'U'),
            (Sighting::Failed("denied".to_owned()), true, us, us, 'U'),
            (Sighting::Failed("denied".to_owned()), false, None, None, 'U'),
        ];
        for (sighting, blackhole, instance_owner, table_owner, expected) in rows {
            let around = Circumstances { blackhole, instance_owner, table_owner };
            let found = match life("i-1", &sighting, around) {
                Life::Gone(_) => 'G',
                Life::Live => 'L',
                _ => 'U',
            };
            assert_eq!(found, expected, "{sighting:?} {around:?}");
        }
    }
}
