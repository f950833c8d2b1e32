/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/log.h"

#include "event/intl.h"
#include "rpc/error.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static const struct {
  const char *name;
  GLogLevelFlags level;
  int priority; /* of syslog */
} levels[] = {
  { "error", G_LOG_LEVEL_ERROR, 2 },     { "error", G_LOG_LEVEL_CRITICAL, 3 },
  { "warning", G_LOG_LEVEL_WARNING, 4 }, { "notice", G_LOG_LEVEL_MESSAGE, 5 },
  { "info", G_LOG_LEVEL_INFO, 6 },       { "debug", G_LOG_LEVEL_DEBUG, 7 },
};

/* GLib's levels grow as severity shrinks. */
static atomic_int least_severe = G_LOG_LEVEL_MESSAGE;
static gboolean has_priority_prefix; /* immutable after reeve_log_init() */

static const char *
find_message (const GLogField *fields, gsize n_fields)
{
  for (gsize i = 0; i < n_fields; i++)
    if (g_str_equal (fields[i].key, "MESSAGE"))
      return fields[i].value;

  return "";
}

static GLogWriterOutput
write_line (GLogLevelFlags flags,
            const GLogField *fields,
            gsize n_fields,
            gpointer user_data)
{
  GLogLevelFlags level = flags & G_LOG_LEVEL_MASK;
  size_t i = 0;

  if ((int) level > atomic_load_explicit (&least_severe, memory_order_relaxed))
    return G_LOG_WRITER_HANDLED;

  while (i < G_N_ELEMENTS (levels) - 1 && levels[i].level < level)
    i++;

  if (has_priority_prefix) {
    fprintf (stderr, "<%d>%s\n", levels[i].priority,
             find_message (fields, n_fields));
  } else {
    g_autoptr (GDateTime) now = g_date_time_new_now_local ();
    g_autofree char *time = g_date_time_format (now, "%F %T");

    fprintf (stderr, "%s.%03d %s: %s\n", time,
             g_date_time_get_microsecond (now) / 1000, levels[i].name,
             find_message (fields, n_fields));
  }

  return G_LOG_WRITER_HANDLED;
}

void
reeve_log_init (GLogLevelFlags level)
{
  has_priority_prefix = g_getenv ("JOURNAL_STREAM") != NULL;
  reeve_log_set_level (level);
  g_log_set_writer_func (write_line, NULL, NULL);
}

gboolean
reeve_log_parse_level (const char *name, GLogLevelFlags *level, GError **error)
{
  /* From the end, so that "error" includes what GLib calls critical. */
  for (size_t i = G_N_ELEMENTS (levels); i-- > 0;) {
    if (strcmp (levels[i].name, name) == 0) {
      *level = levels[i].level;
      return TRUE;
    }
  }

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("“%s” is not a log level: debug, info, notice, warning and "
                  "error are"),
               name);
  return FALSE;
}

void
reeve_log_set_level (GLogLevelFlags level)
{
  atomic_store_explicit (&least_severe, (int) level, memory_order_relaxed);
}
