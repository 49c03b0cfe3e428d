/*
 * A function of a header that begins sections, kept out of line in two sources, of which the linker takes one copy.
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <urcu-percpu.h>

#include "check.h"

template <class T>
__attribute__((noinline)) inline T read_it(T *const *at)
{
	rcu_read_lock();
	T value = *rcu_dereference(*at);
	CHECK(urcu_percpu_read_ongoing() == 1);
	rcu_read_unlock();
	return value;
}

int other_unit(int *const *at);

#ifdef OTHER_UNIT

int other_unit(int *const *at)
{
	return read_it(at);
}

#else

int main()
{
	int value = 5, *at = &value;

	for (int i = 0; i < 1000; i++)
		CHECK(read_it(&at) == 5 && other_unit(&at) == 5);
	CHECK(urcu_percpu_read_ongoing() == 0);
	/* No section is left open. */
	synchronize_rcu();
	puts("all is well");
	return 0;
}

#endif
