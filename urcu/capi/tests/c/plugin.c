/* A shared object that uses the library. SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <urcu-percpu.h>

#ifdef URCU_PERCPU_INLINE_H
#error "code that may be unloaded has sequences in it"
#endif

static int ran;

static void note(void *p)
{
	(void)p;
	__atomic_add_fetch(&ran, 1, __ATOMIC_RELAXED);
}

/* How many callbacks have run. */
int use(void);
int use(void)
{
	rcu_read_lock();
	defer_rcu(note, NULL);
	if (rcu_read_ongoing() != 1)
		return -1;
	rcu_read_unlock();
	synchronize_rcu();
	rcu_barrier();
	return __atomic_load_n(&ran, __ATOMIC_RELAXED);
}
