/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * ReeveFdInbox:
 *
 * File descriptors that came with bytes which are no whole frame yet. In
 * libvirt's framing each comes behind its frame, with a byte of its own. The
 * inbox knows with which bytes they came, so that none goes to another frame.
 *
 * Zeroed is empty. Thread: owner.
 */
typedef struct {
  GArray *fds;  /* (element-type int) (owned) (nullable): in their order */
  GArray *ends; /* (element-type gsize) (owned) (nullable): up to where the
                   bytes reach that each came with, from the first byte that
                   was not taken */
} ReeveFdInbox;

/* Closes what was not taken. */
void reeve_fd_inbox_clear (ReeveFdInbox *self);

/* For reeve_stream_recv_lazily() to append to. */
GArray **reeve_fd_inbox_get_array (ReeveFdInbox *self);

/* The same for one, @fd: (transfer full). */
void reeve_fd_inbox_add (ReeveFdInbox *self, int fd);

static inline unsigned
reeve_fd_inbox_get_size (const ReeveFdInbox *self)
{
  return self->ends == NULL ? 0 : self->ends->len;
}

/* What was appended came with bytes that reach up to @end. FALSE: more wait
 * than those of one frame that is not all there, and of another read. */
gboolean reeve_fd_inbox_note (ReeveFdInbox *self, size_t end);

/* Takes the first frame of @length bytes, and the @n_fds (transfer full) that
 * stand behind it. FALSE, with nothing taken: those that came are not just
 * these. */
gboolean reeve_fd_inbox_take (ReeveFdInbox *self,
                              size_t length,
                              unsigned n_fds,
                              int *fds);

G_END_DECLS
