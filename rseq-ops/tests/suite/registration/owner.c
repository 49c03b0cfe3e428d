/*
 * Somebody else who registers threads for rseq(2), as a shared object.
 *
 * As it is: an early adopter, that registers the main thread when it is loaded, and others when
 * they ask for it. With -DLIBC: a libc, that registers every thread before the thread's first
 * instruction and publishes where, as glibc does from 2.35 on.
 *
 * Registrations are never ended: the area is in the thread's static TLS, so on its stack, which
 * is there as long as the thread.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define SIGNATURE 0x53053053u
#elif defined(__aarch64__)
#define SIGNATURE 0xd428bc00u
#elif defined(__riscv)
#define SIGNATURE 0xf1401073u
#endif

struct area {
	uint32_t cpu_id_start, cpu_id;
	uint64_t rseq_cs;
	uint32_t flags, node_id, mm_cid, unused;
};

static __thread struct area area
	__attribute__((tls_model("initial-exec"), aligned(32))) = { .cpu_id = -1 };

/* This thread's area. */
struct area *owner_area(void)
{
	return &area;
}

/* Registers this thread: 0, or the errno. */
int owner_register(void)
{
	return syscall(SYS_rseq, &area, sizeof(area), 0, SIGNATURE) ? errno : 0;
}

/* Ends that: 0, or the errno. */
int owner_unregister(void)
{
	return syscall(SYS_rseq, &area, sizeof(area), 1, SIGNATURE) ? errno : 0;
}

#ifndef LIBC

__attribute__((constructor)) static void loaded(void)
{
	owner_register();
}

#else

ptrdiff_t __rseq_offset;
unsigned int __rseq_size, __rseq_flags;

__attribute__((constructor)) static void loaded(void)
{
	__rseq_offset = (char *)&area - (char *)__builtin_thread_pointer();
	if (owner_register() == 0)
		__rseq_size = sizeof(area);
}

struct start {
	void *(*run)(void *);
	void *argument;
};

static void *begin(void *p)
{
	struct start start = *(struct start *)p;

	free(p);
	if (__rseq_size && owner_register())
		abort();
	return start.run(start.argument);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
		   void *(*run)(void *), void *argument)
{
	int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
		dlsym(RTLD_NEXT, "pthread_create");
	struct start *start = malloc(sizeof(*start));

	if (!start)
		return EAGAIN;
	*start = (struct start){ run, argument };
	return real(thread, attributes, begin, start);
}

#endif
