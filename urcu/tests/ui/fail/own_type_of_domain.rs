// An implementation is a promise, so the trait is unsafe.
#[derive(Clone, Copy)]
struct Mine;

impl urcu::DomainType for Mine {
    const THIS: Self = Mine;
    fn domain() -> &'static urcu::Domain {
        urcu::global()
    }
}

fn main() {}
