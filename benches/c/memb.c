/*
 * Read-side sections of liburcu-memb, inlined as its own headers inline them
 * into a C program. liburcu's headers are included from the system.
 */
#define _LGPL_SOURCE
#define URCU_INLINE_SMALL_FUNCTIONS
#include <stdint.h>
#include <urcu/urcu-memb.h>

/* The sum of what `count` sections read: lock, load the pointer, read, unlock. */
uint64_t urcu_benches_memb_sections(uint64_t **slot, uint64_t count)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < count; i++) {
		urcu_memb_read_lock();
		sum += *rcu_dereference(*slot);
		urcu_memb_read_unlock();
	}
	return sum;
}
