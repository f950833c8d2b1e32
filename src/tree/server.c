/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/daemon-private.h"
#include "daemon/metrics.h"
#include "tree/module.h"

#include <inttypes.h>
#include <unistd.h>

/* /server: what the daemon itself tells. */

typedef struct {
  const char *path;
  void (*show) (ReeveDaemon *daemon, GString *text);
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

static const File files[] = {
  { "/server/limits", show_limits },
  { "/server/metrics", show_metrics },
  { "/server/pid", show_pid },
  { "/server/version", show_version },
};

/* Behind a node. */
typedef struct {
  ReeveDaemon *daemon;
  const File *file;
} Source;

static void
show (ReeveResourceRequest *request, gpointer data)
{
  const Source *self = data;
  GString *text = g_string_new (NULL);

  self->file->show (self->daemon, text);
  reeve_resource_request_show_text (request, g_string_free (text, FALSE));
}

static gboolean
guard (ReeveResourceNode *node,
       const ReeveResourceCaller *caller,
       int want,
       gpointer data)
{
  const Source *self = data;

  return reeve_tree_allows (self->daemon, caller, "connect:read", NULL);
}

void
reeve_tree_add_server (ReeveResourceTree *tree, ReeveDaemon *daemon)
{
  static const ReeveResourceTextFuncs funcs = { .read = show };

  for (size_t i = 0; i < G_N_ELEMENTS (files); i++) {
    Source *source = g_new0 (Source, 1);
    g_autoptr (ReeveResourceNode) node =
        reeve_resource_property_new (0444, &funcs, source, g_free);

    source->daemon = daemon;
    source->file = &files[i];
    reeve_resource_node_set_guard (node, guard, source);
    reeve_resource_tree_attach (tree, files[i].path,
                                REEVE_RESOURCE_ATTACH_DEFAULT, node, NULL);
  }
}
