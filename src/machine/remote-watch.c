/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/remote-private.h"
#include "rpc/access.h"
#include "rpc/error.h"

#include <string.h>

/* The program `watch`: what happened while a client was away. */

static gboolean
send_event (ReeveServerClient *client, int32_t number, gconstpointer body)
{
  return reeve_server_client_send_event (
      client, &watch_program, reeve_program_find (&watch_program, number),
      body);
}

void
reeve_watch_send_revision (ReeveServerClient *client,
                           const ReeveMachineEvent *event)
{
  const watch_revision_msg body = { .revision = event->sequence };

  reeve_event_frames_send (
      event->frames, client, 0, &watch_program,
      reeve_program_find (&watch_program, WATCH_PROC_REVISION), &body);
}

/* Borrows from @event. */
static void
fill_change (watch_change *change, const ReeveMachineEvent *event)
{
  change->revision = event->sequence;
  change->name = event->name;
  memcpy (change->uuid, event->uuid, sizeof change->uuid);
  change->id = event->id;
  change->kind = (int32_t) event->type;
  change->event = event->event;
  change->detail = event->detail;
}

/* (element-type watch_change): those of machines that the client may see. */
static GArray *
make_changes (ReeveServerClient *client, GPtrArray *events)
{
  GArray *changes = g_array_new (FALSE, TRUE, sizeof (watch_change));

  for (unsigned i = 0; i < events->len; i++) {
    const ReeveMachineEvent *event = events->pdata[i];
    watch_change change;

    if (!reeve_server_client_may (client, "domain:getattr", event->name))
      continue;
    fill_change (&change, event);
    g_array_append_val (changes, change);
  }

  return changes;
}

/* In the loop's thread, as all events are delivered in: so the mark has its
 * exact place among them. */
static gboolean
send_mark (ReeveCall *call, const watch_sync_args *args, GError **error)
{
  ReeveServerClient *client = reeve_call_get_client (call);
  const ReeveMachineRevision since = { args->epoch, args->revision };
  ReeveMachineRevision now;
  g_autoptr (GPtrArray) events = g_ptr_array_new_with_free_func (
      (GDestroyNotify) reeve_machine_event_unref);
  g_autoptr (GArray) changes = NULL;
  watch_mark_msg mark = { 0 };

  if (!reeve_remote_check_open (call, error))
    return FALSE;

  reeve_session_watch (reeve_session_get (call));
  mark.is_complete = reeve_machine_list_sync (reeve_remote_get_machines (call),
                                              &since, events, &now);
  changes = make_changes (client, events);
  mark.epoch = now.epoch;
  mark.revision = now.sequence;
  mark.changes.items = (watch_change *) (void *) changes->data;
  mark.changes.n_items = changes->len;
  if (send_event (client, WATCH_PROC_MARK, &mark))
    return TRUE;

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                       _ ("too many events wait for the client"));
  return FALSE;
}

void
reeve_remote_add_watch (watch_handlers *handlers)
{
  handlers->sync = send_mark;
}
