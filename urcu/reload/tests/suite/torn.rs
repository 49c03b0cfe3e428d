//! No torn version is ever seen: neither by a parser nor by a reader, whatever the writers do, and
//! wherever they are killed.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use urcu_reload::{Builder, Custom, Watched, watch};

use crate::scratch::{Scratch, quiet, until};

/// A writer that was held up for so long in the middle cannot be told from one that has ended.
const HELD_UP: Duration = Duration::from_millis(500);
/// Nor one that was held up for so long in the kernel, between truncating a file and telling.
const HELD_UP_OPENING: Duration = Duration::from_millis(40);

/// A number of which every line is made, and how many lines there are to be.
#[derive(Debug)]
struct Whole(u64);

/// The text of a version: only the whole is well-formed.
fn compose(number: u64) -> String {
    let lines = 1 + number % 97;
    let line = format!("{number} of {lines} lines\n");
    line.repeat(lines as usize)
}

/// The number of a text, if it is whole.
fn number_of(text: &str) -> Option<u64> {
    let number = text.split(' ').next()?.parse().ok()?;
    (text == compose(number)).then_some(number)
}

/// Takes everything, and notes what is torn: the library is not told what a whole file is.
fn taking(path: &Path, torn: &Arc<Mutex<Vec<String>>>) -> Builder<Whole, Custom> {
    let torn = Arc::clone(torn);
    watch::<Whole>(path)
        .extensions(["txt"])
        .parser(move |files| {
            let numbers: Vec<_> = files.iter().map(|file| number_of(file.text())).collect();
            match numbers[..] {
                [Some(first), ref more @ ..]
                    if more.iter().all(|number| *number == Some(first)) =>
                {
                    Ok(Whole(first))
                }
                _ => {
                    let texts: Vec<_> = files.iter().map(|file| file.text()).collect();
                    torn.lock().unwrap().push(texts.join("--\n"));
                    Err("torn".into())
                }
            }
        })
}

/// A small generator, good enough for this: xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % limit
    }
}

/// Writes piece by piece into the file that is there. Returns whether it was held up.
fn write_in_place(file: &Path, text: &str, random: &mut Random) -> bool {
    let mut last = Instant::now();
    let mut open = File::create(file).unwrap();
    let mut held_up = last.elapsed() > HELD_UP_OPENING;
    let mut passed = |last: &mut Instant| {
        held_up |= last.elapsed() > HELD_UP;
        *last = Instant::now();
    };
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(rest.len().min(1 + random.below(400) as usize));
        rest = more;
        open.write_all(piece).unwrap();
        // Now and then for longer than whoever only looks would wait.
        let pause = if random.below(12) == 0 {
            250
        } else {
            random.below(12)
        };
        thread::sleep(Duration::from_millis(pause));
        passed(&mut last);
    }
    drop(open);
    passed(&mut last);
    held_up
}

fn rename_into_place(file: &Path, text: &str) {
    let aside = file.with_extension("aside");
    fs::write(&aside, text).unwrap();
    fs::rename(aside, file).unwrap();
}

#[test(300)]
fn of_a_file_that_is_written_in_every_way() {
    write_in_every_way(0x5eed, false);
}

/// Somebody who asks for a reload has it at any moment, but never between two pieces.
#[test(300)]
fn of_a_file_that_is_written_in_every_way_while_somebody_asks_for_reloads() {
    write_in_every_way(0xa5c, true);
}

fn write_in_every_way(seed: u64, is_asked: bool) {
    let scratch = Scratch::new();
    let (torn, file) = (Arc::default(), scratch.write("d/file.txt", &compose(1)));
    let config = quiet(taking(&file, &torn).start().unwrap());
    let stop = AtomicBool::new(!is_asked);
    let held_up = thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = config.reload_now();
            }
        });
        let held_up = write_versions(&scratch, &file, &config, &mut Random(seed));
        stop.store(true, Ordering::Relaxed);
        held_up
    });
    until("the last", || config.read().0 == 59);
    let torn = torn.lock().unwrap();
    let excused = |text: &String| {
        let number = text
            .split(' ')
            .next()
            .and_then(|number| number.parse().ok());
        number.map_or(!held_up.is_empty(), |number: u64| held_up.contains(&number))
    };
    let torn: Vec<_> = torn.iter().filter(|text| !excused(text)).collect();
    assert!(torn.is_empty(), "{torn:?}");
    assert!(config.version() > 5, "{}", config.status());
}

/// Versions 2 to 59, each by another way. Returns those whose writers were held up.
fn write_versions(
    scratch: &Scratch,
    file: &Path,
    config: &Watched<Whole>,
    random: &mut Random,
) -> HashSet<u64> {
    let mut held_up = HashSet::new();
    for number in 2..60 {
        let text = compose(number);
        let was_held_up = match random.below(5) {
            0 | 1 => write_in_place(file, &text, random),
            2 => {
                rename_into_place(file, &text);
                false
            }
            3 => {
                // As vim does.
                fs::rename(file, scratch.path("d/file.txt~")).unwrap();
                write_in_place(file, &text, random)
            }
            _ => {
                fs::remove_dir_all(scratch.path("d")).unwrap();
                fs::create_dir(scratch.path("d")).unwrap();
                write_in_place(file, &text, random)
            }
        };
        if was_held_up {
            held_up.insert(number);
        }
        if number % 10 == 0 {
            until(("a version that stays", number), || {
                config.read().0 == number
            });
        } else if random.below(2) == 0 {
            thread::sleep(Duration::from_millis(random.below(150)));
        }
    }
    held_up
}

#[test(300)]
fn of_several_files_that_a_volume_swaps_at_once() {
    let scratch = Scratch::new();
    let volume = scratch.path("volume");
    let publish = |number: u64| {
        let directory = volume.join(format!("..{number}"));
        let old = fs::read_link(volume.join("..data")).ok();
        fs::create_dir_all(&directory).unwrap();
        for name in ["a.txt", "b.txt", "c.txt"] {
            fs::write(directory.join(name), compose(number)).unwrap();
        }
        symlink(directory.file_name().unwrap(), volume.join("..data_tmp")).unwrap();
        fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
        if let Some(old) = old {
            fs::remove_dir_all(volume.join(old)).unwrap();
        }
    };
    publish(1);
    for name in ["a.txt", "b.txt", "c.txt"] {
        symlink(Path::new("..data").join(name), volume.join(name)).unwrap();
    }
    let torn = Arc::default();
    let config = quiet(
        taking(&volume, &torn)
            .debounce(Duration::ZERO)
            .start()
            .unwrap(),
    );
    // Reads at any moment, not only when something was noticed.
    let (stop, last) = (AtomicBool::new(false), AtomicU64::new(1));
    thread::scope(|scope| {
        let readers = [(); 2].map(|()| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let floor = last.load(Ordering::Acquire);
                    let _ = config.reload_now();
                    assert!(
                        config.read().0 >= floor,
                        "older than what was there before the reload"
                    );
                }
            })
        });
        for number in 2..500 {
            publish(number);
        }
        stop.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    });
    until("the last", || config.read().0 == 499);
    let torn = torn.lock().unwrap();
    assert!(torn.is_empty(), "{torn:?}");
    assert!(config.version() > 10, "{}", config.status());
}

/// The variable that tells a killed writer where it writes.
const TARGET: &str = "URCU_RELOAD_TARGET";

#[test]
#[ignore = "a child, which is killed"]
fn writer_that_is_killed() {
    let target = PathBuf::from(std::env::var_os(TARGET).unwrap());
    let mut random = Random(u64::from(std::process::id()) << 20 | 1);
    for number in 2.. {
        let text = compose(number) + "# end\n";
        match random.below(3) {
            0 => rename_into_place(&target, &text),
            _ => {
                write_in_place(&target, &text, &mut random);
            }
        }
        thread::sleep(Duration::from_millis(random.below(20)));
    }
}

fn writer(target: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "torn::writer_that_is_killed"])
        .env(TARGET, target)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

#[test(300)]
fn of_a_file_whose_writer_is_killed_anywhere() {
    let scratch = Scratch::new();
    let file = scratch.write("file.txt", &(compose(1) + "# end\n"));
    let torn = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&torn);
    let builder = watch::<Whole>(&file)
        .end_marker("# end")
        .debounce(Duration::ZERO);
    let config = builder.parser(move |files| {
        let text = files[0].text().trim_end_matches("# end\n");
        number_of(text).map(Whole).ok_or_else(|| {
            seen.lock().unwrap().push(text.to_owned());
            "torn".into()
        })
    });
    let config = quiet(config.start().unwrap());
    let mut random = Random(0xdead);
    let mut cut_short = 0;
    for round in 0.. {
        // Often enough in the middle.
        if round >= 25 && cut_short >= 3 {
            break;
        }
        let mut writer = writer(&file);
        let before = config.version();
        // Once it is at it; how far it is then is a matter of chance.
        until("it writes", || {
            config.version() > before || config.status().error.is_some()
        });
        thread::sleep(Duration::from_millis(random.below(60)));
        writer.kill().unwrap();
        writer.wait().unwrap();
        cut_short += u32::from(!fs::read_to_string(&file).unwrap().ends_with("# end\n"));
        // Somebody repairs it.
        let number = 1_000_000 + round;
        rename_into_place(&file, &(compose(number) + "# end\n"));
        until("the repair", || config.read().0 == number);
    }
    let torn = torn.lock().unwrap();
    assert!(torn.is_empty(), "{torn:?}");
}
