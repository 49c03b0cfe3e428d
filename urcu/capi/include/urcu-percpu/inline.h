/*
 * The read side, compiled into programs. Included by <urcu-percpu.h>.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A section begins and ends by a restartable sequence, as in the library. The unusual cases (a nested section, an
 * interrupted sequence, a kernel without rseq) are left to the library's functions. The kernel may look at a
 * sequence's descriptor for some time after the sequence has ended. So code that can be unloaded must not contain
 * sequences: objects compiled for shared libraries (-fPIC) call the functions.
 *
 * A thread has one word for its sections: the token of the outermost section plus 2^48 for each nested section, or
 * 0 while no section is open. The word is stored after the section has begun. It is cleared before the section ends,
 * inside the sequence. So a signal handler that comes in between begins a section of its own, and leaves the word
 * as it was. If the sequence is aborted after it has cleared the word, the word is restored. If it was not cleared
 * yet, it is left alone: a handler that has forked may have stored another token there, in the child.
 */
#ifndef URCU_PERCPU_INLINE_H
#define URCU_PERCPU_INLINE_H

#ifdef __cplusplus
extern "C" {
#endif

struct urcu_percpu_inline_ {
	/* The size of this structure. It comes first, because GCC loads the first member again and again. */
	size_t size;
	/* 2^30 more than the offset of rseq_cs from the thread pointer; 0 calls the functions. */
	intptr_t way;
	/* The phase; the bound lies 32 bytes before it. */
	const char *phase;
	/* The offset of the word from the thread pointer. */
	intptr_t nesting;
};

/*
 * Sets the words and returns another number than 0, if this library's readers can use the sequences below.
 * Otherwise returns 0.
 */
int urcu_percpu_inline_offer_(struct urcu_percpu_inline_ *words);

/*
 * These words are the program's own, so that they are reached directly. They are declared `const`, so that the
 * compiler need not load them twice. But they change once, before main, so they cannot be defined in C. A thread
 * that finds a mixture of the words before and after that change calls the functions, whatever the mixture is: the
 * phase that is here at first has a bound of 0, and the word at the thread pointer is neither 0 nor a phase.
 */
extern const struct urcu_percpu_inline_ urcu_percpu_inlined_words
	__attribute__((visibility("hidden")));
__asm__(".pushsection .data.urcu_percpu_inlined_words, \"awG\", %progbits, urcu_percpu_inlined_words, comdat\n\t"
	".balign 64\n\t"
	".weak urcu_percpu_inlined_words\n\t"
	".hidden urcu_percpu_inlined_words\n"
	"urcu_percpu_inlined_words:\n\t"
	".8byte 32, 0, urcu_percpu_inlined_words + 64, 0, 0, 0, 0, 0, 0, 0\n\t"
	".popsection");

__attribute__((constructor)) static void urcu_percpu_inline_set_up_(void)
{
	struct urcu_percpu_inline_ *words = (struct urcu_percpu_inline_ *)(uintptr_t)&urcu_percpu_inlined_words;

	if (!__atomic_load_n(&words->way, __ATOMIC_RELAXED))
		urcu_percpu_inline_offer_(words);
}

#if defined(__x86_64__)

/*
 * Marks a descriptor of the sequence from 2 to 3 that is aborted to 4, and what the kernel checks before 4. "?": where
 * these lie in a function of C++ of which the linker takes one copy, theirs go with the other copies.
 */
#define URCU_PERCPU_DESCRIPTOR_                     \
	".pushsection __rseq_cs, \"aw?\"\n\t"       \
	".balign 32\n"                              \
	"9:\t.long 0, 0\n\t"                        \
	".quad 2f, 3f - 2f, 4f\n\t"                 \
	".popsection\n\t"
#define URCU_PERCPU_ABORT_                          \
	".pushsection .text.unlikely, \"ax?\"\n\t"  \
	".byte 0x0f, 0xb9, 0x3d\n\t"                \
	".long 0x53053053\n"                        \
	"4:\t"

static inline void urcu_percpu_inlined_read_lock(void)
{
	__asm__ __volatile__ goto(
		URCU_PERCPU_DESCRIPTOR_
		"testq %[way], %[way]\n\t"
		"jle %l[slow]\n\t"
		"cmpq $0, %%fs:(%[nesting])\n\t"
		"jne %l[slow]\n\t"
		"leaq 9b(%%rip), %%rax\n\t"
		"movq %%rax, %%fs:-0x40000000(%[way])\n"
		"2:\tmovl %%fs:-0x40000004(%[way]), %%eax\n\t"
		"cmpl -32(%[phase]), %%eax\n\t"
		"jae %l[slow]\n\t"
		"movq (%[phase]), %%rcx\n\t"
		"shlq $16, %%rax\n\t"
		"incq (%%rcx, %%rax)\n"
		"3:\tmovq %%rcx, %%fs:(%[nesting])\n\t"
		URCU_PERCPU_ABORT_
		"jmp %l[slow]\n\t"
		".popsection"
		:
		: [way] "r"(urcu_percpu_inlined_words.way), [phase] "r"(urcu_percpu_inlined_words.phase),
		  [nesting] "r"(urcu_percpu_inlined_words.nesting)
		: "rax", "rcx", "memory", "cc"
		: slow);
	return;
slow:
	urcu_percpu_read_lock();
}

static inline void urcu_percpu_inlined_read_unlock(void)
{
	/* If sections are nested, or none is open, the word is no phase. */
	__asm__ __volatile__ goto(
		URCU_PERCPU_DESCRIPTOR_
		"testq %[way], %[way]\n\t"
		"jle %l[slow]\n\t"
		"movq %%fs:(%[nesting]), %%rcx\n\t"
		"leaq 9b(%%rip), %%rax\n\t"
		"movq %%rax, %%fs:-0x40000000(%[way])\n"
		"2:\tmovl %%fs:-0x40000004(%[way]), %%eax\n\t"
		"cmpl -32(%[phase]), %%eax\n\t"
		"jae %l[slow]\n\t"
		"shlq $16, %%rax\n\t"
		"cmpq %%rcx, (%[phase])\n\t"
		"jne %l[slow]\n\t"
		"movq $0, %%fs:(%[nesting])\n\t"
		"decq (%%rcx, %%rax)\n"
		"3:\n\t"
		URCU_PERCPU_ABORT_
		"cmpq $0, %%fs:(%[nesting])\n\t"
		"jne %l[slow]\n\t"
		"movq %%rcx, %%fs:(%[nesting])\n\t"
		"jmp %l[slow]\n\t"
		".popsection"
		:
		: [way] "r"(urcu_percpu_inlined_words.way), [phase] "r"(urcu_percpu_inlined_words.phase),
		  [nesting] "r"(urcu_percpu_inlined_words.nesting)
		: "rax", "rcx", "memory", "cc"
		: slow);
	return;
slow:
	urcu_percpu_read_unlock();
}

#elif defined(__aarch64__)

#define URCU_PERCPU_DESCRIPTOR_                     \
	".pushsection __rseq_cs, \"aw?\"\n\t"       \
	".balign 32\n"                              \
	"9:\t.long 0, 0\n\t"                        \
	".quad 2f, 3f - 2f, 4f\n\t"                 \
	".popsection\n\t"
/* The linker may add a veneer to a branch from the abort handler. A veneer may change x16 and x17. */
#define URCU_PERCPU_ABORT_                          \
	".pushsection .text.unlikely, \"ax?\"\n\t"  \
	".balign 4\n\t"                             \
	".inst 0xd428bc00\n"                        \
	"4:\t"
#define URCU_PERCPU_OPERANDS_                                                                        \
	[way] "r"(urcu_percpu_inlined_words.way), [cs] "r"(urcu_percpu_inlined_words.way - 0x40000000), \
		[phase] "r"(urcu_percpu_inlined_words.phase),                                        \
		[nesting] "r"(urcu_percpu_inlined_words.nesting)
#define URCU_PERCPU_CLOBBERS_ "x9", "x10", "x11", "x12", "x13", "x16", "x17", "memory", "cc"

/* x9: the thread pointer, x10: the token, x11: rseq_cs, x12: the index, and the counter's address. */
static inline void urcu_percpu_inlined_read_lock(void)
{
	__asm__ __volatile__ goto(
		URCU_PERCPU_DESCRIPTOR_
		"cmp %[way], #0\n\t"
		"b.le %l[slow]\n\t"
		"mrs x9, tpidr_el0\n\t"
		"ldr x10, [x9, %[nesting]]\n\t"
		"cbnz x10, %l[slow]\n\t"
		"add x11, x9, %[cs]\n\t"
		"adrp x12, 9b\n\t"
		"add x12, x12, :lo12:9b\n\t"
		"str x12, [x11]\n"
		"2:\tldar x10, [%[phase]]\n\t"
		"cbz x10, %l[slow]\n\t"
		"ldur w12, [x11, #-4]\n\t"
		"ldur w13, [%[phase], #-32]\n\t"
		"cmp w12, w13\n\t"
		"b.hs %l[slow]\n\t"
		"add x12, x10, x12, lsl #16\n\t"
		"ldr x13, [x12]\n\t"
		"add x13, x13, #1\n\t"
		"str x13, [x12]\n"
		"3:\tstr x10, [x9, %[nesting]]\n\t"
		URCU_PERCPU_ABORT_
		"b %l[slow]\n\t"
		".popsection"
		:
		: URCU_PERCPU_OPERANDS_
		: URCU_PERCPU_CLOBBERS_
		: slow);
	return;
slow:
	urcu_percpu_read_lock();
}

static inline void urcu_percpu_inlined_read_unlock(void)
{
	/* If sections are nested, or none is open, the word is no phase. stlr: the section's accesses precede its end. */
	__asm__ __volatile__ goto(
		URCU_PERCPU_DESCRIPTOR_
		"cmp %[way], #0\n\t"
		"b.le %l[slow]\n\t"
		"mrs x9, tpidr_el0\n\t"
		"ldr x10, [x9, %[nesting]]\n\t"
		"add x11, x9, %[cs]\n\t"
		"adrp x12, 9b\n\t"
		"add x12, x12, :lo12:9b\n\t"
		"str x12, [x11]\n"
		"2:\tldur w12, [x11, #-4]\n\t"
		"ldur w13, [%[phase], #-32]\n\t"
		"cmp w12, w13\n\t"
		"b.hs %l[slow]\n\t"
		"ldr x13, [%[phase]]\n\t"
		"cmp x13, x10\n\t"
		"b.ne %l[slow]\n\t"
		"add x12, x10, x12, lsl #16\n\t"
		"ldr x13, [x12]\n\t"
		"sub x13, x13, #1\n\t"
		"str xzr, [x9, %[nesting]]\n\t"
		"stlr x13, [x12]\n"
		"3:\n\t"
		URCU_PERCPU_ABORT_
		"ldr x13, [x9, %[nesting]]\n\t"
		"cbnz x13, 5f\n\t"
		"str x10, [x9, %[nesting]]\n"
		"5:\tb %l[slow]\n\t"
		".popsection"
		:
		: URCU_PERCPU_OPERANDS_
		: URCU_PERCPU_CLOBBERS_
		: slow);
	return;
slow:
	urcu_percpu_read_unlock();
}

#endif

#ifdef __cplusplus
}
#endif

/* These macros replace calls only: used as addresses, the names are those of the functions. */
#define urcu_percpu_read_lock() urcu_percpu_inlined_read_lock()
#define urcu_percpu_read_unlock() urcu_percpu_inlined_read_unlock()

#endif /* URCU_PERCPU_INLINE_H */
