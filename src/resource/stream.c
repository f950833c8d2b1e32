/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/stream.h"

#include "resource/request.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>

typedef struct {
  GQueue records; /* (element-type utf8) (owned): the latest */
  uint64_t end;   /* number of the next record */
  unsigned max_records;
  gboolean is_ended;
  GQueue waiting; /* (element-type ReeveResourceRequest) (owned) */
  ReeveResourceStreamFilter filter; /* (nullable) */
  gpointer filter_data;
} Stream;

/* Behind a handle. */
typedef struct {
  uint64_t next; /* number of the record that is read next */
  char *rest;    /* (owned) (nullable): of one that was read in part */
} Place;

static void
stream_free (gpointer data)
{
  Stream *self = data;

  /* A request holds its handle, and that the node. */
  g_assert (self->waiting.length == 0);
  g_queue_clear_full (&self->records, g_free);
  g_free (self);
}

static void
place_free (gpointer data)
{
  Place *self = data;

  g_free (self->rest);
  g_free (self);
}

static int
open_stream (ReeveResourceHandle *handle, gpointer data)
{
  const Stream *self = data;
  Place *place = g_new0 (Place, 1);

  place->next = self->end;
  reeve_resource_handle_set_data (handle, place, place_free);
  return 0;
}

static const char *
get_record (const Stream *self, uint64_t number)
{
  uint64_t first = self->end - self->records.length;

  return g_queue_peek_nth ((GQueue *) &self->records,
                           (unsigned) (number - first));
}

/* Goes on to a record that is for who has the handle. */
static void
skip_records (const Stream *self, ReeveResourceHandle *handle)
{
  Place *place = reeve_resource_handle_get_data (handle);

  while (self->filter != NULL && place->rest == NULL &&
         place->next >= self->end - self->records.length &&
         place->next < self->end &&
         !self->filter (get_record (self, place->next),
                        reeve_resource_handle_get_caller (handle),
                        self->filter_data))
    place->next++;
}

static gboolean
has_record (const Stream *self, ReeveResourceHandle *handle)
{
  const Place *place = reeve_resource_handle_get_data (handle);

  skip_records (self, handle);
  return place->rest != NULL || place->next < self->end;
}

/* (transfer full): what @place finds next; it has_record(). */
static char *
take_record (const Stream *self, Place *place)
{
  uint64_t first = self->end - self->records.length;
  uint64_t number = place->next;

  if (place->rest != NULL)
    return g_steal_pointer (&place->rest);

  place->next = MAX (number, first);
  if (number < first)
    return g_strdup_printf ("lost %" PRIu64 "\n", first - number);
  place->next++;
  return g_strdup (get_record (self, number));
}

static void
give_record (const Stream *self, ReeveResourceRequest *request)
{
  Place *place = reeve_resource_handle_get_data (
      reeve_resource_request_get_handle (request));
  g_autofree char *record = take_record (self, place);
  size_t size = reeve_resource_request_get_size (request);

  if (strlen (record) > size)
    place->rest = g_strdup (record + size);
  reeve_resource_request_give (request, record, strlen (record));
}

static void
forget_waiting (ReeveResourceRequest *request, gpointer data)
{
  Stream *self = data;

  g_queue_remove (&self->waiting, request);
  reeve_resource_request_drop (request);
}

static void
read_stream (ReeveResourceRequest *request, gpointer data)
{
  Stream *self = data;

  if (has_record (self, reeve_resource_request_get_handle (request))) {
    give_record (self, request);
  } else if (self->is_ended) {
    reeve_resource_request_give (request, NULL, 0);
  } else if (reeve_resource_request_is_nonblock (request)) {
    reeve_resource_request_fail (request, EAGAIN);
  } else {
    reeve_resource_request_set_cancel (request, forget_waiting, self);
    g_queue_push_tail (&self->waiting, request);
  }
}

static unsigned
poll_stream (ReeveResourceHandle *handle, gpointer data)
{
  const Stream *self = data;

  if (has_record (self, handle))
    return POLLIN | POLLRDNORM;
  return self->is_ended ? POLLIN | POLLRDNORM | POLLHUP : 0;
}

static const ReeveResourceOps stream_ops = {
  .is_stream = TRUE,
  .open = open_stream,
  .read = read_stream,
  .poll = poll_stream,
};

ReeveResourceNode *
reeve_resource_stream_new (mode_t mode, unsigned max_records)
{
  Stream *self = g_new0 (Stream, 1);

  self->max_records = CLAMP (max_records, 1, REEVE_RESOURCE_STREAM_MAX_RECORDS);
  return reeve_resource_node_new (mode, &stream_ops, self, stream_free);
}

static Stream *
get_stream (ReeveResourceNode *node)
{
  g_assert (reeve_resource_node_get_ops (node) == &stream_ops);
  return reeve_resource_node_get_data (node);
}

void
reeve_resource_stream_set_filter (ReeveResourceNode *node,
                                  ReeveResourceStreamFilter filter,
                                  gpointer data)
{
  Stream *self = get_stream (node);

  self->filter = filter;
  self->filter_data = data;
}

/* Answers those that waited when it begins; one that reads again while it is
 * answered waits for the next record. */
static void
wake (ReeveResourceNode *node, Stream *self)
{
  g_autoptr (ReeveResourceNode) alive G_GNUC_UNUSED =
      reeve_resource_node_ref (node);

  for (unsigned n = self->waiting.length; n > 0 && self->waiting.length > 0;
       n--) {
    ReeveResourceRequest *request = g_queue_pop_head (&self->waiting);

    reeve_resource_request_set_cancel (request, NULL, NULL);
    read_stream (request, self);
  }
  reeve_resource_node_notify (node);
}

void
reeve_resource_stream_push (ReeveResourceNode *node, const char *record)
{
  Stream *self = get_stream (node);

  if (self->is_ended || *record == '\0')
    return;

  g_queue_push_tail (&self->records, g_strdup (record));
  self->end++;
  if (self->records.length > self->max_records)
    g_free (g_queue_pop_head (&self->records));
  wake (node, self);
}

void
reeve_resource_stream_end (ReeveResourceNode *node)
{
  Stream *self = get_stream (node);

  self->is_ended = TRUE;
  wake (node, self);
}
