//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};

const HELP: &str = "\
Reads a service's configuration from many threads while the file is rewritten fifty times a second.

Usage: config_reload [OPTIONS]

      --seconds N    How long to run, in all [default: 10]
      --readers N    How many threads read [default: as many as there are CPUs]
      --config FILE  A configuration to use instead of the one that comes with the program; it is
                     not modified
      --verbose      Show every refused file, instead of the first of a kind
  -h, --help         Print this";

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) length: Duration,
    pub(crate) readers: Option<u16>,
    pub(crate) config: Option<PathBuf>,
    pub(crate) verbose: bool,
}

impl Arguments {
    /// Those of this process. `None`: help was asked for, and given.
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
        _ => Err("a number from 1 to 86400 is needed"),
    }
}

fn readers(text: &str) -> Result<u16, &'static str> {
    match text.parse() {
        Ok(readers @ 1..=1024) => Ok(readers),
        _ => Err("a number from 1 to 1024 is needed"),
    }
}
