//! A configuration that reloads itself: a program to copy from.
//!
//! ```text
//! cargo run --release -p urcu-reload --example minimal_reload -- my.toml    # and edit my.toml meanwhile
//! ```

use std::{env, thread, time::Duration};

#[derive(Debug, serde::Deserialize)]
struct Config {
    greeting: String,
    #[serde(default)]
    names: Vec<String>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = env::args()
        .nth(1)
        .unwrap_or("urcu/reload/examples/minimal_reload.toml".into());
    let config = urcu_reload::watch::<Config>(&file)
        .validate(|config| match config.greeting.is_empty() {
            true => Err(urcu_reload::Invalid::new("the greeting is empty").at_key("greeting")),
            false => Ok(()),
        })
        .start()?;
    config
        .on_change(|change| println!("version {}: {:?}", change.new.number(), change.new.value()));
    config.on_error(|error| println!("{error:#}"));

    for _ in 0..env::args()
        .nth(2)
        .map_or(Ok(10), |seconds| seconds.parse())?
    {
        let seen = config.read(); // About a nanosecond, on any thread.
        println!("{}, {}!", seen.greeting, seen.names.join(" and "));
        drop(seen);
        thread::sleep(Duration::from_secs(1));
    }
    println!("{}", config.status());
    Ok(())
}
