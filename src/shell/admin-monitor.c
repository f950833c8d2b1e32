/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "protocol/monitor.h"
#include "rpc/error.h"
#include "shell/admin.h"
#include "shell/inbox.h"
#include "shell/output.h"

#include <inttypes.h>
#include <stdio.h>

/* The command "monitor": shows the calls of a daemon as they pass. */

/* Between the library's I/O thread and the shell's. */
typedef struct {
  ReeveInbox calls; /* (element-type monitor_call_msg) */
  /* Of the I/O thread: calls that came while it was full, since the last one
   * that is in it. */
  uint64_t n_lost;
} Watch;

static void
call_free (gpointer data)
{
  reeve_type_free (&monitor_call_msg_type, data);
}

/* In the I/O thread. */
static void
take_call (ReeveConnection *connection,
           const ReeveProcedure *procedure,
           gconstpointer body,
           gpointer data)
{
  const monitor_call_msg *from = body;
  Watch *self = data;
  monitor_call_msg *call;

  if (reeve_inbox_is_full (&self->calls)) {
    self->n_lost += from->lost + 1;
    return;
  }

  call = g_memdup2 (from, sizeof *from);
  call->srv = g_strdup (from->srv);
  call->who = g_strdup (from->who);
  call->prog = g_strdup (from->prog);
  call->proc = g_strdup (from->proc);
  call->error = g_strdup (from->error);
  call->lost += self->n_lost;
  self->n_lost = 0;
  reeve_inbox_push (&self->calls, call);
}

/* ------------------------------------------------------------- printing --- */

/* Of the local clock in text, of UTC in JSON. */
static char *
format_time (ReeveShell *shell, uint64_t time_us)
{
  gboolean is_text = shell->format == REEVE_OUTPUT_TEXT;
  gint64 seconds = (gint64) (time_us / G_USEC_PER_SEC);
  g_autoptr (GDateTime) time = is_text
                                   ? g_date_time_new_from_unix_local (seconds)
                                   : g_date_time_new_from_unix_utc (seconds);
  g_autofree char *start = g_date_time_format (time, is_text ? "%T" : "%FT%T");

  return g_strdup_printf ("%s.%06u%s", start,
                          (unsigned) (time_us % G_USEC_PER_SEC),
                          is_text ? "" : "Z");
}

static JsonObject *
describe (const monitor_call_msg *call, const char *name, const char *time)
{
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "time", time);
  json_object_set_string_member (object, "server", call->srv);
  reeve_json_set_uint (object, "client", call->client);
  json_object_set_string_member (object, "who", call->who);
  json_object_set_int_member (object, "serial", call->serial);
  json_object_set_string_member (object, "procedure", name);
  reeve_json_set_uint (object, "took_us", call->took_us);
  json_object_set_int_member (object, "code", call->code);
  if (call->code != 0)
    json_object_set_string_member (object, "error", call->error);
  reeve_json_set_uint (object, "lost", call->lost);
  return object;
}

static void
print_call (ReeveShell *shell, const monitor_call_msg *call)
{
  g_autofree char *name = g_strdup_printf ("%s.%s", call->prog, call->proc);
  g_autofree char *time = format_time (shell, call->time_us);
  g_autoptr (JsonObject) object = describe (call, name, time);
  g_autofree char *result =
      call->code == 0
          ? g_strdup (_ ("done"))
          : g_strdup_printf (_ ("error %1$d: %2$s"), call->code, call->error);
  g_autofree char *line = g_strdup_printf (
      "%s %s/%" PRIu64 " (%s) %s %" PRIu64 " µs: %s", time, call->srv,
      call->client, call->who, name, call->took_us, result);

  if (call->lost > 0)
    fprintf (stderr, _ ("warning: %" PRIu64 " calls were not seen\n"),
             call->lost);
  reeve_output_line (shell, line, object);
}

/* Until the time is up, or so many were printed (0: no end). */
static gboolean
print_calls (ReeveShell *shell,
             ReeveInbox *calls,
             gint64 end_us,
             uint64_t n_wanted,
             GError **error)
{
  g_autoptr (GError) why = NULL;
  monitor_call_msg *call;

  while ((call = reeve_inbox_pop (calls, end_us, NULL, &why)) != NULL) {
    print_call (shell, call);
    call_free (call);
    if (n_wanted > 0 && --n_wanted == 0)
      return TRUE;
  }

  if (why != NULL)
    g_propagate_error (error, g_steal_pointer (&why));
  else if (n_wanted > 0)
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT,
                         _ ("Not as many calls came in time"));
  else
    return TRUE;
  return FALSE;
}

/* -------------------------------------------------------------- command --- */

static gboolean
watch (ReeveShell *shell,
       const ReeveArguments *arguments,
       Watch *self,
       GError **error)
{
  const char *name = reeve_arguments_get (arguments, "procedure");
  monitor_start_args args = {
    .name = name != NULL ? (char *) name : (char *) "",
    .failed_only = reeve_arguments_has (arguments, "failed"),
  };
  int64_t timeout = -1, count = 0;
  unsigned subscription;
  gboolean is_done;

  if (!reeve_arguments_get_number (arguments, "timeout", 1, 1000000, &timeout,
                                   error) ||
      !reeve_arguments_get_number (arguments, "count", 1, G_MAXINT64, &count,
                                   error))
    return FALSE;

  if (reeve_shell_connect_admin (shell, error) == NULL)
    return FALSE;
  subscription = reeve_connection_subscribe (shell->admin, &monitor_program,
                                             NULL, take_call, self, NULL);
  reeve_connection_set_close_func (shell->admin, reeve_inbox_take_close,
                                   &self->calls, NULL);
  is_done =
      reeve_shell_call_admin_socket (shell, &monitor_program,
                                     MONITOR_PROC_START, &args, NULL, error) &&
      print_calls (
          shell, &self->calls,
          timeout < 0 ? -1 : g_get_monotonic_time () + timeout * G_USEC_PER_SEC,
          (uint64_t) count, error);
  if (!reeve_connection_is_closed (shell->admin))
    reeve_shell_call_admin_socket (shell, &monitor_program, MONITOR_PROC_STOP,
                                   NULL, NULL, NULL);
  reeve_connection_unsubscribe (shell->admin, subscription);
  reeve_connection_set_close_func (shell->admin, NULL, NULL, NULL);
  return is_done;
}

gboolean
reeve_admin_run_monitor (ReeveShell *shell,
                         const ReeveArguments *arguments,
                         GError **error)
{
  Watch self = { 0 };
  gboolean is_done;

  reeve_inbox_init (&self.calls, call_free);
  is_done = watch (shell, arguments, &self, error);
  reeve_inbox_clear (&self.calls);
  return is_done;
}
