// Which domain it is of must not be forgotten: whoever takes any guard would take a wrong one.
use urcu::raw::Atomic;

urcu::domain!(Requests = "requests");

fn any(link: &Atomic<u64, Requests>) -> &Atomic<u64> {
    link
}

fn main() {
    any(&Atomic::null_in(Requests));
}
