//! The read side's two functions. On x86-64 they handle only the usual case, in assembly, and jump to
//! [`reading`](crate::reading) in all other cases. So they need no stack frame, and cost little more than an empty
//! call. They never move the stack pointer: the two `.cfi` lines tell that to profilers, and to unwinders that start in
//! a signal handler.

#[cfg(not(target_arch = "x86_64"))]
mod functions {
    use crate::reading;

    /// Begins a section, or nests in the one that the thread has open.
    #[unsafe(no_mangle)]
    pub(crate) extern "C" fn urcu_percpu_read_lock() {
        reading::begin();
    }

    /// Ends the section that the thread began last.
    #[unsafe(no_mangle)]
    pub(crate) extern "C" fn urcu_percpu_read_unlock() {
        reading::end();
    }
}

#[cfg(target_arch = "x86_64")]
mod functions {
    use core::arch::naked_asm;

    use crate::inline::{BIAS, BOUND, FAST, PHASE_AT, SHIFT, WAY_AT};
    use crate::reading;

    /// Begins a section, or nests in the one that the thread has open.
    // The sequence is explained in `inline.h`. The way is loaded first, because it is stored last.
    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    pub(crate) extern "C" fn urcu_percpu_read_lock() {
        naked_asm!(
            ".cfi_startproc",
            "mov rcx, qword ptr [rip + {fast} + {way}]",
            "test rcx, rcx",
            "jle 5f",
            "mov r8, qword ptr [rip + urcu_percpu_nesting@GOTTPOFF]",
            "mov rsi, qword ptr [rip + {fast} + {phase}]",
            "cmp qword ptr fs:[r8], 0",
            "jne 5f",
            "lea rax, [rip + 9f]",
            "mov qword ptr fs:[rcx - {bias}], rax",
            "2:",
            "mov eax, dword ptr fs:[rcx - {bias} - 4]",
            "cmp eax, dword ptr [rsi + {bound}]",
            "jae 5f",
            "mov rdx, qword ptr [rsi]",
            "shl rax, {shift}",
            "inc qword ptr [rdx + rax]",
            "3:",
            "mov qword ptr fs:[r8], rdx",
            "ret",
            ".byte 0x0f, 0xb9, 0x3d",
            ".long 0x53053053",
            "4:",
            "5:",
            "jmp {begin}",
            ".cfi_endproc",
            ".pushsection __rseq_cs, \"aw\"",
            ".balign 32",
            "9:",
            ".long 0, 0",
            ".quad 2b, 3b - 2b, 4b",
            ".popsection",
            fast = sym FAST,
            way = const WAY_AT,
            phase = const PHASE_AT,
            begin = sym reading::begin,
            bias = const BIAS,
            bound = const BOUND,
            shift = const SHIFT,
        )
    }

    /// Ends the section that the thread began last.
    // The sequence is explained in `inline.h`. The way is loaded first, because it is stored last.
    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    pub(crate) extern "C" fn urcu_percpu_read_unlock() {
        naked_asm!(
            ".cfi_startproc",
            "mov rcx, qword ptr [rip + {fast} + {way}]",
            "test rcx, rcx",
            "jle 5f",
            "mov r8, qword ptr [rip + urcu_percpu_nesting@GOTTPOFF]",
            "mov rsi, qword ptr [rip + {fast} + {phase}]",
            "mov r9, qword ptr fs:[r8]",
            "lea rax, [rip + 9f]",
            "mov qword ptr fs:[rcx - {bias}], rax",
            "2:",
            "mov eax, dword ptr fs:[rcx - {bias} - 4]",
            "cmp eax, dword ptr [rsi + {bound}]",
            "jae 5f",
            "mov rdx, qword ptr [rsi]",
            "shl rax, {shift}",
            "cmp rdx, r9",
            "jne 5f",
            "mov qword ptr fs:[r8], 0",
            "dec qword ptr [rdx + rax]",
            "3:",
            "ret",
            ".byte 0x0f, 0xb9, 0x3d",
            ".long 0x53053053",
            "4:",
            // The section is still open, as if this had not been called.
            "cmp qword ptr fs:[r8], 0",
            "jne 5f",
            "mov qword ptr fs:[r8], r9",
            "5:",
            "jmp {end}",
            ".cfi_endproc",
            ".pushsection __rseq_cs, \"aw\"",
            ".balign 32",
            "9:",
            ".long 0, 0",
            ".quad 2b, 3b - 2b, 4b",
            ".popsection",
            fast = sym FAST,
            way = const WAY_AT,
            phase = const PHASE_AT,
            end = sym reading::end,
            bias = const BIAS,
            bound = const BOUND,
            shift = const SHIFT,
        )
    }
}

pub(crate) use functions::{urcu_percpu_read_lock, urcu_percpu_read_unlock};
