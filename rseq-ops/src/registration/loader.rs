//! Finds libc's `__rseq_offset` and `__rseq_size` (glibc 2.35 and newer), whichever libc the program runs on.
//!
//! An ordinary reference, weak or not, makes the linker record that the program needs `GLIBC_2.35`. The program
//! then does not start with an older libc, although it could do without these words. `dlsym` takes locks and
//! allocates, which the first use in a signal handler must not do. So the two words are looked up in the places
//! where they can be:
//!
//! * A program that is **linked statically** (`-C target-feature=+crt-static`) contains the words. A weak
//!   reference finds them there, and needs no version. Only such builds have the weak reference. So a static
//!   library for C programs that are linked statically must be built in this way too; otherwise threads use
//!   the atomics there.
//! * In any other program the words are in the dynamic loader (`ld-linux-*.so`), or in an object that is
//!   searched before it in order to replace them (`LD_PRELOAD`). The loader keeps a list of all objects for
//!   debuggers. The objects that were there at the program's start come before the loader itself in that
//!   list. They are never unmapped, and their part of the list never changes. The symbol tables of these
//!   objects are read. They are plain memory, so the search is async-signal-safe, and it needs no constructor
//!   that would have to run first.
//!
//! A weak *hidden* reference would serve both kinds of programs, but hiddenness is a property of the symbol
//! itself: the reference would hide libc's words from the rest of the program.

use core::ffi::CStr;
use core::ptr;

/// Returns the offset of every thread's area from its thread pointer, and the area's size, which is 0 if libc
/// registers no thread. Returns `None` if libc knows nothing of rseq.
pub(crate) fn offset_and_size() -> Option<(isize, u32)> {
    let (mut offset, mut size) = linked_symbols();
    if offset.is_null() || size.is_null() {
        (offset, size) = Image::of_the_start(|image| {
            let offset = image.find(c"__rseq_offset")?;
            Some((offset.cast(), image.find(c"__rseq_size")?.cast()))
        })?;
    }
    // SAFETY: libc's words of these types, which do not change after its start.
    Some(unsafe { (*offset, *size) })
}

#[cfg(target_feature = "crt-static")]
use crate::arch::linked_symbols;
use crate::auxiliary::auxiliary;

/// Returns null: these builds contain no symbols of libc.
#[cfg(not(target_feature = "crt-static"))]
fn linked_symbols() -> (*const isize, *const u32) {
    (ptr::null(), ptr::null())
}

/// The words of an ELF object in memory that the search needs. All are 64 bits wide.
struct Image {
    base: usize,
    symbols: *const Symbol,
    names: *const u8,
    hashes: *const u32,
}

#[repr(C)]
struct Symbol {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: usize,
    size: u64,
}

#[repr(C)]
struct Header {
    magic: [u8; 16],
    rest: [u8; 16],
    segments: usize,
    sections: usize,
    flags: u32,
    size: u16,
    segment_size: u16,
    segment_count: u16,
}

#[repr(C)]
struct Segment {
    kind: u32,
    flags: u32,
    offset: usize,
    address: usize,
    rest: [usize; 4],
}

const PT_DYNAMIC: u32 = 2;
const PT_PHDR: u32 = 6;
const DT_NULL: usize = 0;
const DT_STRTAB: usize = 5;
const DT_SYMTAB: usize = 6;
const DT_DEBUG: usize = 21;
const DT_GNU_HASH: usize = 0x6fff_fef5;

/// Returns the value of a tag in a dynamic section, if the section has that tag.
///
/// # Safety
/// `dynamic` is the dynamic section of an object in memory.
unsafe fn tagged(dynamic: *const [usize; 2], tag: usize) -> Option<usize> {
    // SAFETY: the caller promises a dynamic section, which ends with the tag 0. No entry behind that tag is
    // read.
    unsafe {
        (0..)
            .map(|n| *dynamic.add(n))
            .take_while(|entry| entry[0] != DT_NULL)
            .find(|entry| entry[0] == tag)
            .map(|entry| entry[1])
    }
}

/// Returns the dynamic section among `count` segments.
///
/// # Safety
/// The segments are those of an object in memory, with the difference `bias` between its addresses
/// and those in its file.
unsafe fn dynamic(
    segments: *const Segment,
    count: usize,
    bias: usize,
) -> Option<*const [usize; 2]> {
    // SAFETY: the caller promises this number of segments of an object that stays in memory.
    let segments = unsafe { core::slice::from_raw_parts(segments, count) };
    let found = segments.iter().find(|segment| segment.kind == PT_DYNAMIC)?;
    Some(ptr::with_exposed_provenance(
        found.address.wrapping_add(bias),
    ))
}

/// The loader's structure for debuggers, as declared in `link.h`.
#[repr(C)]
struct Debug {
    version: i32,
    objects: *const Object,
    breakpoint: usize,
    state: i32,
    loader: usize,
}

#[repr(C)]
struct Object {
    bias: usize,
    name: usize,
    dynamic: *const [usize; 2],
    next: *const Object,
}

impl Image {
    /// Returns the first answer of `look` about an object that was there at the program's start.
    fn of_the_start<T>(look: impl Fn(&Image) -> Option<T>) -> Option<T> {
        let Some(debug) = Debug::of_the_program() else {
            let loader = auxiliary(libc::AT_BASE);
            if loader == 0 {
                return None; // Linked statically.
            }
            // SAFETY: this is the address at which the kernel says that it has mapped the loader.
            return look(&unsafe { Image::at(loader) }?);
        };
        let mut next = debug.objects;
        // SAFETY: the objects of the program's start, up to the loader: see the top of this file.
        while let Some(object) = unsafe { next.as_ref() } {
            // SAFETY: the loader's list says that this object is mapped there.
            let image = unsafe { Image::with(object.bias, object.dynamic) };
            if let Some(answer) = image.as_ref().and_then(&look) {
                return Some(answer);
            }
            if object.bias == debug.loader {
                break;
            }
            next = object.next;
        }
        None
    }

    /// Returns the object whose first page is at `base`.
    ///
    /// # Safety
    /// A shared object is mapped there, and stays.
    unsafe fn at(base: usize) -> Option<Self> {
        const ELF_64: [u8; 5] = [0x7f, b'E', b'L', b'F', 2];
        // SAFETY: the caller promises an object there; all begin with this header.
        let header = unsafe { &*ptr::with_exposed_provenance::<Header>(base) };
        if header.magic[..5] != ELF_64 || usize::from(header.segment_size) != size_of::<Segment>() {
            return None;
        }
        let segments = ptr::with_exposed_provenance(base + header.segments);
        // SAFETY: the header says where they are. The loader's addresses count from its base.
        unsafe { Image::with(base, dynamic(segments, header.segment_count.into(), base)?) }
    }

    /// Returns the object with this dynamic section. `bias` is the difference between its addresses in memory
    /// and those in its file. Returns `None` if the object has no symbol hash table of the GNU kind.
    ///
    /// # Safety
    /// Such an object is mapped, and stays mapped.
    unsafe fn with(bias: usize, dynamic: *const [usize; 2]) -> Option<Self> {
        let table = |tag| {
            // SAFETY: the caller promises the dynamic section of an object that stays.
            let at = unsafe { tagged(dynamic, tag) }?;
            // Some loaders store the address in memory here, and some leave the address in the file.
            Some(if at < bias { bias + at } else { at })
        };
        Some(Image {
            base: bias,
            symbols: ptr::with_exposed_provenance(table(DT_SYMTAB)?),
            names: ptr::with_exposed_provenance(table(DT_STRTAB)?),
            hashes: ptr::with_exposed_provenance(table(DT_GNU_HASH)?),
        })
    }

    /// Returns the address of the symbol of this name, if the object defines it.
    fn find(&self, name: &CStr) -> Option<*const ()> {
        let hash = name.to_bytes().iter().fold(5381u32, |hash, byte| {
            hash.wrapping_mul(33).wrapping_add(u32::from(*byte))
        });
        // SAFETY: this is a table as the linker writes it. It has four numbers, a filter of 64-bit words, and
        // for each bucket the number of its first symbol. Then it has the hash of each symbol from the first
        // hashed one on. The lowest bit of a hash marks the last symbol of its bucket.
        unsafe {
            let [buckets, first, filter] = [0, 1, 2].map(|n| *self.hashes.add(n));
            let bucket = self.hashes.add(4 + 2 * filter as usize);
            let chain = bucket.add(buckets as usize);
            let mut at = *bucket.add((hash % buckets.max(1)) as usize);
            if at < first {
                return None; // An empty bucket.
            }
            loop {
                let here = *chain.add((at - first) as usize);
                let symbol = &*self.symbols.add(at as usize);
                if (here ^ hash) >> 1 == 0
                    && symbol.section != 0
                    && CStr::from_ptr(self.names.add(symbol.name as usize).cast()) == name
                {
                    let address = self.base + symbol.value;
                    return Some(ptr::with_exposed_provenance(address));
                }
                if here & 1 != 0 {
                    return None;
                }
                at += 1;
            }
        }
    }
}

impl Debug {
    /// From the program's dynamic section.
    fn of_the_program() -> Option<&'static Debug> {
        let (segments, count) = (auxiliary(libc::AT_PHDR), auxiliary(libc::AT_PHNUM));
        let first: *const Segment = ptr::with_exposed_provenance(segments);
        if first.is_null() {
            return None;
        }
        // SAFETY: the kernel, or the loader, says that the program's segments are there. A program that is not
        // mapped at the addresses of its file has a segment that says where its segments are in the file.
        unsafe {
            let all = core::slice::from_raw_parts(first, count);
            let own = all.iter().find(|segment| segment.kind == PT_PHDR);
            let bias = own.map_or(0, |own| segments.wrapping_sub(own.address));
            let debug = tagged(dynamic(first, count, bias)?, DT_DEBUG)?;
            let debug = ptr::with_exposed_provenance::<Debug>(debug).as_ref()?;
            (debug.version > 0 && debug.loader != 0).then_some(debug)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_libc<T>(name: &CStr) -> *const T {
        // SAFETY: a C string.
        unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()).cast() }
    }

    #[test]
    fn the_words_are_those_that_libc_finds() {
        let (offset, size): (*const isize, *const u32) =
            (by_libc(c"__rseq_offset"), by_libc(c"__rseq_size"));
        if offset.is_null() || size.is_null() {
            // In a static program libc finds nothing, because the linker has put the words into the program.
            assert!(cfg!(target_feature = "crt-static") || offset_and_size().is_none());
            return;
        }
        // SAFETY: libc's words.
        assert_eq!(offset_and_size(), Some(unsafe { (*offset, *size) }));
    }

    #[test]
    fn what_is_found_in_an_object_is_what_libc_finds_and_nothing_else() {
        for name in [
            c"",
            c"__rseq",
            c"__rseq_offset2",
            c"no such name",
            c"__rseq_siz",
        ] {
            assert!(
                Image::of_the_start(|image| image.find(name)).is_none(),
                "{name:?}"
            );
        }
        for name in [c"environ", c"getpid", c"_r_debug"] {
            if let Some(found) = Image::of_the_start(|image| image.find(name)) {
                assert_eq!(found, by_libc(name), "{name:?}");
            }
        }
    }

    /// Objects that were loaded later may be unmapped, and their part of the list changes.
    #[test]
    fn objects_that_came_later_are_not_looked_into() {
        for (object, name) in [
            (c"libresolv.so.2", c"ns_name_pton"),
            (c"libm.so.6", c"erfc"),
        ] {
            if !by_libc::<()>(name).is_null() {
                continue; // It was there at the start.
            }
            // SAFETY: C strings; the object is libc's own, and stays.
            let later = unsafe {
                let object = libc::dlopen(object.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL);
                if object.is_null() {
                    continue;
                }
                libc::dlsym(object, name.as_ptr())
            };
            if !later.is_null() {
                assert_eq!(Image::of_the_start(|image| image.find(name)), None);
            }
        }
    }

    #[test]
    fn the_loader_is_where_the_kernel_has_put_it() {
        let base = auxiliary(libc::AT_BASE);
        if let Some(debug) = Debug::of_the_program()
            && base != 0
        {
            assert_eq!(debug.loader, base);
            // SAFETY: the loader is there.
            let alone = unsafe { Image::at(base) }.unwrap();
            let name = c"__rseq_offset";
            let of_all = Image::of_the_start(|image| image.find(name));
            assert_eq!(alone.find(name), of_all);
        }
    }
}
