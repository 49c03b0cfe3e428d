//! Feature flags for a share of the users, for users by name, and with a switch for emergencies.
//!
//! ```text
//! cargo run --release -p urcu-reload --example feature_flags
//! ```
//!
//! The program rewrites the file three times, once with an error, and then measures the cost of asking for a flag.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::hint::black_box;
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde::Deserialize;
use urcu_reload::{Invalid, Watched};

/// The file as it is written.
#[derive(Deserialize)]
struct File {
    flag: HashMap<String, Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[serde(default)]
    share: u8,
    #[serde(default)]
    users: HashSet<String>,
    #[serde(default)]
    off: bool,
}

/// The flags as the program asks for them.
struct Flags(HashMap<String, Rule>);

impl Flags {
    fn is_on(&self, flag: &str, user: &str) -> bool {
        let Some(rule) = self.0.get(flag).filter(|rule| !rule.off) else {
            return false;
        };
        // A user keeps a flag while its share grows, and different flags choose different users.
        let side = BuildHasherDefault::<DefaultHasher>::default().hash_one((flag, user)) % 100;
        side < u64::from(rule.share) || rule.users.contains(user)
    }
}

fn convert(file: File) -> Result<Flags, Invalid> {
    for (name, rule) in &file.flag {
        if rule.share > 100 {
            let reason = format!("a share of {} % is over 100", rule.share);
            return Err(Invalid::new(reason).at_key(format!("flag.{name}.share")));
        }
    }
    Ok(Flags(file.flag))
}

fn show(flags: &Watched<Flags>) {
    let users: Vec<_> = (0..1000).map(|number| format!("user{number}")).collect();
    // Ask for all users in one version.
    let seen = flags.read();
    let on = users
        .iter()
        .filter(|user| seen.is_on("new-checkout", user))
        .count();
    let tester = seen.is_on("new-checkout", "tester");
    println!(
        "version {}: on for {on} of 1000 users; for the tester: {tester}",
        flags.version()
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::temp_dir().join(format!("flags-{}.toml", std::process::id()));
    fs::write(&file, "[flag.new-checkout]\nusers = ['tester']\n")?;
    let flags = urcu_reload::watch::<Flags>(&file)
        .convert(convert)
        .start()?;
    flags.on_error(|error| println!("refused: {error:#}"));
    let mut changes = flags.changes();
    show(&flags);
    for text in [
        "share = 10",
        "share = 110",
        "share = 50",
        "share = 50\noff = true",
    ] {
        fs::write(&file, format!("[flag.new-checkout]\n{text}\n"))?;
        if changes.wait(Duration::from_secs(1)).is_some() {
            show(&flags);
        }
    }

    const ASKED: u32 = 5_000_000;
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                (0..ASKED).for_each(|_| {
                    black_box(flags.read().is_on("new-checkout", "tester"));
                })
            });
        }
    });
    println!(
        "{:.1} ns a question, on 2 threads",
        begun.elapsed().as_secs_f64() * 1e9 / f64::from(ASKED)
    );
    fs::remove_file(file)?;
    Ok(())
}
