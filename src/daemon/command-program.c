/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/command-program.h"

#include "daemon/daemon-private.h"
#include "daemon/log-private.h"
#include "daemon/log-words.h"
#include "daemon/log.h"
#include "event/intl.h"
#include "event/process-stat.h"
#include "rpc/command.h"
#include "rpc/error.h"
#include "rpc/server.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------ handlers --- */

static ReeveServer *
get_server (ReeveCall *call)
{
  return reeve_server_client_get_server (reeve_call_get_client (call));
}

static void
add_command (const char *name,
             const char *usage,
             const ReeveProcedure *procedure,
             gpointer data)
{
  const reeve_command_row row = {
    .name = g_strdup (name),
    .usage = g_strdup (usage),
    .summary = g_strdup (procedure->summary),
  };

  g_array_append_val ((GArray *) data, row);
}

gboolean
reeve_command_program_list (ReeveCall *call,
                            reeve_command_list_ret *ret,
                            GError **error)
{
  GArray *rows = g_array_new (FALSE, FALSE, sizeof (reeve_command_row));

  reeve_server_foreach_command (get_server (call), add_command, rows);
  ret->commands.n_items = rows->len;
  ret->commands.items =
      (reeve_command_row *) (void *) g_array_free (rows, FALSE);
  return TRUE;
}

static void
add_log_row (const ReeveLogThresholds *row, gpointer data)
{
  const reeve_logging_row copy = {
    .source = g_strdup (row->source),
    .console = g_strdup (row->levels[REEVE_LOG_CONSOLE]),
    .syslog = g_strdup (row->levels[REEVE_LOG_SYSLOG]),
    .file = g_strdup (row->levels[REEVE_LOG_FILE]),
    .is_limited = row->is_limited,
  };

  g_array_append_val ((GArray *) data, copy);
}

gboolean
reeve_command_program_log_list (ReeveCall *call,
                                reeve_logging_list_ret *ret,
                                GError **error)
{
  GArray *rows = g_array_new (FALSE, FALSE, sizeof (reeve_logging_row));

  reeve_log_foreach_threshold (add_log_row, rows);
  ret->rows.n_items = rows->len;
  ret->rows.items = (reeve_logging_row *) (void *) g_array_free (rows, FALSE);
  return TRUE;
}

gboolean
reeve_command_program_log_set (ReeveCall *call,
                               const reeve_words *args,
                               GError **error)
{
  if (args->words.n_items == 0)
    return reeve_log_set_words ("any", error);
  /* Those before a wrong one stay, as with Open vSwitch. */
  for (uint32_t i = 0; i < args->words.n_items; i++)
    if (!reeve_log_set_words (args->words.items[i], error))
      return FALSE;

  return TRUE;
}

gboolean
reeve_command_program_log_reopen (ReeveCall *call, GError **error)
{
  if (reeve_log_get_pattern (REEVE_LOG_FILE) == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                 _ ("nothing of the log goes to “%s”"), "file");
    return FALSE;
  }

  return reeve_log_reopen (error);
}

gboolean
reeve_command_program_log_close (ReeveCall *call, GError **error)
{
  reeve_log_close_files ();
  return TRUE;
}

gboolean
reeve_command_program_log_patterns (ReeveCall *call,
                                    reeve_logging_patterns_ret *ret,
                                    GError **error)
{
  static const struct {
    const char *name;
    int destination;
    const char *prefix;
  } rows[] = {
    { "SYSLOG", REEVE_LOG_SYSLOG, "<%B>%d{%b %e %H:%M:%S} %A[%P]: " },
    { "CONSOLE", REEVE_LOG_CONSOLE, "none" },
    { "FILE", REEVE_LOG_FILE, "none" },
  };

  ret->patterns.items = g_new0 (reeve_logging_pattern, G_N_ELEMENTS (rows));
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    const char *format = reeve_log_get_pattern (rows[i].destination);

    if (format == NULL)
      continue;
    ret->patterns.items[ret->patterns.n_items++] = (reeve_logging_pattern){
      .destination = g_strdup (rows[i].name),
      .prefix = g_strdup (rows[i].prefix),
      .format = g_strdup (format),
    };
  }
  return TRUE;
}

static gboolean
set_limits (const reeve_words *args, gboolean is_limited, GError **error)
{
  if (args->words.n_items == 0)
    return reeve_log_limit_source ("any", is_limited, error);
  for (uint32_t i = 0; i < args->words.n_items; i++)
    if (!reeve_log_limit_source (args->words.items[i], is_limited, error))
      return FALSE;

  return TRUE;
}

gboolean
reeve_command_program_log_limit (ReeveCall *call,
                                 const reeve_words *args,
                                 GError **error)
{
  return set_limits (args, TRUE, error);
}

gboolean
reeve_command_program_log_unlimit (ReeveCall *call,
                                   const reeve_words *args,
                                   GError **error)
{
  return set_limits (args, FALSE, error);
}

static void
add_number (GArray *rows, const char *name, guint64 value)
{
  const reeve_number_row row = { g_strdup (name), (int64_t) value };

  g_array_append_val (rows, row);
}

static void
take_numbers (GArray *rows, reeve_numbers_ret *ret)
{
  ret->numbers.n_items = rows->len;
  ret->numbers.items = (reeve_number_row *) (void *) g_array_free (rows, FALSE);
}

static ReeveRates *
get_rates (ReeveCall *call)
{
  return reeve_daemon_get_rates (reeve_call_get_user_data (call),
                                 get_server (call));
}

gboolean
reeve_command_program_counter_list (ReeveCall *call,
                                    reeve_counters_ret *ret,
                                    GError **error)
{
  ReeveServerStats stats;

  reeve_server_get_stats (get_server (call), &stats);
  ret->counters.n_items = (uint32_t) reeve_rates_count ();
  ret->counters.items = g_new0 (reeve_counter_row, reeve_rates_count ());
  for (size_t i = 0; i < reeve_rates_count (); i++) {
    ReeveRate rate;
    guint64 value = reeve_rates_get (get_rates (call), i, &stats, &rate);

    ret->counters.items[i] = (reeve_counter_row){
      .name = g_strdup (reeve_rates_get_name (i)),
      .value = (int64_t) value,
      .last_5s = rate.last_5s,
      .last_minute = rate.last_minute,
      .last_hour = rate.last_hour,
    };
  }
  return TRUE;
}

gboolean
reeve_command_program_counter (ReeveCall *call,
                               const reeve_name *args,
                               reeve_number_ret *ret,
                               GError **error)
{
  ReeveServerStats stats;
  size_t i = 0;

  while (i < reeve_rates_count () &&
         !g_str_equal (reeve_rates_get_name (i), args->name))
    i++;
  if (i == reeve_rates_count ()) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("there is no counter “%s”"), args->name);
    return FALSE;
  }

  reeve_server_get_stats (get_server (call), &stats);
  ret->value = (int64_t) reeve_rates_get (get_rates (call), i, &stats, NULL);
  return TRUE;
}

gboolean
reeve_command_program_usage (ReeveCall *call,
                             reeve_numbers_ret *ret,
                             GError **error)
{
  GArray *rows = g_array_new (FALSE, FALSE, sizeof (reeve_number_row));
  ReeveServer *server = get_server (call);
  ReeveProcessStat process = { 0 };
  ReeveJobPoolStats pool;
  ReeveServerStats stats;

  reeve_server_get_stats (server, &stats);
  reeve_job_pool_get_stats (reeve_server_get_pool (server), &pool);
  reeve_process_stat_read (getpid (), &process);
  add_number (rows, "clients", stats.n_clients);
  add_number (rows, "jobs", pool.n_queued);
  add_number (rows, "resident_kib", process.resident_kib);
  add_number (rows, "workers", pool.n_threads);
  take_numbers (rows, ret);
  return TRUE;
}

/* The loop takes the signal in a later turn, when the reply has gone. */
gboolean
reeve_command_program_exit (ReeveCall *call, GError **error)
{
  kill (getpid (), SIGTERM);
  return TRUE;
}

/* ------------------------------------------------------------- commands --- */

static char *
format_commands (gconstpointer data)
{
  const reeve_command_list_ret *ret = data;
  GString *text = g_string_new (_ ("The available commands are:"));

  g_string_append_c (text, '\n');
  for (uint32_t i = 0; i < ret->commands.n_items; i++) {
    const reeve_command_row *row = &ret->commands.items[i];

    g_string_append_printf (text, "  %-23s %s\n", row->name, row->usage);
  }
  return g_string_free (text, FALSE);
}

static char *
format_version (gconstpointer data)
{
  const reeve_version_ret *ret = data;

  return g_strdup_printf ("%s %s", ret->name, ret->release);
}

static char *
format_log (gconstpointer data)
{
  const reeve_logging_list_ret *ret = data;
  GString *text =
      g_string_new ("                 console    syslog    file\n"
                    "                 -------    ------    ------\n");

  for (uint32_t i = 0; i < ret->rows.n_items; i++) {
    const reeve_logging_row *row = &ret->rows.items[i];

    g_string_append_printf (text, "%-16s  %4s       %4s       %4s%s\n",
                            row->source, row->console, row->syslog, row->file,
                            row->is_limited ? ""
                                            : "    (rate limiting disabled)");
  }
  return g_string_free (text, FALSE);
}

static char *
format_patterns (gconstpointer data)
{
  const reeve_logging_patterns_ret *ret = data;
  GString *text = g_string_new ("         prefix                            "
                                "format\n"
                                "         ------                            "
                                "------\n");

  for (uint32_t i = 0; i < ret->patterns.n_items; i++) {
    const reeve_logging_pattern *row = &ret->patterns.items[i];

    g_string_append_printf (text, "%-7s  %-32s  %s\n", row->destination,
                            row->prefix, row->format);
  }
  return g_string_free (text, FALSE);
}

static char *
format_counters (gconstpointer data)
{
  const reeve_counters_ret *ret = data;
  GString *text = g_string_new (_ ("Event counters:"));
  unsigned n_unused = 0;

  g_string_append_c (text, '\n');
  for (uint32_t i = 0; i < ret->counters.n_items; i++) {
    const reeve_counter_row *row = &ret->counters.items[i];

    n_unused += row->value == 0;
    if (row->value > 0)
      g_string_append_printf (text,
                              "%-26s %5.1f/sec %9.3f/sec %13.4f/sec   total: "
                              "%" PRId64 "\n",
                              row->name, row->last_5s, row->last_minute,
                              row->last_hour, row->value);
  }
  g_string_append_printf (text, _ ("%u events never happened"), n_unused);
  return g_string_free (text, FALSE);
}

static char *
format_number (gconstpointer data)
{
  return g_strdup_printf ("%" PRId64, ((const reeve_number_ret *) data)->value);
}

static char *
format_usage (gconstpointer data)
{
  const reeve_numbers_ret *ret = data;
  GString *text = g_string_new (NULL);

  for (uint32_t i = 0; i < ret->numbers.n_items; i++)
    g_string_append_printf (text, "%s%s:%" PRId64, i > 0 ? " " : "",
                            ret->numbers.items[i].name,
                            ret->numbers.items[i].value);
  return g_string_free (text, FALSE);
}

static const ReeveCommand commands[] = {
  { "coverage/read-counter", &reeve_program, REEVE_PROC_COUNTER,
    format_number },
  { "coverage/show", &reeve_program, REEVE_PROC_COUNTER_LIST, format_counters },
  { "exit", &reeve_program, REEVE_PROC_EXIT, NULL },
  { "list-commands", &reeve_program, REEVE_PROC_COMMAND_LIST, format_commands },
  { "memory/show", &reeve_program, REEVE_PROC_USAGE, format_usage },
  { "version", &reeve_program, REEVE_PROC_VERSION, format_version },
  { "vlog/close", &reeve_program, REEVE_PROC_LOGGING_CLOSE, NULL },
  { "vlog/disable-rate-limit", &reeve_program, REEVE_PROC_LOGGING_UNLIMIT,
    NULL },
  { "vlog/enable-rate-limit", &reeve_program, REEVE_PROC_LOGGING_LIMIT, NULL },
  { "vlog/list", &reeve_program, REEVE_PROC_LOGGING_LIST, format_log },
  { "vlog/list-pattern", &reeve_program, REEVE_PROC_LOGGING_PATTERNS,
    format_patterns },
  { "vlog/reopen", &reeve_program, REEVE_PROC_LOGGING_REOPEN, NULL },
  { "vlog/set", &reeve_program, REEVE_PROC_LOGGING_SET, NULL },
};

void
reeve_command_program_register (ReeveServer *server)
{
  reeve_server_add_commands (server, commands, G_N_ELEMENTS (commands));
}
