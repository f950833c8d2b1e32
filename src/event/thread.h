/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <pthread.h>

/*
 * Locks whose use clang checks (-Wthread-safety). They are pthread's and not
 * GLib's, because ThreadSanitizer does not understand the futexes of GLib.
 * docs/threads.md has the order in which they are taken.
 */

#ifdef __clang__
#define REEVE_TSA(x) __attribute__ ((x))
#else
#define REEVE_TSA(x)
#endif

#define REEVE_CAPABILITY(name) REEVE_TSA (capability (name))
#define REEVE_GUARDED REEVE_TSA (guarded_var)
#define REEVE_REQUIRES(...) REEVE_TSA (requires_capability (__VA_ARGS__))
#define REEVE_EXCLUDES(...) REEVE_TSA (locks_excluded (__VA_ARGS__))
#define REEVE_ASSERTS(x) REEVE_TSA (assert_capability (x))
#define REEVE_UNCHECKED REEVE_TSA (no_thread_safety_analysis)

G_BEGIN_DECLS

/**
 * ReeveMutex:
 *
 * A mutex to embed in a struct. It is not recursive.
 */
typedef struct REEVE_CAPABILITY ("mutex") {
  pthread_mutex_t impl;
} ReeveMutex;

typedef ReeveMutex ReeveMutexLocker;

static inline void
reeve_mutex_init (ReeveMutex *self)
{
  pthread_mutex_init (&self->impl, NULL);
}

static inline void
reeve_mutex_clear (ReeveMutex *self)
{
  pthread_mutex_destroy (&self->impl);
}

static inline ReeveMutexLocker *
reeve_mutex_locker_new (ReeveMutex *mutex)
    REEVE_EXCLUDES (mutex) REEVE_UNCHECKED
{
  pthread_mutex_lock (&mutex->impl);
  return mutex;
}

static inline void
reeve_mutex_locker_free (ReeveMutexLocker *locker) REEVE_UNCHECKED
{
  pthread_mutex_unlock (&locker->impl);
}

static inline void
reeve_mutex_note_held (ReeveMutex *mutex) REEVE_ASSERTS (mutex)
{
  (void) mutex;
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveMutexLocker, reeve_mutex_locker_free)

/**
 * REEVE_LOCK_SCOPE:
 * @mutex: the lock to take
 *
 * Holds @mutex from here to the end of the block. Write it at function level:
 * clang takes it as held to the function's end.
 */
#define REEVE_LOCK_SCOPE(mutex)                                                \
  g_autoptr (ReeveMutexLocker) G_PASTE (locker_, __LINE__) G_GNUC_UNUSED =     \
      reeve_mutex_locker_new (mutex);                                          \
  reeve_mutex_note_held (mutex)

/**
 * ReeveCond:
 *
 * A condition variable on the monotonic clock, for use with #ReeveMutex.
 */
typedef struct {
  pthread_cond_t impl;
} ReeveCond;

static inline void
reeve_cond_init (ReeveCond *self)
{
  pthread_condattr_t attributes;

  pthread_condattr_init (&attributes);
  pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
  pthread_cond_init (&self->impl, &attributes);
  pthread_condattr_destroy (&attributes);
}

static inline void
reeve_cond_clear (ReeveCond *self)
{
  pthread_cond_destroy (&self->impl);
}

static inline void
reeve_cond_signal (ReeveCond *self)
{
  pthread_cond_signal (&self->impl);
}

static inline void
reeve_cond_broadcast (ReeveCond *self)
{
  pthread_cond_broadcast (&self->impl);
}

static inline void
reeve_cond_wait (ReeveCond *self, ReeveMutex *mutex) REEVE_REQUIRES (mutex)
{
  pthread_cond_wait (&self->impl, &mutex->impl);
}

/* Waits until @end_time_us of g_get_monotonic_time(); FALSE when it passed. */
static inline gboolean
reeve_cond_wait_until (ReeveCond *self, ReeveMutex *mutex, gint64 end_time_us)
    REEVE_REQUIRES (mutex)
{
  struct timespec end = {
    .tv_sec = end_time_us / G_USEC_PER_SEC,
    .tv_nsec = (end_time_us % G_USEC_PER_SEC) * 1000,
  };

  return pthread_cond_timedwait (&self->impl, &mutex->impl, &end) == 0;
}

G_END_DECLS
