//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};

const HELP: &str = "\
Reads a service's configuration in many threads while its file is rewritten fifty times a second.

Usage: config_reload [OPTIONS]

      --seconds N    Length of the whole run [default: 10]
      --readers N    Number of reader threads [default: one for each CPU]
      --config FILE  Use this configuration instead of the one that comes with the program; the file
                     is copied, not modified
      --verbose      Show every refused file, not only the first of each kind
  -h, --help         Print this help";

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) length: Duration,
    pub(crate) readers: Option<u16>,
    pub(crate) config: Option<PathBuf>,
    pub(crate) verbose: bool,
}

impl Arguments {
    /// Returns the arguments of this process, or `None` if it printed the help.
    pub(crate) fn parse() -> Result<Option<Self>, String> {
        Self::of(Parser::from_env()).map_err(|error| format!("{error}\n\n{HELP}"))
    }

    fn of(mut parser: Parser) -> Result<Option<Self>, lexopt::Error> {
        let mut arguments = Arguments {
            length: Duration::from_secs(10),
            readers: None,
            config: None,
            verbose: false,
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("seconds") => arguments.length = parser.value()?.parse_with(length)?,
                Arg::Long("readers") => {
                    arguments.readers = Some(parser.value()?.parse_with(readers)?)
                }
                Arg::Long("config") => arguments.config = Some(parser.value()?.into()),
                Arg::Long("verbose") => arguments.verbose = true,
                Arg::Long("help") | Arg::Short('h') => {
                    println!("{HELP}");
                    return Ok(None);
                }
                other => return Err(other.unexpected()),
            }
        }
        Ok(Some(arguments))
    }
}

fn length(text: &str) -> Result<Duration, &'static str> {
    match text.parse() {
        Ok(seconds) if (1.0..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("--seconds takes a number from 1 to 86400"),
    }
}

fn readers(text: &str) -> Result<u16, &'static str> {
    match text.parse() {
        Ok(readers @ 1..=1024) => Ok(readers),
        _ => Err("--readers takes a number from 1 to 1024"),
    }
}
