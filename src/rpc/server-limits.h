/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/server.h"

#include <stdatomic.h>

G_BEGIN_DECLS

/* A message of SASL has 64 KiB at most, each byte of which takes four on the
 * wire, and the name of a mechanism. */
#define REEVE_UNAUTH_MESSAGE_BYTES (260 * 1024)

/* Each limit: its type, its name in #ReeveServerLimits, its default. That of
 * the pool's size is apart: the pool keeps it. */
#define REEVE_EACH_LIMIT(X)                                                    \
  X (unsigned, max_clients, 5000)                                              \
  X (unsigned, max_unauth_clients, 256)                                        \
  X (unsigned, auth_timeout_ms, 60000)                                         \
  X (unsigned, max_accepts_per_second, 0)                                      \
  X (unsigned, max_client_calls, 64)                                           \
  X (size_t, max_client_reply_bytes, 8 * 1024 * 1024)                          \
  X (size_t, max_client_event_bytes, 1024 * 1024)                              \
  X (size_t, max_client_stream_bytes, 1024 * 1024)                             \
  X (unsigned, max_client_fds, 64)                                             \
  X (size_t, max_message_bytes, REEVE_MESSAGE_MAX)                             \
  X (size_t, max_unauth_message_bytes, REEVE_UNAUTH_MESSAGE_BYTES)             \
  X (unsigned, call_timeout_ms, 30000)                                         \
  X (int, keepalive_interval_s, 5)                                             \
  X (unsigned, keepalive_count, 5)

/**
 * ReeveLiveLimits:
 *
 * What a server's limits are now. Any thread reads and writes each one on its
 * own; nothing is published by them, so no order is asked for, and a read
 * costs what a plain one does.
 */
typedef struct {
#define REEVE_LIVE_LIMIT(type, name, value) _Atomic (type) name;
  REEVE_EACH_LIMIT (REEVE_LIVE_LIMIT)
#undef REEVE_LIVE_LIMIT
} ReeveLiveLimits;

/* The limit @name of a server, now. */
#define REEVE_LIMIT(server, name)                                              \
  atomic_load_explicit (&reeve_server_get_live_limits (server)->name,          \
                        memory_order_relaxed)

const ReeveLiveLimits *reeve_server_get_live_limits (ReeveServer *server);

/* Puts defaults in the place of zeros; those of the pool's size are apart: a
 * pool that is there may have none of a kind. */
void reeve_server_limits_fill (ReeveServerLimits *self);
void reeve_job_pool_size_fill (ReeveJobPoolSize *self);

/* Errors: %REEVE_ERROR_INVALID_ARG for what makes no sense; of zeros nothing
 * is said. */
gboolean
reeve_server_limits_check (const ReeveServerLimits *self, GError **error);

void reeve_live_limits_store (ReeveLiveLimits *self,
                              const ReeveServerLimits *limits);
/* All but the pool's size. */
void
reeve_live_limits_load (const ReeveLiveLimits *self, ReeveServerLimits *limits);

G_END_DECLS
