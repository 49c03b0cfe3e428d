//! Tasks that need a process of their own: the program runs itself again.

use std::fmt::{Debug, Display};
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The option by which the program gets a task.
pub const OPTION: &str = "--child";

/// A task that a process of its own does.
pub trait Task: Serialize + DeserializeOwned + Debug {
    /// The name by which the other process knows the kind of task. Has no spaces.
    const NAME: &'static str;

    /// The result of the task.
    type Outcome: Serialize + DeserializeOwned;

    /// Does the task, in a process that does nothing else.
    ///
    /// # Errors
    ///
    /// Fails if the task cannot be done.
    fn perform(&self) -> Result<Self::Outcome, String>;
}

/// Returns a task as the program gets it after [`OPTION`].
///
/// # Errors
///
/// Fails if the task cannot be written as JSON.
pub fn request<T: Task>(task: &T) -> Result<String, String> {
    let json = serde_json::to_string(task).map_err(|error| error.to_string())?;
    Ok(format!("{} {json}", T::NAME))
}

/// Has `program` do a task. The program passes the task to [`perform`], and prints the result.
///
/// # Errors
///
/// Fails if the program cannot be run, fails, or prints something else.
pub fn run<T: Task>(program: &Path, task: &T) -> Result<T::Outcome, String> {
    let cannot = |error: &dyn Display| format!("the child process for {task:?} failed: {error}");
    let request = request(task)?;
    let output = Command::new(program)
        .args([OPTION, &request])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| cannot(&error))?;
    if !output.status.success() {
        return Err(cannot(&output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| cannot(&error))
}

/// Does a task from [`run`] if it is of this kind, and returns its outcome as JSON. Returns `None` for tasks of other
/// kinds.
///
/// # Errors
///
/// Fails if the task cannot be read or done.
pub fn perform<T: Task>(request: &str) -> Result<Option<String>, String> {
    let text = |error: serde_json::Error| error.to_string();
    let (name, json) = request.split_once(' ').unwrap_or_default();
    if name != T::NAME {
        return Ok(None);
    }
    let task: T = serde_json::from_str(json).map_err(text)?;
    serde_json::to_string(&task.perform()?)
        .map(Some)
        .map_err(text)
}
