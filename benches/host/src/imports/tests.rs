//! Tests of the reader of imports.

use std::collections::BTreeMap;

use super::Imports;

fn of(texts: &[(&str, &str)]) -> Imports {
    let texts: BTreeMap<String, String> = texts
        .iter()
        .map(|(module, text)| ((*module).to_owned(), (*text).to_owned()))
        .collect();
    Imports::of_texts(&texts)
}

fn arrows(imports: &Imports) -> Vec<(&str, &str)> {
    imports.arrows().collect()
}

#[test]
fn every_way_to_write_an_import_is_seen() {
    let ways = [
        "use crate::b;",
        "use crate::b::Item;",
        "pub(crate) use crate::{b::{self, Item as Other}};",
        "use super::b::*;",
        "fn f() { crate::b::f(); }",
        "impl super::b::Trait for X {}",
        "macro_rules! m { () => { $crate::b::f!() } }",
        "mod inside { use super::super::b::Item; }",
        "#[cfg(test)] use x::{y, z}; use crate::b;",
        "const C: char = '\"'; const D: &str = \"//\"; use crate::b;",
        "fn f<'a>(x: &'a str) -> char { '\\'' } use crate::b;",
        "const R: &str = r#\"\"\"#; /* /* */ */ use crate::b;",
    ];
    for way in ways {
        let imports = of(&[("", ""), ("a", way), ("b", "")]);
        assert_eq!(arrows(&imports), [("a", "b")], "{way}");
    }
}

#[test]
fn what_is_no_import_is_not_seen() {
    let ways = [
        "// use crate::b;",
        "/* use crate::b; */",
        "/// [`crate::b`]",
        "const S: &str = \"use crate::b;\";",
        "const S: &str = r\"crate::b\";",
        "use b::Item;",
        "use other::crate_b;",
        "use std::b;",
        "#[cfg(test)] mod tests { use crate::b; }",
        "#[cfg(test)] #[allow(unused)] use crate::{b, b::Item};",
        "#[cfg(test)] pub const X: [u8; 2] = crate::b::f();",
        "#[cfg(test)] fn f(x: [u8; 4]) { crate::b::f(x) }",
        "mod b { pub fn f() {} } fn f() { self::f(); }",
    ];
    for way in ways {
        let imports = of(&[("", ""), ("a", way), ("b", "")]);
        assert_eq!(arrows(&imports), [], "{way}");
    }
}

#[test]
fn files_of_tests_are_left_out() {
    let imports = of(&[
        ("a", "#[cfg(test)]\nmod tests;"),
        ("a::tests", "use crate::b;"),
        ("b", "use crate::a;"),
    ]);
    assert_eq!(arrows(&imports), [("b", "a")]);
    assert!(!imports.files().any(|file| file == "a::tests"));
}

#[test]
fn children_and_parents_import_each_other() {
    let imports = of(&[
        ("a", "mod c; use c::Item;"),
        ("a::c", "use super::Other;"),
        ("a::d", "use super::c::Item;"),
    ]);
    let all = [("a", "a::c"), ("a::c", "a"), ("a::d", "a::c")];
    assert_eq!(arrows(&imports), all);
    assert_eq!(imports.circle().unwrap(), ["a", "a::c"]);
    let imports = of(&[("a", "mod c; fn f() { c::f() }"), ("a::c", "")]);
    assert_eq!(arrows(&imports), [("a", "a::c")]);
}

#[test]
fn a_name_counts_for_the_file_that_it_comes_from() {
    let imports = of(&[
        ("", "pub use b::Item; pub use crate::b::c::Deep as Other;"),
        ("a", "use crate::{Item, Other};"),
        ("b", ""),
        ("b::c", ""),
    ]);
    let all = [("", "b"), ("", "b::c"), ("a", "b"), ("a", "b::c")];
    assert_eq!(arrows(&imports), all);
}

#[test]
fn floors_are_kept() {
    let texts = [
        ("", "pub use top::run;"),
        ("top", "use crate::room::one;"),
        ("room", ""),
        ("room::one", "use super::two;"),
        ("room::two", "use crate::low;"),
        ("low", ""),
    ];
    let floors: &[&[&str]] = &[&["lib"], &["top"], &["room"], &["low"]];
    let imports = of(&texts);
    assert_eq!(imports.faults(floors), [] as [String; 0]);
    let turned = imports.turned("room::two", "low").faults(floors);
    assert_eq!(
        turned,
        ["low, line 1: imports room::two, which is not below"]
    );
    let floors: &[&[&str]] = &[&["lib"], &["top", "room", "gone"]];
    let faults = imports.faults(floors).join("\n");
    for fault in [
        "gone is no file",
        "low stands on no floor",
        "top, line 1: imports room::one, which is not below",
    ] {
        assert!(faults.contains(fault), "{faults}");
    }
}

#[test]
fn a_circle_within_a_room_is_named() {
    let texts = [
        ("room::one", "use super::two;"),
        ("room::two", "use super::three;"),
        ("room::three", "use super::one::f;"),
        ("room::four", "use super::one;"),
    ];
    let faults = of(&texts).faults(&[&["room"]]);
    assert_eq!(faults, ["a circle: room::one -> room::two -> room::three"]);
}
