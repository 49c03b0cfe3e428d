//! Prints which kind of reader this process uses, and why: `cargo run -p urcu-percpu --example reader_mode`.
//! `cargo run -p rseq-ops --example where_am_i` prints what the kernel and libc offer.

fn main() {
    println!("readers use {}", urcu::reader_mode());
    let domain = urcu::Domain::new();
    (0..1_000_000).for_each(|_| drop(domain.read_lock()));
    domain.synchronize();
    let stats = domain.stats();
    println!(
        "of a million sections, {} began with atomics although there are sequences",
        stats.fallback_reads
    );
}
