//! Finds orderings that have neither a mutant nor a reason.

use super::{Change, KEPT, KEPT_COLLECTIONS, KEPT_OPS, MUTANTS, Source};

/// Returns every fence, and every ordering stronger than relaxed, that no mutant weakens or drops and for which no
/// reason is given: its file, line and text.
///
/// # Panics
/// If the text of a reason or a mutant does not occur exactly once.
pub fn unheld(sources: &[Source]) -> Vec<(&'static str, usize, String)> {
    let span = |file: &str, text: &str| {
        let (before, rest) = text.split_once('«').expect("an angle quote");
        let (quoted, after) = rest.split_once('»').expect("two angle quotes");
        let (_, source) = sources
            .iter()
            .find(|(name, _)| *name == file)
            .expect("a source");
        let whole = format!("{before}{quoted}{after}");
        let found: Vec<_> = source.match_indices(&whole).collect();
        let [(at, _)] = found[..] else {
            panic!("in {file}, occurrences of {text:?}: {}", found.len());
        };
        (
            file.to_owned(),
            at + before.len()..at + before.len() + quoted.len(),
        )
    };
    let edits = MUTANTS.iter().flat_map(|mutant| match mutant.change {
        Change::Source(edits) => edits,
        Change::Kernel(_) => &[],
    });
    let held: Vec<_> = edits
        .map(|edit| span(edit.file, edit.text))
        .chain(
            KEPT.iter()
                .chain(KEPT_OPS)
                .chain(KEPT_COLLECTIONS)
                .map(|kept| span(kept.file, kept.text)),
        )
        .collect();
    let mut unheld = Vec::new();
    for (file, source) in sources {
        let mut start = 0;
        for (number, line) in source.lines().enumerate() {
            // The tests of a file come last. (The declaration of a file of tests does not count.)
            if source[start..].starts_with("#[cfg(test)]\nmod tests {") {
                break;
            }
            let code = line.split("//").next().unwrap_or("");
            for word in [
                "Acquire",
                "Release",
                "AcqRel",
                "SeqCst",
                "fence_after_update();",
            ] {
                for (column, _) in code.match_indices(word) {
                    let at = start + column;
                    let is_held = |(name, range): &(String, std::ops::Range<usize>)| {
                        name == file && range.contains(&at)
                    };
                    if !code.trim_start().starts_with("use ") && !held.iter().any(is_held) {
                        unheld.push((*file, number + 1, line.trim().to_owned()));
                    }
                }
            }
            start += line.len() + 1;
        }
    }
    unheld
}
