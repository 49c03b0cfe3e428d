//! Formats, several files as one version, environment.

use std::collections::BTreeMap;

use serde::Deserialize;
use urcu_reload::{Invalid, watch};

use crate::scratch::{Scratch, quiet, refuses, replace, until};

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Config {
    name: String,
    #[serde(default)]
    max_open: u16,
    #[serde(default)]
    ratio: Option<f32>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    level: Level,
    #[serde(default)]
    ports: BTreeMap<u16, String>,
    #[serde(default)]
    route: Vec<Route>,
    #[serde(default)]
    database: Database,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Level {
    #[default]
    Info,
    Debug,
    Custom {
        verbosity: u8,
    },
}

#[derive(Debug, Default, Deserialize, PartialEq)]
struct Route {
    path: String,
    #[serde(default)]
    weight: u32,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "camelCase")]
struct Database {
    url: String,
    pool_size: u8,
}

const TOML: &str = r#"
name = "a"
max-open = 0x10
ratio = 1
tags = ["x", "y"]
level = { custom = { verbosity = 3 } }
ports = { 80 = "http" }
[database]
url = "db://"
poolSize = 4
[[route]]
path = "/"
weight = 7
"#;

#[cfg(feature = "json")]
const JSON: &str = r#"{
    "name": "\u0061", "max-open": 16, "ratio": 1.0, "tags": ["x", "y"],
    "level": {"custom": {"verbosity": 3}},
    "ports": {"80": "http"},
    "database": {"url": "db://", "poolSize": 4},
    "route": [{"path": "/", "weight": 7}]
}"#;

#[cfg(feature = "yaml")]
const YAML: &str = "
name: a
max-open: 0x10
ratio: 1.0
tags: [x, y]
level: {custom: {verbosity: 3}}
ports:
  80: http
database: {url: 'db://', poolSize: 4}
route:
  - path: /
    weight: 7
";

fn load(scratch: &Scratch, name: &str, text: &str) -> Config {
    let config = watch::<Config>(scratch.write(name, text)).start().unwrap();
    let config = std::sync::Arc::into_inner(config.load_full());
    assert!(config.is_none(), "the cell keeps it");
    let config = watch::<Config>(scratch.path(name))
        .start_or(Config::named("none"))
        .unwrap();
    let guard = urcu::read_lock();
    let Config {
        name,
        max_open,
        ratio,
        tags,
        level,
        ports,
        route,
        database,
    } = config.load(&guard);
    Config {
        name: name.clone(),
        max_open: *max_open,
        ratio: *ratio,
        tags: tags.clone(),
        level: match level {
            Level::Info => Level::Info,
            Level::Debug => Level::Debug,
            Level::Custom { verbosity } => Level::Custom {
                verbosity: *verbosity,
            },
        },
        ports: ports.clone(),
        route: route
            .iter()
            .map(|r| Route {
                path: r.path.clone(),
                weight: r.weight,
            })
            .collect(),
        database: Database {
            url: database.url.clone(),
            pool_size: database.pool_size,
        },
    }
}

impl Config {
    fn named(name: &str) -> Self {
        Config {
            name: name.into(),
            max_open: 0,
            ratio: None,
            tags: Vec::new(),
            level: Level::Info,
            ports: BTreeMap::new(),
            route: Vec::new(),
            database: Database::default(),
        }
    }

    fn full() -> Self {
        Config {
            max_open: 16,
            ratio: Some(1.0),
            tags: vec!["x".into(), "y".into()],
            level: Level::Custom { verbosity: 3 },
            ports: [(80, "http".into())].into(),
            route: vec![Route {
                path: "/".into(),
                weight: 7,
            }],
            database: Database {
                url: "db://".into(),
                pool_size: 4,
            },
            ..Self::named("a")
        }
    }
}

#[test]
fn every_format_gives_the_same() {
    let scratch = Scratch::new();
    assert_eq!(load(&scratch, "config.toml", TOML), Config::full());
    #[cfg(feature = "json")]
    assert_eq!(load(&scratch, "config.json", JSON), Config::full());
    #[cfg(feature = "yaml")]
    assert_eq!(load(&scratch, "config.YAML", YAML), Config::full());
    // With a byte-order mark, as some editors write.
    let marked = format!("\u{feff}{TOML}");
    assert_eq!(load(&scratch, "marked.toml", &marked), Config::full());
}

#[test]
fn later_files_override_key_by_key_and_the_environment_all_of_them() {
    let scratch = Scratch::new();
    let base = scratch.write("base.toml", TOML);
    scratch.write(
        "conf.d/10.toml",
        "max-open = 1\n[database]\nurl = 'other://'\n",
    );
    scratch.write(
        "conf.d/20.toml",
        "max-open = 2\n[[route]]\npath = '/more'\n",
    );
    let variables = [
        ("APP_MAX_OPEN", "33"),
        ("APP_DATABASE__POOL_SIZE", "9"),
        ("APP_TAGS", "a, b,c"),
        ("APP_LEVEL", "debug"),
        ("APP_RATIO", "0.5"),
        ("APPLE", "is another"),
        ("APP_", "is none"),
    ];
    let variables = variables.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let item = [("APP_ROUTE__1__WEIGHT".to_owned(), "5".to_owned())];
    let all = variables.iter().cloned().chain(item);
    let config = watch::<Config>(&base)
        .and(scratch.path("conf.d"))
        .append_lists();
    let config = quiet(config.overlay("APP_", all).start().unwrap());
    let expected = Config {
        max_open: 33,
        ratio: Some(0.5),
        tags: vec!["a".into(), "b".into(), "c".into()],
        level: Level::Debug,
        route: vec![
            Route {
                path: "/".into(),
                weight: 7,
            },
            Route {
                path: "/more".into(),
                weight: 5,
            },
        ],
        database: Database {
            url: "other://".into(),
            pool_size: 9,
        },
        ..Config::full()
    };
    assert_eq!(*config.read(), expected);
    replace(
        &scratch.path("conf.d/20.toml"),
        "[[route]]\npath = '/another'\n",
    );
    until("a reload", || config.version() == 2);
    assert_eq!(config.read().route[1].path, "/another");
    assert_eq!(
        (config.read().max_open, config.read().route[1].weight),
        (33, 5)
    );
    // Of a field that the files say nothing of, whatever its spelling.
    let plain = scratch.write("plain.toml", "name = 'plain'\n");
    let config = watch::<Config>(&plain)
        .overlay("APP_", variables)
        .start()
        .unwrap();
    assert_eq!(config.read().max_open, 33);
    assert_eq!(config.read().database.pool_size, 9);
    // Errors of values from the environment name the variable.
    let wrong = [("APP_MAX_OPEN".to_owned(), "many".to_owned())];
    let error = watch::<Config>(&base)
        .overlay("APP_", wrong)
        .start()
        .unwrap_err();
    let error = error.to_string();
    assert!(
        error.starts_with("environment variable APP_MAX_OPEN: max-open: invalid value"),
        "{error}"
    );
    let unknown = [("APP_MAX_CLOSED".to_owned(), "1".to_owned())];
    let error = watch::<Config>(&base)
        .overlay("APP_", unknown)
        .start()
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("environment variable APP_MAX_CLOSED: unknown field"),
        "{error}"
    );
}

#[test]
fn lists_replace_each_other_unless_they_are_to_be_appended() {
    let scratch = Scratch::new();
    scratch.write("conf.d/1.toml", TOML);
    scratch.write("conf.d/2.toml", "[[route]]\npath = '/more'\n");
    let config = watch::<Config>(scratch.path("conf.d")).start().unwrap();
    assert_eq!(config.read().route.len(), 1);
    assert_eq!(config.read().route[0].path, "/more");
}

#[test]
fn a_conversion_makes_what_is_not_as_it_is_written() {
    let scratch = Scratch::new();
    let file = scratch.write("config.toml", TOML);
    let config = watch::<BTreeMap<String, u32>>(&file).convert(|config: Config| {
        let mut routes = BTreeMap::new();
        for (number, route) in config.route.into_iter().enumerate() {
            if routes.insert(route.path, route.weight).is_some() {
                let key = format!("route[{number}].path");
                return Err(Invalid::new("a second route of this path").at_key(key));
            }
        }
        Ok(routes)
    });
    let config = quiet(config.start().unwrap());
    assert_eq!(config.read()["/"], 7);
    replace(&file, &format!("{TOML}[[route]]\npath = '/'\n"));
    refuses(
        &config,
        "config.toml:15:8: route[1].path: a second route of this path",
    );
}

#[test]
fn dates_of_toml_can_be_texts_and_of_tomls_own_type() {
    #[derive(Deserialize)]
    struct Dates {
        text: String,
        own: toml::value::Datetime,
    }
    let scratch = Scratch::new();
    let file = scratch.write(
        "dates.toml",
        "text = 2026-01-02\nown = 2026-01-02T03:04:05Z\n",
    );
    let config = watch::<Dates>(file).start().unwrap();
    assert_eq!(config.read().text, "2026-01-02");
    assert_eq!(config.read().own.to_string(), "2026-01-02T03:04:05Z");
}
