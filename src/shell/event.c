/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/state-names.h"
#include "event/intl.h"
#include "protocol/watch.h"
#include "rpc/error.h"
#include "rpc/wire-json.h"
#include "shell/command.h"
#include "shell/event-names.h"
#include "shell/inbox.h"
#include "shell/machine-name.h"
#include "shell/output.h"

#include <inttypes.h>
#include <stdio.h>

/* The command "event": waits for what happens to machines. */

typedef struct {
  const char *name;  /* NULL for one of the connection's own */
  int32_t procedure; /* of the program `watch`, then */
  gint64 time_us;    /* of the wall clock */
  JsonNode *body;    /* (owned) */
} Event;

static const struct {
  const char *name;
  int32_t id;
  int32_t procedure;
} events[] = {
  { "lifecycle", 0, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE },
  { "reboot", 1, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_REBOOT },
  { "rtc-change", 2, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_RTC_CHANGE },
  { "watchdog", 3, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_WATCHDOG },
  { "io-error", 4, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_IO_ERROR },
  { "graphics", 5, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_GRAPHICS },
  { "io-error-reason", 6, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON },
  { "control-error", 7, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_CONTROL_ERROR },
  { "block-job", 8, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_BLOCK_JOB },
  { "disk-change", 9, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_DISK_CHANGE },
  { "tray-change", 10, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_TRAY_CHANGE },
  { "pm-wakeup", 11, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_PMWAKEUP },
  { "pm-suspend", 12, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_PMSUSPEND },
  { "balloon-change", 13, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE },
  { "pm-suspend-disk", 14, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK },
  { "device-removed", 15, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED },
  { "block-job-2", 16, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_BLOCK_JOB_2 },
  { "tunable", 17, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_TUNABLE },
  { "agent-lifecycle", 18, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE },
  { "device-added", 19, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_ADDED },
  { "migration-iteration", 20,
    REMOTE_PROC_DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION },
  { "job-completed", 21, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_JOB_COMPLETED },
  { "device-removal-failed", 22,
    REMOTE_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED },
  { "metadata-change", 23, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_METADATA_CHANGE },
  { "block-threshold", 24, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_BLOCK_THRESHOLD },
  { "memory-failure", 25, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_MEMORY_FAILURE },
  { "memory-device-size-change", 26,
    REMOTE_PROC_DOMAIN_EVENT_CALLBACK_MEMORY_DEVICE_SIZE_CHANGE },
};

const char *
reeve_event_name (size_t index)
{
  return index < G_N_ELEMENTS (events) ? events[index].name : NULL;
}

static void
event_free (gpointer data)
{
  Event *self = data;

  json_node_unref (self->body);
  g_free (self);
}

/* In the I/O thread. */
static void
take_event (ReeveConnection *connection,
            const ReeveProcedure *procedure,
            gconstpointer body,
            gpointer data)
{
  Event *event;
  size_t i = 0;

  while (i < G_N_ELEMENTS (events) && events[i].procedure != procedure->number)
    i++;
  if (i == G_N_ELEMENTS (events))
    return;

  event = g_new0 (Event, 1);
  event->name = events[i].name;
  event->time_us = g_get_real_time ();
  event->body = reeve_json_encode (procedure->args, body);
  reeve_inbox_push (data, event);
}

/* In the I/O thread: the connection was lost, or is back. */
static void
take_watch (ReeveConnection *connection,
            const ReeveProcedure *procedure,
            gconstpointer body,
            gpointer data)
{
  Event *event;

  if (procedure->number == WATCH_PROC_REVISION)
    return;

  event = g_new0 (Event, 1);
  event->procedure = procedure->number;
  event->time_us = g_get_real_time ();
  event->body = reeve_json_encode (procedure->args, body);
  reeve_inbox_push (data, event);
}

/* As reeve_inbox_pop(). */
static Event *
wait_for_event (ReeveInbox *inbox, gint64 end_us, GError **error)
{
  uint64_t n_dropped = 0;
  Event *event = reeve_inbox_pop (inbox, end_us, &n_dropped, error);

  if (n_dropped > 0)
    fprintf (stderr, _ ("warning: %" PRIu64 " events were dropped\n"),
             n_dropped);
  return event;
}

static char *
describe_lifecycle (JsonObject *body)
{
  int32_t event = (int32_t) json_object_get_int_member (body, "event");
  int32_t detail = (int32_t) json_object_get_int_member (body, "detail");

  return g_strdup_printf ("%s %s", _ (reeve_lifecycle_name (event)),
                          _ (reeve_lifecycle_detail_name (event, detail)));
}

static void
append_member (JsonObject *object,
               const char *key,
               JsonNode *node,
               gpointer data)
{
  GString *text = data;
  g_autofree char *value = json_to_string (node, FALSE);

  if (g_str_equal (key, "dom") || g_str_equal (key, "callback_id"))
    return;
  g_string_append_printf (text, "%s%s=%s", text->len > 0 ? " " : "", key,
                          value);
}

static char *
describe (const Event *event, JsonObject *body)
{
  GString *text;

  if (g_str_equal (event->name, "lifecycle"))
    return describe_lifecycle (body);

  text = g_string_new (NULL);
  json_object_foreach_member (body, append_member, text);
  return g_string_free (text, FALSE);
}

static char *
format_time (const Event *event)
{
  g_autoptr (GDateTime) seconds =
      g_date_time_new_from_unix_utc (event->time_us / G_USEC_PER_SEC);
  g_autofree char *start = g_date_time_format (seconds, "%FT%T");

  return g_strdup_printf ("%s.%03dZ", start,
                          (int) (event->time_us / 1000 % 1000));
}

static void
print_event (ReeveShell *shell, const Event *event, gboolean has_time)
{
  JsonObject *outer = json_node_get_object (event->body);
  JsonObject *body = json_object_has_member (outer, "msg")
                         ? json_object_get_object_member (outer, "msg")
                         : outer;
  JsonObject *domain = json_object_get_object_member (body, "dom");
  const char *name = json_object_get_string_member (domain, "name");
  g_autoptr (JsonObject) object = json_object_new ();
  g_autofree char *time = format_time (event);
  g_autofree char *what = describe (event, body);
  g_autofree char *sentence = g_strdup_printf (
      _ ("event '%1$s' for machine '%2$s': %3$s"), event->name, name, what);
  g_autofree char *line =
      has_time ? g_strconcat (time, ": ", sentence, NULL) : g_strdup (sentence);

  json_object_set_string_member (object, "time", time);
  json_object_set_string_member (object, "event", event->name);
  json_object_set_string_member (object, "machine", name);
  json_object_set_object_member (object, "body", json_object_ref (body));
  reeve_output_line (shell, line, object);
}

/* One that happened while the connection was lost. */
static void
print_change (ReeveShell *shell, JsonObject *change)
{
  int32_t kind = (int32_t) json_object_get_int_member (change, "kind");
  const char *machine = json_object_get_string_member (change, "name");
  g_autoptr (JsonObject) object = json_object_new ();
  const char *name = "autostart";
  g_autofree char *what = g_strdup ("");
  g_autofree char *line = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS (events); i++)
    if (events[i].id == kind)
      name = events[i].name;
  if (g_str_equal (name, "lifecycle")) {
    g_free (what);
    what = describe_lifecycle (change);
  }

  line = g_strdup_printf (_ ("missed event '%1$s' for machine '%2$s': %3$s"),
                          name, machine, what);
  json_object_set_string_member (object, "missed", name);
  json_object_set_string_member (object, "machine", machine);
  json_object_set_object_member (object, "body", json_object_ref (change));
  reeve_output_line (shell, line, object);
}

static void
print_mark (ReeveShell *shell, JsonObject *mark)
{
  gboolean is_complete = json_object_get_boolean_member (mark, "is_complete");
  JsonArray *changes = json_object_get_array_member (mark, "changes");
  unsigned n_changes = json_array_get_length (changes);
  g_autoptr (JsonObject) object = json_object_new ();
  g_autofree char *line =
      is_complete
          ? g_strdup_printf (_ ("connected again; events that were missed: %u"),
                             n_changes)
          : g_strdup (_ ("connected again; what was missed is not known"));

  json_object_set_string_member (object, "connection", "restored");
  json_object_set_boolean_member (object, "is_complete", is_complete);
  reeve_output_line (shell, line, object);
  for (unsigned i = 0; i < n_changes; i++)
    print_change (shell, json_array_get_object_element (changes, i));
}

static void
print_watch (ReeveShell *shell, const Event *event)
{
  JsonObject *body = json_node_get_object (event->body);
  g_autoptr (JsonObject) object = NULL;
  const char *reason;
  g_autofree char *line = NULL;

  if (event->procedure == WATCH_PROC_MARK) {
    print_mark (shell, body);
    return;
  }

  reason = json_object_get_string_member (body, "reason");
  object = json_object_new ();
  line = g_strdup_printf (_ ("connection lost: %s"), reason);
  json_object_set_string_member (object, "connection", "lost");
  json_object_set_string_member (object, "reason", reason);
  reeve_output_line (shell, line, object);
}

static gboolean
print_names (ReeveShell *shell)
{
  static const ReeveField columns[] = { { "event", N_ ("Event") } };
  JsonArray *rows = json_array_new ();

  for (size_t i = 0; i < G_N_ELEMENTS (events); i++) {
    JsonObject *row = json_object_new ();

    json_object_set_string_member (row, "event", events[i].name);
    json_array_add_object_element (rows, row);
  }
  reeve_output_table (shell, columns, G_N_ELEMENTS (columns), rows);
  return TRUE;
}

/* Asks for one event. *@callback is its number at the server. */
static gboolean
register_event (ReeveShell *shell,
                int32_t id,
                remote_domain *domain,
                int32_t *callback,
                GError **error)
{
  remote_connect_domain_event_callback_register_any_args args = {
    .event_id = id,
    .dom = domain,
  };
  remote_connect_domain_event_callback_register_any_ret ret = { 0 };

  if (!reeve_shell_call (shell,
                         REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
                         &args, &ret, error))
    return FALSE;

  *callback = ret.callback_id;
  return TRUE;
}

/* (element-type int32_t): the callbacks of the events that were asked for. */
static gboolean
register_events (ReeveShell *shell,
                 const char *name,
                 remote_domain *domain,
                 GArray *callbacks,
                 GError **error)
{
  gboolean is_all = g_str_equal (name, "all");
  gboolean is_known = is_all;

  for (size_t i = 0; i < G_N_ELEMENTS (events); i++) {
    int32_t callback;

    if (!is_all && !g_str_equal (name, events[i].name))
      continue;
    is_known = TRUE;
    /* A server need not have every event. */
    if (register_event (shell, events[i].id, domain, &callback,
                        is_all ? NULL : error))
      g_array_append_val (callbacks, callback);
    else if (!is_all)
      return FALSE;
  }

  if (!is_known) {
    g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
                 _ ("event: there is no event “%s”; see “event --list”"), name);
    return FALSE;
  }
  return TRUE;
}

static void
deregister_events (ReeveShell *shell, GArray *callbacks)
{
  for (unsigned i = 0; i < callbacks->len; i++) {
    remote_connect_domain_event_callback_deregister_any_args args = {
      .callback_id = g_array_index (callbacks, int32_t, i),
    };

    if (reeve_connection_is_closed (shell->connection))
      return;
    reeve_shell_call (shell,
                      REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY,
                      &args, NULL, NULL);
  }
}

/* Prints until the time is up, or after one event unless @is_loop. */
static gboolean
print_events (ReeveShell *shell,
              ReeveInbox *inbox,
              gint64 end_us,
              gboolean is_loop,
              gboolean has_time,
              GError **error)
{
  g_autoptr (GError) why = NULL;
  unsigned n_events = 0;

  for (;;) {
    Event *event = wait_for_event (inbox, end_us, &why);

    if (event == NULL)
      break;
    if (event->name == NULL) {
      print_watch (shell, event);
      event_free (event);
      continue;
    }
    print_event (shell, event, has_time);
    event_free (event);
    n_events++;
    if (!is_loop)
      return TRUE;
  }

  if (why != NULL) {
    g_propagate_error (error, g_steal_pointer (&why));
    return FALSE;
  }
  if (n_events > 0 || is_loop)
    return TRUE;
  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT,
                       _ ("No event came in time"));
  return FALSE;
}

static gboolean
watch (ReeveShell *shell,
       const ReeveArguments *arguments,
       remote_domain *domain,
       ReeveInbox *inbox,
       GError **error)
{
  g_autoptr (GArray) callbacks = g_array_new (FALSE, FALSE, sizeof (int32_t));
  const char *name = reeve_arguments_get (arguments, "event");
  int64_t timeout = -1;
  unsigned subscription, watching;
  gint64 end_us;
  gboolean is_done;

  if (!reeve_arguments_get_number (arguments, "timeout", 1, 1000000, &timeout,
                                   error))
    return FALSE;
  if (name == NULL || reeve_arguments_has (arguments, "all"))
    name = "all";
  end_us =
      timeout < 0 ? -1 : g_get_monotonic_time () + timeout * G_USEC_PER_SEC;

  subscription = reeve_connection_subscribe (shell->connection, &remote_program,
                                             NULL, take_event, inbox, NULL);
  watching = reeve_connection_subscribe (shell->connection, &watch_program,
                                         NULL, take_watch, inbox, NULL);
  reeve_connection_set_close_func (shell->connection, reeve_inbox_take_close,
                                   inbox, NULL);
  is_done = register_events (shell, name, domain, callbacks, error) &&
            print_events (shell, inbox, end_us,
                          reeve_arguments_has (arguments, "loop"),
                          reeve_arguments_has (arguments, "timestamp"), error);
  deregister_events (shell, callbacks);
  reeve_connection_unsubscribe (shell->connection, subscription);
  reeve_connection_unsubscribe (shell->connection, watching);
  reeve_connection_set_close_func (shell->connection, NULL, NULL, NULL);
  return is_done;
}

static gboolean
run_event (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  const char *name = reeve_arguments_get (arguments, "domain");
  remote_domain domain = { 0 };
  ReeveInbox inbox;
  gboolean is_done;

  if (reeve_arguments_has (arguments, "list"))
    return print_names (shell);
  shell->is_lasting = TRUE;
  if (reeve_shell_connect (shell, error) == NULL)
    return FALSE;
  if (name != NULL && !reeve_machine_name_resolve (shell, name, &domain, error))
    return FALSE;

  reeve_inbox_init (&inbox, event_free);
  is_done =
      watch (shell, arguments, name != NULL ? &domain : NULL, &inbox, error);
  reeve_inbox_clear (&inbox);
  remote_domain_clear (&domain);
  return is_done;
}

static const ReeveOption event_options[] = {
  { "domain", REEVE_OPTION_STRING, .completion = REEVE_COMPLETE_MACHINES,
    .help = N_ ("of this machine alone") },
  { "event", REEVE_OPTION_STRING, .completion = REEVE_COMPLETE_EVENTS,
    .help = N_ ("this event alone") },
  { "all", REEVE_OPTION_FLAG, .help = N_ ("all events (the default)") },
  { "loop", REEVE_OPTION_FLAG,
    .help = N_ ("go on until the time is up or the shell is interrupted") },
  { "timeout", REEVE_OPTION_NUMBER, .is_named_only = TRUE,
    .help = N_ ("how long to wait, in seconds") },
  { "list", REEVE_OPTION_FLAG, .help = N_ ("list the events there are") },
  { "timestamp", REEVE_OPTION_FLAG, .help = N_ ("print times, too") },
};

static const ReeveCommand commands[] = {
  { "event", N_ ("wait for what happens to machines"), event_options,
    G_N_ELEMENTS (event_options), run_event },
};

const ReeveCommandGroup reeve_event_commands = {
  N_ ("Events"),
  commands,
  G_N_ELEMENTS (commands),
};
