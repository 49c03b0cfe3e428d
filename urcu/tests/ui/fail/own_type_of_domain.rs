// Who implements it promises something.
#[derive(Clone, Copy)]
struct Mine;

impl urcu::DomainType for Mine {
    const THIS: Self = Mine;
    fn domain() -> &'static urcu::Domain {
        urcu::global()
    }
}

fn main() {}
