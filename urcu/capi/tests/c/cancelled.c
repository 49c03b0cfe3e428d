/* Threads that are cancelled in the middle of all calls. SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <urcu-percpu.h>

#include <pthread.h>
#include <unistd.h>

#include "check.h"

enum { THREADS = 100 };

static int ran, queued, began;

static void note(void *p)
{
	(void)p;
	__atomic_add_fetch(&ran, 1, __ATOMIC_RELAXED);
}

static void frees(struct rcu_head *head) { free(head); }

static void *calls(void *argument)
{
	(void)argument;
	for (;;) {
		struct urcu_percpu_domain *domain;
		struct call_rcu_data *worker;

		rcu_read_lock();
		__atomic_add_fetch(&queued, 1, __ATOMIC_RELAXED);
		defer_rcu(note, NULL);
		rcu_read_unlock();
		synchronize_rcu();
		rcu_barrier();
		domain = urcu_percpu_domain_create("cancelled");
		urcu_percpu_domain_synchronize(domain);
		urcu_percpu_domain_destroy(domain);
		worker = create_call_rcu_data(0, -1);
		CHECK(worker);
		set_thread_call_rcu_data(worker);
		call_rcu((struct rcu_head *)calloc(1, sizeof(struct rcu_head)), frees);
		set_thread_call_rcu_data(NULL);
		call_rcu_data_free(worker);
		__atomic_store_n(&began, 1, __ATOMIC_RELEASE);
		/* The only place. */
		pthread_testcancel();
	}
	return NULL;
}

int main(void)
{
	int i;

	for (i = 0; i < THREADS; i++) {
		pthread_t thread;
		void *result;

		began = 0;
		CHECK(pthread_create(&thread, NULL, calls, NULL) == 0);
		while (i % 2 && !__atomic_load_n(&began, __ATOMIC_ACQUIRE))
			usleep(10);
		usleep((unsigned)i % 7 * 10);
		CHECK(pthread_cancel(thread) == 0);
		CHECK(pthread_join(thread, &result) == 0);
		CHECK(result == PTHREAD_CANCELED);
	}
	synchronize_rcu();
	rcu_barrier();
	CHECK(ran == queued);
	puts("all is well");
	return 0;
}
