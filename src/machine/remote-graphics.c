/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd.h"
#include "event/intl.h"
#include "machine/remote-private.h"
#include "rpc/error.h"

#include <sys/socket.h>

/* Viewers that bring, or get, one end of a socket. */

enum { SKIPS_AUTH = 1 << 0 };

static gboolean
open_graphics (ReeveCall *call,
               const remote_domain_open_graphics_args *args,
               GError **error)
{
  g_autoptr (ReeveMachine) machine = reeve_remote_find_with_flags (
      call, &args->dom, args->flags, SKIPS_AUTH, error);

  if (machine == NULL)
    return FALSE;
  if (reeve_call_get_n_fds (call) != 1) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("a viewer brings one file descriptor, not %u"),
                 reeve_call_get_n_fds (call));
    return FALSE;
  }

  reeve_machine_open_graphics (
      machine, args->idx, reeve_call_steal_fd (call, 0),
      (args->flags & SKIPS_AUTH) != 0, reeve_remote_get_deadline_us (call),
      reeve_remote_answer, reeve_call_defer (call));
  return TRUE;
}

static gboolean
open_graphics_fd (ReeveCall *call,
                  const remote_domain_open_graphics_fd_args *args,
                  GError **error)
{
  g_autoptr (ReeveMachine) machine = reeve_remote_find_with_flags (
      call, &args->dom, args->flags, SKIPS_AUTH, error);
  int ends[2];

  if (machine == NULL)
    return FALSE;

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    return reeve_error_from_errno (error, errno,
                                   _ ("cannot make a socket for the viewer"));
  if (!reeve_call_add_reply_fd (call, ends[0], error)) {
    close (ends[1]);
    return FALSE;
  }

  reeve_machine_open_graphics (machine, args->idx, ends[1],
                               (args->flags & SKIPS_AUTH) != 0,
                               reeve_remote_get_deadline_us (call),
                               reeve_remote_answer, reeve_call_defer (call));
  return TRUE;
}

void
reeve_remote_add_graphics (remote_handlers *handlers)
{
  handlers->domain_open_graphics = open_graphics;
  handlers->domain_open_graphics_fd = open_graphics_fd;
}
