//! The format of the file, and the conversion of its content to a [`Table`] or to an error.

use std::collections::HashMap;

use serde::Deserialize;
use urcu_reload::Invalid;

use crate::table::{Feature, Method, Route, Table};

/// The content of a configuration file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) version: u64,
    entries: usize,
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

/// A `[[backend]]`: a server to which requests can be sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct BackendEntry {
    name: String,
    #[expect(dead_code, reason = "this program sends nothing")]
    address: String,
    #[expect(dead_code, reason = "this program sends nothing")]
    max_connections: u32,
}

/// A `[[route]]`: a kind of requests and the backend for them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RouteEntry {
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) method: Method,
    backend: String,
    timeout_ms: u32,
    weight: u32,
}

/// A `[[feature]]`: a feature and the percentage of users that see it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeatureEntry {
    pub(crate) name: String,
    rollout: u32,
}

/// Builds the table. This does every check that needs several values or the meaning of a value. An error names
/// the key at fault, and the library finds its line.
pub(crate) fn build(config: &Config) -> Result<Table, Invalid> {
    let found = config.backend.len() + config.route.len() + config.feature.len();
    if config.route.is_empty() {
        return Err(Invalid::new("the file has no route").at_key("version"));
    }
    if config.entries != found {
        let said = config.entries;
        let reason = format!("{said} entries announced, {found} found: was the file cut short?");
        return Err(Invalid::new(reason).at_key("entries"));
    }
    let backends = backends(config)?;
    let mut table = Table::new(config.version);
    for (number, entry) in config.route.iter().enumerate() {
        add_route(&mut table, &backends, entry).map_err(|(field, reason)| {
            Invalid::new(reason).at_key(format!("route[{number}].{field}"))
        })?;
    }
    for (number, entry) in config.feature.iter().enumerate() {
        let refuse = |field, reason: String| {
            Err(Invalid::new(reason).at_key(format!("feature[{number}].{field}")))
        };
        let (name, rollout) = (entry.name.as_str(), entry.rollout);
        if rollout > 100 {
            return refuse("rollout", format!("a rollout of {rollout} % of the users"));
        }
        if !table.add_feature(name, Feature::new(config.version, rollout)) {
            return refuse("name", format!("a second feature named `{name}`"));
        }
    }
    Ok(table.seal())
}

fn backends(config: &Config) -> Result<HashMap<&str, u32>, Invalid> {
    let mut backends = HashMap::with_capacity(config.backend.len());
    for (index, backend) in (0..).zip(&config.backend) {
        let name = backend.name.as_str();
        if backends.insert(name, index).is_some() {
            let reason = format!("a second backend named `{name}`");
            return Err(Invalid::new(reason).at_key(format!("backend[{index}].name")));
        }
    }
    Ok(backends)
}

/// Adds a route, or returns the field at fault and the reason.
fn add_route(
    table: &mut Table,
    backends: &HashMap<&str, u32>,
    entry: &RouteEntry,
) -> Result<(), (&'static str, String)> {
    let RouteEntry {
        host,
        path,
        method,
        backend,
        timeout_ms,
        weight,
    } = entry;
    if !path.starts_with('/') {
        return Err(("path", format!("`{path}` does not start with `/`")));
    }
    if *weight > 1000 {
        return Err(("weight", format!("{weight} is over 1000")));
    }
    let Some(&backend) = backends.get(backend.as_str()) else {
        return Err(("backend", format!("there is no backend `{backend}`")));
    };
    let route = Route::new(
        table.version(),
        path,
        *method,
        backend,
        *timeout_ms,
        *weight,
    );
    if !table.add_route(host, route) {
        return Err(("path", format!("a second {method:?} route {host}{path}")));
    }
    Ok(())
}
