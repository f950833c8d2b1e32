/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/request.h"
#include "resource/stream.h"

#include <errno.h>
#include <string.h>

typedef struct {
  GByteArray *bytes; /* (owned) */
  size_t max_bytes;
} Log;

static void
log_free (gpointer data)
{
  Log *self = data;

  g_byte_array_unref (self->bytes);
  g_free (self);
}

static void
read_log (ReeveResourceRequest *request, gpointer data)
{
  const Log *self = data;
  uint64_t offset = reeve_resource_request_get_offset (request);

  if (offset >= self->bytes->len)
    reeve_resource_request_give (request, NULL, 0);
  else
    reeve_resource_request_give (request, self->bytes->data + offset,
                                 self->bytes->len - offset);
}

static uint64_t
get_log_size (ReeveResourceNode *node, gpointer data)
{
  return ((Log *) data)->bytes->len;
}

/* It can be cut, and does not grow but at its end. */
static int
truncate_log (ReeveResourceNode *node, uint64_t size, gpointer data)
{
  Log *self = data;

  if (size > self->bytes->len)
    return EINVAL;
  g_byte_array_set_size (self->bytes, (unsigned) size);
  reeve_resource_node_notify (node);
  return 0;
}

static void
write_log (ReeveResourceRequest *request, gpointer data)
{
  reeve_resource_log_append (reeve_resource_handle_get_node (
                                 reeve_resource_request_get_handle (request)),
                             reeve_resource_request_get_bytes (request),
                             reeve_resource_request_get_size (request));
  reeve_resource_request_take (request);
}

static const ReeveResourceOps log_ops = {
  .read = read_log,
  .write = write_log,
  .get_size = get_log_size,
  .truncate = truncate_log,
};

ReeveResourceNode *
reeve_resource_log_new (mode_t mode, size_t max_bytes)
{
  Log *self = g_new0 (Log, 1);

  self->bytes = g_byte_array_new ();
  self->max_bytes = CLAMP (max_bytes, 2, G_MAXINT);
  return reeve_resource_node_new (mode, &log_ops, self, log_free);
}

/* Makes room for @size bytes: the older half goes, and more if that is not
 * enough, up to the end of a line. */
static void
make_room (Log *self, size_t size)
{
  const uint8_t *end = NULL;
  size_t gone;

  if (self->bytes->len + size <= self->max_bytes)
    return;
  gone = MAX (self->bytes->len + size - self->max_bytes, self->max_bytes / 2);
  gone = MIN (gone, self->bytes->len);
  end = memchr (self->bytes->data + gone, '\n', self->bytes->len - gone);
  if (end != NULL && gone > 0 && self->bytes->data[gone - 1] != '\n')
    gone = (size_t) (end - self->bytes->data) + 1;
  if (gone > 0)
    g_byte_array_remove_range (self->bytes, 0, (unsigned) gone);
}

void
reeve_resource_log_append (ReeveResourceNode *node,
                           const void *bytes,
                           size_t size)
{
  Log *self = reeve_resource_node_get_data (node);
  size_t skipped = size > self->max_bytes ? size - self->max_bytes : 0;

  g_assert (reeve_resource_node_get_ops (node) == &log_ops);
  if (size == 0)
    return;
  make_room (self, size - skipped);
  g_byte_array_append (self->bytes, (const uint8_t *) bytes + skipped,
                       (unsigned) (size - skipped));
  reeve_resource_node_notify (node);
}
