//! Somebody asks for a reload while somebody else is in the middle of a file.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use urcu_reload::{Watched, watch};

use crate::scratch::{NEVER, Scratch, quiet};

/// After this the other half is written. A writer that is held up for a second has ended, as far as anybody
/// can tell.
const PAUSE: Duration = Duration::from_millis(300);
const HELD_UP: Duration = Duration::from_millis(800);

/// A configuration that is two halves, and what else was taken for one.
struct Halves {
    config: Watched<u32>,
    torn: Arc<Mutex<Vec<String>>>,
}

fn halves(number: u32) -> (String, String) {
    (format!("{number} "), format!("{number}\n"))
}

fn whole(number: u32) -> String {
    let (first, second) = halves(number);
    first + &second
}

impl Halves {
    fn watch(path: &Path) -> Self {
        let torn = Arc::new(Mutex::new(Vec::new()));
        let its = Arc::clone(&torn);
        let config = watch::<u32>(path)
            .extensions(["txt"])
            .poll_every(NEVER)
            .parser(move |files| {
                let text = files[0].text();
                let number = text
                    .split(' ')
                    .next()
                    .and_then(|number| number.parse().ok());
                number
                    .filter(|number| whole(*number) == text)
                    .ok_or_else(|| {
                        its.lock().unwrap().push(text.to_owned());
                        "torn".into()
                    })
            });
        Halves {
            config: quiet(config.start().unwrap()),
            torn,
        }
    }

    /// Writes the second half while a reload is asked for that may come in between.
    fn ask_meanwhile(&self, mut file: File, number: u32) {
        let begun = Instant::now();
        let (answer, is_held_up) = thread::scope(|scope| {
            let asking = scope.spawn(|| self.config.reload_now());
            thread::sleep(PAUSE);
            file.write_all(halves(number).1.as_bytes()).unwrap();
            drop(file);
            let is_held_up = begun.elapsed() > HELD_UP;
            (asking.join().unwrap(), is_held_up)
        });
        if is_held_up {
            // It may have been taken for what it is; the next is another chance.
            self.torn.lock().unwrap().clear();
            self.config.reload_now().unwrap();
            return;
        }
        let torn = self.torn.lock().unwrap();
        assert!(torn.is_empty(), "{torn:?}");
        answer.unwrap();
        assert_eq!(*self.config.read(), number);
    }
}

fn first_half(path: &Path, number: u32) -> File {
    let mut file = File::create(path).unwrap();
    file.write_all(halves(number).0.as_bytes()).unwrap();
    file
}

#[test]
fn in_a_file_that_is_watched() {
    let scratch = Scratch::new();
    let path = scratch.write("file.txt", &whole(1));
    let watched = Halves::watch(&path);
    for number in 2..5 {
        watched.ask_meanwhile(first_half(&path, number), number);
    }
}

#[test]
fn in_a_file_that_is_new_in_a_directory_that_comes_back() {
    let scratch = Scratch::new();
    scratch.write("d/file.txt", &whole(1));
    let watched = Halves::watch(&scratch.path("d/file.txt"));
    for number in 2..5 {
        fs::create_dir(scratch.path("new")).unwrap();
        let file = first_half(&scratch.path("new/file.txt"), number);
        fs::rename(scratch.path("d"), scratch.path(&format!("old{number}"))).unwrap();
        fs::rename(scratch.path("new"), scratch.path("d")).unwrap();
        watched.ask_meanwhile(file, number);
    }
}

#[test]
fn in_a_file_that_nothing_was_told_of() {
    let scratch = Scratch::new();
    scratch.write("1/file.txt", &whole(1));
    let place = File::open(scratch.path("1")).unwrap();
    let path = format!("/proc/self/fd/{}/file.txt", place.as_raw_fd());
    let watched = Halves::watch(Path::new(&path));
    let place = &mut OwnedFd::from(place);
    for number in 2..5 {
        scratch.write(&format!("{number}/file.txt"), "");
        let file = first_half(&scratch.path(&format!("{number}/file.txt")), number);
        // It leads elsewhere, as after a mount.
        let other = File::open(scratch.path(&number.to_string())).unwrap();
        rustix::io::dup3(&other, place, rustix::io::DupFlags::CLOEXEC).unwrap();
        watched.ask_meanwhile(file, number);
    }
}

#[test]
fn in_a_file_while_another_is_read() {
    let scratch = Scratch::new();
    let path = scratch.write("d/1.txt", &whole(1));
    // Takes some time: the first is read by then.
    scratch.write("d/2.txt", &" ".repeat(8 << 20));
    let watched = Halves::watch(&scratch.path("d"));
    for number in 2..12 {
        fs::write(&path, whole(number - 1)).unwrap();
        // Old enough to be read at once.
        let old = std::time::SystemTime::now() - Duration::from_secs(60);
        File::options()
            .append(true)
            .open(&path)
            .unwrap()
            .set_modified(old)
            .unwrap();
        thread::scope(|scope| {
            let earlier = scope.spawn(|| watched.config.reload_now());
            thread::sleep(Duration::from_millis(u64::from(number)));
            watched.ask_meanwhile(first_half(&path, number), number);
            earlier.join().unwrap().unwrap();
        });
    }
}
