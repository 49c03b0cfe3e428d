//! Licence expressions (SPDX), checked against a list of allowed licences.

/// Returns whether allowed licences satisfy the expression: `A OR B`, `A AND (B OR C)`, `A WITH B`, or the
/// older `A/B`.
pub(crate) fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    let spaced = spaced.replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = &words[..];
    any(&mut rest, allowed) && rest.is_empty()
}

/// Reads all of `A OR B`. Returns whether allowed licences satisfy it.
fn any(words: &mut &[&str], allowed: &[String]) -> bool {
    let mut is_allowed = all(words, allowed);
    while let Some(rest) = after(words, "OR") {
        *words = rest;
        is_allowed |= all(words, allowed);
    }
    is_allowed
}

/// Reads `A AND B`, which binds more tightly.
fn all(words: &mut &[&str], allowed: &[String]) -> bool {
    let mut is_allowed = one(words, allowed);
    while let Some(rest) = after(words, "AND") {
        *words = rest;
        is_allowed &= one(words, allowed);
    }
    is_allowed
}

fn one(words: &mut &[&str], allowed: &[String]) -> bool {
    if let Some(rest) = after(words, "(") {
        *words = rest;
        let is_allowed = any(words, allowed);
        let Some(rest) = after(words, ")") else {
            return false;
        };
        *words = rest;
        return is_allowed;
    }
    let Some((name, rest)) = words.split_first() else {
        return false;
    };
    *words = rest;
    // An exception only grants more rights.
    if let Some(rest) = after(words, "WITH") {
        *words = rest.get(1..).unwrap_or_default();
    }
    allowed.iter().any(|licence| licence == name)
}

fn after<'a, 'w>(words: &&'a [&'w str], word: &str) -> Option<&'a [&'w str]> {
    let (first, rest) = words.split_first()?;
    (*first == word).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn a_choice_needs_one_allowed_licence_and_a_list_all() {
        let allowed = ["MIT", "Apache-2.0", "Unicode-3.0"].map(str::to_owned);
        let is_allowed = |expression| is_allowed(expression, &allowed);
        for expression in [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT/GPL-2.0",
            "(MIT OR GPL-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
            "GPL-2.0 AND MIT OR MIT",
        ] {
            assert!(is_allowed(expression), "{expression}");
        }
        for expression in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR GPL-2.0) AND LGPL-2.1",
            "(MIT",
            "MIT MIT",
        ] {
            assert!(!is_allowed(expression), "{expression}");
        }
    }
}
