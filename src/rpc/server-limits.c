/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/server-limits.h"

#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/message.h"

static const ReeveServerLimits default_limits = {
#define DEFAULT_LIMIT(type, name, value) .name = (value),
  REEVE_EACH_LIMIT (DEFAULT_LIMIT)
#undef DEFAULT_LIMIT
      .workers = { .lo_water = 2,
                   .hi_water = 10,
                   .increment = 1,
                   .maximum = 20,
                   .n_priority = 2 },
};

/* A number that was chosen is not contradicted by the default of another. */
void
reeve_job_pool_size_fill (ReeveJobPoolSize *self)
{
  const ReeveJobPoolSize *defaults = &default_limits.workers;
  unsigned chosen = MAX (self->lo_water, self->hi_water);

  if (self->increment == 0)
    self->increment = defaults->increment;
  if (self->n_priority == 0)
    self->n_priority = defaults->n_priority;
  if (self->maximum == 0)
    self->maximum = MAX (defaults->maximum, chosen);
  if (self->hi_water == 0)
    self->hi_water =
        MAX (MIN (defaults->hi_water, self->maximum), self->lo_water);
  if (self->lo_water == 0)
    self->lo_water = MIN (defaults->lo_water, self->hi_water);
  self->hi_water = MAX (self->hi_water, self->lo_water);
  self->maximum = MAX (self->maximum, self->hi_water);
}

void
reeve_server_limits_fill (ReeveServerLimits *self)
{
  gboolean has_max_unauth = self->max_unauth_clients != 0;

#define TAKE_DEFAULT(type, name, value)                                        \
  if (self->name == 0)                                                         \
    self->name = default_limits.name;
  REEVE_EACH_LIMIT (TAKE_DEFAULT)
#undef TAKE_DEFAULT

  if (!has_max_unauth)
    self->max_unauth_clients =
        MIN (self->max_unauth_clients, self->max_clients);
}

static gboolean
check_message_bytes (size_t n_bytes, GError **error)
{
  if (n_bytes == 0 ||
      (n_bytes >= REEVE_PAYLOAD_OFFSET && n_bytes <= REEVE_MESSAGE_MAX))
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("Messages have %1$zu to %2$zu bytes, so they cannot be "
                  "limited to %3$zu"),
               (size_t) REEVE_PAYLOAD_OFFSET, (size_t) REEVE_MESSAGE_MAX,
               n_bytes);
  return FALSE;
}

gboolean
reeve_server_limits_check (const ReeveServerLimits *self, GError **error)
{
  if (!check_message_bytes (self->max_message_bytes, error) ||
      !check_message_bytes (self->max_unauth_message_bytes, error))
    return FALSE;

  if (self->max_clients == 0 || self->max_unauth_clients == REEVE_NO_LIMIT ||
      self->max_unauth_clients <= self->max_clients)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("Of %1$u clients at most, %2$u cannot wait for "
                  "authentication"),
               self->max_clients, self->max_unauth_clients);
  return FALSE;
}

void
reeve_live_limits_store (ReeveLiveLimits *self, const ReeveServerLimits *limits)
{
#define STORE_LIMIT(type, name, value)                                         \
  atomic_store_explicit (&self->name, limits->name, memory_order_relaxed);
  REEVE_EACH_LIMIT (STORE_LIMIT)
#undef STORE_LIMIT
}

void
reeve_live_limits_load (const ReeveLiveLimits *self, ReeveServerLimits *limits)
{
#define LOAD_LIMIT(type, name, value)                                          \
  limits->name = atomic_load_explicit (&self->name, memory_order_relaxed);
  REEVE_EACH_LIMIT (LOAD_LIMIT)
#undef LOAD_LIMIT
}
