//! Feature flags: by share of the users, by name, and a switch for an emergency.
//!
//! ```text
//! cargo run --release -p urcu-reload --example feature_flags
//! ```
//!
//! The file is rewritten three times, once badly; then it is measured what asking for a flag costs.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::hint::black_box;
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde::Deserialize;
use urcu_reload::{Invalid, Watched};

/// As it is written.
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

/// As it is asked.
struct Flags(HashMap<String, Rule>);

impl Flags {
    fn is_on(&self, flag: &str, user: &str) -> bool {
        let Some(rule) = self.0.get(flag).filter(|rule| !rule.off) else {
            return false;
        };
        // A user keeps their side while the share goes up, and is not on the same side of every flag.
        let side = BuildHasherDefault::<DefaultHasher>::default().hash_one((flag, user)) % 100;
        side < u64::from(rule.share) || rule.users.contains(user)
    }
}

fn convert(file: File) -> Result<Flags, Invalid> {
    for (name, rule) in &file.flag {
        if rule.share > 100 {
            let reason = format!("{} % of the users", rule.share);
            return Err(Invalid::new(reason).at_key(format!("flag.{name}.share")));
        }
    }
    Ok(Flags(file.flag))
}

fn show(flags: &Watched<Flags>) {
    let users: Vec<_> = (0..1000).map(|number| format!("user{number}")).collect();
    // One version for all of them.
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
