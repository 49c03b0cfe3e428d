//! A pool of buffers for requests: with one cache for each CPU ([`Pool`]), behind a lock, and from the
//! global allocator.
//!
//! Every thread takes a buffer, writes a request into it, and hands it to the next thread, which answers
//! and gives it back: buffers are freed where they were not made, as in a server.
//!
//! ```text
//! cargo run --release -p rseq-ops --example memory_pool
//! ```

use std::hint::black_box;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rseq_ops::percpu::Pool;

const SIZE: usize = 4096;
const TIME: Duration = Duration::from_millis(700);
/// The number of objects handed over at once, so that handing over is not what is measured.
const BATCH: usize = 8;

type Buffer = [u8; SIZE];

/// Buffers behind a lock; what is taken is given back when it is dropped.
#[derive(Default)]
struct Locked(Mutex<Vec<Box<Buffer>>>);

struct Taken<'a>(Option<Box<Buffer>>, &'a Locked);

impl Locked {
    fn list(&self) -> impl DerefMut<Target = Vec<Box<Buffer>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Taken<'_> {
        let kept = self.list().pop();
        Taken(Some(kept.unwrap_or_else(|| Box::new([0; SIZE]))), self)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.1.list().extend(self.0.take());
    }
}

impl Deref for Taken<'_> {
    type Target = Buffer;
    fn deref(&self) -> &Buffer {
        self.0.as_deref().expect("until it is dropped")
    }
}

impl DerefMut for Taken<'_> {
    fn deref_mut(&mut self) -> &mut Buffer {
        self.0.as_deref_mut().expect("until it is dropped")
    }
}

/// Threads in a ring pass buffers on. Returns nanoseconds for each buffer, taken and given back.
fn measure<B: DerefMut<Target = Buffer> + Send>(
    threads: usize,
    take: impl Fn() -> B + Sync,
) -> f64 {
    let (mut senders, receivers): (Vec<_>, Vec<_>) = (0..threads)
        .map(|_| mpsc::sync_channel::<Vec<B>>(2))
        .unzip();
    // Each sends to the next.
    senders.rotate_left(1);
    let end = Instant::now() + TIME;
    let buffers: u64 = thread::scope(|scope| {
        let takes = &take;
        let threads = senders
            .into_iter()
            .zip(receivers)
            .map(|(sender, receiver)| {
                scope.spawn(move || {
                    let mut count = 0;
                    while Instant::now() < end {
                        let batch = (0..BATCH as u8).map(|number| {
                            let mut buffer = takes();
                            buffer[..64].fill(number);
                            buffer
                        });
                        // A full queue is the other's trouble: the buffers are given back here.
                        let _ = sender.try_send(batch.collect());
                        for batch in receiver.try_iter() {
                            black_box(
                                batch
                                    .iter()
                                    .map(|buffer| u64::from(buffer[63]))
                                    .sum::<u64>(),
                            );
                        }
                        count += BATCH as u64;
                    }
                    count
                })
            });
        let threads: Vec<_> = threads.collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or(0))
            .sum()
    });
    TIME.as_nanos() as f64 * threads as f64 / buffers as f64
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = Pool::<Buffer>::new()?;
    let locked = Locked::default();
    println!("ns of a thread for a buffer of {SIZE} bytes, taken, used and given back");
    println!("threads   Pool   Mutex<Vec<_>>   global allocator");
    for threads in [1, 2, 4] {
        let pooled = measure(threads, || pool.alloc([0; SIZE]));
        let behind_lock = measure(threads, || locked.take());
        let global = measure(threads, || Box::new([0; SIZE]));
        println!("{threads:>7} {pooled:>6.0} {behind_lock:>15.0} {global:>18.0}");
    }
    println!(
        "given back to the global allocator: {} buffers",
        pool.release()?
    );
    Ok(())
}
