/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/thread.h"

/*
 * What the code under test says in the log. Its messages are structured, which
 * g_test_expect_message() does not know. From log_capture_begin() on, which is
 * called once in a process, each message of level notice or worse has to be
 * taken by log_capture_take(), in its order.
 */

static ReeveMutex log_capture_lock = { PTHREAD_MUTEX_INITIALIZER };
static GPtrArray *log_capture_messages REEVE_GUARDED; /* "LEVEL MESSAGE" */

static inline GLogWriterOutput
log_capture_write (GLogLevelFlags level,
                   const GLogField *fields,
                   gsize n_fields,
                   gpointer data)
{
  REEVE_LOCK_SCOPE (&log_capture_lock);

  for (gsize i = 0; i < n_fields; i++)
    if (g_str_equal (fields[i].key, "MESSAGE") && level <= G_LOG_LEVEL_MESSAGE)
      g_ptr_array_add (
          log_capture_messages,
          g_strdup_printf ("%s %s",
                           level <= G_LOG_LEVEL_WARNING ? "warning" : "notice",
                           (const char *) fields[i].value));
  return G_LOG_WRITER_HANDLED;
}

static inline void
log_capture_begin (void)
{
  REEVE_LOCK_SCOPE (&log_capture_lock);

  log_capture_messages = g_ptr_array_new_with_free_func (g_free);
  g_log_set_writer_func (log_capture_write, NULL, NULL);
}

/* Takes the first message, which has to match. */
static inline void
log_capture_take (const char *pattern)
{
  REEVE_LOCK_SCOPE (&log_capture_lock);

  g_assert_cmpuint (log_capture_messages->len, >, 0);
  if (!g_pattern_match_simple (pattern, log_capture_messages->pdata[0]))
    g_assert_cmpstr (log_capture_messages->pdata[0], ==, pattern);
  g_ptr_array_remove_index (log_capture_messages, 0);
}

static inline void
log_capture_assert_empty (void)
{
  REEVE_LOCK_SCOPE (&log_capture_lock);

  if (log_capture_messages->len > 0)
    g_assert_cmpstr (log_capture_messages->pdata[0], ==, NULL);
}
