//! The file: its format, and the way from its text to a [`Table`] or to the reason why not.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::{fs, io};

use serde::Deserialize;
use toml::Spanned;

use crate::table::{Feature, Method, Route, Table};

/// The content of a configuration file. The fields that a check can refuse know their place in the
/// text, so that the refusal can name the line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) version: Spanned<u64>,
    entries: Spanned<usize>,
    #[expect(dead_code, reason = "checked for its form only")]
    service: Service,
    #[serde(default)]
    pub(crate) backend: Vec<BackendEntry>,
    #[serde(default)]
    pub(crate) route: Vec<RouteEntry>,
    #[serde(default)]
    pub(crate) feature: Vec<FeatureEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "checked for its form only")]
struct Service {
    name: String,
    owner: String,
    default_timeout_ms: u32,
}

/// A `[[backend]]`: where requests can be sent to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct BackendEntry {
    pub(crate) name: Spanned<String>,
    #[expect(dead_code, reason = "this program sends nothing")]
    address: String,
    #[expect(dead_code, reason = "this program sends nothing")]
    max_connections: u32,
}

/// A `[[route]]`: which requests are sent to which backend.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RouteEntry {
    pub(crate) host: String,
    pub(crate) path: Spanned<String>,
    pub(crate) method: Method,
    pub(crate) backend: Spanned<String>,
    timeout_ms: u32,
    pub(crate) weight: Spanned<u32>,
}

/// A `[[feature]]`: a percentage of users that see something.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeatureEntry {
    pub(crate) name: Spanned<String>,
    rollout: Spanned<u32>,
}

/// Why a file is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no file.
    Missing,
    /// There is one, but it cannot be read.
    Unreadable(io::ErrorKind),
    /// It is not TOML, or a value is not of its type.
    Malformed { line: usize, reason: String },
    /// It can be read, but makes no sense.
    Invalid { line: usize, reason: String },
}

impl Refusal {
    /// The line at fault, if it is one line's fault.
    pub(crate) fn line(&self) -> Option<usize> {
        match self {
            Self::Missing | Self::Unreadable(_) => None,
            Self::Malformed { line, .. } | Self::Invalid { line, .. } => Some(*line),
        }
    }

    /// The one line to tell: file, line, reason.
    pub(crate) fn at(&self, file: &Path) -> impl fmt::Display {
        let file = file.display();
        match self {
            Self::Missing => format!("{file}: there is no such file"),
            Self::Unreadable(kind) => format!("{file}: cannot be read: {kind}"),
            Self::Malformed { line, reason } | Self::Invalid { line, reason } => {
                format!("{file}:{line}: {reason}")
            }
        }
    }
}

/// Reads a file's text.
pub(crate) fn read(file: &Path) -> Result<String, Refusal> {
    fs::read_to_string(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Refusal::Missing,
        kind => Refusal::Unreadable(kind),
    })
}

/// From the text to its content.
pub(crate) fn parse(text: &str) -> Result<Config, Refusal> {
    toml::from_str(text).map_err(|error| Refusal::Malformed {
        // An error without a place is about the file's top level: say the last line, where what is
        // missing ought to have come at the latest.
        line: line_of(text, error.span().map_or(text.len(), |span| span.start)),
        reason: match error.message().trim() {
            "" => "this is not TOML".into(),
            message => message.replace('\n', ", "),
        },
    })
}

/// From the content to the index: every check that needs more than one value at a time, or knows
/// what a value means. `text` is what the content was parsed from; `in_force` is the version that it
/// would take the place of.
pub(crate) fn build(config: &Config, text: &str, in_force: u64) -> Result<Table, Refusal> {
    let refuse = |span: Range<usize>, reason: String| -> Result<Table, Refusal> {
        Err(Refusal::Invalid {
            line: line_of(text, span.start),
            reason,
        })
    };
    let version = *config.version.get_ref();
    if version <= in_force {
        let reason = format!("version {version} is not newer than version {in_force}");
        return refuse(config.version.span(), reason);
    }
    let (said, found) = (
        *config.entries.get_ref(),
        config.backend.len() + config.route.len() + config.feature.len(),
    );
    if config.route.is_empty() {
        return refuse(
            config.version.span(),
            "there is no route in the file".into(),
        );
    }
    if said != found {
        let reason = format!("{said} entries announced, {found} found: was the file cut short?");
        return refuse(config.entries.span(), reason);
    }

    let mut backends = HashMap::with_capacity(config.backend.len());
    for (index, backend) in (0..).zip(&config.backend) {
        let name = backend.name.get_ref().as_str();
        if backends.insert(name, index).is_some() {
            return refuse(
                backend.name.span(),
                format!("a second backend named `{name}`"),
            );
        }
    }

    let mut table = Table::new(version);
    for entry in &config.route {
        let (host, path) = (entry.host.as_str(), entry.path.get_ref().as_str());
        let (backend, weight) = (entry.backend.get_ref().as_str(), *entry.weight.get_ref());
        if !path.starts_with('/') {
            return refuse(
                entry.path.span(),
                format!("the path `{path}` does not start with `/`"),
            );
        }
        if weight > 1000 {
            return refuse(
                entry.weight.span(),
                format!("the weight {weight} is over 1000"),
            );
        }
        let Some(&backend) = backends.get(backend) else {
            return refuse(
                entry.backend.span(),
                format!("there is no backend `{backend}`"),
            );
        };
        let route = Route::new(
            version,
            path,
            entry.method,
            backend,
            entry.timeout_ms,
            weight,
        );
        if !table.add_route(host, route) {
            let method = entry.method;
            return refuse(
                entry.path.span(),
                format!("a second {method:?} route {host}{path}"),
            );
        }
    }
    for entry in &config.feature {
        let (name, rollout) = (entry.name.get_ref().as_str(), *entry.rollout.get_ref());
        if rollout > 100 {
            return refuse(
                entry.rollout.span(),
                format!("a rollout of {rollout} % of the users"),
            );
        }
        if !table.add_feature(name, Feature::new(version, rollout)) {
            return refuse(
                entry.name.span(),
                format!("a second feature named `{name}`"),
            );
        }
    }
    Ok(table.seal())
}

/// The line, counted from 1, that a place in the text is on.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())]
        .iter()
        .filter(|&&byte| byte == b'\n')
        .count()
}
