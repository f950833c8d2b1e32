/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/call-frame.h"

#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

void
reeve_call_frame_clear (ReeveCallFrame *self)
{
  for (unsigned i = 0; i < self->n_fds; i++)
    reeve_fd_clear (&self->fds[i]);
  self->n_fds = 0;
  g_clear_pointer (&self->data, g_free);
}

/* Ours are sent when there is room, so they have to be our own. */
static gboolean
dup_fds (ReeveCallFrame *self, const int *fds, unsigned n_fds, GError **error)
{
  for (unsigned i = 0; i < n_fds; i++) {
    int copy = fcntl (fds[i], F_DUPFD_CLOEXEC, 3);

    if (copy < 0)
      return reeve_error_from_errno (error, errno,
                                     _ ("The file descriptor %d cannot be "
                                        "passed"),
                                     fds[i]);
    self->fds[self->n_fds++] = copy;
  }
  return TRUE;
}

gboolean
reeve_call_frame_encode (ReeveCallFrame *self,
                         const ReeveProcedure *procedure,
                         gconstpointer args,
                         const int *fds,
                         unsigned n_fds,
                         GError **error)
{
  const ReeveHeader header = { .type = REEVE_MESSAGE_CALL };
  GBytes *bytes;
  gsize size;

  if (n_fds > REEVE_MESSAGE_MAX_FDS) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("A call has %u file descriptors at most"),
                 REEVE_MESSAGE_MAX_FDS);
    return FALSE;
  }
  if (!dup_fds (self, fds, n_fds, error))
    return FALSE;

  bytes = n_fds > 0
              ? reeve_message_encode_with_fds (&header, n_fds, procedure->args,
                                               args, error)
              : reeve_message_encode (&header, procedure->args, args, error);
  if (bytes == NULL) {
    g_prefix_error (error, "%s: ", procedure->name);
    return FALSE;
  }

  self->data = g_bytes_unref_to_data (bytes, &size);
  self->size = size;
  return TRUE;
}

void
reeve_call_frame_set_payload (ReeveCallFrame *self,
                              const uint8_t *payload,
                              size_t size)
{
  const ReeveHeader header = { .type = REEVE_MESSAGE_CALL };

  self->size = REEVE_PAYLOAD_OFFSET + size;
  self->data = g_malloc (self->size);
  reeve_message_write_header (&header, self->data, self->size);
  memcpy (self->data + REEVE_PAYLOAD_OFFSET, payload, size);
}
