//! Every way to outlive a guard, a domain or a cell is rejected by the compiler, and what comes
//! next to it is not.

#[macro_use]
extern crate test_deadline;

/// The compiler whose words the `.stderr` files repeat. Make them anew with `TRYBUILD=overwrite`.
const COMPILER: &str = "rustc 1.95.";

#[test(600)]
fn what_would_be_unsound_does_not_compile() {
    if cfg!(any(rseq_ops_portable, rseq_ops_delay_injection)) {
        return println!("skipped: nothing differs there");
    }
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = std::process::Command::new(rustc).arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    if !version
        .as_ref()
        .is_ok_and(|text| text.starts_with(COMPILER))
    {
        return println!("skipped: the expected messages are those of {COMPILER}x: {version:?}");
    }
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}

/// The neighbours that are right: parts of this program, so they compile, and they run.
macro_rules! right {
    ($($name:ident)+) => {
        $(mod $name {
            include!(concat!("ui/pass/", stringify!($name), ".rs"));

            #[test]
            fn compiles_and_runs() {
                main();
            }
        })+
    };
}

right! {
    call
    cell_past_its_domain
    cell_read_by_another_thread
    domain_moved_while_guarded
    exchange
    guard_past_its_domain
    kinds
    lists
    parts
    ref_past_its_cell
    retire
    send_and_sync
    store
    value_past_its_cell
    value_past_its_guard
    value_past_its_ref
}
