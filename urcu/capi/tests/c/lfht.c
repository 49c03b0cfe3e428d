/* liburcu's hash table on this flavour. SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _LGPL_SOURCE
#include <urcu-percpu.h>
#include <urcu/cds.h>
#include <urcu/rculist.h>

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { KEYS = 3000, ROUNDS = 3, WRITERS = 2 };

struct node {
	unsigned long key, alive;
	struct cds_lfht_node link;
	struct rcu_head head;
};

static struct cds_lfht *table;
static int stop;
static unsigned long freed;

static unsigned long hash_of(unsigned long key)
{
	return key * 0x9e3779b97f4a7c15ul >> 20;
}

static int matches(struct cds_lfht_node *link, const void *key)
{
	return containing(link, struct node, link)->key == *(const unsigned long *)key;
}

static struct node *find(unsigned long key)
{
	struct cds_lfht_iter iterator;
	struct cds_lfht_node *link;

	cds_lfht_lookup(table, hash_of(key), matches, &key, &iterator);
	link = cds_lfht_iter_get_node(&iterator);
	return link ? containing(link, struct node, link) : NULL;
}

static void free_node(struct rcu_head *head)
{
	struct node *node = containing(head, struct node, head);

	node->alive = 0;
	free(node);
	__atomic_add_fetch(&freed, 1, __ATOMIC_RELAXED);
}

static void add(unsigned long key)
{
	struct node *node = malloc(sizeof(*node));

	CHECK(node);
	node->key = key;
	node->alive = 1;
	rcu_read_lock();
	CHECK(cds_lfht_add_unique(table, hash_of(key), matches, &key, &node->link) == &node->link);
	rcu_read_unlock();
}

static void take(unsigned long key)
{
	struct node *node;

	rcu_read_lock();
	node = find(key);
	CHECK(node && node->alive == 1);
	CHECK(cds_lfht_del(table, &node->link) == 0);
	call_rcu(&node->head, free_node);
	rcu_read_unlock();
}

static void *reads(void *argument)
{
	unsigned long key = 0;

	(void)argument;
	do {
		struct node *node;

		rcu_read_lock();
		node = find(key);
		if (node) {
			CHECK(node->key == key);
			CHECK(node->alive == 1);
		}
		rcu_read_unlock();
		key = (key + 7) % (KEYS * WRITERS);
	} while (!__atomic_load_n(&stop, __ATOMIC_RELAXED));
	return NULL;
}

static void *writes(void *argument)
{
	unsigned long first = *(unsigned long *)argument * KEYS, key;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		for (key = first; key < first + KEYS; key++)
			add(key);
		for (key = first; key < first + KEYS; key++)
			take(key);
	}
	return NULL;
}

/* A child goes on with the table, and its workers, when it is told of the fork. */
static void fork_with_table(void)
{
	int status;
	pid_t child;

	call_rcu_before_fork();
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		unsigned long key;

		call_rcu_after_fork_child();
		alarm(60);
		for (key = 0; key < KEYS; key++)
			add(key);
		for (key = 0; key < KEYS; key++)
			take(key);
		rcu_barrier();
		_exit(0);
	}
	call_rcu_after_fork_parent();
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	pthread_t reader, writers[WRITERS];
	unsigned long numbers[WRITERS], count;
	long before, after;
	int i;

	table = cds_lfht_new_flavor(1, 1, 0, CDS_LFHT_AUTO_RESIZE | CDS_LFHT_ACCOUNTING, &rcu_flavor, NULL);
	CHECK(table);
	CHECK(pthread_create(&reader, NULL, reads, NULL) == 0);
	for (i = 0; i < WRITERS; i++) {
		numbers[i] = (unsigned long)i;
		CHECK(pthread_create(&writers[i], NULL, writes, &numbers[i]) == 0);
	}
	for (i = 0; i < WRITERS; i++)
		CHECK(pthread_join(writers[i], NULL) == 0);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	CHECK(pthread_join(reader, NULL) == 0);
	rcu_barrier();
	CHECK(freed == KEYS * ROUNDS * WRITERS);
	rcu_read_lock();
	cds_lfht_count_nodes(table, &before, &count, &after);
	rcu_read_unlock();
	CHECK(count == 0);
	fork_with_table();
	CHECK(cds_lfht_destroy(table, NULL) == 0);
	puts("all is well");
	return 0;
}
