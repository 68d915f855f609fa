//! Whatever a tool does, every file is heard, named, or admittedly not examined.

use proptest::prelude::*;

use super::*;

const BOUNDS: Bounds = Bounds { calls: 10_000, path_bytes: usize::MAX, bytes_per_path: 0 };

fn file(number: usize) -> String {
    format!("{number:04}.py")
}

fn files(count: usize) -> BTreeSet<String> {
    (0..count).map(file).collect()
}

/// Searches with a tool that answers as `answer` does; what was found, and each group that was tried.
fn search(
    mut bisection: Bisection,
    mut answer: impl FnMut(&BTreeSet<String>) -> Tried,
) -> (Isolation, Vec<BTreeSet<String>>) {
    let mut groups = Vec::new();
    while let Some(group) = bisection.next_group() {
        bisection.tried(answer(&group));
        groups.push(group);
    }
    (bisection.finish(), groups)
}

fn died() -> Tried {
    Tried::Died { why: "signal 6".to_owned() }
}

fn dies_on(poison: &BTreeSet<String>) -> impl FnMut(&BTreeSet<String>) -> Tried {
    |group| if group.is_disjoint(poison) { Tried::Spoke } else { died() }
}

fn named(gaps: &[Gap]) -> BTreeSet<String> {
    gaps.iter().map(|gap| gap.path.clone()).collect()
}

#[test]
fn one_file_among_a_thousand_is_named_in_few_calls() {
    for culprit in [0, 1, 499, 500, 998, 999] {
        let poison = BTreeSet::from([file(culprit)]);
        let (found, groups) = search(Bisection::of_dead(files(1000), BOUNDS), dies_on(&poison));
        assert_eq!(named(&found.culprits), poison);
        assert_eq!(found.culprits[0].why, "signal 6");
        assert_eq!((found.heard.len(), found.untried.len()), (999, 0));
        assert!(groups.len() <= 20, "{} calls", groups.len());
    }
}

#[test]
fn a_tool_that_takes_a_file_at_a_time_goes_on_after_a_bad_one() {
    let poison = BTreeSet::from([file(1)]);
    let (found, groups) = search(Bisection::of_each(files(3), BOUNDS), dies_on(&poison));
    assert_eq!(groups, (0..3).map(|number| BTreeSet::from([file(number)])).collect::<Vec<_>>());
    assert_eq!((named(&found.culprits), found.heard.len()), (poison, 2));
}

#[test]
fn files_that_kill_only_together_are_not_accused() {
    let pair = BTreeSet::from([file(0), file(99)]);
    let dies = |group: &BTreeSet<String>| if group.is_superset(&pair) { died() } else { Tried::Spoke };
    let (found, _) = search(Bisection::of_dead(files(100), BOUNDS), dies);
    assert_eq!((found.heard.len(), found.culprits, found.untried), (100, Vec::new(), Vec::new()));
}

#[test]
fn nothing_more_is_tried_after_a_stop_and_the_rest_says_why() {
    let mut calls = 0;
    let stops = |_: &BTreeSet<String>| {
        calls += 1;
        if calls == 1 { Tried::Spoke } else { Tried::Stopped { why: "the time was over".to_owned() } }
    };
    let (found, groups) = search(Bisection::of_dead(files(8), BOUNDS), stops);
    assert_eq!((groups.len(), found.heard.len(), found.untried.len()), (2, 4, 4));
    assert_eq!(found.untried[0].why, "not examined: the time was over");
}

#[test]
fn no_call_has_more_paths_than_fit() {
    let bounds = Bounds { path_bytes: 100, bytes_per_path: 3, ..BOUNDS };
    let poison = BTreeSet::from([file(77)]);
    let (found, groups) = search(Bisection::of_dead(files(200), bounds), dies_on(&poison));
    assert!(groups.iter().all(|group| group.len() <= 10), "{groups:?}");
    assert_eq!((named(&found.culprits), found.heard.len()), (poison, 199));
}

#[test]
fn a_hang_is_given_its_share_and_time_to_start() {
    let limit = Duration::from_secs(160);
    assert_eq!(patience(limit, 500, 1000), Duration::from_secs(80));
    assert_eq!(patience(limit, 1, 1000), Duration::from_secs(10));
    assert_eq!(patience(limit, 1, 0), limit);
}

/// Every file is in exactly one of the three, and none is invented.
fn is_a_partition(found: &Isolation, of: &BTreeSet<String>) -> bool {
    let (culprits, untried) = (named(&found.culprits), named(&found.untried));
    let all: BTreeSet<String> = found.heard.iter().chain(&culprits).chain(&untried).cloned().collect();
    all == *of && found.heard.len() + found.culprits.len() + found.untried.len() == of.len()
}

proptest! {
    /// With calls enough, exactly the poison is named and all the rest is heard, whatever there is of it.
    #[test]
    fn all_culprits_and_nobody_else(count in 1_usize..300, bad in prop::collection::btree_set(0_usize..300, 0..12)) {
        let all = files(count);
        let poison: BTreeSet<String> = bad.into_iter().map(file).filter(|file| all.contains(file)).collect();
        let (found, groups) = search(Bisection::of_dead(all.clone(), BOUNDS), dies_on(&poison));
        prop_assert!(is_a_partition(&found, &all));
        prop_assert_eq!(named(&found.culprits), poison.clone());
        prop_assert!(found.untried.is_empty());
        let depth = usize::try_from(count.ilog2()).unwrap() + 1;
        prop_assert!(groups.len() <= 2 * (poison.len() + 1) * depth, "{} calls", groups.len());
    }

    /// However few calls, nobody innocent is named, nothing is lost, and the bound holds.
    #[test]
    fn a_bound_costs_files_and_no_truth(
        count in 1_usize..200,
        bad in prop::collection::btree_set(0_usize..200, 0..20),
        calls in 0_usize..30,
        path_bytes in 1_usize..2_000,
    ) {
        let all = files(count);
        let poison: BTreeSet<String> = bad.into_iter().map(file).collect();
        let bounds = Bounds { calls, path_bytes, bytes_per_path: 2 };
        let (found, groups) = search(Bisection::of_dead(all.clone(), bounds), dies_on(&poison));
        prop_assert!(groups.len() <= calls);
        prop_assert!(is_a_partition(&found, &all));
        prop_assert!(named(&found.culprits).is_subset(&poison));
        prop_assert!(found.heard.is_disjoint(&poison));
    }

    /// A tool that answers anything, twice differently to the same question, breaks no rule either.
    #[test]
    fn a_moody_tool_ends_too(count in 1_usize..100, moods in prop::collection::vec(0_u8..8, 1..400)) {
        let all = files(count);
        let mut moods = moods.into_iter().cycle();
        let answer = |_: &BTreeSet<String>| match moods.next() {
            Some(0) => Tried::Stopped { why: "moody".to_owned() },
            Some(1..=4) => died(),
            _ => Tried::Spoke,
        };
        let (found, groups) = search(Bisection::of_dead(all.clone(), BOUNDS), answer);
        prop_assert!(is_a_partition(&found, &all));
        prop_assert!(groups.len() <= 2 * count);
    }
}
