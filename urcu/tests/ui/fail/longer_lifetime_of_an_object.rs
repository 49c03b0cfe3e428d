// Through a shared cell, a value that lives for less would be put where it has to live for ever.
fn shorter<'cell, 'short>(
    cell: &'cell urcu::Rcu<dyn Fn() -> &'static str>,
) -> &'cell urcu::Rcu<dyn Fn() -> &'static str + 'short> {
    cell
}

fn main() {
    let cell: urcu::Rcu<dyn Fn() -> &'static str> = urcu::Rcu::new_boxed(Box::new(|| "a"));
    shorter(&cell).replace_boxed(Box::new(|| "b"));
}
