/*
 * The read side, compiled into programs: for x86-64. Included by <urcu-percpu.h>.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A section begins and ends by a restartable sequence, as in the library; whatever is not usual (a nested
 * section, an interrupted sequence, a kernel without rseq) is left to the library's functions. The kernel
 * may look at a sequence's descriptor some time after it has ended. So code that can be unloaded must not
 * have any: objects compiled for shared libraries (-fPIC) call the functions.
 */
#ifndef URCU_PERCPU_INLINE_H
#define URCU_PERCPU_INLINE_H

#ifdef __cplusplus
extern "C" {
#endif

struct urcu_percpu_inline_ {
	/* The offset of the nesting word from the thread pointer. */
	intptr_t nesting;
	/* The phase; 24 bytes before it the way, 32 bytes before it the bound. */
	const char *phase;
};

extern const struct urcu_percpu_inline_ urcu_percpu_inline_;

/* By the GOT: a copy of it in the program would not be the library's. */
static inline const struct urcu_percpu_inline_ *urcu_percpu_inlined_words(void)
{
	const struct urcu_percpu_inline_ *words;

	__asm__("movq urcu_percpu_inline_@GOTPCREL(%%rip), %0" : "=r"(words));
	return words;
}

static inline void urcu_percpu_inlined_read_lock(void)
{
	const struct urcu_percpu_inline_ *words = urcu_percpu_inlined_words();
	const char *phase = words->phase;
	intptr_t nesting = words->nesting, way = *(const volatile intptr_t *)(const void *)(phase - 24);
	uintptr_t word, index;

	if (__builtin_expect(way > 0, 1)) {
		__asm__ __volatile__("movq %%fs:(%1), %0" : "=r"(word) : "r"(nesting) : "memory");
		if (__builtin_expect(word == 0, 1)) {
			__asm__ __volatile__(
				".pushsection __rseq_cs, \"aw\"\n\t"
				".balign 32\n"
				"9:\t.long 0, 0\n\t"
				".quad 2f, 3f - 2f, 4f\n\t"
				".popsection\n\t"
				"leaq 9b(%%rip), %[word]\n\t"
				"movq %[word], %%fs:-0x40000000(%[way])\n"
				"2:\tmovl %%fs:-0x40000004(%[way]), %k[index]\n\t"
				"cmpl -32(%[phase]), %k[index]\n\t"
				"jae 4f\n\t"
				"movq (%[phase]), %[word]\n\t"
				"shlq $16, %[index]\n\t"
				"incq (%[word], %[index])\n"
				"3:\n\t"
				".pushsection .text.unlikely, \"ax\"\n\t"
				".byte 0x0f, 0xb9, 0x3d\n\t"
				".long 0x53053053\n"
				"4:\txorl %k[word], %k[word]\n\t"
				"jmp 3b\n\t"
				".popsection"
				: [word] "=&r"(word), [index] "=&r"(index)
				: [phase] "r"(phase), [way] "r"(way)
				: "memory", "cc");
			if (__builtin_expect(word != 0, 1)) {
				__asm__ __volatile__("movq %0, %%fs:(%1)"
						     :
						     : "r"(word), "r"(nesting)
						     : "memory");
				return;
			}
		}
	}
	urcu_percpu_read_lock();
}

static inline void urcu_percpu_inlined_read_unlock(void)
{
	const struct urcu_percpu_inline_ *words = urcu_percpu_inlined_words();
	const char *phase = words->phase;
	intptr_t nesting = words->nesting, way = *(const volatile intptr_t *)(const void *)(phase - 24);
	uintptr_t word;

	if (__builtin_expect(way > 0, 1)) {
		__asm__ __volatile__("movq %%fs:(%1), %0" : "=r"(word) : "r"(nesting) : "memory");
		if (__builtin_expect((word - 1) >> 48 == 0, 1)) {
			/* First: a signal handler that reads after it begins a section of its own. */
			__asm__ __volatile__("movq $0, %%fs:(%0)" : : "r"(nesting) : "memory");
			/* The address does not depend on what was kept: that is only compared. */
			__asm__ __volatile__ goto(
				".pushsection __rseq_cs, \"aw\"\n\t"
				".balign 32\n"
				"9:\t.long 0, 0\n\t"
				".quad 2f, 3f - 2f, 4f\n\t"
				".popsection\n\t"
				"leaq 9b(%%rip), %%rax\n\t"
				"movq %%rax, %%fs:-0x40000000(%[way])\n"
				"2:\tmovl %%fs:-0x40000004(%[way]), %%eax\n\t"
				"cmpl -32(%[phase]), %%eax\n\t"
				"jae 4f\n\t"
				"movq (%[phase]), %%rdx\n\t"
				"shlq $16, %%rax\n\t"
				"cmpq %[word], %%rdx\n\t"
				"jne %l[slow]\n\t"
				"decq (%%rdx, %%rax)\n"
				"3:\n\t"
				".pushsection .text.unlikely, \"ax\"\n\t"
				".byte 0x0f, 0xb9, 0x3d\n\t"
				".long 0x53053053\n"
				"4:\tjmp %l[slow]\n\t"
				".popsection"
				:
				: [phase] "r"(phase), [way] "r"(way), [word] "r"(word)
				: "rax", "rdx", "memory", "cc"
				: slow);
			return;
slow:
			/* It is open still: as if this had not been called. */
			__asm__ __volatile__("movq %0, %%fs:(%1)"
					     :
					     : "r"(word), "r"(nesting)
					     : "memory");
		}
	}
	urcu_percpu_read_unlock();
}

#ifdef __cplusplus
}
#endif

/* Calls alone: as addresses, the names are the functions'. */
#define urcu_percpu_read_lock() urcu_percpu_inlined_read_lock()
#define urcu_percpu_read_unlock() urcu_percpu_inlined_read_unlock()

#endif /* URCU_PERCPU_INLINE_H */
