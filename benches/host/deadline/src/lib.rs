//! `#[test]` with a deadline. Hanging is the usual way in which a grace period goes wrong, and a test
//! that hangs says nothing.
//!
//! A test program takes it in the place of the standard library's for all its tests at once:
//!
//! ```ignore
//! #[macro_use]
//! extern crate test_deadline;
//! ```
//!
//! A test that takes too long is named on standard error, and its process aborts. The default is
//! longer for whoever waits for a child process than for the child, whose message says more:
//! `#[ignore = "..."]` marks children. `#[test(300)]` sets another number of seconds.
//! `URCU_TEST_DEADLINE`, seconds, replaces a child's 40 and scales all others: slow machines need
//! more. `URCU_TEST_SECONDS`, with which stress tests last longer, is added ten times.
//!
//! A child that was forked has no such thread: it must see to itself (`alarm`).

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// The deadline of a test, in seconds, that is not the child of another.
const TEST: &str = "90";
/// And of one that is, or else is run by itself.
const CHILD: &str = "40";

/// Makes a function a test, which ends in time or is named as one that hangs.
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

/// Statements at the beginning of a test: a thread that waits for the test to end, by a channel whose
/// sender goes out of scope with it.
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
                    // Not `eprintln!`: the test harness would keep it to itself.
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
