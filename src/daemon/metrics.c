/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/metrics.h"

#include "daemon/daemon-private.h"
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/server-limits.h"

static void
add_number (GArray *rows, const char *name, int64_t value)
{
  const reeve_number_row row = { .name = g_strdup (name), .value = value };

  g_array_append_val (rows, row);
}

static reeve_number_row *
steal_numbers (GArray *rows, uint32_t *n_rows)
{
  *n_rows = rows->len;
  return (reeve_number_row *) (void *) g_array_free (rows, FALSE);
}

static void
collect_limits (ReeveServer *server, reeve_server_metrics *metrics)
{
  GArray *rows = g_array_new (FALSE, FALSE, sizeof (reeve_number_row));
  ReeveServerLimits limits;

  reeve_server_get_limits (server, &limits);
#define ADD_LIMIT(type, name, value)                                           \
  add_number (rows, #name, (int64_t) limits.name);
  REEVE_EACH_LIMIT (ADD_LIMIT)
#undef ADD_LIMIT
  add_number (rows, "min_workers", limits.workers.lo_water);
  add_number (rows, "idle_workers", limits.workers.hi_water);
  add_number (rows, "max_workers", limits.workers.maximum);
  add_number (rows, "priority_workers", limits.workers.n_priority);
  metrics->limits.items = steal_numbers (rows, &metrics->limits.n_items);
}

/* (nullable) */
static ReeveTlsSlot *
get_tls_slot (ReeveDaemon *daemon, ReeveServer *server)
{
  return server == reeve_daemon_get_server (daemon)
             ? reeve_daemon_get_tls_slot (daemon)
             : NULL;
}

/* (transfer full) (nullable): what @server shows now. */
static ReeveTlsContext *
dup_certificate (ReeveDaemon *daemon, ReeveServer *server)
{
  ReeveTlsSlot *slot = get_tls_slot (daemon, server);

  return slot == NULL ? NULL : reeve_tls_slot_dup_context (slot);
}

/* How many threads there are for clients, and how many each has. */
static void
add_loops (GArray *rows, ReeveServer *server)
{
  unsigned n_threads = reeve_server_get_io_threads (server);

  add_number (rows, "io_threads", n_threads);
  for (unsigned i = 1; i <= n_threads; i++) {
    g_autofree char *name = g_strdup_printf ("clients_io_%u", i);

    add_number (rows, name, reeve_server_count_loop_clients (server, i));
  }
}

static void
add_tls (GArray *rows,
         const ReeveServerStats *stats,
         ReeveTlsContext *certificate)
{
  add_number (rows, "tls_handshakes_total", (int64_t) stats->n_handshakes);
  add_number (rows, "tls_resumptions_total",
              (int64_t) stats->n_handshakes_resumed);
  add_number (rows, "tls_handshakes_failed_total",
              (int64_t) stats->n_handshakes_failed);
  add_number (rows, "tls_handshakes_refused_total",
              (int64_t) stats->n_handshakes_refused);
  if (certificate != NULL)
    add_number (rows, "tls_certificate_expiry_timestamp_seconds",
                reeve_tls_context_get_expiry (certificate));
}

static void
tell_number (const char *name, int64_t value, gpointer data)
{
  add_number (data, name, value);
}

/* What its clients make the modules do is the daemon's server's. */
static void
add_modules (GArray *rows, ReeveDaemon *daemon, ReeveServer *server)
{
  const ReeveDaemonInfo *info = reeve_daemon_get_info (daemon);

  for (size_t i = 0;
       server == reeve_daemon_get_server (daemon) && i < info->n_modules; i++) {
    const ReeveDaemonModule *module = info->modules[i];
    gpointer state = reeve_daemon_get_state (daemon, module);

    if (module->tell_numbers != NULL && state != NULL)
      module->tell_numbers (state, tell_number, rows);
  }
}

static void
collect_counters (ReeveDaemon *daemon,
                  ReeveServer *server,
                  reeve_server_metrics *metrics)
{
  g_autoptr (ReeveTlsContext) certificate = dup_certificate (daemon, server);
  GArray *rows = g_array_new (FALSE, FALSE, sizeof (reeve_number_row));
  ReeveServerStats stats;
  ReeveJobPoolStats pool;

  reeve_server_get_stats (server, &stats);
  reeve_job_pool_get_stats (reeve_server_get_pool (server), &pool);
  add_number (rows, "clients", stats.n_clients);
  add_number (rows, "clients_unauth", stats.n_unauth);
  add_number (rows, "clients_accepted_total", (int64_t) stats.n_accepted);
  add_number (rows, "clients_refused_total", (int64_t) stats.n_refused);
  add_number (rows, "clients_unauth_dropped_total",
              (int64_t) stats.n_unauth_dropped);
  add_number (rows, "clients_silent_total", (int64_t) stats.n_silent);
  add_number (rows, "connections_delayed_total", (int64_t) stats.n_delayed);
  add_number (rows, "connections_out_of_files_total",
              (int64_t) stats.n_out_of_files);
  add_number (rows, "bad_messages_total", (int64_t) stats.n_bad_messages);
  add_number (rows, "calls_total", (int64_t) stats.n_calls);
  add_number (rows, "calls_failed_total", (int64_t) stats.n_failed);
  add_number (rows, "calls_denied_total", (int64_t) stats.n_denied);
  add_number (rows, "events_total", (int64_t) stats.n_events);
  add_number (rows, "events_dropped_total", (int64_t) stats.n_events_dropped);
  add_tls (rows, &stats, certificate);
  add_loops (rows, server);
  add_number (rows, "workers", pool.n_threads);
  add_number (rows, "workers_free", pool.n_waiting);
  add_number (rows, "workers_priority", pool.n_priority);
  add_number (rows, "jobs_queued", pool.n_queued);
  add_number (rows, "jobs_queued_max", pool.max_queued);
  add_number (rows, "jobs_total", (int64_t) pool.n_done);
  add_modules (rows, daemon, server);
  metrics->counters.items = steal_numbers (rows, &metrics->counters.n_items);
}

static void
add_procedure (const ReeveProcedureStats *stats, gpointer data)
{
  const reeve_procedure_metrics row = {
    .prog = g_strdup (stats->program->name),
    .proc = g_strdup (stats->procedure->name),
    .calls = stats->n_calls,
    .calls_failed = stats->n_failed,
    .p50_us = reeve_procedure_stats_get_quantile (stats, 0.5),
    .p90_us = reeve_procedure_stats_get_quantile (stats, 0.9),
    .p99_us = reeve_procedure_stats_get_quantile (stats, 0.99),
  };

  g_array_append_val ((GArray *) data, row);
}

static void
collect_procedures (ReeveServer *server, reeve_server_metrics *metrics)
{
  GArray *rows = g_array_new (FALSE, FALSE, sizeof (reeve_procedure_metrics));

  reeve_server_foreach_procedure (server, add_procedure, rows);
  metrics->procedures.n_items = rows->len;
  metrics->procedures.items =
      (reeve_procedure_metrics *) (void *) g_array_free (rows, FALSE);
}

void
reeve_metrics_collect (ReeveDaemon *daemon, reeve_metrics_ret *ret)
{
  ReeveServer *const *servers = reeve_daemon_get_servers (daemon);
  uint32_t n_servers = 0;

  while (servers[n_servers] != NULL)
    n_servers++;
  ret->servers.n_items = n_servers;
  ret->servers.items = g_new0 (reeve_server_metrics, n_servers);
  for (uint32_t i = 0; i < n_servers; i++) {
    reeve_server_metrics *metrics = &ret->servers.items[i];

    metrics->name = g_strdup (reeve_server_get_name (servers[i]));
    collect_limits (servers[i], metrics);
    collect_counters (daemon, servers[i], metrics);
    collect_procedures (servers[i], metrics);
  }
}

gboolean
reeve_metrics_tell_tls (ReeveDaemon *daemon,
                        const char *name,
                        reeve_tls_info_ret *ret,
                        GError **error)
{
  ReeveServer *server = reeve_daemon_find_server (daemon, name, error);
  g_autoptr (ReeveTlsContext) certificate = NULL;
  ReeveServerStats stats;

  if (server == NULL)
    return FALSE;
  if (get_tls_slot (daemon, server) == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                 _ ("Nothing of the server '%s' listens with TLS"), name);
    return FALSE;
  }

  reeve_server_get_stats (server, &stats);
  ret->handshakes = stats.n_handshakes;
  ret->handshakes_failed = stats.n_handshakes_failed;
  ret->handshakes_refused = stats.n_handshakes_refused;
  certificate = dup_certificate (daemon, server);
  if (certificate != NULL) {
    ret->certificate = g_new0 (reeve_tls_certificate_row, 1);
    ret->certificate->name =
        g_strdup (reeve_tls_context_get_name (certificate));
    ret->certificate->expiry = reeve_tls_context_get_expiry (certificate);
  }
  return TRUE;
}
