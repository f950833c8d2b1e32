/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/data-stream-private.h"
#include "rpc/error.h"
#include "rpc/stream-layer.h"
#include "rpc/wire.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Replies are held back up to this size. */
#define HELD_SIZE 16384
/* What is written of streams before others have their turn. */
#define STREAM_TURN_SIZE (512u * 1024)

/* Whether anything waits for the socket. */
static gboolean
has_output_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  return self->current != NULL ||
         (self->streams != NULL && !g_queue_is_empty (&self->streams->ready)) ||
         reeve_stream_has_output (self->stream);
}

void
reeve_server_client_update_events_locked (ReeveServerClient *self)
{
  ReeveEvents events = REEVE_EVENT_NONE;

  if (self->stream == NULL || self->is_shaking)
    return;
  if (!self->is_closing && !self->is_full && !self->has_ended &&
      !reeve_server_is_frozen (self->server) &&
      atomic_load_explicit (&self->reader, memory_order_relaxed) !=
          REEVE_READER_WORKER)
    events |= REEVE_EVENT_READABLE;
  if (!self->is_closing && has_output_locked (self))
    events |= REEVE_EVENT_WRITABLE;
  if (events == self->events)
    return;

  self->events = events;
  reeve_loop_update_handle (self->home->loop, self->watch, events);
}

/* The next frame becomes the current one: replies never wait behind events,
 * and neither waits behind streams. */
static void
start_frame_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  ReeveClientOutput *output =
      self->replies.n_bytes > 0 ? &self->replies : &self->event_queue;

  self->current = g_queue_pop_head (&output->frames);
  self->current_offset = 0;
  if (self->current != NULL)
    output->n_bytes -= g_bytes_get_size (self->current);
  else
    self->current = reeve_data_stream_start_frame_locked (self);
}

/* The current frame was written; returns how much of a stream it was. */
static size_t
end_frame_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  size_t size = g_bytes_get_size (self->current);

  g_clear_pointer (&self->current, g_bytes_unref);
  return reeve_data_stream_end_frame_locked (self, size) ? size : 0;
}

/* Nothing more is read or written; the loop closes it soon. */
static void
close_later_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  self->is_closing = TRUE;
  reeve_server_client_update_events_locked (self);
  reeve_server_client_close (self);
}

/* For the end of all that writes. */
static void
end_write_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  gboolean is_over = self->closes_when_written ||
                     (self->is_all_taken && self->calls.length == 0 &&
                      reeve_server_client_count_held_locked (self) == 0);

  if (is_over && self->stream != NULL && !has_output_locked (self))
    close_later_locked (self);
  reeve_server_client_update_events_locked (self);
}

static void
queue_locked (ReeveClientOutput *output, GBytes *frame)
{
  output->n_bytes += g_bytes_get_size (frame);
  g_queue_push_tail (&output->frames, frame);
}

void
reeve_client_fds_free (gpointer data)
{
  ReeveClientFds *self = data;

  for (unsigned i = 0; i < self->fds->len; i++)
    close (g_array_index (self->fds, int, i));
  g_array_unref (self->fds);
  g_bytes_unref (self->frame);
  g_free (self);
}

static void
queue_held_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  if (reeve_server_client_count_held_locked (self) > 0)
    queue_locked (&self->replies,
                  g_byte_array_free_to_bytes (g_steal_pointer (&self->held)));
}

/* (nullable): what the current frame has behind it. */
static ReeveClientFds *
get_fds_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  ReeveClientFds *fds = self->fds == NULL ? NULL : self->fds->data;

  return fds != NULL && fds->frame == self->current ? fds : NULL;
}

/* Writes what is left of the current frame, or the next of its file
 * descriptors. -1 with errno. */
static gssize
write_current_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  gsize size;
  const char *bytes = g_bytes_get_data (self->current, &size);
  struct iovec vector;

  if (self->current_offset >= size) {
    const ReeveClientFds *fds = get_fds_locked (self);
    size_t n_sent = self->current_offset - size;

    return reeve_stream_send_fd (self->stream,
                                 g_array_index (fds->fds, int, n_sent))
               ? 1
               : -1;
  }

  vector.iov_base = (char *) bytes + self->current_offset;
  vector.iov_len = size - self->current_offset;
  return reeve_stream_sendv (self->stream, &vector, 1);
}

/* If the current frame was written with all that goes behind it, there is none
 * any more; returns how much of a stream it was. */
static size_t
end_current_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  ReeveClientFds *fds = get_fds_locked (self);
  unsigned n_fds = fds == NULL ? 0 : fds->fds->len;

  if (self->current_offset < g_bytes_get_size (self->current) + n_fds)
    return 0;

  if (fds != NULL) {
    self->fds = g_list_delete_link (self->fds, self->fds);
    reeve_client_fds_free (fds);
    atomic_fetch_sub (&self->n_fds, n_fds);
  }
  return end_frame_locked (self);
}

static void
write_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  size_t n_stream_bytes = 0;

  queue_held_locked (self);
  if (self->stream != NULL && !reeve_stream_flush (self->stream) &&
      errno != EAGAIN && errno != EINTR)
    close_later_locked (self);
  while (self->stream != NULL && !self->is_closing) {
    gssize n_written;

    if (self->current == NULL) {
      if (n_stream_bytes >= STREAM_TURN_SIZE)
        break;
      start_frame_locked (self);
      if (self->current == NULL)
        break;
    }

    n_written = write_current_locked (self);
    if (n_written < 0) {
      if (errno != EAGAIN && errno != EINTR)
        close_later_locked (self);
      break;
    }
    self->current_offset += (size_t) n_written;
    n_stream_bytes += end_current_locked (self);
  }

  end_write_locked (self);
  reeve_server_client_resume_locked (self);
}

void
reeve_server_client_write_replies_locked (ReeveServerClient *self,
                                          const struct iovec *iov,
                                          int n_iov) REEVE_REQUIRES (self->lock)
{
  gssize n_written = 0;

  if (self->current == NULL && self->replies.n_bytes == 0) {
    n_written = reeve_stream_sendv (self->stream, iov, n_iov);
    if (n_written < 0 && errno != EAGAIN && errno != EINTR) {
      close_later_locked (self);
      return;
    }
    n_written = MAX (n_written, 0);
  }

  for (int i = 0; i < n_iov; i++) {
    size_t skip = MIN ((size_t) n_written, iov[i].iov_len);

    n_written -= (gssize) skip;
    if (skip == iov[i].iov_len)
      continue;
    /* What follows a frame that was written in part comes behind it. */
    if (skip > 0) {
      self->current =
          g_bytes_new ((char *) iov[i].iov_base + skip, iov[i].iov_len - skip);
      self->current_offset = 0;
    } else {
      queue_locked (&self->replies,
                    g_bytes_new (iov[i].iov_base, iov[i].iov_len));
    }
  }

  if (self->current == NULL && self->replies.n_bytes > 0)
    start_frame_locked (self);
  end_write_locked (self);
}

void
reeve_server_client_move_output_locked (ReeveServerClient *self,
                                        const ReeveStreamLayer *layer_class,
                                        gpointer layer)
    REEVE_REQUIRES (self->lock)
{
  queue_held_locked (self);
  if (self->current == NULL)
    start_frame_locked (self);

  while (self->current != NULL) {
    gsize size;
    const char *data = g_bytes_get_data (self->current, &size);

    layer_class->add_output (layer, data + self->current_offset,
                             size - self->current_offset);
    g_bytes_unref (self->current);
    start_frame_locked (self);
  }
}

/* Whether a reply may go with the next one: another call of this client waits
 * for a worker. Should that take longer than the call is worth, the loop
 * writes what is held. */
static gboolean
may_hold_locked (ReeveServerClient *self, size_t size)
    REEVE_REQUIRES (self->lock)
{
  return atomic_load (&self->n_waiting) > 0 && self->is_watched &&
         !self->closes_when_written && self->current == NULL &&
         reeve_server_client_count_held_locked (self) + size <= HELD_SIZE;
}

static void
hold_locked (ReeveServerClient *self, const struct iovec *iov, int n_iov)
    REEVE_REQUIRES (self->lock)
{
  if (self->held == NULL)
    self->held = g_byte_array_new ();
  for (int i = 0; i < n_iov; i++)
    g_byte_array_append (self->held, iov[i].iov_base, (guint) iov[i].iov_len);
}

/* @iov has room for what is held in front. */
static void
write_with_held_locked (ReeveServerClient *self, struct iovec *iov, int n_iov)
    REEVE_REQUIRES (self->lock)
{
  size_t n_held = reeve_server_client_count_held_locked (self);
  gboolean is_held = n_held > 0;

  if (is_held)
    *iov = (struct iovec){ self->held->data, n_held };
  reeve_server_client_write_replies_locked (self, iov + !is_held,
                                            n_iov - !is_held);
  if (is_held)
    g_byte_array_set_size (self->held, 0);
  /* What was held is one more thing that had to be written. */
  if (self->is_all_taken)
    end_write_locked (self);
}

void
reeve_server_client_write_streams_locked (ReeveServerClient *self)
{
  if (self->current == NULL)
    write_locked (self);
}

/* The streams of calls that were answered, now that the replies go first. */
static void
start_streams_locked (ReeveServerClient *self,
                      ReeveCall *const *calls,
                      unsigned n_calls,
                      unsigned settled) REEVE_REQUIRES (self->lock)
{
  for (unsigned i = 0; i < n_calls; i++)
    if ((settled & 1u << i) != 0 && calls[i]->data_stream != NULL)
      reeve_data_stream_go_live_locked (
          self, g_steal_pointer (&calls[i]->data_stream));
}

/* (transfer full) (nullable): what a reply makes ready to be sent. */
static GBytes *
add_to_batch (ReeveCall *call, const uint8_t *reply, size_t size)
{
  g_autoptr (GBytes) whole = reeve_call_batch_add (call->batch, reply, size);

  return whole != NULL && g_bytes_get_size (whole) > 0
             ? g_steal_pointer (&whole)
             : NULL;
}

/* What stands behind the last piece in memory becomes part of it. The first of
 * @iov is for what is held. */
static void
add_piece (struct iovec *iov, int *n_iov, const uint8_t *bytes, size_t size)
{
  struct iovec *last = &iov[*n_iov - 1];

  if (*n_iov > 1 && (uint8_t *) last->iov_base + last->iov_len == bytes)
    last->iov_len += size;
  else if (size > 0)
    iov[(*n_iov)++] = (struct iovec){ (void *) bytes, size };
}

static void
add_reply_with_tail (struct iovec *iov,
                     int *n_iov,
                     const uint8_t *reply,
                     size_t size,
                     const ReeveXdrTail *tail)
{
  size_t n_padding = reeve_xdr_get_padding (tail->size);
  size_t n_before = size - n_padding;

  add_piece (iov, n_iov, reply, n_before);
  add_piece (iov, n_iov, tail->data, tail->size);
  add_piece (iov, n_iov, reply + n_before, n_padding);
}

/* Settles calls, and points @iov (behind the first, which is for what is held)
 * to the replies that are to be sent. Returns a bit for each that was settled.
 * @wholes: (element-type GBytes): what is pointed to and not in @bytes. */
static unsigned
collect_replies_locked (ReeveServerClient *self,
                        ReeveCall *const *calls,
                        const size_t *ends,
                        unsigned n_calls,
                        const uint8_t *bytes,
                        const ReeveXdrTail *tail,
                        struct iovec *iov,
                        int *n_iov,
                        GSList **wholes) REEVE_REQUIRES (self->lock)
{
  size_t start = 0;
  unsigned settled = 0;

  for (unsigned i = 0; i < n_calls; start = ends[i], i++) {
    gsize size = ends[i] - start;
    /* Without any reply there are no bytes that one could count from. */
    const uint8_t *reply = size > 0 ? bytes + start : bytes;

    if (!reeve_server_client_settle_locked (self, calls[i]))
      continue;
    settled |= 1u << i;
    if (calls[i]->batch != NULL) {
      GBytes *whole = add_to_batch (calls[i], reply, size);

      if (whole == NULL)
        continue;
      reply = g_bytes_get_data (whole, &size);
      *wholes = g_slist_prepend (*wholes, whole);
    }
    if (tail != NULL && i + 1 == n_calls)
      add_reply_with_tail (iov, n_iov, reply, size, tail);
    else
      add_piece (iov, n_iov, reply, size);
  }
  return settled;
}

static size_t
sum_up (const struct iovec *iov, int n_iov)
{
  size_t size = 0;

  for (int i = 0; i < n_iov; i++)
    size += iov[i].iov_len;
  return size;
}

static unsigned
answer (ReeveServerClient *self,
        ReeveCall *const *calls,
        const size_t *ends,
        unsigned n_calls,
        const uint8_t *bytes,
        const ReeveXdrTail *tail,
        GSList **wholes)
{
  /* What is held, a piece for each, and two more for a tail. */
  struct iovec iov[1 + REEVE_JOB_BATCH + 2];
  int n_iov = 1;
  unsigned settled;

  REEVE_LOCK_SCOPE (&self->lock);

  settled = collect_replies_locked (self, calls, ends, n_calls, bytes, tail,
                                    iov, &n_iov, wholes);
  if (settled == 0 || self->stream == NULL || self->is_closing)
    return settled;

  if (n_iov == 1)
    end_write_locked (self);
  else if (may_hold_locked (self, sum_up (iov + 1, n_iov - 1)))
    hold_locked (self, iov + 1, n_iov - 1);
  else
    write_with_held_locked (self, iov, n_iov);
  start_streams_locked (self, calls, n_calls, settled);
  reeve_server_client_resume_locked (self);
  return settled;
}

unsigned
reeve_server_client_answer (ReeveServerClient *self,
                            ReeveCall *const *calls,
                            const size_t *ends,
                            unsigned n_calls,
                            const uint8_t *bytes,
                            const ReeveXdrTail *tail)
{
  GSList *wholes = NULL;
  unsigned settled = answer (self, calls, ends, n_calls, bytes, tail, &wholes);

  if (wholes != NULL)
    g_slist_free_full (wholes, (GDestroyNotify) g_bytes_unref);
  return settled;
}

static ReeveClientFds *
client_fds_new (GBytes *frame, GArray *fds)
{
  ReeveClientFds *self = g_new (ReeveClientFds, 1);

  *self = (ReeveClientFds){ g_bytes_ref (frame), fds };
  return self;
}

/* FALSE: it was answered, or its client is gone. */
static gboolean
queue_with_fds (ReeveServerClient *self,
                ReeveCall *call,
                GBytes *frame,
                ReeveClientFds *fds)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (!reeve_server_client_settle_locked (self, call) || self->stream == NULL ||
      self->is_closing)
    return FALSE;

  queue_held_locked (self);
  queue_locked (&self->replies, g_bytes_ref (frame));
  self->fds = g_list_append (self->fds, fds);
  start_streams_locked (self, &call, 1, 1);
  write_locked (self);
  return TRUE;
}

void
reeve_server_client_answer_with_fds (ReeveServerClient *self,
                                     ReeveCall *call,
                                     GBytes *frame,
                                     GArray *fds)
{
  unsigned n_fds = fds->len;
  ReeveClientFds *row = client_fds_new (frame, fds);

  if (!queue_with_fds (self, call, frame, row)) {
    reeve_client_fds_free (row);
    reeve_server_client_release_fds (self, n_fds);
  }
  g_bytes_unref (frame);
}

gboolean
reeve_server_client_hold_fd (ReeveServerClient *self, GError **error)
{
  unsigned limit = REEVE_LIMIT (self->server, max_client_fds);

  if (self->transport != REEVE_TRANSPORT_UNIX) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT,
                         _ ("File descriptors can be passed on a unix socket "
                            "alone"));
    return FALSE;
  }
  if (atomic_fetch_add (&self->n_fds, 1) >= limit) {
    atomic_fetch_sub (&self->n_fds, 1);
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("%u file descriptors wait for the client to take them"),
                 limit);
    return FALSE;
  }

  return TRUE;
}

void
reeve_server_client_release_fds (ReeveServerClient *self, unsigned n_fds)
{
  atomic_fetch_sub (&self->n_fds, n_fds);

  REEVE_LOCK_SCOPE (&self->lock);

  reeve_server_client_resume_locked (self);
}

void
reeve_server_client_push_call (ReeveServerClient *self, ReeveCall *call)
{
  if (!call->is_in_flight)
    reeve_server_client_put_in_flight (self, call);
  atomic_fetch_add (&self->n_waiting, 1);
  reeve_server_push_job (self->server, &call->job);
}

void
reeve_server_client_begin_job (ReeveServerClient *self)
{
  atomic_fetch_sub (&self->n_waiting, 1);
}

void
reeve_server_client_share (ReeveServerClient *self, ReeveReplyBatch *batch)
{
  REEVE_LOCK_SCOPE (&self->lock);

  batch->next = self->shared;
  self->shared = batch;
  batch->is_shared = TRUE;
}

void
reeve_server_client_unshare (ReeveServerClient *self, ReeveReplyBatch *batch)
{
  ReeveReplyBatch **place;

  REEVE_LOCK_SCOPE (&self->lock);

  for (place = &self->shared; *place != batch; place = &(*place)->next)
    ;
  *place = batch->next;
  batch->is_shared = FALSE;
}

/* (array length=n_taken) (transfer full): what workers keep. */
static ReeveReplyBatch *
take_shared (ReeveServerClient *self, unsigned *n_taken)
{
  ReeveReplyBatch *taken = NULL;
  unsigned n = 0;

  REEVE_LOCK_SCOPE (&self->lock);

  for (ReeveReplyBatch *batch = self->shared; batch != NULL;
       batch = batch->next) {
    taken = g_renew (ReeveReplyBatch, taken, n + 1);
    reeve_reply_batch_take (batch, &taken[n++]);
  }
  *n_taken = n;
  return taken;
}

/* Sends what workers keep while they run more. */
static void
answer_shared (ReeveServerClient *self)
{
  unsigned n_taken;
  g_autofree ReeveReplyBatch *taken = take_shared (self, &n_taken);

  for (unsigned i = 0; i < n_taken; i++) {
    reeve_reply_batch_flush (&taken[i]);
    reeve_reply_batch_clear (&taken[i]);
  }
}

static gboolean
flush (ReeveServerClient *self)
{
  struct iovec iov;
  gboolean is_held;

  REEVE_LOCK_SCOPE (&self->lock);

  is_held = reeve_server_client_count_held_locked (self) > 0 &&
            self->stream != NULL && !self->is_closing;
  self->is_watched =
      is_held || self->shared != NULL || atomic_load (&self->n_waiting) > 1;
  if (is_held)
    write_with_held_locked (self, &iov, 1);
  /* It is not busy any more: its room for replies is given back. */
  if (!self->is_watched)
    g_clear_pointer (&self->held, g_byte_array_unref);
  return self->is_watched;
}

gboolean
reeve_server_client_flush (ReeveServerClient *self)
{
  answer_shared (self);
  return flush (self);
}

static void
check_end_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  if (!self->has_ended || self->is_throttled || self->has_had_turn)
    return;

  self->is_all_taken = TRUE;
  end_write_locked (self);
}

void
reeve_server_client_end_input (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->has_ended = TRUE;
  reeve_server_client_update_events_locked (self);
  check_end_locked (self);
}

void
reeve_server_client_check_end (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  check_end_locked (self);
}

void
reeve_server_client_close_when_written (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->closes_when_written = TRUE;
  end_write_locked (self);
}

void
reeve_server_client_send_frame (ReeveServerClient *self, GBytes *frame)
{
  struct iovec iov;
  gsize size;

  REEVE_LOCK_SCOPE (&self->lock);

  iov.iov_base = (void *) g_bytes_get_data (frame, &size);
  iov.iov_len = size;
  if (self->stream != NULL && !self->is_closing && !self->is_shaking)
    reeve_server_client_write_replies_locked (self, &iov, 1);
  g_bytes_unref (frame);
}

static gboolean
queue_event (ReeveServerClient *self, GBytes *frame)
{
  size_t limit = REEVE_LIMIT (self->server, max_client_event_bytes);

  REEVE_LOCK_SCOPE (&self->lock);

  if (self->stream == NULL || self->is_shaking ||
      self->event_queue.n_bytes + g_bytes_get_size (frame) > limit)
    return FALSE;

  queue_locked (&self->event_queue, g_bytes_ref (frame));
  if (self->current == NULL)
    write_locked (self);
  return TRUE;
}

gboolean
reeve_server_client_send_event_frame (ReeveServerClient *self, GBytes *frame)
{
  gboolean is_queued = queue_event (self, frame);

  reeve_server_count_event (self->server, !is_queued);
  return is_queued;
}

GBytes *
reeve_server_client_encode_event (ReeveServerClient *self,
                                  const ReeveProgram *program,
                                  const ReeveProcedure *procedure,
                                  gconstpointer body)
{
  g_autoptr (GError) error = NULL;
  GBytes *frame;

  if (self->wire->encode_event == NULL)
    return NULL;

  frame = self->wire->encode_event (self, program, procedure, body, &error);
  if (frame == NULL)
    g_warning ("%s: %s", procedure->name, error->message);
  return frame;
}

gboolean
reeve_server_client_send_event (ReeveServerClient *self,
                                const ReeveProgram *program,
                                const ReeveProcedure *procedure,
                                gconstpointer body)
{
  g_autoptr (GBytes) frame =
      reeve_server_client_encode_event (self, program, procedure, body);

  return frame != NULL && reeve_server_client_send_event_frame (self, frame);
}

const ReeveWire *
reeve_server_client_get_wire (ReeveServerClient *self)
{
  return self->wire;
}

void
reeve_server_client_write (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  write_locked (self);
}
