/* Workers: `struct call_rcu_data`. SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include <urcu-percpu.h>

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { MANY = 300 };

struct item {
	struct rcu_head head;
	int number;
	pthread_t on;
	int cpu;
};

static struct item items[MANY];
static int called, held, release;

static void notes(struct rcu_head *head)
{
	struct item *item = containing(head, struct item, head);

	item->number = __atomic_fetch_add(&called, 1, __ATOMIC_RELAXED);
	item->on = pthread_self();
	item->cpu = sched_getcpu();
}

static void queue(int first, int end)
{
	int i;

	for (i = first; i < end; i++)
		call_rcu(&items[i].head, notes);
}

/* From `first` on in this order, by this thread. */
static void were_called(int first, int end, pthread_t thread)
{
	int i;

	for (i = first; i < end; i++)
		CHECK(items[i].number == i && pthread_equal(items[i].on, thread));
}

static void wait_for(int *word)
{
	while (!__atomic_load_n(word, __ATOMIC_ACQUIRE))
		usleep(100);
}

/* Keeps its worker busy. */
static void holds(struct rcu_head *head)
{
	(void)head;
	__atomic_store_n(&held, 1, __ATOMIC_RELEASE);
	wait_for(&release);
}

static void hold_worker(void)
{
	static struct rcu_head head;

	held = release = called = 0;
	call_rcu(&head, holds);
	wait_for(&held);
}

static struct call_rcu_data *own_worker(unsigned long flags, int cpu)
{
	struct call_rcu_data *worker = create_call_rcu_data(flags, cpu);

	CHECK(worker);
	set_thread_call_rcu_data(worker);
	CHECK(get_thread_call_rcu_data() == worker && get_call_rcu_data() == worker);
	called = 0;
	return worker;
}

static void free_own(struct call_rcu_data *worker)
{
	set_thread_call_rcu_data(NULL);
	CHECK(!get_thread_call_rcu_data());
	call_rcu_data_free(worker);
}

static void callbacks_are_called_in_order_by_the_threads_worker(void)
{
	struct call_rcu_data *worker = own_worker(0, -1);

	queue(0, MANY);
	rcu_barrier();
	were_called(0, MANY, get_call_rcu_thread(worker));
	CHECK(!pthread_equal(items[0].on, pthread_self()));
	free_own(worker);
}

static void callbacks_wait_for_sections(void)
{
	struct call_rcu_data *worker = own_worker(0, -1), *other = create_call_rcu_data(0, -1);
	struct urcu_gp_poll_state state;
	int i;

	rcu_read_lock();
	queue(0, 1);
	state = start_poll_synchronize_rcu();
	for (i = 0; i < 20; i++) {
		usleep(1000);
		CHECK(!__atomic_load_n(&called, __ATOMIC_ACQUIRE));
	}
	CHECK(!poll_state_synchronize_rcu(state));
	rcu_read_unlock();
	rcu_barrier();
	CHECK(called == 1);
	call_rcu_data_free(other);
	free_own(worker);
}

static void a_worker_runs_on_its_cpu(void)
{
	cpu_set_t allowed, other;
	int cpu, last = 0;

	CHECK(sched_getaffinity(0, sizeof(allowed), &allowed) == 0);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			last = cpu;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		struct call_rcu_data *worker;

		if (!CPU_ISSET(cpu, &allowed))
			continue;
		/* What threads inherit is another. */
		CPU_ZERO(&other);
		CPU_SET(last, &other);
		last = cpu;
		CHECK(sched_setaffinity(0, sizeof(other), &other) == 0);
		worker = own_worker(0, cpu);
		queue(0, 1);
		rcu_barrier();
		CHECK(items[0].cpu == cpu);
		free_own(worker);
	}
	CHECK(sched_setaffinity(0, sizeof(allowed), &allowed) == 0);
	/* One that there is not. */
	free_own(own_worker(0, 1 << 20));
}

static int freed;

static void *frees(void *worker)
{
	call_rcu_data_free((struct call_rcu_data *)worker);
	__atomic_store_n(&freed, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void what_a_freed_worker_leaves_is_called_by_the_default_one(void)
{
	struct call_rcu_data *worker = own_worker(0, -1), *fallback = get_default_call_rcu_data();
	pthread_t thread;
	int i;

	CHECK(fallback != worker && get_default_call_rcu_data() == fallback);
	hold_worker();
	queue(0, MANY);
	set_thread_call_rcu_data(NULL);
	CHECK(get_call_rcu_data() == fallback);
	CHECK(pthread_create(&thread, NULL, frees, worker) == 0);
	for (i = 0; i < 20; i++) {
		usleep(1000);
		CHECK(!__atomic_load_n(&freed, __ATOMIC_ACQUIRE));
	}
	__atomic_store_n(&release, 1, __ATOMIC_RELEASE);
	CHECK(pthread_join(thread, NULL) == 0);
	rcu_barrier();
	were_called(0, MANY, get_call_rcu_thread(fallback));
	/* The default one cannot be freed, and takes what has no other worker. */
	call_rcu_data_free(fallback);
	call_rcu_data_free(NULL);
	called = 0;
	queue(0, MANY);
	rcu_barrier();
	were_called(0, MANY, get_call_rcu_thread(fallback));
	/* So does it for a handle that was freed. */
	set_thread_call_rcu_data(worker);
	called = 0;
	queue(0, 1);
	rcu_barrier();
	were_called(0, 1, get_call_rcu_thread(fallback));
	set_thread_call_rcu_data(NULL);
}

static void a_busy_worker_delays_no_other(void)
{
	struct call_rcu_data *busy = own_worker(0, -1), *worker;

	hold_worker();
	worker = own_worker(0, -1);
	queue(0, 1);
	wait_for(&called);
	free_own(worker);
	queue(1, 2);
	while (__atomic_load_n(&called, __ATOMIC_ACQUIRE) != 2)
		usleep(100);
	__atomic_store_n(&release, 1, __ATOMIC_RELEASE);
	rcu_barrier();
	call_rcu_data_free(busy);
}

static void ends_the_process(struct rcu_head *head)
{
	if (containing(head, struct item, head) == &items[MANY - 1])
		_exit(0);
}

static void succeeds(pid_t child)
{
	int status;

	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void queueing_for_a_real_time_worker_makes_no_system_call(void)
{
	pid_t child = fork();

	if (child == 0) {
		int i;

		alarm(60);
		own_worker(URCU_CALL_RCU_RT, -1);
		queue(0, 1);
		rcu_barrier();
		/* From now on anything else kills this thread, and the process is never ended. */
		CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
		for (i = 0; i < MANY; i++)
			call_rcu(&items[i].head, ends_the_process);
		syscall(SYS_exit, 0);
	}
	succeeds(child);
}

static void each_cpu_can_have_a_worker(void)
{
	cpu_set_t before, one;
	int cpu = sched_getcpu(), i;
	struct call_rcu_data *worker = create_call_rcu_data(0, -1), *of_cpu;

	CHECK(!get_cpu_call_rcu_data(cpu) && !get_cpu_call_rcu_data(-1));
	CHECK(set_cpu_call_rcu_data(cpu, worker) == 0 && get_cpu_call_rcu_data(cpu) == worker);
	errno = 0;
	CHECK(set_cpu_call_rcu_data(cpu, worker) == -1 && errno == EEXIST);
	errno = 0;
	CHECK(set_cpu_call_rcu_data(-1, worker) == -1 && errno == EINVAL);
	errno = 0;
	CHECK(set_cpu_call_rcu_data(1 << 20, NULL) == -1 && errno == EINVAL);
	CHECK(!get_cpu_call_rcu_data(1 << 20));
	CHECK(create_all_cpu_call_rcu_data(0) == 0);
	CHECK(get_cpu_call_rcu_data(cpu) == worker);
	for (i = 0; i < sysconf(_SC_NPROCESSORS_CONF); i++)
		CHECK(get_cpu_call_rcu_data(i));

	CHECK(sched_getaffinity(0, sizeof(before), &before) == 0);
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &before))
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
		of_cpu = get_cpu_call_rcu_data(i);
		CHECK(get_call_rcu_data() == of_cpu);
		called = 0;
		queue(0, MANY);
		rcu_barrier();
		were_called(0, MANY, get_call_rcu_thread(of_cpu));
		/* A thread's own comes first. */
		if (of_cpu != worker) {
			set_thread_call_rcu_data(worker);
			CHECK(get_call_rcu_data() == worker);
			set_thread_call_rcu_data(NULL);
		}
	}
	CHECK(sched_setaffinity(0, sizeof(before), &before) == 0);
	free_all_cpu_call_rcu_data();
	for (i = 0; i < sysconf(_SC_NPROCESSORS_CONF); i++)
		CHECK(!get_cpu_call_rcu_data(i));
	free_all_cpu_call_rcu_data();
}

static struct call_rcu_data *of_callback;
static struct item second;
static int unblocked, requeued;

static void queues_another(struct rcu_head *head)
{
	sigset_t mask;

	(void)head;
	CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
	unblocked = !sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGUSR2);
	of_callback = get_thread_call_rcu_data();
	call_rcu(&second.head, notes);
	__atomic_store_n(&requeued, 1, __ATOMIC_RELEASE);
}

static void frees_its_own(struct rcu_head *head)
{
	(void)head;
	call_rcu_data_free(get_thread_call_rcu_data());
}

static void callbacks_have_the_programs_mask_and_may_queue_and_free(void)
{
	static struct rcu_head first, third;
	struct call_rcu_data *worker;
	sigset_t mask, before;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	CHECK(pthread_sigmask(SIG_SETMASK, &mask, &before) == 0);
	worker = own_worker(0, -1);
	CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	call_rcu(&first, queues_another);
	wait_for(&requeued);
	rcu_barrier();
	CHECK(unblocked && of_callback == worker);
	CHECK(pthread_equal(second.on, get_call_rcu_thread(worker)));
	call_rcu(&third, frees_its_own);
	set_thread_call_rcu_data(NULL);
	rcu_barrier();
	call_rcu_data_free(worker);
}

static void a_full_budget_makes_callers_wait_and_no_longer(void)
{
	struct call_rcu_data *worker = own_worker(0, -1);
	struct timespec begin, end;
	long long passed;

	urcu_percpu_domain_set_budget(urcu_percpu_global_domain(), 10, 1 << 20, 50);
	queue(0, 1);
	rcu_barrier();
	called = 0;
	rcu_read_lock();
	queue(0, 10);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	queue(10, 11);
	clock_gettime(CLOCK_MONOTONIC, &end);
	rcu_read_unlock();
	passed = (end.tv_sec - begin.tv_sec) * 1000000000ll + (end.tv_nsec - begin.tv_nsec);
	CHECK(passed >= 50000000);
	urcu_percpu_domain_set_budget(urcu_percpu_global_domain(), 1 << 20, 16 << 20, 10);
	rcu_barrier();
	were_called(0, 11, get_call_rcu_thread(worker));
	free_own(worker);
}

static void goes_on_in_child(struct call_rcu_data *worker, struct call_rcu_data *others)
{
	alarm(60);
	CHECK(get_thread_call_rcu_data() == worker);
	queue(0, MANY);
	rcu_barrier();
	were_called(0, MANY, get_call_rcu_thread(worker));
	CHECK(!called || called == MANY);
	set_thread_call_rcu_data(others);
	called = 0;
	queue(0, 1);
	rcu_barrier();
	were_called(0, 1, get_call_rcu_thread(others));
	call_rcu_data_free(worker);
	free_own(others);
	called = 0;
	queue(0, 1);
	rcu_barrier();
	were_called(0, 1, get_call_rcu_thread(get_default_call_rcu_data()));
}

static void children_go_on(int told)
{
	struct call_rcu_data *worker = own_worker(0, -1), *others = create_call_rcu_data(0, -1);
	static struct item waiting;
	pid_t child;

	/* In the middle of a batch, and with something queued, which are the parent's. */
	hold_worker();
	call_rcu(&waiting.head, notes);
	if (told)
		call_rcu_before_fork();
	child = fork();
	if (child == 0) {
		if (told)
			call_rcu_after_fork_child();
		goes_on_in_child(worker, others);
		_exit(0);
	}
	if (told)
		call_rcu_after_fork_parent();
	succeeds(child);
	CHECK(!called);
	__atomic_store_n(&release, 1, __ATOMIC_RELEASE);
	rcu_barrier();
	CHECK(called == 1);
	call_rcu_data_free(others);
	free_own(worker);
}

static void *releases(void *argument)
{
	(void)argument;
	/* Longer than any call sleeps at a time. */
	usleep(250000);
	__atomic_store_n(&release, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void waiting_sets_no_errno(void)
{
	struct call_rcu_data *worker = own_worker(0, -1);
	pthread_t thread;

	hold_worker();
	CHECK(pthread_create(&thread, NULL, releases, NULL) == 0);
	errno = 0;
	rcu_barrier();
	CHECK(errno == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	hold_worker();
	CHECK(pthread_create(&thread, NULL, releases, NULL) == 0);
	errno = 0;
	free_own(worker);
	CHECK(errno == 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void children_without_room_for_threads_go_on(void)
{
	struct call_rcu_data *worker = own_worker(0, -1);
	pid_t child = fork();

	if (child == 0) {
		pthread_attr_t attributes;

		alarm(60);
		CHECK(pthread_attr_init(&attributes) == 0);
		CHECK(pthread_attr_setstacksize(&attributes, (size_t)1 << 47) == 0);
		CHECK(pthread_setattr_default_np(&attributes) == 0);
		CHECK(!create_call_rcu_data(0, -1) && errno == EAGAIN);
		rcu_barrier();
		queue(0, 3);
		rcu_barrier();
		CHECK(called == 3);
		_exit(0);
	}
	succeeds(child);
	free_own(worker);
}

static pid_t forked;

static void forks(struct rcu_head *head)
{
	(void)head;
	forked = fork();
	if (forked == 0) {
		alarm(60);
		called = 0;
		queue(0, 1);
		/* This is no worker's thread here. */
		rcu_barrier();
		CHECK(called == 1);
		_exit(0);
	}
}

/* The child comes back to the worker, and ends with it. */
static void forks_and_returns(struct rcu_head *head)
{
	(void)head;
	forked = fork();
	if (forked == 0)
		alarm(60);
}

static void ends_a_child(struct rcu_head *head)
{
	(void)head;
	if (forked == 0)
		_exit(3);
}

static void a_callback_may_fork(void)
{
	static struct rcu_head heads[3];
	struct call_rcu_data *worker = own_worker(0, -1);

	call_rcu(&heads[0], forks);
	rcu_barrier();
	succeeds(forked);
	rcu_read_lock();
	call_rcu(&heads[1], forks_and_returns);
	call_rcu(&heads[2], ends_a_child);
	rcu_read_unlock();
	rcu_barrier();
	succeeds(forked);
	free_own(worker);
}

static void on_signal(int number)
{
	(void)number;
	forked = fork();
	if (forked == 0)
		alarm(60);
}

/* The signal comes when the worker lets signals in again, before it calls anything. */
static void what_waits_is_the_parents_if_a_handler_forks_on_the_workers_thread(void)
{
	static struct rcu_head heads[2];
	struct call_rcu_data *worker = own_worker(0, -1);
	struct sigaction forks_in_handler, before;

	memset(&forks_in_handler, 0, sizeof(forks_in_handler));
	forks_in_handler.sa_handler = on_signal;
	CHECK(sigaction(SIGUSR2, &forks_in_handler, &before) == 0);
	forked = -1;
	/* Both batches wait: the signal is not let in meanwhile. */
	rcu_read_lock();
	call_rcu(&heads[0], ends_a_child);
	CHECK(pthread_kill(get_call_rcu_thread(worker), SIGUSR2) == 0);
	call_rcu(&heads[1], ends_a_child);
	rcu_read_unlock();
	rcu_barrier();
	CHECK(forked > 0);
	succeeds(forked);
	CHECK(sigaction(SIGUSR2, &before, NULL) == 0);
	free_own(worker);
}

static int stop, total;

static void counts(struct rcu_head *head)
{
	__atomic_add_fetch(&total, 1, __ATOMIC_RELAXED);
	free(head);
}

/* Handles come and go, with callbacks in them. */
static void *comes_and_goes(void *argument)
{
	int *queued = (int *)argument, i;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		struct call_rcu_data *worker = create_call_rcu_data(*queued % 2, -1);

		set_thread_call_rcu_data(worker);
		for (i = 0; i < 20; i++, ++*queued) {
			struct rcu_head *head = (struct rcu_head *)malloc(sizeof(*head));

			CHECK(head);
			call_rcu(head, counts);
		}
		set_thread_call_rcu_data(NULL);
		call_rcu_data_free(worker);
	}
	return NULL;
}

static void nothing_is_lost_while_workers_come_and_go_and_others_fork(void)
{
	pthread_t threads[3];
	int queued[3] = { 0, 0, 0 }, i;

	for (i = 0; i < 3; i++)
		CHECK(pthread_create(&threads[i], NULL, comes_and_goes, &queued[i]) == 0);
	for (i = 0; i < 40; i++) {
		pid_t child = fork();

		if (child == 0) {
			alarm(60);
			free_own(own_worker(0, -1));
			queue(0, 3);
			rcu_barrier();
			CHECK(called == 3);
			_exit(0);
		}
		succeeds(child);
		rcu_barrier();
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 3; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	rcu_barrier();
	CHECK(total == queued[0] + queued[1] + queued[2]);
}

int main(void)
{
	callbacks_are_called_in_order_by_the_threads_worker();
	callbacks_wait_for_sections();
	a_worker_runs_on_its_cpu();
	what_a_freed_worker_leaves_is_called_by_the_default_one();
	a_busy_worker_delays_no_other();
	queueing_for_a_real_time_worker_makes_no_system_call();
	each_cpu_can_have_a_worker();
	callbacks_have_the_programs_mask_and_may_queue_and_free();
	a_full_budget_makes_callers_wait_and_no_longer();
	waiting_sets_no_errno();
	children_go_on(0);
	children_go_on(1);
	children_without_room_for_threads_go_on();
	a_callback_may_fork();
	what_waits_is_the_parents_if_a_handler_forks_on_the_workers_thread();
	nothing_is_lost_while_workers_come_and_go_and_others_fork();
	puts("all is well");
	return 0;
}
