/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/log-limit.h"

typedef struct {
  const char *file;
  const char *line;
  gint64 start_us; /* of the window */
  unsigned n_written;
  unsigned n_left_out;
} Place;

/* There are as many places as the code has: no bound is needed. */
struct _ReeveLogLimit {
  GHashTable *places; /* (element-type Place) (owned), a set */
};

static guint
hash (gconstpointer key)
{
  const Place *place = key;

  return g_direct_hash (place->file) * 31 + g_direct_hash (place->line);
}

static gboolean
is_equal (gconstpointer a, gconstpointer b)
{
  const Place *left = a, *right = b;

  return left->file == right->file && left->line == right->line;
}

ReeveLogLimit *
reeve_log_limit_new (void)
{
  ReeveLogLimit *self = g_new (ReeveLogLimit, 1);

  self->places = g_hash_table_new_full (hash, is_equal, NULL, g_free);
  return self;
}

void
reeve_log_limit_free (ReeveLogLimit *self)
{
  if (self == NULL)
    return;

  g_hash_table_unref (self->places);
  g_free (self);
}

static Place *
get_place (ReeveLogLimit *self, const char *file, const char *line)
{
  const Place key = { .file = file, .line = line };
  Place *place = g_hash_table_lookup (self->places, &key);

  if (place == NULL) {
    place = g_memdup2 (&key, sizeof key);
    g_hash_table_add (self->places, place);
  }
  return place;
}

ReeveLogVerdict
reeve_log_limit_judge (ReeveLogLimit *self,
                       const char *file,
                       const char *line,
                       gint64 now_us,
                       unsigned *n_left_out)
{
  Place *place = get_place (self, file, line);

  *n_left_out = 0;
  if (place->n_written == 0 ||
      now_us - place->start_us >= REEVE_LOG_LIMIT_WINDOW_US) {
    *n_left_out = place->n_left_out;
    place->start_us = now_us;
    place->n_written = place->n_left_out = 0;
  }

  if (place->n_written == REEVE_LOG_LIMIT_BURST) {
    place->n_left_out++;
    return REEVE_LOG_LIMIT_LEAVE_OUT;
  }

  place->n_written++;
  return place->n_written == REEVE_LOG_LIMIT_BURST ? REEVE_LOG_LIMIT_WRITE_LAST
                                                   : REEVE_LOG_LIMIT_WRITE;
}
