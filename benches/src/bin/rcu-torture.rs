//! Tortures the library: see `--help`, and the package `urcu-torture`.

#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: urcu_host::poison::Poisoning = urcu_host::poison::Poisoning;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    urcu_torture::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("rcu-torture has scenarios only for Linux");
    println!("rcu-torture: scenario=all reads=0 grace_periods=0 errors=0");
}
