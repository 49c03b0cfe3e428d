/*
 * urcu-percpu: userspace RCU with readers counted per CPU, under the interface of liburcu.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Needs C11 or C++17, GCC or Clang, and Linux with glibc on x86-64 or AArch64. docs/reference.md describes each
 * call, and docs/from-liburcu.md lists what differs from liburcu.
 *
 * The short names (rcu_read_lock, ...) stand for the calls of this flavour, unless URCU_PERCPU_NO_API_MAP is defined
 * or a flavour of liburcu was included before. <urcu-percpu/clear.h> removes the short names, and
 * <urcu-percpu/map.h> brings them back. A source that also uses a flavour of liburcu includes that flavour first.
 * liburcu's containers are best included after this header: where <urcu/rculist.h> or <urcu/rcuhlist.h> comes first, a
 * program must define URCU_INLINE_SMALL_FUNCTIONS (or _LGPL_SOURCE) before it, or link with a flavour of liburcu.
 */
#ifndef URCU_PERCPU_H
#define URCU_PERCPU_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Types that liburcu has too, with the same sizes and members. */

#ifdef _URCU_CALL_RCU_H
#define URCU_PERCPU_AFTER_LIBURCU
#else
/* liburcu's containers, which may be included later, then use these types. Its flavours come before this header. */
#define _URCU_CALL_RCU_H
/* A member of each object that is freed by call_rcu. Only the library uses its contents. */
struct rcu_head {
#ifdef _URCU_WFCQUEUE_H
	struct cds_wfcq_node next;
#else
	struct {
		void *next;
	} next;
#endif
	void (*func)(struct rcu_head *head);
};
/* For create_call_rcu_data: queueing makes no system call unless the budget is full; the worker looks every 10 ms. */
#define URCU_CALL_RCU_RT (1U << 0)
#endif

/* A worker: a thread that calls the callbacks that are queued through it, in order. */
struct call_rcu_data;

#ifndef _URCU_POLL_H
/* A grace period to poll for. */
struct urcu_gp_poll_state {
	unsigned long grace_period_id;
};
#endif

#ifndef _URCU_FLAVOR_H
/* Handlers that call_rcu_before_fork and the two calls after fork call; for liburcu's hash table. */
struct urcu_atfork {
	void (*before_fork)(void *priv);
	void (*after_fork_parent)(void *priv);
	void (*after_fork_child)(void *priv);
	void *priv;
};

/* A flavour as a table of functions, for liburcu's containers. */
struct rcu_flavor_struct {
	void (*read_lock)(void);
	void (*read_unlock)(void);
	int (*read_ongoing)(void);
	void (*read_quiescent_state)(void);
	void (*update_call_rcu)(struct rcu_head *head, void (*func)(struct rcu_head *head));
	void (*update_synchronize_rcu)(void);
	void (*update_defer_rcu)(void (*func)(void *p), void *p);
	void (*thread_offline)(void);
	void (*thread_online)(void);
	void (*register_thread)(void);
	void (*unregister_thread)(void);
	void (*barrier)(void);
	void (*register_rculfhash_atfork)(struct urcu_atfork *atfork);
	void (*unregister_rculfhash_atfork)(struct urcu_atfork *atfork);
	struct urcu_gp_poll_state (*update_start_poll_synchronize_rcu)(void);
	bool (*update_poll_state_synchronize_rcu)(struct urcu_gp_poll_state state);
};

/* Defines a flavour from the short names, as they are mapped at that place. */
#define DEFINE_RCU_FLAVOR(x)                                                        \
	extern const struct rcu_flavor_struct x;                                    \
	const struct rcu_flavor_struct x = {                                        \
		rcu_read_lock, rcu_read_unlock, rcu_read_ongoing,                   \
		rcu_quiescent_state, call_rcu, synchronize_rcu, defer_rcu,          \
		rcu_thread_offline, rcu_thread_online, rcu_register_thread,         \
		rcu_unregister_thread, rcu_barrier, urcu_register_rculfhash_atfork, \
		urcu_unregister_rculfhash_atfork, start_poll_synchronize_rcu,       \
		poll_state_synchronize_rcu                                          \
	}
#endif

/* Readers. Any thread may call these without registration, signal handlers too. Sections nest up to 65,536 deep. */
void urcu_percpu_read_lock(void);
void urcu_percpu_read_unlock(void);
/* Returns how many sections this thread has open, one inside the other. */
int urcu_percpu_read_ongoing(void);

/* These do nothing, and are not needed. */
void urcu_percpu_init(void);
void urcu_percpu_register_thread(void);
void urcu_percpu_unregister_thread(void);
void urcu_percpu_thread_online(void);
void urcu_percpu_thread_offline(void);
void urcu_percpu_quiescent_state(void);

/* Waits until all sections that are open now have ended. Not to be called inside a section or a signal handler. */
void urcu_percpu_synchronize_rcu(void);
struct urcu_gp_poll_state urcu_percpu_start_poll_synchronize_rcu(void);
bool urcu_percpu_poll_state_synchronize_rcu(struct urcu_gp_poll_state state);

/*
 * Calls func(head) after a grace period, on the worker of this thread, else on that of this CPU, else on the
 * default one. Until get_default_call_rcu_data is called, a background thread of the library takes the place of
 * the default worker. While a stalled reader keeps the budget full, each call waits for room, for 10 ms at most:
 * see urcu_percpu_domain_set_budget.
 */
void urcu_percpu_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));
/* Waits until all callbacks queued before have run. Not to be called inside a section. */
void urcu_percpu_barrier(void);


/*
 * Workers. Creates one, whose thread runs on CPU cpu_affinity if that is not negative and the kernel allows it.
 * Returns null, with errno set (EAGAIN), if no thread can be started.
 */
struct call_rcu_data *urcu_percpu_create_call_rcu_data(unsigned long flags, int cpu_affinity);
/*
 * Stops the worker's thread after the callbacks that it is calling. The default worker calls the others. Does
 * nothing for null and for the default worker. Not to be called inside a section.
 */
void urcu_percpu_call_rcu_data_free(struct call_rcu_data *crdp);
/* Creates the default worker if necessary. From then on, callbacks that have no other worker go to it. */
struct call_rcu_data *urcu_percpu_get_default_call_rcu_data(void);
/* Return null if there is no such worker. */
struct call_rcu_data *urcu_percpu_get_cpu_call_rcu_data(int cpu);
struct call_rcu_data *urcu_percpu_get_thread_call_rcu_data(void);
/* Returns the worker that this thread's callbacks go to now. */
struct call_rcu_data *urcu_percpu_get_call_rcu_data(void);
pthread_t urcu_percpu_get_call_rcu_thread(struct call_rcu_data *crdp);
/* Null takes the thread's worker away. */
void urcu_percpu_set_thread_call_rcu_data(struct call_rcu_data *crdp);
/* Returns 0, or -1 with errno EINVAL (no such CPU) or EEXIST (the CPU has a worker: set null first). */
int urcu_percpu_set_cpu_call_rcu_data(int cpu, struct call_rcu_data *crdp);
/* Creates a worker for each configured CPU that has none. Returns 0, or a negative error number and sets errno. */
int urcu_percpu_create_all_cpu_call_rcu_data(unsigned long flags);
/* Takes the workers of all CPUs away, waits for a grace period, and frees the workers. */
void urcu_percpu_free_all_cpu_call_rcu_data(void);

/* Only liburcu's hash tables that resize themselves need these calls around fork: they call the tables' handlers. */
void urcu_percpu_call_rcu_before_fork(void);
void urcu_percpu_call_rcu_after_fork_parent(void);
void urcu_percpu_call_rcu_after_fork_child(void);
void urcu_percpu_register_rculfhash_atfork(struct urcu_atfork *atfork);
void urcu_percpu_unregister_rculfhash_atfork(struct urcu_atfork *atfork);

/* Calls func(p), which frees something, after a grace period, on this or any other thread. */
void urcu_percpu_defer_rcu(void (*func)(void *p), void *p);
int urcu_percpu_defer_register_thread(void);
void urcu_percpu_defer_unregister_thread(void);
void urcu_percpu_defer_barrier(void);
void urcu_percpu_defer_barrier_thread(void);

extern const struct rcu_flavor_struct urcu_percpu_flavor;

/* Domains. Sections of different domains do not delay each other's grace periods, and may end in another thread. */

struct urcu_percpu_domain;

/* The token of an open section. Each token is given back once, to its own domain. */
struct urcu_percpu_section {
	uintptr_t urcu_percpu_words[2];
};

/* The name, which may be null, appears in messages. Returns null with errno EINVAL if the name is not UTF-8. */
struct urcu_percpu_domain *urcu_percpu_domain_create(const char *name);
/* Runs the queued callbacks, and frees the domain, which nobody may use any more. Does nothing for null. */
void urcu_percpu_domain_destroy(struct urcu_percpu_domain *domain);
/* Returns the domain of urcu_percpu_read_lock, which must not be destroyed. */
const struct urcu_percpu_domain *urcu_percpu_global_domain(void);

struct urcu_percpu_section urcu_percpu_domain_read_lock(const struct urcu_percpu_domain *domain);
/* Ends a section, on any thread. */
void urcu_percpu_domain_read_unlock(const struct urcu_percpu_domain *domain,
				    struct urcu_percpu_section section);
/*
 * Copies `size` bytes from where *source points, inside a section of its own. For up to 1,024 bytes that touches
 * no counter. *source is not null, and what it points to does not change until it is freed.
 */
void urcu_percpu_domain_snapshot(const struct urcu_percpu_domain *domain,
				 const void *const *source, void *target, size_t size);

void urcu_percpu_domain_synchronize(const struct urcu_percpu_domain *domain);
struct urcu_gp_poll_state urcu_percpu_domain_start_poll(const struct urcu_percpu_domain *domain);
bool urcu_percpu_domain_poll(const struct urcu_percpu_domain *domain,
			     struct urcu_gp_poll_state state);
void urcu_percpu_domain_call(const struct urcu_percpu_domain *domain, struct rcu_head *head,
			     void (*func)(struct rcu_head *head));
void urcu_percpu_domain_defer(const struct urcu_percpu_domain *domain, void (*func)(void *p),
			      void *p);
void urcu_percpu_domain_barrier(const struct urcu_percpu_domain *domain);

/*
 * Sets how many callbacks may wait, and how many bytes they may keep (each callback of C counts 64 bytes). When
 * seven eighths of either are used, a call that queues waits up to patience_ms milliseconds for room.
 */
void urcu_percpu_domain_set_budget(const struct urcu_percpu_domain *domain, uint64_t count,
				   size_t bytes, uint64_t patience_ms);

/* What a domain has counted. */
struct urcu_percpu_stats {
	uint64_t grace_periods;
	uint64_t callers;
	uint64_t membarriers;
	uint64_t aborts;
	uint64_t fallback_reads;
	uint64_t callbacks_queued;
	uint64_t callbacks_run;
	uint64_t callbacks_pending;
	uint64_t callbacks_pending_bytes;
	uint64_t callbacks_peak;
	uint64_t callbacks_held_up;
	uint64_t callbacks_excess;
	uint64_t stalls;
};

/* `size` is sizeof(*stats). Returns 0, or -1 with errno EINVAL if it is too small for what the library counts. */
int urcu_percpu_domain_stats(const struct urcu_percpu_domain *domain,
			     struct urcu_percpu_stats *stats, size_t size);

/* Sets a hook that is told of grace periods that do not end, instead of standard error. Null restores that. */
void urcu_percpu_set_stall_hook(void (*hook)(const char *report, void *data), void *data);
/* Sets after how many milliseconds a stall is first reported. The default is 10,000; UINT64_MAX means never. */
void urcu_percpu_set_stall_timeout(uint64_t milliseconds);

#ifdef __cplusplus
}
#endif

/*
 * Pointers. urcu_percpu_dereference and urcu_percpu_assign_pointer take the pointer itself, and the other macros
 * take its address. The stored value must convert to the pointer's type without a cast.
 */

#define urcu_percpu_dereference(p) __atomic_load_n(&(p), __ATOMIC_ACQUIRE)

#ifdef __cplusplus

template <class T> struct urcu_percpu_is {
	typedef T type;
};

template <class T>
inline void urcu_percpu_set_pointer(T **p, typename urcu_percpu_is<T *>::type v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

template <class T>
inline T *urcu_percpu_xchg_pointer(T **p, typename urcu_percpu_is<T *>::type v)
{
	return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);
}

template <class T>
inline T *urcu_percpu_cmpxchg_pointer(T **p, typename urcu_percpu_is<T *>::type old,
				      typename urcu_percpu_is<T *>::type v)
{
	__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return old;
}

#define urcu_percpu_assign_pointer(p, v) urcu_percpu_set_pointer(&(p), (v))

#else

#define urcu_percpu_set_pointer(p, v)                                             \
	do {                                                                      \
		__typeof__(p) urcu_percpu_p = (p);                                \
		__typeof__(*urcu_percpu_p) urcu_percpu_v = (v);                   \
		__atomic_store(urcu_percpu_p, &urcu_percpu_v, __ATOMIC_RELEASE);  \
	} while (0)

#define urcu_percpu_assign_pointer(p, v) urcu_percpu_set_pointer(&(p), (v))

#define urcu_percpu_xchg_pointer(p, v)                                            \
	__extension__({                                                           \
		__typeof__(p) urcu_percpu_p = (p);                                \
		__typeof__(*urcu_percpu_p) urcu_percpu_v = (v);                   \
		__atomic_exchange_n(urcu_percpu_p, urcu_percpu_v, __ATOMIC_SEQ_CST); \
	})

#define urcu_percpu_cmpxchg_pointer(p, old, v)                                    \
	__extension__({                                                           \
		__typeof__(p) urcu_percpu_p = (p);                                \
		__typeof__(*urcu_percpu_p) urcu_percpu_old = (old);               \
		__typeof__(*urcu_percpu_p) urcu_percpu_v = (v);                   \
		__atomic_compare_exchange_n(urcu_percpu_p, &urcu_percpu_old,      \
					    urcu_percpu_v, 0, __ATOMIC_SEQ_CST,   \
					    __ATOMIC_SEQ_CST);                    \
		urcu_percpu_old;                                                  \
	})

#endif

/* These belong to no flavour: liburcu's macros of these names do the same. */
#ifndef _URCU_POINTER_H
#define rcu_dereference(p) urcu_percpu_dereference(p)
#define rcu_assign_pointer(p, v) urcu_percpu_assign_pointer(p, v)
#define rcu_set_pointer(p, v) urcu_percpu_set_pointer(p, v)
#define rcu_xchg_pointer(p, v) urcu_percpu_xchg_pointer(p, v)
#define rcu_cmpxchg_pointer(p, old, v) urcu_percpu_cmpxchg_pointer(p, old, v)
/* liburcu's lists define them anew if they come later: inlined, not as calls of functions that only flavours contain. */
#ifndef URCU_INLINE_SMALL_FUNCTIONS
#define URCU_INLINE_SMALL_FUNCTIONS
#endif
#endif

/* The inlined read side, unless URCU_PERCPU_NO_INLINE is defined. */
#if ((defined(__x86_64__) && defined(__LP64__)) || defined(__AARCH64EL__)) && \
	!defined(URCU_PERCPU_NO_INLINE) && (!defined(__PIC__) || defined(__PIE__))
#include <urcu-percpu/inline.h>
#endif

#if !defined(URCU_PERCPU_NO_API_MAP) && !defined(URCU_PERCPU_AFTER_LIBURCU)
#include <urcu-percpu/map.h>
#endif

#endif /* URCU_PERCPU_H */
