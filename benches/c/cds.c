/*
 * liburcu's hash table and its wait-free queue, with numbers for keys and values, as a C program uses them:
 * inlined where liburcu's own headers inline them, which are included from the system.
 */
#define _LGPL_SOURCE
#define URCU_INLINE_SMALL_FUNCTIONS
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <urcu/urcu-memb.h>
#include <urcu/rculfhash.h>
#include <urcu/wfcqueue.h>

#define CONTAINER(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

struct entry {
	uint64_t key, value;
	struct cds_lfht_node node;
	struct rcu_head head;
};

static void free_entry(struct rcu_head *head)
{
	free(CONTAINER(head, struct entry, head));
}

static int matches(struct cds_lfht_node *node, const void *key)
{
	return CONTAINER(node, struct entry, node)->key == *(const uint64_t *)key;
}

struct cds_lfht *urcu_benches_lfht_new(void)
{
	return cds_lfht_new_flavor(64, 64, 0, CDS_LFHT_AUTO_RESIZE | CDS_LFHT_ACCOUNTING,
				   &urcu_memb_flavor, NULL);
}

static struct cds_lfht_node *find(struct cds_lfht *table, uint64_t hash, uint64_t key)
{
	struct cds_lfht_iter found;

	cds_lfht_lookup(table, hash, matches, &key, &found);
	return cds_lfht_iter_get_node(&found);
}

int urcu_benches_lfht_get(struct cds_lfht *table, uint64_t hash, uint64_t key, uint64_t *value)
{
	struct cds_lfht_node *node;

	urcu_memb_read_lock();
	node = find(table, hash, key);
	if (node)
		*value = CONTAINER(node, struct entry, node)->value;
	urcu_memb_read_unlock();
	return !!node;
}

uint64_t urcu_benches_lfht_get_all(struct cds_lfht *table, const uint64_t *keys, size_t count,
				   uint64_t (*hash)(uint64_t))
{
	uint64_t sum = 0;

	urcu_memb_read_lock();
	for (size_t i = 0; i < count; i++) {
		struct cds_lfht_node *node = find(table, hash(keys[i]), keys[i]);

		if (node)
			sum += CONTAINER(node, struct entry, node)->value;
	}
	urcu_memb_read_unlock();
	return sum;
}

/* Replaces what is there for the key. 0 if there is no memory. */
int urcu_benches_lfht_insert(struct cds_lfht *table, uint64_t hash, uint64_t key, uint64_t value)
{
	struct entry *entry = malloc(sizeof(*entry));
	struct cds_lfht_node *old;

	if (!entry)
		return 0;
	entry->key = key;
	entry->value = value;
	cds_lfht_node_init(&entry->node);
	urcu_memb_read_lock();
	old = cds_lfht_add_replace(table, hash, matches, &key, &entry->node);
	urcu_memb_read_unlock();
	if (old)
		urcu_memb_call_rcu(&CONTAINER(old, struct entry, node)->head, free_entry);
	return 1;
}

void urcu_benches_lfht_remove(struct cds_lfht *table, uint64_t hash, uint64_t key)
{
	struct cds_lfht_node *node;
	int removed;

	urcu_memb_read_lock();
	node = find(table, hash, key);
	removed = node && !cds_lfht_del(table, node);
	urcu_memb_read_unlock();
	if (removed)
		urcu_memb_call_rcu(&CONTAINER(node, struct entry, node)->head, free_entry);
}

void urcu_benches_lfht_destroy(struct cds_lfht *table)
{
	struct cds_lfht_iter each;
	struct cds_lfht_node *node;

	urcu_memb_read_lock();
	cds_lfht_first(table, &each);
	while ((node = cds_lfht_iter_get_node(&each))) {
		cds_lfht_next(table, &each);
		if (!cds_lfht_del(table, node))
			urcu_memb_call_rcu(&CONTAINER(node, struct entry, node)->head, free_entry);
	}
	urcu_memb_read_unlock();
	cds_lfht_destroy(table, NULL);
}

struct item {
	struct cds_wfcq_node node;
	uint64_t value;
};

struct queue {
	struct cds_wfcq_head head __attribute__((aligned(64)));
	struct cds_wfcq_tail tail __attribute__((aligned(64)));
};

struct queue *urcu_benches_wfcq_new(void)
{
	struct queue *queue = aligned_alloc(64, sizeof(*queue));

	if (queue)
		cds_wfcq_init(&queue->head, &queue->tail);
	return queue;
}

int urcu_benches_wfcq_push(struct queue *queue, uint64_t value)
{
	struct item *item = malloc(sizeof(*item));

	if (!item)
		return 0;
	item->value = value;
	cds_wfcq_node_init(&item->node);
	cds_wfcq_enqueue(&queue->head, &queue->tail, &item->node);
	return 1;
}

int urcu_benches_wfcq_pop(struct queue *queue, uint64_t *value)
{
	struct cds_wfcq_node *node = cds_wfcq_dequeue_blocking(&queue->head, &queue->tail);
	struct item *item;

	if (!node)
		return 0;
	item = CONTAINER(node, struct item, node);
	*value = item->value;
	/* A dequeued node may be freed at once. */
	free(item);
	return 1;
}

void urcu_benches_wfcq_destroy(struct queue *queue)
{
	uint64_t value;

	while (urcu_benches_wfcq_pop(queue, &value))
		;
	cds_wfcq_destroy(&queue->head, &queue->tail);
	free(queue);
}
