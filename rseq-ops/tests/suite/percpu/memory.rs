//! Per-CPU memory: limits, reuse, growth, forks, laziness, drops.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};

use urcu_host::affinity::{cpus, run_on};

use crate::support::disturbed::disturbed;
use crate::support::in_child;
use rseq_ops::percpu::{
    AllocError, Allocator, Area, Counter, Fork, Node, PerCpu, Stack, possible_cpus,
};

#[test]
fn tens_of_thousands_of_small_objects_share_pages_and_nothing_else() {
    let memory = Allocator::new(Fork::Keep);
    let objects: Vec<PerCpu<AtomicU64>> = (0..50_000)
        .map(|_| PerCpu::zeroed(&memory).unwrap())
        .collect();
    // 50,000 objects of 8 bytes: 7 chunks of 8192.
    assert_eq!(memory.reserved(), 7 << 16);
    for (n, object) in objects.iter().enumerate() {
        for (cpu, word) in object.iter().enumerate() {
            assert_eq!(word.load(Relaxed), 0);
            word.store((n * 1024 + cpu) as u64, Relaxed);
        }
    }
    for (n, object) in objects.iter().enumerate() {
        for (cpu, word) in object.iter().enumerate() {
            assert_eq!(word.load(Relaxed), (n * 1024 + cpu) as u64);
        }
    }
}

#[test]
fn growth_moves_nothing_and_freed_objects_come_back_as_zeroes() {
    let memory = Allocator::with_limit(Fork::Keep, 2 << 16);
    let kept = PerCpu::<[AtomicU64; 1024]>::zeroed(&memory).unwrap();
    let at = kept.base();
    kept.get(0).unwrap()[7].store(7, Relaxed);
    for _ in 0..3 {
        let others: Vec<PerCpu<[AtomicU64; 1024]>> =
            (0..15).map(|_| PerCpu::zeroed(&memory).unwrap()).collect();
        for words in others.iter().flat_map(PerCpu::iter) {
            assert!(words.iter().all(|word| word.swap(1, Relaxed) == 0));
        }
    }
    assert_eq!(kept.base(), at);
    assert_eq!(kept.get(0).unwrap()[7].load(Relaxed), 7);
    assert!(kept.get(possible_cpus()).is_none());
}

#[test]
fn what_is_too_much_is_told_with_the_number() {
    let memory = Allocator::with_limit(Fork::Keep, 100_000);
    let first = PerCpu::<[AtomicU64; 8192]>::zeroed(&memory).unwrap();
    let error = PerCpu::<AtomicU8>::zeroed(&memory).unwrap_err();
    assert_eq!(error, AllocError::Limit(65536));
    assert!(error.to_string().contains("65536"));
    drop(first);
    assert!(PerCpu::<[AtomicU64; 8192]>::zeroed(&memory).is_ok());
    let error = PerCpu::<[AtomicU64; 8193]>::zeroed(&memory).unwrap_err();
    let (asked, most) = (8193 * 8, 65536);
    assert_eq!(error, AllocError::Object { asked, most });
    #[repr(align(8192))]
    struct Aligned;
    let error = PerCpu::new(&memory, |_| Aligned).err().unwrap();
    let (asked, most) = (8192, 4096);
    assert_eq!(error, AllocError::Object { asked, most });
}

#[test]
fn memory_that_nobody_wrote_to_is_not_real() {
    let memory = Allocator::new(Fork::Keep);
    let object = PerCpu::<[AtomicU8; 65536]>::zeroed(&memory).unwrap();
    let resident = |cpu: usize| {
        let mut pages = [0u8; 16];
        let base: *const [AtomicU8; 65536] = object.get(cpu).unwrap();
        // SAFETY: 16 pages of 4096 bytes, as the buffer expects.
        let answer = unsafe { libc::mincore(base as *mut _, 65536, pages.as_mut_ptr()) };
        assert_eq!(answer, 0);
        pages.iter().filter(|page| **page & 1 != 0).count()
    };
    for cpu in 0..possible_cpus() {
        assert_eq!(resident(cpu), 0);
    }
    object.get(0).unwrap()[5000].store(1, Relaxed);
    assert_eq!(resident(0), 1, "a huge page would be 16");
    for cpu in 1..possible_cpus() {
        assert_eq!(resident(cpu), 0);
    }
}

/// On a machine with one node this cannot fail: `.ci/guests` has one with two.
#[test]
fn a_page_is_on_the_node_of_the_cpu_that_first_wrote_to_it() {
    let memory = Allocator::new(Fork::Keep);
    let object = PerCpu::<[AtomicU8; 65536]>::zeroed(&memory).unwrap();
    let mut nodes = Vec::new();
    for cpu in cpus() {
        run_on(&[cpu]);
        let byte = &object.get(cpu).unwrap()[0];
        byte.store(1, Relaxed);
        let (pages, mut node) = ([byte.as_ptr()], -1);
        // SAFETY: asks for the node of one page, and moves nothing, as no nodes are given.
        let answer = unsafe {
            let to = std::ptr::null::<i32>();
            libc::syscall(
                libc::SYS_move_pages,
                0,
                1,
                pages.as_ptr(),
                to,
                &raw mut node,
                0,
            )
        };
        if answer != 0 || node < 0 {
            return println!("skipped: the kernel does not tell ({answer}, {node})");
        }
        assert_eq!(Some(node as u32), rseq_ops::numa_node(), "CPU {cpu}");
        nodes.push(node);
    }
    println!("the nodes of the CPUs: {nodes:?}");
}

#[test]
fn a_child_finds_a_copy_or_zeroes_and_can_allocate() {
    let (keep, wipe) = (Allocator::new(Fork::Keep), Allocator::new(Fork::Wipe));
    let kept = PerCpu::<AtomicU64>::zeroed(&keep).unwrap();
    let wiped = PerCpu::<AtomicU64>::zeroed(&wipe).unwrap();
    kept.get(0).unwrap().store(1, Relaxed);
    wiped.get(0).unwrap().store(2, Relaxed);
    let status = in_child(|| {
        let more = PerCpu::<AtomicU64>::zeroed(&wipe).unwrap();
        assert_ne!(more.base(), wiped.base());
        let at_0 = |object: &PerCpu<AtomicU64>| object.get(0).unwrap().load(Relaxed) as i32;
        let found = at_0(&kept) * 100 + at_0(&wiped) * 10 + at_0(&more);
        kept.get(0).unwrap().store(9, Relaxed);
        found
    });
    assert_eq!(status, 100);
    assert_eq!(kept.get(0).unwrap().load(Relaxed), 1);
    assert_eq!(wiped.get(0).unwrap().load(Relaxed), 2);
    let refused = PerCpu::new(&wipe, |_| AtomicU64::new(1)).unwrap_err();
    assert_eq!(refused, AllocError::Wiped);
}

#[test]
fn an_area_is_wiped_behind_its_header_and_only_if_asked() {
    for wiped in [false, true] {
        let area = Area::new(4096, 4096).unwrap();
        let words = [area.header(), area.base()].map(|at| {
            // SAFETY: within the area, aligned, and atomic for all.
            unsafe { at.cast::<AtomicU64>().as_ref() }
        });
        words.iter().for_each(|word| word.store(3, Relaxed));
        if wiped {
            area.wipe_on_fork().unwrap();
        }
        let child = || words.map(|word| word.load(Relaxed));
        let status = in_child(|| child()[0] as i32 * 10 + child()[1] as i32);
        assert_eq!(status, if wiped { 30 } else { 33 });
        assert_eq!(child(), [3, 3]);
    }
    // Half a page cannot be wiped.
    let area = Area::new(0, 64).unwrap();
    let bytes = 64 * area.cpus();
    assert!(
        area.wipe_on_fork().is_ok(),
        "a whole page, nothing else is in it"
    );
    let area = Area::new(64, 64).unwrap();
    assert_eq!(area.wipe_on_fork(), Err(AllocError::CannotWipe(bytes)));
}

#[test]
fn a_child_can_make_structures_of_its_own() {
    // The parent has used all of them: what was found out is in force in the child too.
    let everything = || {
        let counter = Counter::new().unwrap();
        (0..100).for_each(|_| counter.add(1));
        let mut node = Node::new(7);
        let stack = Stack::new().unwrap();
        stack.push(&mut node);
        let mut found = stack.take_all().unwrap().count();
        #[cfg(target_pointer_width = "64")]
        {
            use rseq_ops::percpu::{Mode, Ring};
            let ring = Ring::new(Mode::Discard, 4096).unwrap();
            ring.write(b"record").unwrap();
            found += ring.consumer().unwrap().poll(|_| ());
        }
        // Elsewhere there are no rings.
        #[cfg(not(target_pointer_width = "64"))]
        {
            found += 1;
        }
        #[cfg(feature = "alloc")]
        {
            let pool = rseq_ops::percpu::Pool::new().unwrap();
            drop(pool.alloc(5));
            found += pool.release().unwrap() - 1;
        }
        counter.sum() as i32 + found as i32
    };
    assert_eq!(everything(), 102);
    assert_eq!(in_child(everything), 102);
}

#[test]
fn values_are_made_and_dropped_once_for_each_cpu_whatever_panics() {
    struct Counted<'c>(&'c Cell<usize>);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let memory = Allocator::new(Fork::Keep);
    let drops = Cell::new(0);
    drop(PerCpu::new(&memory, |_| Counted(&drops)).unwrap());
    assert_eq!(drops.get(), possible_cpus());
    drops.set(0);
    let last = possible_cpus() - 1;
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        PerCpu::new(&memory, |cpu| {
            assert!(cpu < last, "made up");
            Counted(&drops)
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(drops.get(), last);
}

#[test]
fn an_object_has_one_owner_at_a_time() {
    static OBJECTS: AtomicUsize = AtomicUsize::new(0);
    static MEMORY: Allocator = Allocator::new(Fork::Keep);
    let _alone = crate::support::alone();
    fn take_one() {
        let object = PerCpu::<AtomicU64>::zeroed(&MEMORY).unwrap();
        for word in object.iter() {
            assert_eq!(
                word.fetch_add(1, Relaxed),
                0,
                "not zeroed, or not ours alone"
            );
        }
        std::hint::spin_loop();
        for word in object.iter() {
            assert_eq!(word.load(Relaxed), 1, "not ours alone");
        }
        OBJECTS.fetch_add(1, Relaxed);
    }
    disturbed(4, Some(take_one), |_, running| {
        while running() {
            take_one();
        }
    });
    assert!(OBJECTS.load(Relaxed) > 1000);
    // All threads, and a handler in each, may have been the first at the same time.
    assert!(MEMORY.reserved() <= 8 << 16);
}
