urcu::domain!(Requests = "requests");

fn main() {
    let list = urcu::link::Link::<u32, Requests>::empty_in(Requests);
    list.load(&urcu::read_lock());
}
