//! What is refused, and how that is told.

use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use urcu_reload::{ErrorKind, Invalid, Reload, watch};

use crate::scratch::{Scratch, quiet, refuses, replace, sees, text, until};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    workers: u8,
    #[serde(default)]
    route: Vec<Route>,
}

#[derive(Debug, Deserialize)]
struct Route {
    path: String,
    weight: u32,
}

/// Why a text is refused, with the path of its directory left out.
fn refusal(name: &str, text: &str) -> String {
    let scratch = Scratch::new();
    let config = watch::<Config>(scratch.write(name, text)).validate(|config| {
        let heavy = config.route.iter().position(|route| route.weight > 1000);
        match heavy {
            Some(number) => {
                let key = format!("route[{number}].weight");
                let path = &config.route[number].path;
                Err(Invalid::new(format!("`{path}` is over 1000")).at_key(key))
            }
            None => Ok(()),
        }
    });
    let error = config.start().expect_err(text);
    let whole = format!("{error:#}");
    assert!(whole.starts_with(&error.to_string()), "{whole}");
    // What `main` prints if it returns the error.
    assert_eq!(format!("{error:?}"), whole);
    assert!(format!("{error:#?}").starts_with("Error {\n    kind: "));
    whole.replace(&format!("{}/", scratch.0.display()), "")
}

#[test]
fn errors_name_file_line_column_key_and_reason_in_toml() {
    let of = |text: &str| refusal("c.toml", text);
    assert_eq!(
        of("workers = 1\n[[route]]\npath = '/'\nweight = 'heavy'\n"),
        "c.toml:4:10: route[0].weight: invalid type: string \"heavy\", expected u32\n  \
         |\n4 | weight = 'heavy'\n  |          ^"
    );
    assert_eq!(
        of("workers = 1\n[[route]]\npath = '/'\nweight = 2000\n"),
        "c.toml:4:10: route[0].weight: `/` is over 1000\n  |\n4 | weight = 2000\n  |          ^"
    );
    assert_eq!(
        of("workers = 1\nworker = 2\n"),
        "c.toml:2:1: unknown field `worker`, expected `workers` or `route`\n  |\n2 | worker = 2\n  | ^"
    );
    let error = of("workers = 1\nworkers\n");
    assert!(
        error.starts_with("c.toml:2:8: key with no value"),
        "{error}"
    );
    assert!(
        of("workers = 1\n[[route]]\nweight = 1\n")
            .starts_with("c.toml:2:1: route[0]: missing field `path`")
    );
    // Of the file as a whole: no line says what is not there.
    assert_eq!(of(""), "c.toml: missing field `workers`");
    assert!(
        of("workers = 256")
            .starts_with("c.toml:1:11: workers: invalid value: integer `256`, expected u8")
    );
}

#[cfg(feature = "json")]
#[test]
fn errors_name_file_line_column_key_and_reason_in_json() {
    let of = |text: &str| refusal("c.json", text);
    assert_eq!(
        of("{\"workers\": 1,\n \"route\": [{\"path\": \"/\",\n  \"weight\": \"heavy\"}]}"),
        "c.json:3:13: route[0].weight: invalid type: string \"heavy\", expected u32\n  \
         |\n3 |   \"weight\": \"heavy\"}]}\n  |             ^"
    );
    assert!(
        of("{\"workers\": 1,\n \"worker\": 2}").starts_with("c.json:2:2: unknown field `worker`")
    );
    assert!(
        of("{\"workers\": 1,\n \"workers\": 2}").starts_with("c.json:2:2: a second key `workers`")
    );
    let error = of("{\"workers\": 1,\n \"route\": [}");
    assert!(error.starts_with("c.json:2:12: expected value"), "{error}");
    let error = of("{\"workers\": 1");
    assert!(
        error.starts_with("c.json:1:13: EOF while parsing"),
        "{error}"
    );
    let deep = format!(
        "{{\"workers\": {}1{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let error = of(&deep);
    assert!(
        error.contains("nested too deeply") || error.contains("recursion limit"),
        "{error}"
    );
    assert!(of("{\"workers\": 1,\n\"route\": \"\\ud800\"}").starts_with("c.json:2:"));
}

#[cfg(feature = "yaml")]
#[test]
fn errors_name_file_line_column_key_and_reason_in_yaml() {
    let of = |text: &str| refusal("c.yml", text);
    assert_eq!(
        of("workers: 1\nroute:\n  - path: /\n    weight: heavy\n"),
        "c.yml:4:13: route[0].weight: invalid type: string \"heavy\", expected u32\n  \
         |\n4 |     weight: heavy\n  |             ^"
    );
    assert!(of("workers: 1\nworker: 2\n").starts_with("c.yml:2:1: unknown field `worker`"));
    let error = of("workers: [1\n");
    assert!(error.starts_with("c.yml:2:1: "), "{error}");
    let error = of("workers: 1\nworkers: 2\n");
    assert!(error.starts_with("c.yml:2:1: "), "{error}");
    assert!(of("--- {workers: 1}\n--- {workers: 2}\n").contains("a second document"));
    let error = of(&format!(
        "workers: {}1{}",
        "[".repeat(2000),
        "]".repeat(2000)
    ));
    assert!(
        error.contains("nested") || error.contains("recursion"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_read_says_why() {
    let scratch = Scratch::new();
    let error_of = |name: &str| {
        let error = watch::<Config>(scratch.path(name)).start().unwrap_err();
        (
            error.kind(),
            error
                .to_string()
                .replace(&format!("{}/", scratch.0.display()), ""),
        )
    };
    assert_eq!(
        error_of("no.toml"),
        (ErrorKind::Missing, "no.toml: there is no such file".into())
    );
    fs::write(scratch.path("bytes.toml"), b"workers = 1\n# \xff\n").unwrap();
    let told = "bytes.toml:2:3: this is not UTF-8".to_owned();
    assert_eq!(error_of("bytes.toml"), (ErrorKind::Unreadable, told));
    scratch.write("c.ini", "");
    let (kind, error) = error_of("c.ini");
    assert!(
        kind == ErrorKind::Syntax && error.contains("no format for the extension `ini`"),
        "{error}"
    );
    scratch.write("file", "");
    assert_eq!(error_of("file/c.toml").0, ErrorKind::Missing);
    // A pipe is not waited for.
    let pipe = scratch.path("pipe.toml");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let (kind, error) = error_of("pipe.toml");
    assert!(
        kind == ErrorKind::Unreadable && error.contains("not a regular file"),
        "{error}"
    );
}

#[test]
fn a_bad_file_leaves_the_old_version_and_is_told_once() {
    let scratch = Scratch::new();
    let file = scratch.write("file.txt", "one");
    let config = text(&file).start().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&told);
    config.on_error(move |error| hook.lock().unwrap().push(error.to_string()));
    replace(&file, "bad");
    refuses(&config, "file.txt: it says that it is bad");
    // The same again, by another file: nothing new.
    replace(&file, "bad");
    until("a look", || config.status().counts.unchanged > 0);
    assert_eq!(*config.read(), "one");
    assert_eq!(config.status().version, 1);
    assert_eq!(told.lock().unwrap().len(), 1, "{told:?}");
    // A caller that asks is told.
    let error = config.reload_now().unwrap_err();
    assert_eq!(
        (error.kind(), error.reason()),
        (ErrorKind::Invalid, "it says that it is bad")
    );
    until("told", || told.lock().unwrap().len() == 2);
    // Taken back: no new version, no error.
    replace(&file, "one");
    until("it is taken back", || config.status().error.is_none());
    assert_eq!(config.version(), 1);
    replace(&file, "two");
    sees(&config, "two");
    let status = config.status();
    assert_eq!(
        (status.version, status.counts.reloads, status.counts.refused),
        (2, 1, 2)
    );
    assert_eq!(
        status.to_string(),
        "version 2 in force, 1 reloads, 2 refused"
    );
}

#[test]
fn a_panic_of_a_parser_is_a_refusal() {
    let scratch = Scratch::new();
    let file = scratch.write("file.txt", "one");
    let config = urcu_reload::watch::<String>(&file).parser(|files| match files[0].text() {
        "panic" => panic!("at the parser's"),
        text => Ok(text.to_owned()),
    });
    let config = quiet(config.start().unwrap());
    replace(&file, "panic");
    refuses(&config, "panicked: at the parser's");
    replace(&file, "two");
    sees(&config, "two");
}

#[test]
fn what_must_not_change_is_refused() {
    let scratch = Scratch::new();
    let file = scratch.write("c.toml", "workers = 3\n");
    let config =
        watch::<Config>(&file).validate_change(|old, new| match new.workers < old.workers {
            true => Err(Invalid::new("never less").at_key("workers")),
            false => Ok(()),
        });
    let config = quiet(config.start().unwrap());
    fs::write(&file, "\nworkers = 2\n").unwrap();
    refuses(&config, "c.toml:2:11: workers: never less");
    fs::write(&file, "workers = 4\n").unwrap();
    until("a reload", || config.read().workers == 4);
}

#[test]
fn what_is_cut_short_is_refused_where_an_end_is_marked() {
    let scratch = Scratch::new();
    let file = scratch.write("c.toml", "workers = 1\n");
    let start = || watch::<Config>(&file).end_marker("# end").start();
    let error = start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert_eq!((error.line(), error.column()), (Some(1), Some(12)));
    fs::write(&file, "workers = 1\n# end\n\n").unwrap();
    let config = quiet(start().unwrap());
    fs::write(&file, "workers = 2\n").unwrap();
    refuses(&config, "does not end with `# end`");
    assert_eq!(config.read().workers, 1);
}

#[test]
fn a_service_can_start_without_its_file() {
    let scratch = Scratch::new();
    let file = scratch.path("file.txt");
    let config = quiet(text(&file).start_or("none".into()).unwrap());
    assert_eq!(*config.read(), "none");
    assert_eq!(config.status().error.unwrap().kind(), ErrorKind::Missing);
    assert_eq!(config.reload_now().unwrap_err().kind(), ErrorKind::Missing);
    fs::write(&file, "one").unwrap();
    sees(&config, "one");
    assert_eq!(config.reload_now(), Ok(Reload::Unchanged));
}

#[test]
fn a_file_that_is_too_large_is_refused_unread() {
    let scratch = Scratch::new();
    let file = scratch.write("file.txt", "12345");
    let config = quiet(text(&file).max_file_size(5).start().unwrap());
    replace(&file, "123456");
    refuses(&config, "it is larger than 5 bytes (`max_file_size`)");
    assert_eq!(config.status().error.unwrap().kind(), ErrorKind::Unreadable);
    assert_eq!(*config.read(), "12345");
    // Without a limit of one's own: a hole of a terabyte, which nobody must try to read.
    let hole = scratch.write("hole.txt", "");
    let hole_file = fs::File::options().write(true).open(&hole).unwrap();
    if hole_file.set_len(1 << 40).is_err() {
        eprintln!("skipped: no file of this size here");
        return;
    }
    let error = text(&hole).start().unwrap_err().to_string();
    assert!(
        error.ends_with("larger than 67108864 bytes (`max_file_size`)"),
        "{error}"
    );
}

/// Such as one that grows while it is read.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_longer_than_its_length_says_is_refused() {
    const FILE: &str = "/proc/version";
    assert_eq!(fs::metadata(FILE).unwrap().len(), 0);
    let length = fs::read(FILE).unwrap().len() as u64;
    let error = text(FILE).max_file_size(length - 1).start().unwrap_err();
    assert!(error.reason().ends_with("(`max_file_size`)"), "{error}");
    text(FILE).max_file_size(length).start().unwrap();
}

#[test]
fn control_characters_are_not_shown_as_they_are() {
    let error = refusal("c.toml", "workers = 1 # a\rb\x1b[31m\n");
    let mark = '\u{fffd}';
    assert!(
        error.contains(&format!("1 | workers = 1 # a{mark}b{mark}[31m\n")),
        "{error:?}"
    );
    let error = refusal("c.toml", "workers = 1\n\"\\u001b\" = 2\n");
    assert!(
        error.starts_with("c.toml:2:1: unknown field `\u{fffd}`"),
        "{error:?}"
    );
}

#[test]
fn control_characters_in_the_names_of_files_are_not_shown_either() {
    let scratch = Scratch::new();
    scratch.write("d/\x1b[31m\r.toml", "workers = -1\n");
    let error = watch::<Config>(scratch.path("d")).start().unwrap_err();
    let shown = error.to_string();
    assert!(
        shown.contains("/d/\u{fffd}[31m\u{fffd}.toml:1:11: "),
        "{shown:?}"
    );
    assert!(error.file().unwrap().ends_with("\x1b[31m\r.toml"));
}

/// Whoever writes to a pipe waits for a reader. One that refuses the pipe must not let it go on.
#[test]
fn a_pipe_is_refused_without_being_opened() {
    let scratch = Scratch::new();
    let pipe = scratch.path("pipe.txt");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()));
    let to = pipe.clone();
    let writer = thread::spawn(move || fs::write(to, "for another reader"));
    // The writer comes to the pipe in this time. If it does not, the test notices less.
    thread::sleep(Duration::from_millis(100));
    let error = text(&pipe).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable);
    assert!(error.reason().ends_with("not a regular file"), "{error}");
    assert!(!writer.is_finished(), "the writer has met a reader");
    assert_eq!(fs::read_to_string(&pipe).unwrap(), "for another reader");
    writer.join().unwrap().unwrap();
}

#[test]
fn utf_16_is_named() {
    let scratch = Scratch::new();
    let file = scratch.path("c.toml");
    fs::write(&file, b"\xff\xfew\0").unwrap();
    let error = watch::<Config>(&file).start().unwrap_err();
    assert!(error.reason().starts_with("this is UTF-16"), "{error}");
}

#[test]
fn files_without_keys_are_not_merged_with_files_that_have_some() {
    let scratch = Scratch::new();
    scratch.write("d/1.toml", "workers = 1\n");
    scratch.write("d/3.toml", "[[route]]\npath = '/'\nweight = 1\n");
    let load = || watch::<Config>(scratch.path("d")).start().map(|_| ());
    load().unwrap();
    #[cfg(feature = "json")]
    {
        for text in ["[1]", "null", "3"] {
            scratch.write("d/2.json", text);
            let error = load().unwrap_err().to_string();
            let expected = "/2.json:1:1: this file has no keys, and those before do";
            assert!(error.ends_with(expected), "{error}");
        }
        scratch.write("d/2.json", "{}");
        load().unwrap();
        // Files that are all without keys are merged as ever; one that is empty is none.
        scratch.write("l/1.json", "{}");
        scratch.write("l/2.json", "[1]");
        scratch.write("l/3.json", "[2]");
        let list = watch::<Vec<u8>>(scratch.path("l")).append_lists();
        assert_eq!(*list.start().unwrap().read(), [1, 2]);
        scratch.write("l/4.toml", "workers = 1\n");
        let error = watch::<Vec<u8>>(scratch.path("l")).start().unwrap_err();
        assert!(error.reason().starts_with("this file has keys"), "{error}");
    }
}

#[test]
fn a_directory_without_files_is_named() {
    let scratch = Scratch::new();
    scratch.write("d/service.conf", "workers = 1\n");
    let error = watch::<Config>(scratch.path("d")).start().unwrap_err();
    let expected = "/d: missing field `workers` (no file was read)";
    assert!(error.to_string().ends_with(expected), "{error}");
}

#[test]
fn options_of_the_formats_are_refused_with_a_parser() {
    let scratch = Scratch::new();
    let file = scratch.write("file.txt", "one");
    for config in [
        text(&file).env("NO_SUCH_PREFIX_"),
        text(&file).append_lists(),
    ] {
        let error = config.start().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
}

#[test]
fn the_status_names_the_files_that_were_read() {
    let scratch = Scratch::new();
    let base = scratch.write("base.txt", "one");
    scratch.write("d/1.txt", "two");
    scratch.write("d/2.conf", "three");
    let config = text(&base).and(scratch.path("d"));
    let config = quiet(config.start().unwrap());
    let files = [base.clone(), scratch.path("d/1.txt")];
    assert_eq!(config.status().files, files);
    fs::remove_file(scratch.path("d/1.txt")).unwrap();
    sees(&config, "one");
    assert_eq!(config.status().files, std::slice::from_ref(&base));
    // What is refused is not in force.
    replace(&base, "bad");
    refuses(&config, "bad");
    assert_eq!(config.status().files, [base]);
    let none = text(scratch.path("none.txt")).start_or("own".into());
    assert!(none.unwrap().status().files.is_empty());
}
