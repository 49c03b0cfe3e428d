//! The examples of the page `urcu::docs::maps`, which stand beside that page.

#[path = "../../../src/docs/maps/dashmap.rs"]
mod dashmap;
#[path = "../../../src/docs/maps/papaya.rs"]
mod papaya;

fn sorted<T: Ord>(both: [Vec<T>; 2]) -> [Vec<T>; 2] {
    both.map(|mut entries| {
        entries.sort();
        entries
    })
}

#[test]
fn words_are_counted_as_in_papaya() {
    let [theirs, ours] = sorted(papaya::words("a b a c a b"));
    assert_eq!(theirs, ours);
    assert_eq!(ours, [("a".into(), 3), ("b".into(), 2), ("c".into(), 1)]);
}

#[test]
fn visits_are_counted_as_in_dashmap() {
    let [theirs, ours] = sorted(dashmap::visits(&[7, 8, 7]));
    assert_eq!(theirs, ours);
    assert_eq!(ours, [(7, 2), (8, 1)]);
}
