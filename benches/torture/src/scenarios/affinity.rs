//! The CPUs that the process may use shrink and grow: by the affinity of each thread, and by its cpuset
//! where one can be made.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use urcu::Domain;
use urcu_host::affinity;
use urcu_host::threads;

use crate::readers;
use crate::run::{Run, Thread};
use crate::scenario::{Need, Scenario};
use crate::updaters::{self, WAYS};

pub(super) const SCENARIO: Scenario =
    Scenario::new("affinity", "threads' affinities and the cpuset shrink and grow", run)
        .needs(&[Need::TwoCpus])
        .remember(|| Box::new(put_back));

fn run(run: &'static Run) -> Result<(), String> {
    let places = run.places(run.domain(Domain::named("affinity")), 2);
    let cpuset = Cpuset::make();
    if let Err(reason) = &cpuset {
        run.note(format!("only affinities change, not the cpuset: {reason}"));
    }
    readers::start(run, run.settings.threads + 1, &places);
    updaters::start(run, 2, &places, &WAYS, Some(6));
    run.spawn("affinity", move |thread| shrink(thread, cpuset.ok()));
    Ok(())
}

fn shrink(thread: &mut Thread, cpuset: Option<Cpuset>) {
    let cpus = affinity::cpus();
    let (mut affinities, mut sets) = (0u64, 0u64);
    while !thread.over() {
        let one = [*thread.random.pick(&cpus)];
        for task in threads() {
            let chosen: &[usize] = if thread.random.one_in(3) { &cpus } else { &one };
            // The kernel may refuse while the cpuset contains none of these CPUs.
            affinities += u64::from(affinity::move_to(task, chosen));
        }
        std::thread::sleep(Duration::from_micros(500));
        if let Some(cpuset) = &cpuset {
            let number = thread.random.below(cpus.len() as u64 + 1) as usize;
            let chosen = cpus.get(number).map_or(&cpus[..], std::slice::from_ref);
            sets += u64::from(cpuset.set(chosen));
            std::thread::sleep(Duration::from_micros(500));
        }
    }
    if affinities == 0 {
        thread.run.fault(&thread.name, "no affinity was ever set");
    }
    if cpuset.is_some() && sets == 0 {
        thread.run.fault(&thread.name, "the cpuset was never set");
    }
    if let Some(cpuset) = &cpuset {
        cpuset.set(&cpus);
    }
    thread.run.tally("affinities set", affinities);
    thread.run.tally("cpusets set", sets);
}

/// Returns the threads of this process.
fn threads() -> Vec<libc::pid_t> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
    tasks
        .flatten()
        .filter_map(|task| task.file_name().to_str()?.parse().ok())
        .collect()
}

/// A cpuset of this process. [`put_back`] removes it when the process has ended.
struct Cpuset {
    directory: PathBuf,
    /// The prefix of file names, which version 1 may use.
    prefix: &'static str,
}

impl Cpuset {
    fn make() -> Result<Cpuset, String> {
        if !threads::is_root() {
            return Err("a cpuset needs root".into());
        }
        let (root, prefix, second) = hierarchy()?;
        let directory = root.join(name(std::os::unix::process::parent_id()));
        let text = |error: std::io::Error| format!("{}: {error}", directory.display());
        let _ = fs::create_dir(&directory);
        let cpuset = Cpuset {
            directory: directory.clone(),
            prefix,
        };
        if second {
            let _ = fs::write(root.join("cgroup.subtree_control"), "+cpuset");
        } else {
            let memory = fs::read_to_string(root.join(format!("{prefix}mems"))).map_err(text)?;
            fs::write(directory.join(format!("{prefix}mems")), memory.trim()).map_err(text)?;
        }
        if !cpuset.set(&affinity::cpus()) {
            return Err("a new cpuset accepts no CPUs".into());
        }
        fs::write(
            directory.join("cgroup.procs"),
            std::process::id().to_string(),
        )
        .map_err(text)?;
        Ok(cpuset)
    }

    fn set(&self, cpus: &[usize]) -> bool {
        let list: Vec<_> = cpus.iter().map(usize::to_string).collect();
        fs::write(
            self.directory.join(format!("{}cpus", self.prefix)),
            list.join(","),
        )
        .is_ok()
    }
}

fn name(process: u32) -> String {
    format!("rcu-torture-{process}")
}

/// Returns the folder of cpusets, the prefix of their files' names, and whether they are of version 2.
fn hierarchy() -> Result<(PathBuf, &'static str, bool), String> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    for line in mounts.lines() {
        let fields: Vec<_> = line.split(' ').collect();
        if let [_, place, kind, options, ..] = fields[..] {
            let place = PathBuf::from(place);
            let controllers = || fs::read_to_string(place.join("cgroup.controllers"));
            if kind == "cgroup" && options.split(',').any(|option| option == "cpuset") {
                return Ok((place, "cpuset.", false));
            }
            if kind == "cgroup2"
                && controllers().is_ok_and(|all| all.split_whitespace().any(|one| one == "cpuset"))
            {
                return Ok((place, "cpuset.", true));
            }
        }
    }
    // None is mounted: mount one, of version 1.
    let place = std::env::temp_dir().join(format!(
        "{}-cgroup",
        name(std::os::unix::process::parent_id())
    ));
    // Not a folder that was there before.
    fs::create_dir(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    match mount(&place) {
        Ok(()) => Ok((place, "cpuset.", false)),
        Err(error) => {
            let _ = fs::remove_dir(&place);
            Err(format!("cannot mount a cgroup file system with cpusets: {error}"))
        }
    }
}

fn mount(place: &Path) -> Result<(), std::io::Error> {
    let path = std::ffi::CString::new(place.as_os_str().as_encoded_bytes())?;
    // SAFETY: all strings end with a zero and live during the call.
    let result = unsafe {
        libc::mount(
            c"none".as_ptr(),
            path.as_ptr(),
            c"cgroup".as_ptr(),
            0,
            c"cpuset".as_ptr().cast(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

/// Removes the cpuset of the process. Called by the parent when the process has ended.
fn put_back() {
    let own = std::env::temp_dir().join(format!("{}-cgroup", name(std::process::id())));
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let places = mounts
        .lines()
        .filter(|line| line.contains("cgroup"))
        .filter_map(|line| line.split(' ').nth(1));
    for place in places {
        let directory = Path::new(place).join(name(std::process::id()));
        // The kernel may keep the cpuset busy for a moment.
        for _ in 0..100 {
            if !directory.exists() || fs::remove_dir(&directory).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    if own.exists() {
        if let Ok(path) = std::ffi::CString::new(own.as_os_str().as_encoded_bytes()) {
            // Do not follow a symbolic link of that name: others may write to that folder.
            let flags = libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW;
            // SAFETY: the string ends with a zero and lives during the call.
            unsafe { libc::umount2(path.as_ptr(), flags) };
        }
        let _ = fs::remove_dir(&own);
    }
}
