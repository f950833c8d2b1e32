/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd-closer.h"
#include "event/intl.h"
#include "machine/machine-private.h"
#include "machine/qmp-parser.h"
#include "machine/screenshot.h"
#include "rpc/error.h"

#include <string.h>

/*
 * Questions to QEMU. They come from any thread, go to the monitor at once and
 * wait for no operation.
 */

typedef struct {
  ReeveMachine *machine; /* (owned) */
  gint64 deadline_us;
  char *command;         /* (owned) */
  JsonObject *arguments; /* (owned) (nullable); a raw request as a whole */
  gboolean is_human;
  int fd;        /* (owned); goes with the command; -1 for none */
  GError *error; /* (owned) (nullable): found before it was sent */
  ReeveMachineReply reply;
  ReeveMachineTextReply text_reply;
  ReeveMachineMemoryReply memory_reply;
  ReeveMachinePictureReply picture_reply;
  gpointer data;
  unsigned screen;
  ReeveMachineMemoryStats stats;
  unsigned n_waiting; /* answers that the statistics still need */
} Query;

static Query *
query_new (ReeveMachine *machine, gint64 deadline_us, gpointer data)
{
  Query *query = g_new0 (Query, 1);

  query->machine = reeve_machine_ref (machine);
  query->deadline_us = deadline_us;
  query->fd = -1;
  query->data = data;
  return query;
}

static void
query_free (Query *query)
{
  reeve_machine_unref (query->machine);
  if (query->fd >= 0)
    reeve_fd_close_elsewhere (query->fd);
  g_free (query->command);
  g_clear_pointer (&query->arguments, json_object_unref);
  g_clear_error (&query->error);
  g_free (query);
}

/* (nullable): where to ask; NULL with @error */
static ReeveQmp *
get_monitor (ReeveMachine *self, GError **error)
{
  gboolean is_up =
      self->phase == REEVE_PHASE_BOOTING || self->phase == REEVE_PHASE_UP;

  if (!is_up || self->list->is_closed) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                 _ ("the machine is not running"));
    return NULL;
  }
  if (self->qmp == NULL)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED,
                 _ ("the connection to QEMU's monitor is lost"));
  return self->qmp;
}

static void
on_executed (JsonNode *result, const GError *error, gpointer data)
{
  Query *query = data;

  reeve_machine_note_monitor (query->machine);
  if (query->reply != NULL)
    query->reply (query->machine, result, error, query->data);
  query_free (query);
}

static void
execute (ReeveLoop *loop, gpointer data)
{
  Query *query = data;
  g_autoptr (GError) error = NULL;
  ReeveQmp *qmp = get_monitor (query->machine, &error);

  if (qmp == NULL) {
    on_executed (NULL, error, query);
    return;
  }
  reeve_qmp_execute_with_fd (qmp, query->command,
                             g_steal_pointer (&query->arguments), query->fd,
                             query->deadline_us, on_executed, query);
  reeve_machine_note_monitor (query->machine);
}

void
reeve_machine_execute (ReeveMachine *self,
                       const char *command,
                       JsonObject *arguments,
                       gint64 deadline_us,
                       ReeveMachineReply reply,
                       gpointer data)
{
  reeve_machine_execute_with_fd (self, command, arguments, -1, deadline_us,
                                 reply, data);
}

void
reeve_machine_execute_with_fd (ReeveMachine *self,
                               const char *command,
                               JsonObject *arguments,
                               int fd,
                               gint64 deadline_us,
                               ReeveMachineReply reply,
                               gpointer data)
{
  Query *query = query_new (self, deadline_us, data);

  query->fd = fd;
  query->command = g_strdup (command);
  query->arguments = arguments;
  query->reply = reply;
  reeve_loop_invoke (self->list->loop, execute, query);
}

static void
on_text (Query *query, const char *text, const GError *error)
{
  reeve_machine_note_monitor (query->machine);
  query->text_reply (query->machine, text, error, query->data);
  query_free (query);
}

static void
on_raw (JsonObject *message, const GError *error, gpointer data)
{
  g_autofree char *text =
      message == NULL ? NULL : reeve_qmp_object_to_text (message);

  on_text (data, text, error);
}

static void
on_human (JsonNode *result, const GError *error, gpointer data)
{
  g_autofree char *text = NULL;

  if (result != NULL)
    text =
        JSON_NODE_HOLDS_VALUE (result) ? json_node_dup_string (result) : NULL;
  on_text (data, error != NULL ? NULL : text != NULL ? text : "", error);
}

static void
send_monitor_command (ReeveLoop *loop, gpointer data)
{
  Query *query = data;
  g_autoptr (GError) error = g_steal_pointer (&query->error);
  ReeveQmp *qmp = error != NULL ? NULL : get_monitor (query->machine, &error);

  if (qmp == NULL)
    on_text (query, NULL, error);
  else if (query->is_human)
    reeve_qmp_execute_with_fd (qmp, "human-monitor-command",
                               g_steal_pointer (&query->arguments), query->fd,
                               query->deadline_us, on_human, query);
  else
    reeve_qmp_execute_raw (qmp, query->arguments, query->fd, query->deadline_us,
                           on_raw, query);
}

void
reeve_machine_monitor_command (ReeveMachine *self,
                               const char *text,
                               gboolean is_human,
                               int fd,
                               gint64 deadline_us,
                               ReeveMachineTextReply reply,
                               gpointer data)
{
  Query *query = query_new (self, deadline_us, data);

  query->fd = fd;
  query->text_reply = reply;
  query->is_human = is_human;
  if (is_human) {
    query->arguments = json_object_new ();
    json_object_set_string_member (query->arguments, "command-line", text);
  } else {
    query->arguments = reeve_qmp_parse_object (text, &query->error);
  }
  reeve_loop_invoke (self->list->loop, send_monitor_command, query);
}

static void
finish_memory (Query *query, const GError *error)
{
  /* What QEMU refuses, a machine without a balloon does not have; the rest
   * of the statistics stands. */
  if (error != NULL && error->code != REEVE_ERROR_OPERATION_FAILED &&
      query->error == NULL)
    query->error = g_error_copy (error);
  if (query->n_waiting > 1) {
    query->n_waiting--;
    return;
  }

  error = query->error;
  reeve_machine_note_monitor (query->machine);
  query->memory_reply (query->machine, error == NULL ? &query->stats : NULL,
                       error, query->data);
  query_free (query);
}

/* The guest tells -1 for what it does not know, which is UINT64_MAX here. */
static uint64_t
get_kib (JsonObject *stats, const char *name)
{
  gint64 value = json_object_get_int_member_with_default (stats, name, -1);

  return value < 0 ? UINT64_MAX : (uint64_t) value / 1024;
}

static uint64_t
get_count (JsonObject *stats, const char *name)
{
  gint64 value = json_object_get_int_member_with_default (stats, name, -1);

  return value < 0 ? UINT64_MAX : (uint64_t) value;
}

static void
take_guest_stats (ReeveMachineMemoryStats *self, JsonObject *result)
{
  gint64 updated =
      json_object_get_int_member_with_default (result, "last-update", 0);
  JsonNode *node = json_object_get_member (result, "stats");
  JsonObject *stats;

  self->last_update_s = (uint64_t) MAX (updated, 0);
  if (node == NULL || !JSON_NODE_HOLDS_OBJECT (node) || updated <= 0)
    return;

  stats = json_node_get_object (node);
  self->swap_in_kib = get_kib (stats, "stat-swap-in");
  self->swap_out_kib = get_kib (stats, "stat-swap-out");
  self->major_faults = get_count (stats, "stat-major-faults");
  self->minor_faults = get_count (stats, "stat-minor-faults");
  self->unused_kib = get_kib (stats, "stat-free-memory");
  self->available_kib = get_kib (stats, "stat-total-memory");
  self->usable_kib = get_kib (stats, "stat-available-memory");
  self->disk_caches_kib = get_kib (stats, "stat-disk-caches");
}

static void
on_guest_stats (JsonNode *result, const GError *error, gpointer data)
{
  Query *query = data;

  if (result != NULL && JSON_NODE_HOLDS_OBJECT (result))
    take_guest_stats (&query->stats, json_node_get_object (result));
  finish_memory (query, error);
}

static void
on_balloon (JsonNode *result, const GError *error, gpointer data)
{
  Query *query = data;

  if (result != NULL && JSON_NODE_HOLDS_OBJECT (result))
    query->stats.actual_kib = get_kib (json_node_get_object (result), "actual");
  finish_memory (query, error);
}

static JsonObject *
make_guest_stats_arguments (void)
{
  JsonObject *arguments = json_object_new ();

  json_object_set_string_member (arguments, "path",
                                 "/machine/peripheral/balloon0");
  json_object_set_string_member (arguments, "property", "guest-stats");
  return arguments;
}

static void
query_memory (ReeveLoop *loop, gpointer data)
{
  Query *query = data;
  g_autoptr (GError) error = NULL;
  ReeveQmp *qmp = get_monitor (query->machine, &error);
  ReeveMachineUsage usage;
  ReeveMachineSnapshot snapshot;

  if (qmp == NULL) {
    query->error = g_steal_pointer (&error);
    finish_memory (query, NULL);
    return;
  }

  memset (&query->stats, 0xff, sizeof query->stats);
  query->stats.last_update_s = 0;
  if (reeve_machine_get_usage (query->machine, &usage))
    query->stats.resident_kib = usage.resident_kib;
  reeve_machine_get_snapshot (query->machine, &snapshot);
  query->stats.actual_kib = snapshot.current_memory_kib;
  reeve_machine_snapshot_clear (&snapshot);

  query->n_waiting = 2;
  reeve_qmp_execute (qmp, "query-balloon", NULL, query->deadline_us, on_balloon,
                     query);
  reeve_qmp_execute (qmp, "qom-get", make_guest_stats_arguments (),
                     query->deadline_us, on_guest_stats, query);
  reeve_machine_note_monitor (query->machine);
}

void
reeve_machine_query_memory (ReeveMachine *self,
                            gint64 deadline_us,
                            ReeveMachineMemoryReply reply,
                            gpointer data)
{
  Query *query = query_new (self, deadline_us, data);

  query->memory_reply = reply;
  reeve_loop_invoke (self->list->loop, query_memory, query);
}

static void
on_picture (int fd, const char *type, const GError *error, gpointer data)
{
  Query *query = data;

  reeve_machine_note_monitor (query->machine);
  query->picture_reply (query->machine, fd, type, error, query->data);
  query_free (query);
}

/* Screens are numbered through the heads of one video device, then through
 * those of the next one. */
static const ReeveConfigDevice *
find_video (ReeveConfig *config, unsigned *screen)
{
  GPtrArray *devices = reeve_config_get_devices (config);

  for (guint i = 0; i < devices->len; i++) {
    const ReeveConfigDevice *device = devices->pdata[i];

    if (!g_str_equal (device->kind, "video") ||
        g_strcmp0 (device->model, "none") == 0)
      continue;
    if (*screen < device->n_heads)
      return device;
    *screen -= device->n_heads;
  }
  return NULL;
}

static gboolean
send_screenshot (Query *query, GError **error)
{
  g_autoptr (ReeveConfig) config =
      reeve_machine_dup_live_config (query->machine);
  ReeveQmp *qmp = get_monitor (query->machine, error);
  unsigned head = query->screen;
  const ReeveConfigDevice *video =
      config == NULL ? NULL : find_video (config, &head);

  if (qmp == NULL)
    return FALSE;
  if (video == NULL && head < query->screen) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("the machine has no screen %u"), query->screen);
    return FALSE;
  }
  if (video == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_UNSUPPORTED,
                 _ ("the machine has no video device to take a picture of"));
    return FALSE;
  }
  return reeve_screenshot_take (qmp, query->screen == 0 ? NULL : video->alias,
                                head, query->deadline_us, on_picture, query,
                                error);
}

static void
take_screenshot (ReeveLoop *loop, gpointer data)
{
  Query *query = data;
  g_autoptr (GError) error = NULL;

  if (!send_screenshot (query, &error))
    on_picture (-1, NULL, error, query);
  else
    reeve_machine_note_monitor (query->machine);
}

void
reeve_machine_take_screenshot (ReeveMachine *self,
                               unsigned screen,
                               gint64 deadline_us,
                               ReeveMachinePictureReply reply,
                               gpointer data)
{
  Query *query = query_new (self, deadline_us, data);

  query->screen = screen;
  query->picture_reply = reply;
  reeve_loop_invoke (self->list->loop, take_screenshot, query);
}
