/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/fd-inbox.h"

#include "event/fd-closer.h"
#include "rpc/message.h"

#include <string.h>

void
reeve_fd_inbox_clear (ReeveFdInbox *self)
{
  for (unsigned i = 0; self->fds != NULL && i < self->fds->len; i++)
    reeve_fd_close_elsewhere (g_array_index (self->fds, int, i));
  g_clear_pointer (&self->fds, g_array_unref);
  g_clear_pointer (&self->ends, g_array_unref);
}

GArray **
reeve_fd_inbox_get_array (ReeveFdInbox *self)
{
  return &self->fds;
}

void
reeve_fd_inbox_add (ReeveFdInbox *self, int fd)
{
  if (self->fds == NULL)
    self->fds = g_array_new (FALSE, FALSE, sizeof (int));
  g_array_append_val (self->fds, fd);
}

gboolean
reeve_fd_inbox_note (ReeveFdInbox *self, size_t end)
{
  gsize position = end;

  while (self->fds != NULL && reeve_fd_inbox_get_size (self) < self->fds->len) {
    if (self->ends == NULL)
      self->ends = g_array_new (FALSE, FALSE, sizeof (gsize));
    g_array_append_val (self->ends, position);
  }

  return reeve_fd_inbox_get_size (self) <= 2 * REEVE_MESSAGE_MAX_FDS;
}

/* Whether those that came with the frame and what stands behind it are as many
 * as it says, and none came with the frame itself. */
static gboolean
match (const ReeveFdInbox *self, size_t length, unsigned n_fds)
{
  size_t end = length + n_fds;
  unsigned n = 0;

  while (n < reeve_fd_inbox_get_size (self) &&
         g_array_index (self->ends, gsize, n) <= end) {
    if (g_array_index (self->ends, gsize, n) <= length)
      return FALSE;
    n++;
  }

  return n == n_fds;
}

gboolean
reeve_fd_inbox_take (ReeveFdInbox *self,
                     size_t length,
                     unsigned n_fds,
                     int *fds)
{
  if (reeve_fd_inbox_get_size (self) == 0)
    return n_fds == 0;
  if (!match (self, length, n_fds))
    return FALSE;

  if (n_fds > 0) {
    memcpy (fds, self->fds->data, n_fds * sizeof *fds);
    g_array_remove_range (self->fds, 0, n_fds);
    g_array_remove_range (self->ends, 0, n_fds);
  }
  for (unsigned i = 0; i < self->ends->len; i++)
    g_array_index (self->ends, gsize, i) -= length + n_fds;
  /* An idle client keeps no room for more. */
  if (self->fds->len == 0)
    reeve_fd_inbox_clear (self);
  return TRUE;
}
