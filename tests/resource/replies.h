/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "resource/handle.h"

#include <fcntl.h>
#include <string.h>

/* What tests ask of handles, and what came of it. */

static const ReeveResourceCaller replies_root = { 0, 0, NULL, 0 };

typedef struct {
  int n_replies;
  int errnum;
  int value;
  size_t size;
  char text[4096];
} Reply;

static inline void
take_reply (const ReeveResourceReply *from, gpointer data)
{
  Reply *self = data;

  self->n_replies++;
  self->errnum = from->errnum;
  self->value = from->value;
  self->size = from->size;
  if (from->bytes != NULL) {
    g_assert_cmpuint (from->size, <, sizeof self->text);
    memcpy (self->text, from->bytes, from->size);
    self->text[from->size] = '\0';
  }
}

static inline ReeveResourceHandle *
open_node (ReeveResourceNode *node, int flags)
{
  ReeveResourceHandle *handle = NULL;

  g_assert_cmpint (
      reeve_resource_handle_open (node, &replies_root, flags, &handle), ==, 0);
  return handle;
}

static inline void
assert_read (ReeveResourceHandle *handle,
             uint64_t offset,
             size_t size,
             const char *expected)
{
  Reply reply = { 0 };

  g_assert_null (reeve_resource_handle_read (handle, offset, size, FALSE,
                                             take_reply, &reply));
  g_assert_cmpint (reply.n_replies, ==, 1);
  g_assert_cmpint (reply.errnum, ==, 0);
  g_assert_cmpstr (reply.text, ==, expected);
}

/* Returns: the error. */
static inline int
write_text (ReeveResourceHandle *handle, const char *text)
{
  Reply reply = { 0 };
  size_t size = strlen (text);

  g_assert_null (reeve_resource_handle_write (handle, 0, text, size, FALSE,
                                              take_reply, &reply));
  g_assert_cmpint (reply.n_replies, ==, 1);
  if (reply.errnum == 0)
    g_assert_cmpuint (reply.size, ==, size);
  return reply.errnum;
}
