/*
 * One value under a flavour of liburcu: FLAVOUR is mb, bp, memb or qsbr, or percpu for our own, HEADER its header. Read-side
 * sections are inlined as liburcu's own headers inline them into a C program; the headers
 * are included from the system.
 */
#define _LGPL_SOURCE
#define URCU_INLINE_SMALL_FUNCTIONS
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include HEADER

/* The short names, as macros, would be taken for arguments of those below. */
#ifdef URCU_PERCPU_NO_API_MAP
#define rcu_dereference(p) urcu_percpu_dereference(p)
#define rcu_xchg_pointer(p, v) urcu_percpu_xchg_pointer(p, v)
#endif

#define JOIN_(prefix, flavour, name) prefix##flavour##_##name
#define JOIN(prefix, flavour, name) JOIN_(prefix, flavour, name)
#define RCU(name) JOIN(urcu_, FLAVOUR, name)
#define OURS(name) JOIN(urcu_benches_flavour_, FLAVOUR, name)

/* memb's registrations nest, and are counted by who calls this. */
#ifdef REGISTERED
#define REGISTER() ((void)0)
#define UNREGISTER() ((void)0)
#else
#define REGISTER() RCU(register_thread)()
#define UNREGISTER() RCU(unregister_thread)()
#endif

struct node {
	uint64_t value;
	struct rcu_head head;
};

static void free_node(struct rcu_head *head)
{
	free((char *)head - offsetof(struct node, head));
}

/* The sum of what `count` sections read: lock, load the pointer, read, unlock. */
uint64_t OURS(sum)(struct node **slot, uint64_t count)
{
	uint64_t sum = 0;

	REGISTER();
	for (uint64_t i = 0; i < count; i++) {
		RCU(read_lock)();
		sum += rcu_dereference(*slot)->value;
		RCU(read_unlock)();
#ifdef QUIESCENT
		if (i % 64 == 0)
			RCU(quiescent_state)();
#endif
	}
	UNREGISTER();
	return sum;
}

/* Replaces the value; the old one is freed after a grace period. 0 if there is no memory. */
int OURS(store)(struct node **slot, uint64_t value)
{
	struct node *new = malloc(sizeof(*new)), *old;

	if (!new)
		return 0;
	new->value = value;
	REGISTER();
	old = rcu_xchg_pointer(slot, new);
	if (old)
		RCU(call_rcu)(&old->head, free_node);
	UNREGISTER();
	return 1;
}

/* One section, in which `body` runs with the value. */
void OURS(held)(struct node **slot, void (*body)(void *, uint64_t), void *data)
{
	REGISTER();
	RCU(read_lock)();
	body(data, rcu_dereference(*slot)->value);
	RCU(read_unlock)();
	UNREGISTER();
}
