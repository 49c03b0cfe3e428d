// SAFETY: none, for cells rely on what the trait promises. So it is sealed.
struct Mine;

unsafe impl urcu::OwningPtr for Mine {
    type Target = i32;
}

fn main() {}
