//! That the environment which a parent process asked for is the one that we are in.

use std::env;

use rseq_ops::Owner;
use rseq_ops::registration::SUPPORTED;

/// Set by `environments`: the expected [`Owner`], and `yes` or `no`.
pub(crate) const OWNER: &str = "URCU_TEST_EXPECT";
pub(crate) const MEMBARRIER: &str = "URCU_TEST_EXPECT_MEMBARRIER";

#[test]
fn a_portable_build_has_no_sequences() {
    assert!(!(SUPPORTED && cfg!(rseq_ops_portable)));
}

#[test]
fn the_owner_of_rseq_is_the_expected_one() {
    let owner = format!("{:?}", rseq_ops::process().owner);
    println!("owner {owner}, {:?}", rseq_ops::process());
    match env::var(OWNER) {
        Ok(expected) => assert_eq!(owner, expected),
        Err(_) if !SUPPORTED => assert_eq!(owner, format!("{:?}", Owner::Nobody)),
        Err(_) => {}
    }
}

#[test]
fn membarrier_is_there_if_expected() {
    let there = rseq_ops::membarrier::register().is_ok();
    match env::var(MEMBARRIER) {
        Ok(expected) => assert_eq!(there, expected == "yes"),
        Err(_) => assert!(!(there && cfg!(rseq_ops_portable))),
    }
}

#[test]
fn a_thread_has_a_handle_where_its_process_has_an_owner() {
    let owner = rseq_ops::process().owner;
    let handle = std::thread::spawn(rseq_ops::current_thread).join().unwrap();
    assert_eq!(handle.is_some(), owner != Owner::Nobody);
}
