/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/state-names.h"
#include "machine/remote-private.h"
#include "protocol/machine.h"

#include <string.h>

/* The program `machine`. */

static void
fill_row (gpointer to, const ReeveMachineRow *from)
{
  machine_row *row = to;

  row->name = (char *) from->name;
  memcpy (row->uuid, from->uuid, sizeof row->uuid);
  row->id = from->id;
  row->state = (char *) reeve_state_name (from->state);
}

static gboolean
list (ReeveCall *call, machine_list_ret *ret, GError **error)
{
  ret->machines.items = reeve_remote_lend_rows (
      call, 0, sizeof *ret->machines.items, fill_row, &ret->machines.n_items);
  return TRUE;
}

static ReeveMachine *
find (ReeveCall *call, const machine_name *args, GError **error)
{
  return reeve_machine_list_lookup_name (reeve_remote_get_machines (call),
                                         args->name, error);
}

static gboolean
look_at (ReeveCall *call,
         const machine_name *args,
         ReeveMachineSnapshot *snapshot,
         GError **error)
{
  g_autoptr (ReeveMachine) machine = find (call, args, error);

  if (machine == NULL)
    return FALSE;

  reeve_machine_get_snapshot (machine, snapshot);
  return TRUE;
}

static gboolean
state (ReeveCall *call,
       const machine_name *args,
       machine_state_ret *ret,
       GError **error)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  if (!look_at (call, args, &snapshot, error))
    return FALSE;

  ret->state = g_strdup (reeve_state_name (snapshot.state));
  ret->reason = snapshot.reason;
  ret->id = snapshot.id;
  return TRUE;
}

static gboolean
describe (ReeveCall *call,
          const machine_name *args,
          machine_xml_ret *ret,
          GError **error)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  if (!look_at (call, args, &snapshot, error))
    return FALSE;

  ret->xml = g_strdup (reeve_config_get_xml (
      snapshot.live_config != NULL ? snapshot.live_config : snapshot.config));
  return TRUE;
}

static gboolean
run (ReeveCall *call,
     const machine_name *args,
     ReeveMachineOperation operation,
     GError **error)
{
  g_autoptr (ReeveMachine) machine = find (call, args, error);

  if (machine == NULL)
    return FALSE;

  reeve_remote_run (call, machine, operation);
  return TRUE;
}

#define RUN(name, operation)                                                   \
  static gboolean do_##name (ReeveCall *call, const machine_name *args,        \
                             GError **error)                                   \
  {                                                                            \
    return run (call, args, operation, error);                                 \
  }

RUN (start, reeve_machine_start_plainly)
RUN (shutdown, reeve_machine_shutdown)
RUN (reboot, reeve_machine_reboot)
RUN (destroy, reeve_machine_destroy_plainly)
RUN (suspend, reeve_machine_suspend)
RUN (resume, reeve_machine_resume)

static const machine_handlers handlers = {
  .list = list,
  .state = state,
  .describe = describe,
  .start = do_start,
  .shutdown = do_shutdown,
  .reboot = do_reboot,
  .destroy = do_destroy,
  .suspend = do_suspend,
  .resume = do_resume,
};

void
reeve_machine_program_register (ReeveRemote *remote, ReeveServer *server)
{
  reeve_server_add_program (server, &machine_program, &handlers, remote);
}
