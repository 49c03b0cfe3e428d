//! Clients that send requests one after the other, and check how old the answers are.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use urcu_reload::Watched;

use crate::Routes;

const CLIENTS: usize = 8;
const REQUEST: &[u8] = b"GET /teapot HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Rewrites the file with growing generations.
pub(crate) struct Writer {
    file: PathBuf,
    text: String,
    written: AtomicU64,
    /// The oldest generation that a request that begins now may see.
    in_force: Arc<AtomicU64>,
}

impl Writer {
    pub(crate) fn new(file: &Path, routes: &Watched<Routes>) -> io::Result<Self> {
        let in_force = Arc::new(AtomicU64::new(1));
        let floor = Arc::clone(&in_force);
        routes.on_change(move |change| {
            let generation = change
                .new
                .generation
                .to_str()
                .ok()
                .and_then(|text| text.parse().ok());
            floor.store(generation.unwrap_or(0), Ordering::Release);
        });
        let text = std::fs::read_to_string(file)?;
        Ok(Self {
            file: file.into(),
            text,
            written: AtomicU64::new(1),
            in_force,
        })
    }

    fn write(&self) -> io::Result<()> {
        let generation = 1 + self.written.fetch_add(1, Ordering::Relaxed);
        let text = self
            .text
            .replace("generation = 1", &format!("generation = {generation}"));
        let aside = self.file.with_extension("aside");
        std::fs::write(&aside, text)?;
        std::fs::rename(aside, &self.file)
    }
}

/// The observations of the clients of a run.
#[derive(Default)]
pub(crate) struct Run {
    latencies: Vec<Duration>,
    took: Duration,
    pub(crate) stale: u64,
}

impl Run {
    pub(crate) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    /// Returns a quantile of the latencies, in microseconds.
    pub(crate) fn quantile(&self, percent: usize) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies
            .get(last * percent / 100)
            .map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
    }
}

/// Sends requests for this time, while the file is rewritten now and then.
pub(crate) async fn run(
    address: SocketAddr,
    writer: &Arc<Writer>,
    interval: Option<Duration>,
    length: Duration,
) -> io::Result<Run> {
    let begun = Instant::now();
    let end = begun + length;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(ask(address, Arc::clone(&writer.in_force), end)))
        .collect();
    while let Some(interval) = interval.filter(|_| Instant::now() < end) {
        tokio::time::sleep(interval).await;
        writer.write()?;
    }
    let mut all = Run::default();
    for client in clients {
        let run = client.await.map_err(io::Error::other)??;
        all.latencies.extend(run.latencies);
        all.stale += run.stale;
    }
    all.took = begun.elapsed();
    all.latencies.sort_unstable();
    Ok(all)
}

async fn ask(address: SocketAddr, in_force: Arc<AtomicU64>, end: Instant) -> io::Result<Run> {
    let mut server = TcpStream::connect(address).await?;
    server.set_nodelay(true)?;
    let mut run = Run::default();
    let mut buffer = [0; 1024];
    while Instant::now() < end {
        let floor = in_force.load(Ordering::Acquire);
        let asked = Instant::now();
        server.write_all(REQUEST).await?;
        let mut length = 0;
        // The answer ends with its body.
        while !buffer[..length].ends_with(b"short and stout") {
            match server.read(&mut buffer[length..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                more => length += more,
            }
        }
        run.latencies.push(asked.elapsed());
        run.stale += u64::from(generation(&buffer[..length]) < Some(floor));
    }
    Ok(run)
}

/// Returns the generation of an answer, from its header.
fn generation(answer: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(answer).ok()?;
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix("x-generation: "))?;
    line.parse().ok()
}
