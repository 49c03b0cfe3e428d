/* Loads what is named, with threads that were there before. SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "check.h"

union function {
	void *address;
	int (*use)(void);
	void (*call)(void);
	int (*ongoing)(void);
};

static pthread_barrier_t loaded;
static union function uses[64];
static int plugins;

static void *uses_all(void *argument)
{
	int i;

	(void)argument;
	pthread_barrier_wait(&loaded);
	for (i = 0; i < plugins; i++)
		CHECK(uses[i].use() > 0);
	return NULL;
}

static union function find(void *object, const char *name)
{
	union function found;

	found.address = dlsym(object, name);
	CHECK(found.address);
	return found;
}

static void *open_local(const char *path)
{
	void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!object)
		fprintf(stderr, "%s\n", dlerror());
	CHECK(object);
	return object;
}

int main(int count, char **arguments)
{
	pthread_t threads[2];
	void *objects[64];
	void *copies[2];
	int i;

	plugins = count - 3;
	CHECK(plugins > 0 && plugins < 64);
	CHECK(pthread_barrier_init(&loaded, NULL, 3) == 0);
	for (i = 0; i < 2; i++)
		CHECK(pthread_create(&threads[i], NULL, uses_all, NULL) == 0);
	for (i = 0; i < plugins; i++) {
		objects[i] = open_local(arguments[i + 1]);
		uses[i] = find(objects[i], "use");
	}
	pthread_barrier_wait(&loaded);
	for (i = 0; i < 2; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	for (i = 0; i < plugins; i++) {
		CHECK(uses[i].use() == 3);
		CHECK(dlclose(objects[i]) == 0);
	}
	/* The library is the only one they had, and these are two more. */
	for (i = 0; i < 2; i++) {
		copies[i] = open_local(arguments[plugins + 1 + i]);
		find(copies[i], "urcu_percpu_read_lock").call();
	}
	CHECK(find(copies[0], "urcu_percpu_read_lock").address !=
	      find(copies[1], "urcu_percpu_read_lock").address);
	find(copies[0], "urcu_percpu_read_unlock").call();
	CHECK(find(copies[0], "urcu_percpu_read_ongoing").ongoing() == 0);
	CHECK(find(copies[1], "urcu_percpu_read_ongoing").ongoing() == 1);
	find(copies[0], "urcu_percpu_synchronize_rcu").call();
	find(copies[1], "urcu_percpu_read_unlock").call();
	find(copies[1], "urcu_percpu_synchronize_rcu").call();
	for (i = 0; i < 2; i++)
		CHECK(dlclose(copies[i]) == 0);
	puts("all is well");
	return 0;
}
