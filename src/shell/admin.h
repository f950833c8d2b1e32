/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "protocol/admin.h"
#include "shell/command.h"

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* What the files of the commands of `admin` share. */

/* The parameters as an object, with keys such as min_workers for minWorkers. */
void reeve_admin_add_params (JsonObject *object,
                             const admin_typed_param *params,
                             uint32_t n_params);

/* A time in seconds since the epoch: RFC 3339 in JSON, local time in text. */
void reeve_admin_set_time (ReeveShell *shell,
                           JsonObject *object,
                           const char *key,
                           int64_t seconds);

/* (transfer full) (nullable): the names of the servers, for completion. */
GStrv reeve_admin_list_servers (ReeveShell *shell);

/* ---------------------------------------------------- admin-client.c --- */

gboolean reeve_admin_run_client_list (ReeveShell *shell,
                                      const ReeveArguments *arguments,
                                      GError **error);
gboolean reeve_admin_run_client_info (ReeveShell *shell,
                                      const ReeveArguments *arguments,
                                      GError **error);
gboolean reeve_admin_run_client_disconnect (ReeveShell *shell,
                                            const ReeveArguments *arguments,
                                            GError **error);

/* (transfer full) (nullable): the ids of a server's clients, for completion. */
GStrv reeve_admin_list_clients (ReeveShell *shell, const char *server);

/* --------------------------------------------------- admin-metrics.c --- */

gboolean reeve_admin_run_metrics (ReeveShell *shell,
                                  const ReeveArguments *arguments,
                                  GError **error);

/* --------------------------------------------------- admin-monitor.c --- */

gboolean reeve_admin_run_monitor (ReeveShell *shell,
                                  const ReeveArguments *arguments,
                                  GError **error);

/* ------------------------------------------------------- admin-tls.c --- */

gboolean reeve_admin_run_tls_info (ReeveShell *shell,
                                   const ReeveArguments *arguments,
                                   GError **error);

G_END_DECLS
