/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/config.h"
#include "machine/machine-private.h"
#include "rpc/error.h"

#include <string.h>

/*
 * Changes of a machine that runs: a command to QEMU, whose event changes the
 * state (machine-monitor.c), and whose reply ends the operation. A reply that
 * comes after the operation ended is dropped.
 */

/* Whether QEMU can be asked; fails the operation if not. */
static gboolean
check_up (ReeveOperation *operation)
{
  ReeveMachine *self = operation->machine;

  if (self->phase == REEVE_PHASE_OFF || self->phase == REEVE_PHASE_ENDED ||
      self->end != REEVE_END_UNKNOWN) {
    reeve_operation_fail (operation, REEVE_ERROR_OPERATION_INVALID,
                          _ ("the machine is not running"));
    return FALSE;
  }
  if (self->qmp == NULL) {
    reeve_operation_fail (operation, REEVE_ERROR_OPERATION_FAILED,
                          _ ("the connection to QEMU's monitor is lost"));
    return FALSE;
  }
  return TRUE;
}

static void
on_done (JsonNode *result, const GError *error, gpointer data)
{
  g_autoptr (ReeveOperation) operation = data;

  reeve_machine_note_monitor (operation->machine);
  reeve_operation_finish (operation, error);
}

static void
on_status (JsonNode *result, const GError *error, gpointer data)
{
  g_autoptr (ReeveOperation) operation = data;
  ReeveMachine *self = operation->machine;

  reeve_machine_note_monitor (self);
  if (error == NULL && JSON_NODE_HOLDS_OBJECT (result) &&
      self->phase == REEVE_PHASE_UP && self->end == REEVE_END_UNKNOWN)
    reeve_machine_take_status (
        self, json_object_get_string_member_with_default (
                  json_node_get_object (result), "status", "paused"));
  reeve_operation_finish (operation, error);
}

static void
send (ReeveOperation *operation,
      const char *command,
      JsonObject *arguments,
      ReeveQmpReply reply)
{
  reeve_qmp_execute (operation->machine->qmp, command, arguments,
                     operation->deadline_us, reply,
                     reeve_operation_ref (operation));
  reeve_machine_note_monitor (operation->machine);
}

static void
begin_shutdown (ReeveOperation *operation)
{
  ReeveMachine *self = operation->machine;

  if (!check_up (operation))
    return;

  /* Noted before the guest can react. */
  self->is_rebooting = operation->flags != 0;
  reeve_machine_save_status (self);
  send (operation, "system_powerdown", NULL, on_done);
}

static void
begin_reset (ReeveOperation *operation)
{
  if (!check_up (operation))
    return;

  reeve_machine_send_reset (operation->machine, operation->deadline_us, on_done,
                            reeve_operation_ref (operation));
  reeve_machine_note_monitor (operation->machine);
}

static void
on_stopped (JsonNode *result, const GError *error, gpointer data)
{
  g_autoptr (ReeveOperation) operation = data;

  if (error != NULL)
    reeve_operation_finish (operation, error);
}

static void
begin_suspend (ReeveOperation *operation)
{
  if (!check_up (operation))
    return;

  switch (reeve_machine_get_state (operation->machine, NULL)) {
  case REEVE_MACHINE_PAUSED:
    reeve_operation_finish (operation, NULL);
    break;
  case REEVE_MACHINE_RUNNING:
    operation->machine->pause_reason = REEVE_MACHINE_PAUSED_USER;
    send (operation, "stop", NULL, on_stopped);
    /* asked for the case that it had stopped by itself, which is no event */
    send (operation, "query-status", NULL, on_status);
    break;
  default:
    reeve_operation_fail (operation, REEVE_ERROR_OPERATION_INVALID,
                          _ ("the machine is neither running nor paused"));
  }
}

static void
begin_resume (ReeveOperation *operation)
{
  if (!check_up (operation))
    return;

  switch (reeve_machine_get_state (operation->machine, NULL)) {
  case REEVE_MACHINE_RUNNING:
    reeve_operation_fail (operation, REEVE_ERROR_OPERATION_INVALID,
                          _ ("the machine is running already"));
    break;
  case REEVE_MACHINE_PAUSED:
  case REEVE_MACHINE_CRASHED:
    send (operation, "cont", NULL, on_done);
    break;
  default:
    reeve_operation_fail (operation, REEVE_ERROR_OPERATION_INVALID,
                          _ ("the machine is not paused"));
  }
}

static uint64_t
get_max_memory_kib (ReeveMachine *self)
{
  g_autoptr (ReeveConfig) config = reeve_machine_dup_live_config (self);

  return config == NULL ? 0 : reeve_config_get_memory_kib (config);
}

static void
begin_set_memory (ReeveOperation *operation)
{
  JsonObject *arguments;

  if (!check_up (operation))
    return;
  if (operation->value == 0 ||
      operation->value > get_max_memory_kib (operation->machine)) {
    reeve_operation_fail (
        operation, REEVE_ERROR_INVALID_ARG,
        _ ("the memory must be between 1 KiB and the machine's maximum"));
    return;
  }

  arguments = json_object_new ();
  json_object_set_int_member (arguments, "value",
                              (gint64) operation->value * 1024);
  send (operation, "balloon", arguments, on_done);
}

static void
begin_send_key (ReeveOperation *operation)
{
  JsonObject *arguments;
  JsonArray *keys;

  if (!check_up (operation))
    return;

  arguments = json_object_new ();
  keys = json_array_new ();
  for (size_t i = 0; i < operation->n_keys; i++) {
    JsonObject *key = json_object_new ();

    json_object_set_string_member (key, "type", "number");
    json_object_set_int_member (key, "data", operation->keys[i]);
    json_array_add_object_element (keys, key);
  }
  json_object_set_array_member (arguments, "keys", keys);
  if (operation->hold_ms != 0)
    json_object_set_int_member (arguments, "hold-time", operation->hold_ms);
  send (operation, "send-key", arguments, on_done);
}

static const ReeveOperationClass shutdown_class = { .begin = begin_shutdown };
static const ReeveOperationClass reset_class = { .begin = begin_reset };
static const ReeveOperationClass suspend_class = { .begin = begin_suspend };
static const ReeveOperationClass resume_class = { .begin = begin_resume };
static const ReeveOperationClass memory_class = { .begin = begin_set_memory };
static const ReeveOperationClass key_class = { .begin = begin_send_key };

void
reeve_machine_shutdown (ReeveMachine *self,
                        gint64 deadline_us,
                        ReeveMachineDone done,
                        gpointer data)
{
  reeve_operation_submit (
      reeve_operation_new (&shutdown_class, self, deadline_us, done, data));
}

void
reeve_machine_reboot (ReeveMachine *self,
                      gint64 deadline_us,
                      ReeveMachineDone done,
                      gpointer data)
{
  ReeveOperation *operation =
      reeve_operation_new (&shutdown_class, self, deadline_us, done, data);

  operation->flags = 1;
  reeve_operation_submit (operation);
}

void
reeve_machine_reset (ReeveMachine *self,
                     gint64 deadline_us,
                     ReeveMachineDone done,
                     gpointer data)
{
  reeve_operation_submit (
      reeve_operation_new (&reset_class, self, deadline_us, done, data));
}

void
reeve_machine_suspend (ReeveMachine *self,
                       gint64 deadline_us,
                       ReeveMachineDone done,
                       gpointer data)
{
  reeve_operation_submit (
      reeve_operation_new (&suspend_class, self, deadline_us, done, data));
}

void
reeve_machine_resume (ReeveMachine *self,
                      gint64 deadline_us,
                      ReeveMachineDone done,
                      gpointer data)
{
  reeve_operation_submit (
      reeve_operation_new (&resume_class, self, deadline_us, done, data));
}

void
reeve_machine_set_memory (ReeveMachine *self,
                          uint64_t memory_kib,
                          gint64 deadline_us,
                          ReeveMachineDone done,
                          gpointer data)
{
  ReeveOperation *operation =
      reeve_operation_new (&memory_class, self, deadline_us, done, data);

  operation->value = memory_kib;
  reeve_operation_submit (operation);
}

void
reeve_machine_send_key (ReeveMachine *self,
                        const unsigned *keys,
                        size_t n_keys,
                        unsigned hold_ms,
                        gint64 deadline_us,
                        ReeveMachineDone done,
                        gpointer data)
{
  ReeveOperation *operation =
      reeve_operation_new (&key_class, self, deadline_us, done, data);

  operation->n_keys = MIN (n_keys, REEVE_MACHINE_MAX_KEYS);
  memcpy (operation->keys, keys, operation->n_keys * sizeof *keys);
  operation->hold_ms = hold_ms;
  reeve_operation_submit (operation);
}

/* Up to F12 the codes of Linux are those of an XT keyboard; the extended keys
 * are not. */
unsigned
reeve_machine_key_from_linux (unsigned code)
{
  static const struct {
    unsigned code;
    unsigned key;
  } extended[] = {
    { 96, 0x9c },  { 97, 0x9d },  { 98, 0xb5 },  { 99, 0x54 },  { 100, 0xb8 },
    { 102, 0xc7 }, { 103, 0xc8 }, { 104, 0xc9 }, { 105, 0xcb }, { 106, 0xcd },
    { 107, 0xcf }, { 108, 0xd0 }, { 109, 0xd1 }, { 110, 0xd2 }, { 111, 0xd3 },
    { 113, 0xa0 }, { 114, 0xae }, { 115, 0xb0 }, { 116, 0xde }, { 119, 0xc6 },
    { 125, 0xdb }, { 126, 0xdc }, { 127, 0xdd },
  };

  if (code >= 1 && code <= 88)
    return code;
  for (size_t i = 0; i < G_N_ELEMENTS (extended); i++) {
    if (extended[i].code == code)
      return extended[i].key;
  }
  return 0;
}
