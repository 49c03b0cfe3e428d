/* liburcu's list, with no library of liburcu. SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <urcu-percpu.h>
#include <urcu/rculist.h>

#include <pthread.h>

#include "check.h"

enum { ROUNDS = 20000, LENGTH = 10 };

struct user {
	long id, twice;
	struct cds_list_head node;
	struct rcu_head head;
};

static CDS_LIST_HEAD(users);
static int stop;

static void free_user(struct rcu_head *head)
{
	struct user *user = containing(head, struct user, head);

	user->twice = -1;
	free(user);
}

static void *reads(void *argument)
{
	struct user *user;

	(void)argument;
	do {
		rcu_read_lock();
		cds_list_for_each_entry_rcu(user, &users, node)
			CHECK(user->twice == 2 * user->id);
		rcu_read_unlock();
	} while (!__atomic_load_n(&stop, __ATOMIC_RELAXED));
	return NULL;
}

int main(void)
{
	pthread_t reader;

	CHECK(!pthread_create(&reader, NULL, reads, NULL));
	for (long i = 0; i < ROUNDS; i++) {
		struct user *user = malloc(sizeof(*user));

		CHECK(user);
		user->id = i;
		user->twice = 2 * i;
		cds_list_add_rcu(&user->node, &users);
		if (i < LENGTH)
			continue;
		user = containing(users.prev, struct user, node);
		cds_list_del_rcu(&user->node);
		call_rcu(&user->head, free_user);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	CHECK(!pthread_join(reader, NULL));
	rcu_barrier();
	puts("all is well");
	return 0;
}
