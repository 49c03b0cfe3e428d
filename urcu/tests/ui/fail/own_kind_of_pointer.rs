// The trait is sealed: cells rely on what it promises.
struct Mine;

unsafe impl urcu::OwningPtr for Mine {
    type Target = i32;
}

fn main() {}
