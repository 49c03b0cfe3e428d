//! `#[test]` with a deadline. A broken grace period usually hangs, and a test that hangs reports nothing.
//!
//! A test program replaces the standard library's `#[test]` for all of its tests at once:
//!
//! ```ignore
//! #[macro_use]
//! extern crate test_deadline;
//! ```
//!
//! If a test takes too long, its name is printed on standard error and its process aborts. The default is
//! 90 seconds; it is 40 seconds for tests that run as child processes, which `#[ignore = "..."]` marks,
//! because a child's message says more than that of the test that waits for it. `#[test(300)]` sets another
//! number of seconds. `URCU_TEST_DEADLINE`, in seconds, replaces a child's 40 and scales all other limits,
//! for slow machines. Ten times `URCU_TEST_SECONDS`, which makes stress tests last longer, is added.
//!
//! A forked child does not have the thread that watches the time. It must set its own limit (`alarm`).

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// The deadline, in seconds, of a test that does not run as a child process.
const TEST: &str = "90";
/// The deadline, in seconds, of a test that runs as a child process or by itself.
const CHILD: &str = "40";

/// Makes a function a test with a deadline.
///
/// # Panics
/// On anything but a function.
#[proc_macro_attribute]
pub fn test(seconds: TokenStream, function: TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = function.into_iter().collect();
    let name = name(&tokens).expect("a function");
    let seconds = match seconds.to_string() {
        given if !given.is_empty() => given,
        _ if is_ignored(&tokens) => CHILD.to_owned(),
        _ => TEST.to_owned(),
    };
    let Some(TokenTree::Group(body)) = tokens.pop() else {
        panic!("a function has a body");
    };
    let mut inside = deadline(&name, &seconds);
    inside.extend(body.stream());
    let mut all: TokenStream = "#[::core::prelude::v1::test]"
        .parse()
        .expect("an attribute");
    all.extend(tokens);
    all.extend([TokenTree::Group(Group::new(Delimiter::Brace, inside))]);
    all
}

/// Returns the name after `fn`.
fn name(tokens: &[TokenTree]) -> Option<String> {
    let mut tokens = tokens.iter().map(ToString::to_string);
    tokens.find(|token| token == "fn")?;
    tokens.next()
}

/// Returns whether there is an attribute `ignore`, without a condition.
fn is_ignored(tokens: &[TokenTree]) -> bool {
    tokens.iter().any(|token| {
        let TokenTree::Group(group) = token else {
            return false;
        };
        let first = group.stream().into_iter().next();
        group.delimiter() == Delimiter::Bracket
            && first.is_some_and(|first| first.to_string() == "ignore")
    })
}

/// Returns the statements that begin a test: they start a thread that waits for the end of the test, when
/// the sender of a channel goes out of scope.
fn deadline(name: &str, seconds: &str) -> TokenStream {
    let code = format!(
        r#"let _ends_with_the_test = {{
            let setting = |name: &str| -> ::std::option::Option<f64> {{
                ::std::env::var(name).ok()?.parse().ok()
            }};
            let slowness = setting("URCU_TEST_DEADLINE").unwrap_or({CHILD}.0) / {CHILD}.0;
            let longer = 10.0 * setting("URCU_TEST_SECONDS").unwrap_or(0.1);
            let limit = ::std::time::Duration::from_secs_f64({seconds}.0 * slowness + longer);
            let (sender, receiver) = ::std::sync::mpsc::channel::<()>();
            ::std::thread::spawn(move || {{
                use ::std::io::Write as _;
                let waited = receiver.recv_timeout(limit);
                if waited == ::std::result::Result::Err(::std::sync::mpsc::RecvTimeoutError::Timeout) {{
                    // Not `eprintln!`: the test harness would capture it.
                    let message = ::std::format!(
                        "\n{{}}::{name}: not over after {{limit:?}}; something hangs\n",
                        ::std::module_path!(),
                    );
                    let _ = ::std::io::stderr().write_all(message.as_bytes());
                    ::std::process::abort();
                }}
            }});
            sender
        }};"#
    );
    code.parse().expect("statements")
}
