/// Counts words in papaya's map, and in ours.
pub(crate) fn words(text: &str) -> [Vec<(String, u32)>; 2] {
    let theirs = papaya::HashMap::new();
    let pinned = theirs.pin();
    for word in text.split_whitespace() {
        pinned.update_or_insert(word.to_owned(), |count| count + 1, 1);
    }

    let ours = urcu_collections::HashMap::new();
    let also_pinned = ours.pin();
    for word in text.split_whitespace() {
        also_pinned.update_or_insert(word.to_owned(), |count| count + 1, 1);
    }

    let of_theirs = pinned.iter().map(|(word, count)| (word.clone(), *count));
    let of_ours = also_pinned
        .iter()
        .map(|(word, count)| (word.clone(), *count));
    [of_theirs.collect(), of_ours.collect()]
}
