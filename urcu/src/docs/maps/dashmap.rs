/// Counts visits in dashmap's map, and in ours.
pub(crate) fn visits(users: &[u64]) -> [Vec<(u64, u32)>; 2] {
    let theirs = dashmap::DashMap::new();
    for user in users {
        theirs
            .entry(*user)
            .and_modify(|count| *count += 1)
            .or_insert(1);
    }

    let ours = urcu_collections::HashMap::new();
    for user in users {
        ours.pin()
            .entry(*user)
            .and_modify(|count| count + 1)
            .or_insert(1);
    }

    // In dashmap a second call while an entry is held may wait for ever; here it may not.
    let pinned = ours.pin();
    for (user, _) in &pinned {
        assert_eq!(ours.get_copied(user), theirs.get(user).map(|count| *count));
    }
    let of_theirs = theirs.iter().map(|entry| (*entry.key(), *entry.value()));
    let of_ours = pinned.iter().map(|(user, count)| (*user, *count));
    [of_theirs.collect(), of_ours.collect()]
}
