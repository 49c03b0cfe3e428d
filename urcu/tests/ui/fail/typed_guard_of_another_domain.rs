urcu::domain!(Requests = "requests");
urcu::domain!(Jobs = "jobs");

fn main() {
    let cell = urcu::Rcu::new_in(1, Requests);
    cell.load(&Jobs.read_lock());
}
