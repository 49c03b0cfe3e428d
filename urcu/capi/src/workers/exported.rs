//! The calls of the `call_rcu_data` family.

use core::ffi::{c_int, c_ulong};
use core::ptr;

use super::{Worker, choice, thread};
use crate::errno::set_errno;
use crate::uncancelled::uncancelled;

/// `URCU_CALL_RCU_RT`: queueing a callback makes no system call.
const RT: c_ulong = 1;

fn create(flags: c_ulong, cpu: c_int) -> Result<&'static Worker, c_int> {
    let worker = Worker::claim(cpu, flags & RT != 0);
    match worker.ensure_thread() {
        0 => Ok(worker),
        error => {
            worker.free();
            Err(error)
        }
    }
}

/// Creates a worker.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_create_call_rcu_data(
    flags: c_ulong,
    cpu: c_int,
) -> *mut Worker {
    match uncancelled(|| create(flags, cpu)) {
        Ok(worker) => ptr::from_ref(worker).cast_mut(),
        Err(error) => {
            set_errno(error);
            ptr::null_mut()
        }
    }
}

/// Stops a worker, unless it is the default one.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_call_rcu_data_free(worker: Option<&'static Worker>) {
    if let Some(worker) = worker
        && !choice::is_default(worker)
    {
        uncancelled(|| worker.free());
    }
}

/// Returns the default worker, and creates it if there is none.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_get_default_call_rcu_data() -> &'static Worker {
    uncancelled(|| {
        let worker = choice::default_worker();
        worker.ensure_thread();
        worker
    })
}

/// Returns the worker of a CPU, or null.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_get_cpu_call_rcu_data(cpu: c_int) -> Option<&'static Worker> {
    choice::of_cpu(cpu)
}

/// Returns the worker that the thread was given, or null.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_get_thread_call_rcu_data() -> Option<&'static Worker> {
    choice::of_thread()
}

/// Returns the worker that the thread's callbacks go to.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_get_call_rcu_data() -> &'static Worker {
    choice::of_caller().unwrap_or_else(|| urcu_percpu_get_default_call_rcu_data())
}

/// Returns a worker's thread.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_get_call_rcu_thread(
    worker: &'static Worker,
) -> libc::pthread_t {
    uncancelled(|| thread::thread_of(worker))
}

/// Gives the calling thread a worker, or none.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_set_thread_call_rcu_data(worker: *mut Worker) {
    choice::set_of_thread(worker);
}

/// Gives a CPU a worker, or none.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_set_cpu_call_rcu_data(
    cpu: c_int,
    worker: *mut Worker,
) -> c_int {
    match uncancelled(|| choice::set_of_cpu(cpu, worker)) {
        Ok(()) => 0,
        Err(error) => {
            set_errno(error);
            -1
        }
    }
}

/// Gives a new worker to each configured CPU that has none.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_create_all_cpu_call_rcu_data(flags: c_ulong) -> c_int {
    // SAFETY: `sysconf` may always be called.
    let configured = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_CONF) };
    let possible = rseq_ops::percpu::possible_cpus();
    let cpus = usize::try_from(configured).unwrap_or(1).min(possible);
    let created = uncancelled(|| (0..cpus).try_for_each(|cpu| give(flags, cpu as c_int)));
    match created {
        Ok(()) => 0,
        Err(error) => {
            set_errno(error);
            -error
        }
    }
}

fn give(flags: c_ulong, cpu: c_int) -> Result<(), c_int> {
    if choice::of_cpu(cpu).is_some() {
        return Ok(());
    }
    let worker = create(flags, cpu)?;
    let set = choice::set_of_cpu(cpu, ptr::from_ref(worker).cast_mut());
    if set.is_err() {
        worker.free();
    }
    match set {
        // Another thread has set a worker for this CPU first.
        Err(libc::EEXIST) => Ok(()),
        set => set,
    }
}

/// Takes the workers of all CPUs away, and stops them.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_free_all_cpu_call_rcu_data() {
    uncancelled(|| {
        let taken = choice::take_of_cpus();
        if taken.is_empty() {
            return;
        }
        // A thread that got a handle inside a section may use it until the section ends.
        urcu::synchronize();
        taken.into_iter().for_each(Worker::free);
    });
}
