//! What the kernel checks when it interrupts a sequence, checked for all of them: it kills the
//! process that gets one wrong.

use rseq_ops::abi;

/// `struct rseq_cs`.
#[repr(C, align(32))]
#[derive(Clone, Copy)]
struct Descriptor {
    version: u32,
    flags: u32,
    start: usize,
    length: usize,
    abort: usize,
}

unsafe extern "C" {
    // The linker makes these for a section whose name is an identifier.
    static __start___rseq_cs: Descriptor;
    static __stop___rseq_cs: Descriptor;
}

#[test]
fn every_descriptor_is_one_that_the_kernel_accepts() {
    // Something must be there: this test's own use of every operation is in `counts`, `copies`.
    let (start, stop) = (&raw const __start___rseq_cs, &raw const __stop___rseq_cs);
    let bytes = stop.addr() - start.addr();
    assert_eq!(bytes % size_of::<Descriptor>(), 0);
    let count = bytes / size_of::<Descriptor>();
    assert!(count >= 4, "{count} descriptors");
    for number in 0..count {
        // SAFETY: within the section.
        let descriptor = unsafe { *start.add(number) };
        let Descriptor {
            version,
            flags,
            start,
            length,
            abort,
        } = descriptor;
        assert_eq!((version, flags), (0, 0));
        assert!(length > 0 && length < 4096, "{length} bytes");
        assert!(
            !(start..start + length).contains(&abort),
            "the abort handler is inside"
        );
        let signature = std::ptr::with_exposed_provenance::<[u8; 4]>(abort - 4);
        // SAFETY: code of this program, which may be read.
        let signature = u32::from_le_bytes(unsafe { signature.read() });
        assert_eq!(signature, abi::SIGNATURE_X86);
    }
    println!("{count} descriptors");
}
