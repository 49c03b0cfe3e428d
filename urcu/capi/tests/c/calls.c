/* Each call once, for what it promises; C11 and C++17. SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <urcu-percpu.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "check.h"

struct node {
	int value;
	struct rcu_head head;
};

static struct node *current;
static int freed;

static void free_node(struct rcu_head *head)
{
	struct node *node = containing(head, struct node, head);

	__atomic_add_fetch(&freed, node->value, __ATOMIC_RELAXED);
	free(node);
}

static struct node *new_node(int value)
{
	struct node *node = (struct node *)malloc(sizeof(*node));

	CHECK(node);
	node->value = value;
	return node;
}

static void *reads_once(void *argument)
{
	(void)argument;
	CHECK(rcu_read_ongoing() == 0);
	rcu_read_lock();
	CHECK(rcu_dereference(current)->value == 1);
	CHECK(rcu_read_ongoing() == 1);
	rcu_read_unlock();
	return NULL;
}

static void in_thread(void *(*body)(void *), void *argument)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, body, argument) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void sections_nest(void)
{
	struct urcu_gp_poll_state state;
	int depth;

	CHECK(rcu_read_ongoing() == 0);
	for (depth = 1; depth <= 1000; depth++) {
		rcu_read_lock();
		CHECK(rcu_read_ongoing() == depth);
	}
	state = start_poll_synchronize_rcu();
	for (depth = 999; depth >= 1; depth--) {
		rcu_read_unlock();
		CHECK(rcu_read_ongoing() == depth);
		CHECK(depth % 100 || !poll_state_synchronize_rcu(state));
	}
	rcu_read_unlock();
	CHECK(rcu_read_ongoing() == 0);
	synchronize_rcu();
	CHECK(poll_state_synchronize_rcu(state));
}

static void pointers_are_published_and_exchanged(void)
{
	struct node *first = new_node(1), *second = new_node(2), *third = new_node(3);

	rcu_assign_pointer(current, first);
	in_thread(reads_once, NULL);
	CHECK(rcu_xchg_pointer(&current, second) == first);
	CHECK(rcu_cmpxchg_pointer(&current, first, third) == second);
	CHECK(current == second);
	CHECK(rcu_cmpxchg_pointer(&current, second, third) == second);
	CHECK(current == third);
	rcu_set_pointer(&current, NULL);
	CHECK(rcu_dereference(current) == NULL);

	freed = 0;
	call_rcu(&first->head, free_node);
	call_rcu(&second->head, free_node);
	call_rcu(&third->head, free_node);
	rcu_barrier();
	CHECK(freed == 6);
}

static void add_to(void *p)
{
	__atomic_add_fetch((int *)p, 1, __ATOMIC_RELAXED);
}

static void callbacks_wait_for_sections(void)
{
	int deferred = 0;

	CHECK(rcu_defer_register_thread() == 0);
	freed = 0;
	rcu_read_lock();
	call_rcu(&new_node(7)->head, free_node);
	defer_rcu(add_to, &deferred);
	CHECK(__atomic_load_n(&freed, __ATOMIC_RELAXED) == 0);
	CHECK(__atomic_load_n(&deferred, __ATOMIC_RELAXED) == 0);
	rcu_read_unlock();
	rcu_defer_barrier_thread();
	CHECK(deferred == 1);
	rcu_barrier();
	CHECK(freed == 7);
	defer_rcu(add_to, &deferred);
	rcu_defer_barrier();
	CHECK(deferred == 2);
	rcu_defer_unregister_thread();
}

struct passed {
	struct urcu_percpu_domain *domain;
	struct urcu_percpu_section section;
};

static void *ends_section(void *argument)
{
	struct passed *passed = (struct passed *)argument;

	urcu_percpu_domain_read_unlock(passed->domain, passed->section);
	return NULL;
}

static void domains_have_grace_periods_of_their_own(void)
{
	struct urcu_percpu_domain *domain = urcu_percpu_domain_create("C");
	struct urcu_percpu_domain *other = urcu_percpu_domain_create(NULL);
	struct urcu_gp_poll_state state;
	struct passed passed;
	struct urcu_percpu_stats stats;
	struct { struct urcu_percpu_stats known; uint64_t later; } longer;
	uint64_t value = 42, copy = 0;
	const void *source = &value;

	CHECK(domain && other);
	passed.domain = domain;
	passed.section = urcu_percpu_domain_read_lock(domain);
	CHECK(rcu_read_ongoing() == 0);
	/* Neither waits for that section. */
	urcu_percpu_domain_synchronize(other);
	synchronize_rcu();
	state = urcu_percpu_domain_start_poll(domain);
	CHECK(!urcu_percpu_domain_poll(domain, state));
	in_thread(ends_section, &passed);
	urcu_percpu_domain_synchronize(domain);
	CHECK(urcu_percpu_domain_poll(domain, state));

	freed = 0;
	urcu_percpu_domain_set_budget(domain, 1000, 1 << 20, 5);
	urcu_percpu_domain_call(domain, &new_node(3)->head, free_node);
	urcu_percpu_domain_barrier(domain);
	CHECK(freed == 3);
	CHECK(urcu_percpu_domain_stats(domain, &stats, sizeof(stats)) == 0);
	CHECK(stats.callbacks_run == 1 && stats.grace_periods >= 1);
	longer.later = 1;
	CHECK(urcu_percpu_domain_stats(domain, &longer.known, sizeof(longer)) == 0);
	CHECK(longer.later == 0);
	errno = 0;
	CHECK(urcu_percpu_domain_stats(domain, &stats, 8) == -1 && errno == EINVAL);

	urcu_percpu_domain_snapshot(domain, &source, &copy, sizeof(copy));
	CHECK(copy == 42);
	/* What is queued runs before the domain ends. */
	urcu_percpu_domain_call(domain, &new_node(4)->head, free_node);
	value = 0;
	urcu_percpu_domain_defer(domain, add_to, &value);
	urcu_percpu_domain_destroy(domain);
	CHECK(freed == 7 && value == 1);
	urcu_percpu_domain_destroy(other);
	urcu_percpu_domain_destroy(NULL);
	errno = 0;
	CHECK(urcu_percpu_domain_create("\xff") == NULL && errno == EINVAL);
	passed.section = urcu_percpu_domain_read_lock(urcu_percpu_global_domain());
	urcu_percpu_domain_read_unlock(urcu_percpu_global_domain(), passed.section);
}

static void note_report(const char *report, void *data)
{
	CHECK(strlen(report) > 10);
	__atomic_store_n((int *)data, 1, __ATOMIC_RELEASE);
}

static void stalls_are_told(void)
{
	static int told;
	struct urcu_gp_poll_state state;

	urcu_percpu_set_stall_hook(note_report, &told);
	urcu_percpu_set_stall_timeout(1);
	rcu_read_lock();
	state = start_poll_synchronize_rcu();
	while (!__atomic_load_n(&told, __ATOMIC_ACQUIRE))
		CHECK(!poll_state_synchronize_rcu(state));
	rcu_read_unlock();
	urcu_percpu_set_stall_hook(NULL, NULL);
	urcu_percpu_set_stall_timeout(UINT64_MAX);
}

DEFINE_RCU_FLAVOR(own_flavor);

static void flavours_are_tables(void)
{
	const struct rcu_flavor_struct *flavors[2] = { &rcu_flavor, &own_flavor };
	int i;

	CHECK(sizeof(struct rcu_head) == 2 * sizeof(void *));
	for (i = 0; i < 2; i++) {
		struct urcu_gp_poll_state state;

		flavors[i]->register_thread();
		flavors[i]->read_lock();
		CHECK(flavors[i]->read_ongoing() == 1);
		flavors[i]->read_unlock();
		flavors[i]->read_quiescent_state();
		flavors[i]->thread_offline();
		flavors[i]->thread_online();
		freed = 0;
		flavors[i]->update_call_rcu(&new_node(5)->head, free_node);
		flavors[i]->barrier();
		CHECK(freed == 5);
		flavors[i]->update_defer_rcu(add_to, &freed);
		flavors[i]->barrier();
		CHECK(freed == 6);
		state = flavors[i]->update_start_poll_synchronize_rcu();
		flavors[i]->update_synchronize_rcu();
		CHECK(flavors[i]->update_poll_state_synchronize_rcu(state));
		flavors[i]->unregister_thread();
	}
}

static void add_10(void *p) { *(int *)p += 10; }
static void add_100(void *p) { *(int *)p += 100; }

static void tables_are_told_of_forks(void)
{
	int sum = 0, unused = 0;
	struct urcu_atfork first = { add_to, add_10, add_100, &sum };
	struct urcu_atfork second = { add_to, add_10, add_100, &unused };

	urcu_register_rculfhash_atfork(&first);
	urcu_register_rculfhash_atfork(&second);
	call_rcu_before_fork();
	call_rcu_after_fork_parent();
	call_rcu_after_fork_child();
	CHECK(sum == 111 && unused == 0);
	urcu_unregister_rculfhash_atfork(&second);
	call_rcu_before_fork();
	CHECK(sum == 112);
	urcu_unregister_rculfhash_atfork(&first);
	call_rcu_before_fork();
	CHECK(sum == 112);
}

#include <urcu-percpu/clear.h>
static int call_rcu(void) { return 1; }
static int rcu_read_lock(void) { return 2; }
static void short_names_can_be_taken_away(void)
{
	CHECK(call_rcu() + rcu_read_lock() == 3);
}
#include <urcu-percpu/map.h>

int main(void)
{
	rcu_init();
	rcu_register_thread();
	sections_nest();
	pointers_are_published_and_exchanged();
	callbacks_wait_for_sections();
	domains_have_grace_periods_of_their_own();
	stalls_are_told();
	flavours_are_tables();
	tables_are_told_of_forks();
	short_names_can_be_taken_away();
	rcu_unregister_thread();
	puts("all is well");
	return 0;
}
