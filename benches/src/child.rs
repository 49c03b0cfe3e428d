//! Measurements that need a process of their own: the program runs itself again.

use std::fmt::Display;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{domains, memory};

/// The option by which the program gets a task.
pub const OPTION: &str = "--child";

/// What a child does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Task {
    /// [`memory::perform`].
    Memory(memory::Task),
    /// [`domains::perform`].
    Domains(domains::Task),
}

/// Does a task, in the child; the outcome, as JSON.
///
/// # Errors
///
/// Fails if the task is none, or cannot be done.
pub fn perform(task: &str) -> Result<String, String> {
    let text = |error: &dyn Display| error.to_string();
    let task: Task = serde_json::from_str(task).map_err(|error| text(&error))?;
    let outcome = match task {
        Task::Memory(task) => serde_json::to_string(&memory::perform(&task)?),
        Task::Domains(task) => serde_json::to_string(&domains::perform(&task)),
    };
    outcome.map_err(|error| text(&error))
}

/// Has a task done by `program`, which gives it to [`perform`] and prints what that returns.
///
/// # Errors
///
/// Fails if the program cannot be run, or fails, or prints something else.
pub fn run<T: DeserializeOwned>(program: &Path, task: &Task) -> Result<T, String> {
    let cannot = |error: &dyn Display| format!("the child process for {task:?}: {error}");
    let json = serde_json::to_string(task).map_err(|error| cannot(&error))?;
    let output = Command::new(program)
        .args([OPTION, &json])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| cannot(&error))?;
    if !output.status.success() {
        return Err(cannot(&output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| cannot(&error))
}

#[cfg(test)]
mod tests {
    use super::{Task, perform};
    use crate::domains;

    #[test]
    fn tasks_are_done_and_others_refused() {
        let task = Task::Domains(domains::Task { domains: 10 });
        let outcome = perform(&serde_json::to_string(&task).unwrap()).unwrap();
        let outcome: domains::MemoryResult = serde_json::from_str(&outcome).unwrap();
        assert_eq!(outcome.domains, 10);
        assert!(perform("{}").is_err());
    }
}
