/* This flavour and liburcu's memb in one source. SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <urcu/urcu-memb.h>
#include <urcu-percpu.h>

#include <pthread.h>

#include "check.h"

#ifdef rcu_read_lock
#error "short names are left to liburcu's choice where its headers came first"
#endif

enum { ROUNDS = 300 };

struct node {
	int alive;
	struct rcu_head head;
};

static struct node *ours, *theirs;
static int stop;

static void free_node(struct rcu_head *head)
{
	struct node *node = containing(head, struct node, head);

	node->alive = 0;
	free(node);
}

static struct node *new_node(void)
{
	struct node *node = malloc(sizeof(*node));

	CHECK(node);
	node->alive = 1;
	return node;
}

static void *reads(void *argument)
{
	(void)argument;
	urcu_memb_register_thread();
	do {
		urcu_percpu_read_lock();
		urcu_memb_read_lock();
		CHECK(urcu_percpu_read_ongoing() && urcu_memb_read_ongoing());
		CHECK(rcu_dereference(ours)->alive);
		CHECK(rcu_dereference(theirs)->alive);
		urcu_percpu_read_unlock();
		CHECK(!urcu_percpu_read_ongoing() && urcu_memb_read_ongoing());
		CHECK(rcu_dereference(theirs)->alive);
		urcu_memb_read_unlock();
	} while (!__atomic_load_n(&stop, __ATOMIC_RELAXED));
	urcu_memb_unregister_thread();
	return NULL;
}

int main(void)
{
	pthread_t thread;
	int round;

	urcu_memb_register_thread();
	ours = new_node();
	theirs = new_node();
	CHECK(pthread_create(&thread, NULL, reads, NULL) == 0);
	for (round = 0; round < ROUNDS; round++) {
		struct node *old = rcu_xchg_pointer(&ours, new_node());

		if (round % 2) {
			urcu_percpu_call_rcu(&old->head, free_node);
		} else {
			urcu_percpu_synchronize_rcu();
			free_node(&old->head);
		}
		old = rcu_xchg_pointer(&theirs, new_node());
		if (round % 2) {
			urcu_memb_call_rcu(&old->head, free_node);
		} else {
			urcu_memb_synchronize_rcu();
			free_node(&old->head);
		}
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	CHECK(pthread_join(thread, NULL) == 0);
	urcu_percpu_barrier();
	urcu_memb_barrier();
	urcu_memb_unregister_thread();
	puts("all is well");
	return 0;
}
