/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "protocol/reeve.h"
#include "rpc/error.h"
#include "shell/admin.h"
#include "shell/output.h"

#include <stdio.h>

/* Limits and counters, which the program `reeve` has beside `admin`. */

static JsonObject *
describe_numbers (const reeve_number_row *rows, uint32_t n_rows)
{
  JsonObject *object = json_object_new ();

  for (uint32_t i = 0; i < n_rows; i++)
    json_object_set_int_member (object, rows[i].name, rows[i].value);
  return object;
}

static JsonArray *
describe_procedures (const reeve_server_metrics *server)
{
  JsonArray *rows = json_array_new ();

  for (uint32_t i = 0; i < server->procedures.n_items; i++) {
    const reeve_procedure_metrics *procedure = &server->procedures.items[i];
    g_autofree char *name =
        g_strdup_printf ("%s.%s", procedure->prog, procedure->proc);
    JsonObject *row = json_object_new ();

    json_object_set_string_member (row, "procedure", name);
    reeve_json_set_uint (row, "calls", procedure->calls);
    reeve_json_set_uint (row, "calls_failed", procedure->calls_failed);
    reeve_json_set_uint (row, "p50_us", procedure->p50_us);
    reeve_json_set_uint (row, "p90_us", procedure->p90_us);
    reeve_json_set_uint (row, "p99_us", procedure->p99_us);
    json_array_add_object_element (rows, row);
  }

  return rows;
}

static JsonObject *
describe (const reeve_server_metrics *server)
{
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "name", server->name);
  json_object_set_object_member (
      object, "limits",
      describe_numbers (server->limits.items, server->limits.n_items));
  json_object_set_object_member (
      object, "counters",
      describe_numbers (server->counters.items, server->counters.n_items));
  json_object_set_array_member (object, "procedures",
                                describe_procedures (server));
  return object;
}

static void
print_numbers (const char *title, const reeve_number_row *rows, uint32_t n_rows)
{
  printf ("%s\n", title);
  for (uint32_t i = 0; i < n_rows; i++)
    printf ("  %-39s %" G_GINT64_FORMAT "\n", rows[i].name,
            (gint64) rows[i].value);
}

static void
print_text (ReeveShell *shell, const reeve_server_metrics *server)
{
  static const ReeveField columns[] = {
    { "procedure", N_ ("Procedure") }, { "calls", N_ ("Calls") },
    { "calls_failed", N_ ("Failed") }, { "p50_us", N_ ("50 % (µs)") },
    { "p90_us", N_ ("90 % (µs)") },    { "p99_us", N_ ("99 % (µs)") },
  };
  g_autofree char *limits = g_strdup_printf (_ ("Limits of %s"), server->name);
  g_autofree char *counters =
      g_strdup_printf (_ ("Counters of %s"), server->name);

  print_numbers (limits, server->limits.items, server->limits.n_items);
  print_numbers (counters, server->counters.items, server->counters.n_items);
  putchar ('\n');
  reeve_output_table (shell, columns, G_N_ELEMENTS (columns),
                      describe_procedures (server));
}

static gboolean
print (ReeveShell *shell,
       const reeve_metrics_ret *ret,
       const char *name,
       GError **error)
{
  g_autoptr (JsonArray) rows = json_array_new ();
  gboolean is_text = shell->format == REEVE_OUTPUT_TEXT;
  unsigned n_found = 0;

  for (uint32_t i = 0; i < ret->servers.n_items; i++) {
    const reeve_server_metrics *server = &ret->servers.items[i];

    if (name != NULL && !g_str_equal (server->name, name))
      continue;
    n_found++;
    if (is_text)
      print_text (shell, server);
    else
      json_array_add_object_element (rows, describe (server));
  }

  if (n_found == 0) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_SERVER,
                 _ ("Server not found: No server named '%s'"), name);
    return FALSE;
  }
  if (!is_text)
    reeve_output_table (shell, NULL, 0, g_steal_pointer (&rows));
  return TRUE;
}

gboolean
reeve_admin_run_metrics (ReeveShell *shell,
                         const ReeveArguments *arguments,
                         GError **error)
{
  reeve_metrics_ret ret = { 0 };
  gboolean is_done =
      reeve_shell_call_admin_socket (shell, &reeve_program, REEVE_PROC_METRICS,
                                     NULL, &ret, error) &&
      print (shell, &ret, reeve_arguments_get (arguments, "server"), error);

  reeve_metrics_ret_clear (&ret);
  return is_done;
}
