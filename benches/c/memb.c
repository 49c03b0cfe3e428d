/*
 * Read-side sections and updates of liburcu-memb, inlined as its own headers
 * inline them into a C program. liburcu's headers are included from the system.
 */
#define _LGPL_SOURCE
#define URCU_INLINE_SMALL_FUNCTIONS
#include <stdint.h>
#include <stdlib.h>
#include <urcu/urcu-memb.h>

/* A value of 24 bytes, and what call_rcu needs to free it. */
struct node {
	uint64_t value[3];
	struct rcu_head head;
};

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

static void free_node(struct rcu_head *head)
{
	free(caa_container_of(head, struct node, head));
}

/*
 * Replaces what the slot points to `count` times by new nodes; the old ones are
 * freed after a grace period. The last one is the caller's to free.
 */
void urcu_benches_memb_swaps(struct node **slot, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		struct node *node = malloc(sizeof(*node));

		if (!node)
			abort();
		node->value[0] = node->value[1] = node->value[2] = i;
		node = rcu_xchg_pointer(slot, node);
		if (node)
			urcu_memb_call_rcu(&node->head, free_node);
	}
}
