/*
 * A signal handler at each instruction of a section. SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Arguments: "section", "lock" or "unlock", and the offsets of the instructions of that function. Each in turn is
 * replaced by a breakpoint, whose signal comes in the place of the instruction, inside a restartable sequence too.
 */
#define _GNU_SOURCE
#include <urcu-percpu.h>

#include <execinfo.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"

enum action { READS, READS_NESTED, BEGINS_GRACE_PERIOD, FORKS, ACTIONS };

static unsigned char *at, original;
static volatile int hits, inside_depth, probes, forked_depth, of_library;
static enum action action;
static pid_t child = -1;
static struct urcu_gp_poll_state begun;

static void put(unsigned char byte)
{
	__atomic_store_n(at, byte, __ATOMIC_SEQ_CST);
}

/* A grace period does not end while a section is open. */
static void is_protected(void)
{
	struct urcu_gp_poll_state state = start_poll_synchronize_rcu();
	int i;

	for (i = 0; i < 20; i++) {
		usleep(10);
		CHECK(!poll_state_synchronize_rcu(state));
	}
}

static void act(void)
{
	int depth = urcu_percpu_read_ongoing();

	/* By the functions: the breakpoint is gone, but a second section of the program's would be the same code. */
	rcu_read_lock();
	CHECK(urcu_percpu_read_ongoing() == depth + 1);
	if (action == READS_NESTED) {
		rcu_read_lock();
		CHECK(urcu_percpu_read_ongoing() == depth + 2);
		rcu_read_unlock();
	}
	if (action == READS)
		is_protected();
	rcu_read_unlock();
	CHECK(urcu_percpu_read_ongoing() == depth);
	if (action == BEGINS_GRACE_PERIOD) {
		begun = start_poll_synchronize_rcu();
		usleep(200);
	}
	if (action == FORKS) {
		forked_depth = depth;
		child = fork();
		CHECK(child >= 0);
		if (child == 0)
			alarm(30);
	}
}

static void *caller;

/* From any instruction of the library's functions the way leads back to who called the caller. */
static void is_unwound(void)
{
	void *frames[16];
	int count = backtrace(frames, 16), i, found = 0;

	for (i = 0; i < count; i++)
		found |= frames[i] == caller;
	CHECK(found);
}

static void on_trap(int number, siginfo_t *info, void *context)
{
	greg_t *ip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	(void)number;
	(void)info;
	put(original);
	hits++;
	/* Else the kernel has aborted a sequence. */
	if (*ip == (greg_t)(uintptr_t)at + 1)
		*ip = (greg_t)(uintptr_t)at;
	if (of_library)
		is_unwound();
	act();
}

__attribute__((noinline)) static void inside(void)
{
	inside_depth = urcu_percpu_read_ongoing();
	/* Then the section ends in an old phase, in another way. A child that was forked between a section's
	 * beginning and the note of it has nothing that protects. */
	if (probes && (child != 0 || forked_depth))
		is_protected();
}

__attribute__((noinline, used)) void one_section(void);
__attribute__((noinline, used)) void one_section(void)
{
	caller = __builtin_return_address(0);
	rcu_read_lock();
	inside();
	rcu_read_unlock();
}

static void run(unsigned char *address, enum action what, int probing)
{
	probes = probing;
	at = address;
	original = *at;
	action = what;
	child = -1;
	inside_depth = 0;
	put(0xcc);
	one_section();
	put(original);
	CHECK(inside_depth == 1);
	CHECK(urcu_percpu_read_ongoing() == 0);
	/* Counts are even: this ends, and a section still holds the next one up. */
	synchronize_rcu();
	action = READS;
	one_section();
	if (child == 0)
		_exit(0);
	if (child > 0) {
		int status;

		CHECK(waitpid(child, &status, 0) == child);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	if (what == BEGINS_GRACE_PERIOD && hits)
		CHECK(poll_state_synchronize_rcu(begun));
}

int main(int count, char **arguments)
{
	unsigned char *base = (unsigned char *)(uintptr_t)one_section;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	struct sigaction trap;
	int i, what, probe, total = 0;

	CHECK(count > 2);
	alarm(100);
	of_library = strcmp(arguments[1], "section") != 0;
	if (!strcmp(arguments[1], "lock"))
		base = (unsigned char *)(uintptr_t)(void (*)(void))(urcu_percpu_read_lock);
	if (!strcmp(arguments[1], "unlock"))
		base = (unsigned char *)(uintptr_t)(void (*)(void))(urcu_percpu_read_unlock);
	CHECK(mprotect((void *)((uintptr_t)base & ~(page - 1)), 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	memset(&trap, 0, sizeof(trap));
	trap.sa_sigaction = on_trap;
	trap.sa_flags = SA_SIGINFO | SA_NODEFER;
	CHECK(sigaction(SIGTRAP, &trap, NULL) == 0);
	one_section();
	for (i = 2; i < count; i++) {
		int before = hits;

		for (what = 0; what < ACTIONS; what++)
			for (probe = 0; probe < 2; probe++)
				run(base + strtoul(arguments[i], NULL, 16), (enum action)what, probe);
		total += hits > before;
	}
	/* What is left are the ways to what is rare. */
	CHECK(total > 3);
	puts("all is well");
	return 0;
}
