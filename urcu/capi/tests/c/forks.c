/* Forks at any moment, told of or not. SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <urcu-percpu.h>

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static int ran, opened, over;

static void note(struct rcu_head *head)
{
	(void)head;
	__atomic_add_fetch(&ran, 1, __ATOMIC_RELAXED);
}

/* Another thread's section, which no child has. */
static void *holds_section(void *argument)
{
	(void)argument;
	rcu_read_lock();
	__atomic_store_n(&opened, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
		usleep(1000);
	rcu_read_unlock();
	return NULL;
}

static void succeeds(pid_t child)
{
	int status;

	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void reads_and_waits(void)
{
	static struct rcu_head head;

	rcu_read_lock();
	CHECK(rcu_read_ongoing() == 1);
	rcu_read_unlock();
	synchronize_rcu();
	ran = 0;
	call_rcu(&head, note);
	rcu_barrier();
	CHECK(ran == 1);
}

static void a_child_does_not_wait_for_its_parents_threads(void)
{
	struct urcu_gp_poll_state state = start_poll_synchronize_rcu();
	pid_t child = fork();

	if (child == 0) {
		alarm(60);
		while (!poll_state_synchronize_rcu(state))
			;
		reads_and_waits();
		_exit(0);
	}
	CHECK(!poll_state_synchronize_rcu(state));
	succeeds(child);
}

static void a_section_that_is_open_at_a_fork_protects_in_the_child_too(void)
{
	struct urcu_gp_poll_state parents;
	pid_t child;

	rcu_read_lock();
	rcu_read_lock();
	parents = start_poll_synchronize_rcu();
	child = fork();
	if (child == 0) {
		struct urcu_gp_poll_state state;
		pid_t grandchild;
		int i;

		alarm(60);
		CHECK(rcu_read_ongoing() == 2);
		state = start_poll_synchronize_rcu();
		for (i = 0; i < 100; i++)
			CHECK(!poll_state_synchronize_rcu(state) && !poll_state_synchronize_rcu(parents));
		rcu_read_unlock();
		CHECK(!poll_state_synchronize_rcu(state));
		grandchild = fork();
		if (grandchild == 0) {
			alarm(60);
			CHECK(rcu_read_ongoing() == 1);
			rcu_read_unlock();
			reads_and_waits();
			_exit(0);
		}
		succeeds(grandchild);
		rcu_read_unlock();
		CHECK(rcu_read_ongoing() == 0);
		synchronize_rcu();
		CHECK(poll_state_synchronize_rcu(state) && poll_state_synchronize_rcu(parents));
		reads_and_waits();
		_exit(0);
	}
	succeeds(child);
	CHECK(rcu_read_ongoing() == 2);
	rcu_read_unlock();
	rcu_read_unlock();
}

int main(void)
{
	pthread_t thread;
	int i;

	reads_and_waits();
	/* So that a child's own grace periods have lower numbers for long. */
	for (i = 0; i < 1000; i++)
		synchronize_rcu();
	CHECK(pthread_create(&thread, NULL, holds_section, NULL) == 0);
	while (!__atomic_load_n(&opened, __ATOMIC_ACQUIRE))
		usleep(1000);
	a_child_does_not_wait_for_its_parents_threads();
	a_section_that_is_open_at_a_fork_protects_in_the_child_too();
	__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	CHECK(pthread_join(thread, NULL) == 0);
	reads_and_waits();
	puts("all is well");
	return 0;
}
