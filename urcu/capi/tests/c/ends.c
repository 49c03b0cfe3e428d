/* What ends the process, by abort and with a message; nothing unwinds. SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <urcu-percpu.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static void too_many_unlocks(void)
{
	rcu_read_lock();
	rcu_read_unlock();
	rcu_read_unlock();
}

static void unlock_by_function(void)
{
	(urcu_percpu_read_unlock)();
}

static void nests_too_deep(void)
{
	int depth;

	for (depth = 0; depth <= 65536; depth++)
		rcu_read_lock();
}

static void waits(struct rcu_head *head)
{
	(void)head;
	rcu_barrier();
}

static void barrier_in_callback(void)
{
	static struct rcu_head head;

	call_rcu(&head, waits);
	rcu_barrier();
}

static void barrier_in_worker(void)
{
	set_thread_call_rcu_data(create_call_rcu_data(0, -1));
	barrier_in_callback();
}

#ifdef __cplusplus
static void throws(struct rcu_head *head)
{
	(void)head;
	throw 1;
}

static void exception_in_callback(void)
{
	static struct rcu_head head;

	try {
		call_rcu(&head, throws);
		rcu_barrier();
	} catch (...) {
		_exit(1);
	}
}

static void exception_in_worker(void)
{
	set_thread_call_rcu_data(create_call_rcu_data(0, -1));
	exception_in_callback();
}
#endif

static void aborts(void (*body)(void))
{
	int ends[2], status;
	char text[4096];
	size_t length = 0;
	ssize_t more;
	pid_t child;

	CHECK(pipe(ends) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		alarm(30);
		dup2(ends[1], 2);
		close(ends[0]);
		close(ends[1]);
		body();
		_exit(0);
	}
	close(ends[1]);
	while ((more = read(ends[0], text + length, sizeof(text) - length)) > 0)
		length = (length + (size_t)more) % sizeof(text);
	close(ends[0]);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && length > 20);
}

int main(void)
{
	aborts(too_many_unlocks);
	aborts(unlock_by_function);
	aborts(nests_too_deep);
	aborts(barrier_in_callback);
	aborts(barrier_in_worker);
#ifdef __cplusplus
	aborts(exception_in_callback);
	aborts(exception_in_worker);
#endif
	puts("all is well");
	return 0;
}
