//! The tasks that `rcu-compare` does in processes of their own.

use crate::child;
use crate::results::{domains, memory};
use crate::subjects::elsewhere;

/// Does the task for which the process was started. Returns its outcome as JSON.
///
/// # Errors
///
/// Fails if there is no such task, or if it cannot be done.
pub fn perform(request: &str) -> Result<String, String> {
    let kinds = [
        child::perform::<memory::Task>,
        child::perform::<domains::Task>,
        child::perform::<elsewhere::Serve>,
    ];
    for perform in kinds {
        if let Some(outcome) = perform(request)? {
            return Ok(outcome);
        }
    }
    Err(format!("no task is called {request}"))
}

#[cfg(test)]
mod tests {
    use super::perform;
    use crate::results::domains;

    #[test]
    fn tasks_are_done_and_others_refused() {
        let outcome = perform(r#"domains {"domains":10}"#).unwrap();
        let outcome: domains::MemoryResult = serde_json::from_str(&outcome).unwrap();
        assert_eq!(outcome.domains, 10);
        for request in ["", "{}", "domains {}", "other {\"domains\":10}"] {
            assert!(perform(request).is_err(), "{request}");
        }
    }
}
