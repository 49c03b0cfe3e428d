//! The scenarios. To add one, add a file here and its line to this list. They run in the list's order.

use crate::scenario::Scenario;

macro_rules! scenarios {
    ($($file:ident: $($name:ident),+;)*) => {
        $(mod $file;)*
        /// All scenarios.
        pub static ALL: &[Scenario] = &[$($($file::$name),+),*];
    };
}

scenarios! {
    steady: SCENARIO;
    update_flood: SCENARIO;
    many_domains: SCENARIO;
    guards: SCENARIO;
    snapshots: SCENARIO;
    raw_list: SCENARIO;
    links: SCENARIO;
    collections: HASH_MAP, ORDERED_MAP, LIST, QUEUES, WFC_QUEUE;
    async_tasks: SCENARIO;
    signal_storm: SCENARIO;
    migration_storm: SCENARIO;
    delay_injection: SCENARIO;
    per_cpu: SCENARIO;
    oversubscribed: SCENARIO;
    stalled_reader: SCENARIO;
    callback_flood: SCENARIO;
    fork_generations: SCENARIO;
    thread_churn: SCENARIO;
    mixed_readers: SCENARIO;
    c_face: SCENARIO;
    affinity: SCENARIO;
    cpu_hotplug: SCENARIO;
    rt_priorities: SCENARIO;
    environments: LIBC_REGISTERED, SELF_REGISTERED, NO_RSEQ, NO_MEMBARRIER, NEITHER;
}

/// Returns the scenario of that name.
pub fn named(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{breaks, delays};

    #[test]
    fn scenarios_have_names_of_their_own() {
        for scenario in ALL {
            assert!(std::ptr::eq(named(scenario.name).unwrap(), scenario));
        }
    }

    #[test]
    fn every_point_has_its_turn_in_a_scenario() {
        for point in delays::Point::ALL {
            assert!(named(delays::scenario(point)).is_some(), "{point:?}");
        }
    }

    #[test]
    fn every_control_has_its_scenario() {
        for control in breaks::ALL {
            assert!(named(control.scenario).is_some(), "{}", control.name);
        }
    }
}
