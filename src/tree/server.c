/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/daemon-private.h"
#include "daemon/log-private.h"
#include "daemon/log.h"
#include "daemon/metrics.h"
#include "event/intl.h"
#include "rpc/error.h"
#include "tree/module.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* /server: what the daemon itself tells, and what administrators change of
 * it. */

typedef struct {
  const char *path;
  mode_t mode;
  void (*show) (ReeveDaemon *daemon, GString *text);
  ReeveTreeWriteFunc write; /* (nullable) */
  const ReeveTreeAccess *access;
} File;

static void
show_version (ReeveDaemon *daemon, GString *text)
{
  g_string_append_printf (text, "%s\n",
                          reeve_daemon_get_info (daemon)->version);
}

static void
show_pid (ReeveDaemon *daemon, GString *text)
{
  g_string_append_printf (text, "%d\n", (int) getpid ());
}

static void
show_numbers (GString *text,
              const char *server,
              const reeve_number_row *rows,
              size_t n_rows)
{
  for (size_t i = 0; i < n_rows; i++)
    g_string_append_printf (text, "%s %s %" PRId64 "\n", server, rows[i].name,
                            (int64_t) rows[i].value);
}

static void
show_limits (ReeveDaemon *daemon, GString *text)
{
  reeve_metrics_ret metrics = { 0 };

  reeve_metrics_collect (daemon, &metrics);
  for (uint32_t i = 0; i < metrics.servers.n_items; i++) {
    const reeve_server_metrics *server = &metrics.servers.items[i];

    show_numbers (text, server->name, server->limits.items,
                  server->limits.n_items);
  }
  reeve_metrics_ret_clear (&metrics);
}

static void
show_metrics (ReeveDaemon *daemon, GString *text)
{
  reeve_metrics_ret metrics = { 0 };

  reeve_metrics_collect (daemon, &metrics);
  for (uint32_t i = 0; i < metrics.servers.n_items; i++) {
    const reeve_server_metrics *server = &metrics.servers.items[i];

    show_numbers (text, server->name, server->counters.items,
                  server->counters.n_items);
    for (uint32_t j = 0; j < server->procedures.n_items; j++) {
      const reeve_procedure_metrics *row = &server->procedures.items[j];

      g_string_append_printf (
          text,
          "%s %s.%s calls %" PRIu64 " failed %" PRIu64 " p50_us %" PRIu64
          " p90_us %" PRIu64 " p99_us %" PRIu64 "\n",
          server->name, row->prog, row->proc, (uint64_t) row->calls,
          (uint64_t) row->calls_failed, (uint64_t) row->p50_us,
          (uint64_t) row->p90_us, (uint64_t) row->p99_us);
    }
  }
  reeve_metrics_ret_clear (&metrics);
}

/* --------------------------------------------------------------- workers -- */

static void
show_threads (ReeveDaemon *daemon, GString *text)
{
  ReeveServer *const *servers = reeve_daemon_get_servers (daemon);

  for (size_t i = 0; servers[i] != NULL; i++) {
    ReeveJobPool *pool = reeve_server_get_pool (servers[i]);
    ReeveJobPoolSize size;
    ReeveJobPoolStats stats;

    reeve_job_pool_get_size (pool, &size);
    reeve_job_pool_get_stats (pool, &stats);
    {
      const struct {
        const char *field;
        unsigned value;
      } rows[] = {
        { "minWorkers", size.lo_water },    { "maxWorkers", size.maximum },
        { "nWorkers", stats.n_threads },    { "freeWorkers", stats.n_waiting },
        { "prioWorkers", size.n_priority }, { "jobQueueDepth", stats.n_queued },
      };

      for (size_t j = 0; j < G_N_ELEMENTS (rows); j++)
        g_string_append_printf (text, "%s %s %u\n",
                                reeve_server_get_name (servers[i]),
                                rows[j].field, rows[j].value);
    }
  }
}

/* What is written are lines as above, of one server; of the daemon's first,
 * they need not name it. */

static gboolean
refuse_line (const char *line, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("“%s” is not SERVER FIELD NUMBER"), line);
  return FALSE;
}

/* (transfer full): the words of @line; NULL: it has not as many. */
static char **
split_line (const char *line, const char **field, const char **server)
{
  g_auto (GStrv) words = g_strsplit (line, " ", -1);
  unsigned n_words = g_strv_length (words);

  if (n_words < 2 || n_words > 3)
    return NULL;
  *server = n_words == 3 ? words[0] : NULL;
  *field = words[n_words - 2];
  return g_steal_pointer (&words);
}

static gboolean
change_field (ReeveJobPoolSize *size, const char *line, GError **error)
{
  const char *field, *server;
  g_auto (GStrv) words = split_line (line, &field, &server);
  const struct {
    const char *field;
    unsigned *value;
  } known[] = {
    { "minWorkers", &size->lo_water },
    { "maxWorkers", &size->maximum },
    { "prioWorkers", &size->n_priority },
  };
  guint64 value;

  if (words == NULL ||
      !g_ascii_string_to_unsigned (words[g_strv_length (words) - 1], 10, 0,
                                   G_MAXUINT, &value, NULL))
    return refuse_line (line, error);
  for (size_t i = 0; i < G_N_ELEMENTS (known); i++)
    if (g_str_equal (field, known[i].field)) {
      *known[i].value = (unsigned) value;
      return TRUE;
    }
  return refuse_line (line, error);
}

/* ReeveAdminWorkersFunc */
static gboolean
change_fields (ReeveJobPoolSize *size, gconstpointer data, GError **error)
{
  for (char *const *line = data; *line != NULL; line++)
    if (!change_field (size, *line, error))
      return FALSE;
  return TRUE;
}

/* (nullable) (transfer full): the one that all of @lines are about. */
static char *
find_server_name (ReeveDaemon *daemon, char **lines, GError **error)
{
  g_autofree char *name = NULL;

  for (char **line = lines; *line != NULL; line++) {
    const char *field, *server;
    g_auto (GStrv) words = split_line (*line, &field, &server);

    if (server == NULL)
      server = reeve_server_get_name (reeve_daemon_get_server (daemon));
    if (words == NULL || (name != NULL && !g_str_equal (name, server))) {
      refuse_line (*line, error);
      return NULL;
    }
    if (name == NULL)
      name = g_strdup (server);
  }
  if (name == NULL)
    refuse_line ("", error);
  return g_steal_pointer (&name);
}

static gboolean
set_threads (ReeveTreeBase *base,
             const char *text,
             gpointer data,
             GError **error)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_autofree char *name = find_server_name (base->daemon, lines, error);
  ReeveServer *server =
      name == NULL ? NULL
                   : reeve_daemon_find_server (base->daemon, name, error);

  return server != NULL &&
         reeve_admin_change_workers (reeve_daemon_get_admin (base->daemon),
                                     server, change_fields, lines, error);
}

/* ------------------------------------------------------------------- log -- */

static void
show_log_level (ReeveDaemon *daemon, GString *text)
{
  static const struct {
    GLogLevelFlags level;
    const char *name;
  } names[] = {
    { G_LOG_LEVEL_DEBUG, "debug" },    { G_LOG_LEVEL_INFO, "info" },
    { G_LOG_LEVEL_MESSAGE, "notice" }, { G_LOG_LEVEL_WARNING, "warning" },
    { G_LOG_LEVEL_CRITICAL, "error" },
  };
  GLogLevelFlags level = reeve_log_get_level ();

  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    if (names[i].level == level)
      g_string_append_printf (text, "%s\n", names[i].name);
}

static void
show_log_outputs (ReeveDaemon *daemon, GString *text)
{
  unsigned n_outputs;
  g_autofree char *outputs = reeve_log_dup_outputs (&n_outputs);

  g_string_append_printf (text, "%s\n", outputs);
}

static void
show_log_filters (ReeveDaemon *daemon, GString *text)
{
  unsigned n_filters;
  g_autofree char *filters = reeve_log_dup_filters (&n_filters);

  g_string_append_printf (text, "%s\n", filters);
}

static gboolean
set_log_level (ReeveTreeBase *base,
               const char *text,
               gpointer data,
               GError **error)
{
  GLogLevelFlags level;

  if (!reeve_log_parse_level (text, &level, error))
    return FALSE;
  reeve_log_set_level (level);
  return TRUE;
}

static gboolean
set_log_outputs (ReeveTreeBase *base,
                 const char *text,
                 gpointer data,
                 GError **error)
{
  if (!reeve_log_set_outputs (text, error))
    return FALSE;
  reeve_log_clear_rules ();
  return TRUE;
}

static gboolean
set_log_filters (ReeveTreeBase *base,
                 const char *text,
                 gpointer data,
                 GError **error)
{
  if (!reeve_log_set_filters (text, error))
    return FALSE;
  reeve_log_clear_rules ();
  return TRUE;
}

/* ----------------------------------------------------------------- files -- */

static const ReeveTreeAccess everybody = { .read_tag = "connect:read" };
static const ReeveTreeAccess admin = {
  .read_tag = "connect:write",
  .write_tag = "connect:write",
  .is_admin = TRUE,
};

static const File files[] = {
  { "/server/limits", 0444, show_limits, NULL, &everybody },
  { "/server/log/filters", 0600, show_log_filters, set_log_filters, &admin },
  { "/server/log/level", 0600, show_log_level, set_log_level, &admin },
  { "/server/log/outputs", 0600, show_log_outputs, set_log_outputs, &admin },
  { "/server/metrics", 0444, show_metrics, NULL, &everybody },
  { "/server/pid", 0444, show_pid, NULL, &everybody },
  { "/server/threads", 0600, show_threads, set_threads, &admin },
  { "/server/version", 0444, show_version, NULL, &everybody },
};

/* Behind a node. */
typedef struct {
  ReeveTreeSource common;
  const File *file;
} Source;

static void
show (ReeveResourceRequest *request, gpointer data)
{
  const Source *self = data;
  GString *text = g_string_new (NULL);

  self->file->show (self->common.base->daemon, text);
  reeve_resource_request_show_text (request, g_string_free (text, FALSE));
}

static void
write_file (ReeveResourceRequest *request, const char *text, gpointer data)
{
  const Source *self = data;

  reeve_tree_write_run (reeve_tree_write_begin (&self->common, request, text,
                                                self->common.access->write_tag),
                        self->file->write, NULL);
}

static gboolean
guard_directory (ReeveResourceNode *node,
                 const ReeveResourceCaller *caller,
                 int want,
                 gpointer data)
{
  return reeve_tree_check (data, node, caller, want, &everybody, "/server",
                           NULL);
}

static gboolean
guard_root (ReeveResourceNode *node,
            const ReeveResourceCaller *caller,
            int want,
            gpointer data)
{
  return TRUE;
}

/* So that the names in them are no matter of rules about paths. */
static void
add_directory (ReeveResourceTree *tree,
               ReeveTreeBase *base,
               const char *path,
               ReeveResourceGuard guard_func)
{
  g_autoptr (ReeveResourceNode) node = reeve_resource_node_new_directory (0755);

  reeve_resource_node_set_guard (node, guard_func, base);
  reeve_resource_tree_attach (tree, path, REEVE_RESOURCE_ATTACH_DEFAULT, node,
                              NULL);
}

void
reeve_tree_add_server (ReeveResourceTree *tree, ReeveTreeBase *base)
{
  static const ReeveResourceTextFuncs reads = { .read = show };
  static const ReeveResourceTextFuncs both = { show, write_file };

  add_directory (tree, base, "/", guard_root);
  add_directory (tree, base, "/server", guard_directory);
  add_directory (tree, base, "/server/log", guard_directory);
  for (size_t i = 0; i < G_N_ELEMENTS (files); i++) {
    Source *source = reeve_tree_source_new (
        sizeof *source, base, files[i].access, files[i].path, NULL);
    g_autoptr (ReeveResourceNode) node = reeve_resource_property_new (
        files[i].mode, files[i].write == NULL ? &reads : &both, source,
        reeve_tree_source_free);

    source->file = &files[i];
    reeve_resource_node_set_guard (node, reeve_tree_guard, source);
    reeve_resource_tree_attach (tree, files[i].path,
                                REEVE_RESOURCE_ATTACH_DEFAULT, node, NULL);
  }
}
