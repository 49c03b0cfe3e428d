/* Readers, signals and updates. SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <urcu-percpu.h>

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { READERS = 3, UPDATES = 4000, VERSIONS = 64, ALIVE = 1, DEAD = 2 };

/* Never unmapped, so that a reader that comes too late sees it. */
static struct version {
	int state;
	struct rcu_head head;
} versions[VERSIONS];

static struct version *current;
static int stop, called;

static void reads(void)
{
	struct version *seen;
	int i;

	rcu_read_lock();
	seen = rcu_dereference(current);
	for (i = 0; i < 20; i++)
		CHECK(__atomic_load_n(&seen->state, __ATOMIC_RELAXED) == ALIVE);
	rcu_read_lock();
	seen = rcu_dereference(current);
	rcu_read_unlock();
	CHECK(__atomic_load_n(&seen->state, __ATOMIC_RELAXED) == ALIVE);
	rcu_read_unlock();
}

static void on_signal(int number)
{
	int depth = rcu_read_ongoing();

	(void)number;
	reads();
	CHECK(rcu_read_ongoing() == depth);
}

static void *reader(void *argument)
{
	(void)argument;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		reads();
	CHECK(rcu_read_ongoing() == 0);
	return NULL;
}

static void dies(struct rcu_head *head)
{
	struct version *version = containing(head, struct version, head);

	__atomic_store_n(&version->state, DEAD, __ATOMIC_RELEASE);
	__atomic_add_fetch(&called, 1, __ATOMIC_RELAXED);
}

int main(int count, char **arguments)
{
	pthread_t threads[READERS];
	struct sigaction action;
	int i, update, queued = 0;

	(void)count;
#ifdef URCU_PERCPU_INLINE_H
	if (!strcmp(arguments[1], "1"))
		CHECK(urcu_percpu_inlined_words.way > 0);
#else
	(void)arguments;
#endif
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	action.sa_flags = SA_RESTART;
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	versions[0].state = ALIVE;
	current = &versions[0];
	for (i = 0; i < READERS; i++)
		CHECK(pthread_create(&threads[i], NULL, reader, NULL) == 0);
	for (update = 1; update <= UPDATES; update++) {
		struct version *new = &versions[update % VERSIONS], *old;

		/* Of 64 updates ago. */
		if (update % VERSIONS == 0)
			rcu_barrier();
		while (__atomic_load_n(&new->state, __ATOMIC_ACQUIRE) == ALIVE)
			rcu_barrier();
		__atomic_store_n(&new->state, ALIVE, __ATOMIC_RELAXED);
		old = rcu_xchg_pointer(&current, new);
		if (update % 8) {
			call_rcu(&old->head, dies);
			queued++;
		} else {
			synchronize_rcu();
			__atomic_store_n(&old->state, DEAD, __ATOMIC_RELEASE);
		}
		pthread_kill(threads[update % READERS], SIGUSR1);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < READERS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	rcu_barrier();
	CHECK(called == queued);
	puts("all is well");
	return 0;
}
