//! The kinds of cells behind one face.

use std::sync::Arc;

use urcu::{ByValue, Domain, Global, InDomain, RcuCell, ReadGuard, Ref};

use crate::ledger::Value;

/// The operations of a kind of cell.
pub trait Kind: ByValue<Target = Value> + Send + Sync + 'static {
    /// True if it takes `None`.
    const OPTIONAL: bool;
    /// `Some` unless it is optional.
    fn make(value: Option<Value>) -> Self::Value;
    fn keep(value: Self::Value) -> Kept;
    fn seen<'a>(view: Self::View<'a>) -> Option<&'a Value>
    where
        Self: 'a;
    fn reference<'a>(reference: Self::Ref<'a>) -> Option<Ref<'a, Value>>
    where
        Self: 'a;
    /// `load_full`, where there is one.
    fn full<D: InDomain>(_: &RcuCell<Self, D>) -> Option<Arc<Value>> {
        None
    }
    /// `swap`, where there is one; else a `store`.
    fn swap<D: InDomain>(cell: &RcuCell<Self, D>, value: Option<Value>) -> Option<Arc<Value>> {
        cell.store(Self::make(value));
        None
    }
}

/// A value that was taken out of a cell.
pub enum Kept {
    Nothing,
    Own(Value),
    Shared(Arc<Value>),
}

impl Kept {
    pub fn id(&self) -> Option<u32> {
        match self {
            Kept::Nothing => None,
            Kept::Own(value) => Some(value.id),
            Kept::Shared(value) => Some(value.id),
        }
    }
}

const GIVEN: &str = "a value, for a kind without `None`";

impl Kind for Box<Value> {
    const OPTIONAL: bool = false;
    fn make(value: Option<Value>) -> Value {
        value.expect(GIVEN)
    }
    fn keep(value: Value) -> Kept {
        Kept::Own(value)
    }
    fn seen<'a>(view: &'a Value) -> Option<&'a Value>
    where
        Self: 'a,
    {
        Some(view)
    }
    fn reference<'a>(reference: Ref<'a, Value>) -> Option<Ref<'a, Value>>
    where
        Self: 'a,
    {
        Some(reference)
    }
}

impl Kind for Option<Box<Value>> {
    const OPTIONAL: bool = true;
    fn make(value: Option<Value>) -> Option<Value> {
        value
    }
    fn keep(value: Option<Value>) -> Kept {
        value.map_or(Kept::Nothing, Kept::Own)
    }
    fn seen<'a>(view: Option<&'a Value>) -> Option<&'a Value>
    where
        Self: 'a,
    {
        view
    }
    fn reference<'a>(reference: Option<Ref<'a, Value>>) -> Option<Ref<'a, Value>>
    where
        Self: 'a,
    {
        reference
    }
}

impl Kind for Arc<Value> {
    const OPTIONAL: bool = false;
    fn make(value: Option<Value>) -> Arc<Value> {
        Arc::new(value.expect(GIVEN))
    }
    fn keep(value: Arc<Value>) -> Kept {
        Kept::Shared(value)
    }
    fn seen<'a>(view: &'a Value) -> Option<&'a Value>
    where
        Self: 'a,
    {
        Some(view)
    }
    fn reference<'a>(reference: Ref<'a, Value>) -> Option<Ref<'a, Value>>
    where
        Self: 'a,
    {
        Some(reference)
    }
    fn full<D: InDomain>(cell: &RcuCell<Self, D>) -> Option<Arc<Value>> {
        Some(cell.load_full())
    }
    fn swap<D: InDomain>(cell: &RcuCell<Self, D>, value: Option<Value>) -> Option<Arc<Value>> {
        Some(cell.swap(Self::make(value)))
    }
}

impl Kind for Option<Arc<Value>> {
    const OPTIONAL: bool = true;
    fn make(value: Option<Value>) -> Option<Arc<Value>> {
        value.map(Arc::new)
    }
    fn keep(value: Option<Arc<Value>>) -> Kept {
        value.map_or(Kept::Nothing, Kept::Shared)
    }
    fn seen<'a>(view: Option<&'a Value>) -> Option<&'a Value>
    where
        Self: 'a,
    {
        view
    }
    fn reference<'a>(reference: Option<Ref<'a, Value>>) -> Option<Ref<'a, Value>>
    where
        Self: 'a,
    {
        reference
    }
    fn full<D: InDomain>(cell: &RcuCell<Self, D>) -> Option<Arc<Value>> {
        cell.load_full()
    }
    fn swap<D: InDomain>(cell: &RcuCell<Self, D>, value: Option<Value>) -> Option<Arc<Value>> {
        cell.swap(value.map(Arc::new))
    }
}

/// The outcome of an exchange: the value that was given, and the number of the one that was found.
pub enum Exchanged {
    Done,
    Found(Kept, Option<u32>),
}

/// A cell of any kind, in any domain.
pub trait Cell: Send + Sync {
    fn is_optional(&self) -> bool;
    fn domain(&self) -> &Domain;
    fn load<'g>(&'g self, guard: &'g ReadGuard<'_>) -> Option<&'g Value>;
    fn read(&self) -> Option<Ref<'_, Value>>;
    fn store(&self, value: Option<Value>);
    fn replace(&self, value: Option<Value>) -> Kept;
    /// Looks, does `between`, and exchanges what it saw.
    fn exchange(
        &self,
        guard: &ReadGuard<'_>,
        between: &mut dyn FnMut(),
        new: Option<Value>,
    ) -> Exchanged;
    fn try_update(&self, f: &mut dyn FnMut(Option<&Value>) -> Option<Option<Value>>) -> bool;
    fn full(&self) -> Option<Arc<Value>>;
    fn swap(&self, value: Option<Value>) -> Option<Arc<Value>>;
    fn into_inner(self: Box<Self>) -> Kept;
}

impl<P: Kind, D: for<'a> InDomain<Guard<'a> = ReadGuard<'a>> + Send + Sync + 'static> Cell
    for RcuCell<P, D>
{
    fn is_optional(&self) -> bool {
        P::OPTIONAL
    }
    fn domain(&self) -> &Domain {
        self.domain()
    }
    fn load<'g>(&'g self, guard: &'g ReadGuard<'_>) -> Option<&'g Value> {
        P::seen(self.load(guard))
    }
    fn read(&self) -> Option<Ref<'_, Value>> {
        P::reference(self.read())
    }
    fn store(&self, value: Option<Value>) {
        self.store(P::make(value));
    }
    fn replace(&self, value: Option<Value>) -> Kept {
        P::keep(self.replace(P::make(value)))
    }
    fn exchange(
        &self,
        guard: &ReadGuard<'_>,
        between: &mut dyn FnMut(),
        new: Option<Value>,
    ) -> Exchanged {
        let seen = self.load(guard);
        between();
        match self.compare_exchange(seen, P::make(new), guard) {
            Ok(_) => Exchanged::Done,
            Err(error) => {
                let found = P::seen(error.current).inspect(|value| value.look());
                Exchanged::Found(P::keep(error.new), found.map(|value| value.id))
            }
        }
    }
    fn try_update(&self, f: &mut dyn FnMut(Option<&Value>) -> Option<Option<Value>>) -> bool {
        self.try_update(|seen| f(P::seen(seen)).map(P::make).ok_or(()))
            .is_ok()
    }
    fn full(&self) -> Option<Arc<Value>> {
        P::full(self)
    }
    fn swap(&self, value: Option<Value>) -> Option<Arc<Value>> {
        P::swap(self, value)
    }
    fn into_inner(self: Box<Self>) -> Kept {
        P::keep((*self).into_inner())
    }
}

/// Returns a cell of one of the four kinds; in the global domain if there is no other.
pub fn new(kind: u8, domain: Option<&'static Domain>, value: Value) -> Box<dyn Cell> {
    fn of<P: Kind>(domain: Option<&'static Domain>, value: Value) -> Box<dyn Cell> {
        let value = P::make(Some(value));
        match domain {
            Some(domain) => Box::new(RcuCell::<P, _>::new_in(value, domain)),
            None => Box::new(RcuCell::<P, _>::new_in(value, Global)),
        }
    }
    match kind % 4 {
        0 => of::<Box<Value>>(domain, value),
        1 => of::<Option<Box<Value>>>(domain, value),
        2 => of::<Arc<Value>>(domain, value),
        _ => of::<Option<Arc<Value>>>(domain, value),
    }
}
