/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd.h"
#include "event/intl.h"
#include "machine/config.h"
#include "machine/machine-private.h"
#include "rpc/error.h"

#include <sys/socket.h>

/*
 * A machine that an earlier daemon started, and that runs on. Its directory's
 * lock says that its QEMU lives, whenever the daemon was killed; which process
 * that is, is in the status, or, if the daemon did not come to write it, in
 * the file that QEMU's process wrote before it became QEMU.
 */

/* The monitor's listener is QEMU's own, so the kernel names its process. */
static pid_t
ask_socket (ReeveMachine *self)
{
  REEVE_AUTOFD int fd = reeve_run_dir_connect (&self->dir, NULL);
  struct ucred peer = { 0 };
  socklen_t size = sizeof peer;

  if (fd < 0 || getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
    return 0;
  return peer.pid;
}

static ReeveProcess *
find_process (ReeveMachine *self, const ReeveStatus *status)
{
  char uuid[REEVE_UUID_TEXT_SIZE];
  ReeveProcess *process = NULL;

  reeve_uuid_format (self->uuid, uuid);
  if (status->pid > 0 && status->start_ticks != 0)
    process =
        reeve_process_attach (status->pid, status->start_ticks, NULL, NULL);
  if (process == NULL)
    process = reeve_process_attach (reeve_run_dir_read_pid (&self->dir), 0,
                                    uuid, NULL);
  if (process == NULL)
    process = reeve_process_attach (ask_socket (self), 0, uuid, NULL);
  return process;
}

static void
take_fields (ReeveMachine *self, const ReeveStatus *status)
{
  self->phase = status->is_starting ? REEVE_PHASE_BOOTING : REEVE_PHASE_UP;
  self->end = REEVE_END_UNKNOWN;
  self->is_start_paused = status->is_start_paused;
  self->is_rebooting = status->is_rebooting;
  self->is_autodestroy = status->is_autodestroy;
  self->rtc_offset_s = status->rtc_offset_s;
  self->owner = NULL;
}

gboolean
reeve_machine_take_up (ReeveMachine *self,
                       const ReeveStatus *status,
                       ReeveConfig *config,
                       GError **error)
{
  g_autoptr (ReeveProcess) process = find_process (self, status);
  g_autoptr (GPtrArray) consoles = NULL;
  const ReeveMachineRun run = {
    .id = status->id,
    .config = config,
    .state = (ReeveMachineState) status->state,
    .reason = status->reason,
  };
  int fd;

  if (process == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED,
                 _ ("%s is locked, but there is no QEMU of this machine"),
                 self->dir.path);
    return FALSE;
  }
  if (!reeve_machine_list_activate (self->list, self, &run, error))
    return FALSE;

  take_fields (self, status);
  reeve_machine_set_process (self, process);
  consoles = reeve_machine_make_consoles (self, config);
  reeve_machine_set_consoles (self, consoles);
  if (!reeve_machine_watch_process (self)) {
    reeve_machine_process_ended (self);
    return TRUE;
  }

  fd = reeve_run_dir_connect (&self->dir, NULL);
  if (fd >= 0)
    reeve_machine_resync_monitor (self, fd);
  else
    reeve_machine_connect_monitor (self);
  /* Its client went away with the daemon; and what was being destroyed still
   * has to be. */
  if (status->is_autodestroy || status->is_ending)
    reeve_machine_stop (self, REEVE_END_DESTROYED);
  return TRUE;
}

void
reeve_machine_found_dead (ReeveMachine *self, const ReeveStatus *status)
{
  int reason = REEVE_MACHINE_SHUTOFF_CRASHED;

  if (status->is_starting)
    reason = REEVE_MACHINE_SHUTOFF_FAILED;
  else if (status->is_ending)
    reason = REEVE_MACHINE_SHUTOFF_DESTROYED;
  else if (status->state == REEVE_MACHINE_SHUTDOWN)
    reason = REEVE_MACHINE_SHUTOFF_SHUTDOWN;
  reeve_machine_set_state (self, REEVE_MACHINE_SHUTOFF, reason);
}

void
reeve_machine_let_go (ReeveMachine *self)
{
  g_autoptr (GError) error =
      g_error_new (REEVE_ERROR, REEVE_ERROR_CLOSED,
                   _ ("the daemon ends; the machine is left as it is"));

  reeve_operation_abort_waiting (self, error);
  if (self->current != NULL)
    reeve_operation_finish (self->current, error);
  reeve_machine_detach_monitor (self);
  reeve_machine_unwatch_process (self);
  reeve_machine_untap_consoles (self);
  if (self->stop_timer >= 0)
    reeve_loop_remove (self->list->loop, self->stop_timer);
  self->stop_timer = -1;
  if (self->retry_timer >= 0)
    reeve_loop_remove (self->list->loop, self->retry_timer);
  self->retry_timer = -1;
}
