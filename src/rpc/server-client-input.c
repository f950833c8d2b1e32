/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/stream-buffer.h"
#include "rpc/stream-layer.h"
#include "rpc/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* A client's own input buffer starts with, and grows in, this size. */
#define INPUT_SIZE 65536
/* Messages that are taken of one client before it is the others' turn. */
#define MAX_MESSAGES 32
/* Bytes that are read of a client whose calls have to wait, to see whether it
 * asks if we are alive. */
#define LOOK_AHEAD_SIZE 65536
/* A worker may read clients that call again after this time or less, where one
 * waits for others already, or, of whomever, a call comes as often as this. */
#define GAP_US 20000
#define PAUSE_US 1000

/* Who is not known yet has one call in flight: it authenticates by one call
 * after the other, and nothing is taken that came before it was known. */
static unsigned
get_max_calls (ReeveServerClient *self)
{
  return atomic_load (&self->is_authenticated) && !self->wire->is_ordered
             ? REEVE_LIMIT (self->server, max_client_calls)
             : 1;
}

gboolean
reeve_server_client_has_room_locked (ReeveServerClient *self)
{
  return self->stream != NULL && !reeve_server_is_frozen (self->server) &&
         self->calls.length < get_max_calls (self) &&
         self->n_call_bytes <= REEVE_LIMIT (self->server, max_message_bytes) &&
         atomic_load (&self->n_fds) <
             REEVE_LIMIT (self->server, max_client_fds) &&
         self->replies.n_bytes <
             REEVE_LIMIT (self->server, max_client_reply_bytes) &&
         (self->streams == NULL || self->streams->n_full == 0);
}

/* The longest message that it may send. */
static size_t
get_max_bytes (ReeveServerClient *self)
{
  size_t limit = REEVE_LIMIT (self->server, max_message_bytes);

  if (self->wire->max_bytes > 0)
    limit = MIN (limit, self->wire->max_bytes);
  if (atomic_load_explicit (&self->is_authenticated, memory_order_relaxed))
    return limit;
  return MIN (limit, REEVE_LIMIT (self->server, max_unauth_message_bytes));
}

void
reeve_intake_add_answer (GByteArray **answers, GBytes *message)
{
  gsize size;
  const void *data = g_bytes_get_data (message, &size);

  if (*answers == NULL)
    *answers = g_byte_array_new ();
  g_byte_array_append (*answers, data, (guint) size);
  g_bytes_unref (message);
}

/* All in one write. */
static void
send_answers (ReeveServerClient *self, GByteArray **answers)
{
  if (*answers != NULL)
    reeve_server_client_send_frame (
        self, g_byte_array_free_to_bytes (g_steal_pointer (answers)));
}

gboolean
reeve_server_client_check_call (ReeveServerClient *self,
                                uint32_t serial,
                                const ReeveProgram *program,
                                const ReeveProcedure *procedure,
                                GError **error)
{
  if (self->is_refused) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("there are %u clients already; more are refused"),
                 REEVE_LIMIT (self->server, max_clients));
    return FALSE;
  }
  if (!atomic_load (&self->is_authenticated) &&
      (procedure->flags & REEVE_PROCEDURE_NO_AUTH) == 0) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_RPC,
                         _ ("authentication required"));
    return FALSE;
  }
  if (atomic_load (&self->is_read_only) &&
      (procedure->flags & REEVE_PROCEDURE_READ_ONLY) == 0)
    return reeve_access_refuse_read_only (self, program, procedure, serial,
                                          NULL, error);

  return TRUE;
}

void
reeve_intake_add_call (ReeveIntake *intake, ReeveCall *call)
{
  intake->room--;
  if (call->procedure->dispatch == REEVE_DISPATCH_INLINE) {
    g_queue_push_tail_link (&intake->inline_calls, &call->job.link);
  } else {
    g_queue_push_tail_link (&intake->calls, &call->link);
    g_queue_push_tail_link (&intake->jobs, &call->job.link);
  }
}

static unsigned
get_room_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  unsigned limit;

  if (!reeve_server_client_has_room_locked (self))
    return 0;
  /* It may have been lowered since. */
  limit = get_max_calls (self);
  return limit - MIN (limit, self->calls.length);
}

static unsigned
get_room (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return get_room_locked (self);
}

void
reeve_server_client_put_in_flight (ReeveServerClient *self, ReeveCall *call)
{
  reeve_server_client_look_for_overdue (self);

  REEVE_LOCK_SCOPE (&self->lock);

  reeve_server_client_begin_call_locked (self, call);
}

/* Returns whether the loop is to look for replies that are held, from now on.
 * @n_calls: (out): that are in flight then */
static gboolean
put_in_flight (ReeveServerClient *self, ReeveIntake *intake, unsigned *n_calls)
{
  unsigned n_jobs = intake->jobs.length;
  gboolean is_watched;
  GList *link;

  REEVE_LOCK_SCOPE (&self->lock);

  while ((link = g_queue_pop_head_link (&intake->calls)) != NULL)
    reeve_server_client_begin_call_locked (self, link->data);
  *n_calls = self->calls.length;

  n_jobs += atomic_fetch_add (&self->n_waiting, n_jobs);
  is_watched = self->is_watched;
  self->is_watched = is_watched || n_jobs > 1;
  return self->is_watched && !is_watched;
}

/* They are in flight before another thread knows of them. */
static void
begin_calls (ReeveServerClient *self, const GQueue *calls)
{
  REEVE_LOCK_SCOPE (&self->lock);

  for (const GList *link = calls->head; link != NULL; link = link->next)
    reeve_server_client_begin_call_locked (self, link->data);
}

/* In a loop that is not the daemon's, only what says so may run; the daemon's
 * gets the others, with one wake-up. */
static void
hand_over_inline (ReeveServerClient *self, GQueue *calls)
{
  GQueue handed = G_QUEUE_INIT;
  GList *next;

  for (GList *link = calls->head; link != NULL; link = next) {
    const ReeveCall *call = link->data;

    next = link->next;
    if ((call->procedure->flags & REEVE_PROCEDURE_PURE) != 0)
      continue;
    g_queue_unlink (calls, link);
    g_queue_push_tail_link (&handed, link);
  }
  if (handed.length == 0)
    return;

  reeve_server_client_look_for_overdue (self);
  begin_calls (self, &handed);
  reeve_server_loop_hand_over (reeve_server_get_own_loop (self->server),
                               &handed);
}

/* Runs the inline calls of one read, whose replies leave together. They are in
 * flight from when a handler leaves one to others: no one but this thread knows
 * of it before. */
static void
run_inline (ReeveServerClient *self, GQueue *calls)
{
  ReeveReplyBatch *batch = &self->home->batch;
  GList *link;

  if (self->home->index > 0 && !self->is_gone)
    hand_over_inline (self, calls);

  while ((link = g_queue_pop_head_link (calls)) != NULL) {
    if (self->is_gone)
      reeve_call_unref (link->data);
    else
      reeve_reply_batch_run (batch, link->data);
  }
  reeve_reply_batch_flush (batch);
}

void
reeve_server_client_look_for_overdue (ReeveServerClient *self)
{
  if (self->is_swept)
    return;

  self->is_swept = TRUE;
  reeve_server_loop_sweep (self->home, self);
}

/* @is_last: nothing else is left to do in this turn, so that their worker may
 * read what comes next. */
static void
push_last (ReeveServerClient *self, gboolean is_last)
{
  GQueue *jobs = &self->home->last_jobs;

  if (g_queue_is_empty (jobs))
    return;

  if (is_last)
    reeve_server_client_offer (self);
  reeve_server_push (self->server, jobs);
}

/* Whether the times since its last call and since that of anybody, and that
 * there is room, let a worker read it. */
static gboolean
is_soon (ReeveServerClient *self, gint64 gap_us, gint64 pause_us)
{
  ReeveCallReader *reader = &self->home->reader;
  unsigned n_clients =
      atomic_load_explicit (&reader->n_clients, memory_order_relaxed);

  return gap_us <= GAP_US && (n_clients > 0 || pause_us <= PAUSE_US) &&
         n_clients < REEVE_CALL_READER_CLIENTS &&
         !reeve_call_reader_rests (reader, self->taken_us);
}

/* Whether a worker could read such calls, and all that came are such. */
static gboolean
are_plain (ReeveIntake *intake)
{
  const ReeveCall *first = g_queue_peek_head (&intake->jobs);

  if (first == NULL || intake->jobs.length > REEVE_JOB_BATCH ||
      !g_queue_is_empty (&intake->inline_calls) || intake->answers != NULL ||
      first->job.is_priority)
    return FALSE;

  for (const GList *link = intake->jobs.head->next; link != NULL;
       link = link->next)
    if (((const ReeveCall *) link->data)->procedure != first->procedure)
      return FALSE;
  return intake->jobs.length == 1 ||
         reeve_procedure_is_quick (first->program, first->procedure);
}

/* Whether a worker may read what comes next: they came soon after others like
 * them, and are short, or one from the only one who calls. */
static gboolean
may_be_given (ReeveServerClient *self, ReeveIntake *intake)
{
  const ReeveCall *first = g_queue_peek_head (&intake->jobs);
  ReeveServerLoop *home = self->home;
  gboolean is_same = home->last_caller == self;
  gint64 gap_us = self->taken_us - self->last_taken_us;
  gint64 pause_us = self->taken_us - home->last_taken_us;

  home->last_caller = self;
  self->last_taken_us = home->last_taken_us = self->taken_us;
  if (!are_plain (intake)) {
    self->n_plain_due = REEVE_READER_PLAIN_AFTER_OTHERS;
    return FALSE;
  }
  if (!is_soon (self, gap_us, pause_us))
    return FALSE;
  if (self->n_plain_due > 0)
    self->n_plain_due--;
  return self->n_plain_due == 0 && (is_same || first->job.is_short);
}

static void
start_jobs (ReeveServerClient *self, ReeveIntake *intake, gboolean is_given)
{
  unsigned n_jobs = intake->jobs.length;
  unsigned n_calls;

  if (put_in_flight (self, intake, &n_calls))
    reeve_server_loop_watch (self->home, self);
  reeve_server_client_look_for_overdue (self);
  if (n_calls > n_jobs) {
    self->n_plain_due = REEVE_READER_PLAIN_AFTER_OTHERS;
    is_given = FALSE;
  }
  if (is_given)
    self->home->last_jobs = intake->jobs;
  else
    reeve_server_push (self->server, &intake->jobs);
}

static void
start_calls (ReeveServerClient *self, ReeveIntake *intake)
{
  gboolean is_given;

  if (g_queue_is_empty (&intake->jobs) &&
      g_queue_is_empty (&intake->inline_calls))
    return;

  push_last (self, FALSE);
  is_given = may_be_given (self, intake);
  if (!g_queue_is_empty (&intake->jobs))
    start_jobs (self, intake, is_given);
  if (!g_queue_is_empty (&intake->inline_calls))
    run_inline (self, &intake->inline_calls);
}

/* Whether the client has no room, so that its calls wait. */
static gboolean
throttle (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->is_resuming = FALSE;
  self->is_throttled = !reeve_server_client_has_room_locked (self);
  if (!self->is_throttled)
    self->is_full = FALSE;
  reeve_server_client_update_events_locked (self);
  return self->is_throttled;
}

static void resume (ReeveLoop *loop, gpointer data);

/* It had its turn; the loop comes back to what it sent. */
static void
end_turn (ReeveServerClient *self)
{
  if (self->has_had_turn)
    return;

  self->has_had_turn = TRUE;
  reeve_loop_invoke (self->home->loop, resume, reeve_server_client_ref (self));
}

/* Takes the messages that are there, as far as there is room, for now for
 * @room calls; returns how many bytes were used. */
static size_t
take_messages (ReeveServerClient *self,
               const uint8_t *data,
               size_t size,
               unsigned room,
               gboolean *is_bad)
{
  unsigned n_left = MAX_MESSAGES;
  size_t used = 0;
  size_t length;

  do {
    ReeveIntake intake = { .max_bytes = get_max_bytes (self),
                           .room = room,
                           .n_left = n_left };

    self->taken_us = g_get_monotonic_time ();
    do {
      intake.is_seen = used < self->n_seen;
      length = intake.room == 0 || intake.n_left == 0
                   ? 0
                   : self->wire->take (self, data + used, size - used, &intake);
      used += length;
      intake.n_left -= length > 0;
    } while (length > 0);
    n_left = intake.n_left;
    *is_bad = intake.is_bad;
    start_calls (self, &intake);
    send_answers (self, &intake.answers);
    if (intake.ends || (self->is_refused && used > 0))
      reeve_server_client_close_when_written (self);
    /* No room any more: unless calls were answered meanwhile, stop. */
    if ((intake.room > 0 && n_left > 0) || throttle (self))
      break;
    if (n_left == 0 && used < size)
      end_turn (self);
    room = get_room (self);
  } while (!*is_bad && used < size && n_left > 0);

  self->n_seen -= MIN (self->n_seen, used);
  return used;
}

/* Whether calls wait for room; if so, whether more is read is decided. */
static gboolean
limit_look_ahead (ReeveServerClient *self, gboolean *may_answer)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->is_full =
      self->is_throttled &&
      (self->input_size >= LOOK_AHEAD_SIZE ||
       reeve_fd_inbox_get_size (&self->inbox) >= REEVE_MESSAGE_MAX_FDS);
  reeve_server_client_update_events_locked (self);
  *may_answer = self->replies.n_bytes <
                REEVE_LIMIT (self->server, max_client_reply_bytes);
  return self->is_throttled;
}

/* Answers what does not wait behind calls that do. A client that reads nothing
 * gets no answer to that either. */
static void
look_ahead (ReeveServerClient *self)
{
  g_autoptr (GByteArray) answers = NULL;
  gboolean may_answer;

  if (!limit_look_ahead (self, &may_answer) || self->wire->look_ahead == NULL)
    return;

  self->wire->look_ahead (self, &answers);
  if (may_answer)
    send_answers (self, &answers);
}
/* The length of a message whose begin is kept, or 0: it is read into a buffer
 * of its own. */
static size_t
measure (ReeveServerClient *self, const uint8_t *data, size_t size)
{
  return self->wire->measure == NULL ? 0
                                     : self->wire->measure (self, data, size);
}

/* Keeps what was not taken for the next time. */
static void
keep_input (ReeveServerClient *self, const uint8_t *data, size_t size)
{
  if (size == 0) {
    g_clear_pointer (&self->input, g_free);
    self->input_size = self->input_capacity = 0;
    return;
  }

  if (self->input == NULL) {
    self->input_capacity = MAX (MAX (size, 4096), measure (self, data, size));
    self->input = self->input_capacity == REEVE_STREAM_BUFFER_SIZE
                      ? reeve_stream_buffer_new ()
                      : g_malloc (self->input_capacity);
    memcpy (self->input, data, size);
  } else if (data != self->input) {
    memmove (self->input, data, size);
  }
  self->input_size = size;
}

/* (nullable): what else it may be. */
static const char *
guess_protocol (const uint8_t *data, size_t size)
{
  static const char *const verbs[] = { "GET ", "HEAD", "POST", "OPTI" };

  if (size >= 2 && data[0] == 0x16 && data[1] == 0x03)
    return "TLS";
  for (size_t i = 0; i < G_N_ELEMENTS (verbs); i++)
    if (size >= 4 && memcmp (data, verbs[i], 4) == 0)
      return "HTTP";
  return NULL;
}

/* By the first byte. FALSE: it speaks what is not spoken here. */
static gboolean
choose_wire (ReeveServerClient *self, const uint8_t *data, size_t size)
{
  const ReeveWire *wire = reeve_wire_sniff (data[0]);
  const char *protocol = guess_protocol (data, size);

  if (wire != NULL && protocol == NULL && (self->wires & wire->flag) != 0) {
    reeve_server_client_set_wire (self, wire);
    return TRUE;
  }

  if (protocol == NULL && wire != NULL)
    protocol = wire->name;
  if (protocol != NULL)
    reeve_server_note_refusal (
        self->server, REEVE_REFUSAL_MESSAGE,
        _ ("Client %1$" PRIu64 " speaks %2$s, which is not spoken here"),
        self->id, protocol);
  else
    reeve_server_note_refusal (
        self->server, REEVE_REFUSAL_MESSAGE,
        _ ("Client %1$" PRIu64 " speaks nothing known: its first byte is %2$u"),
        self->id, data[0]);
  return FALSE;
}

static void
take_input (ReeveServerClient *self,
            const uint8_t *data,
            size_t size,
            unsigned room)
{
  gboolean is_bad = !self->has_wire && !choose_wire (self, data, size);
  size_t used = is_bad ? 0 : take_messages (self, data, size, room, &is_bad);

  if (is_bad)
    reeve_server_client_close_now (self);
  else
    keep_input (self, data + used, size - used);
  if (self->input_size > 0)
    look_ahead (self);
}

/* Room behind what is kept: it grows with what has come, up to the frame.
 * Returns how much of it is to be filled. */
static size_t
grow_input (ReeveServerClient *self)
{
  size_t limit = get_max_bytes (self) + REEVE_MESSAGE_MAX_FDS;
  size_t frame = measure (self, self->input, self->input_size);
  size_t wanted = frame > self->input_size
                      ? frame
                      : MIN (MAX (2 * self->input_size, INPUT_SIZE), limit);

  if (self->input_capacity < wanted) {
    self->input = g_realloc (self->input, wanted);
    self->input_capacity = wanted;
  }
  return (frame > self->input_size ? frame : self->input_capacity) -
         self->input_size;
}

GArray **
reeve_server_client_get_fds_in (ReeveServerClient *self)
{
  return self->transport == REEVE_TRANSPORT_UNIX &&
                 reeve_server_takes_fds (self->server)
             ? reeve_fd_inbox_get_array (&self->inbox)
             : NULL;
}

static gssize
receive (ReeveServerClient *self, void *data, size_t size, unsigned *room)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->stream == NULL)
    return 0;
  *room = get_room_locked (self);
  return reeve_stream_recv_lazily (self->stream, data, size,
                                   reeve_server_client_get_fds_in (self));
}

void
reeve_server_client_note_bad_input (ReeveServerClient *self, int reason)
{
  if (reason == EPROTO)
    g_message (_ ("Client %" PRIu64 ": too many file descriptors came"),
               self->id);
  else if (reason == EBADMSG)
    g_message (_ ("Client %" PRIu64 ": what came cannot be decoded"), self->id);
}

static void
read_some (ReeveServerClient *self)
{
  gboolean is_kept = self->input_size > 0;
  unsigned room = 0;
  uint8_t *data;
  size_t size;
  gssize n_read;

  if (self->has_had_turn || reeve_server_is_frozen (self->server))
    return;
  if (is_kept) {
    size = grow_input (self);
    data = self->input + self->input_size;
  } else {
    size = REEVE_SERVER_SCRATCH_SIZE;
    data = self->home->scratch;
  }

  n_read = receive (self, data, size, &room);
  if (n_read < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n_read == 0 && self->wire->survives_end) {
    reeve_server_client_end_input (self);
    return;
  }
  if (n_read <= 0 ||
      !reeve_fd_inbox_note (&self->inbox, self->input_size + (size_t) n_read)) {
    if (n_read != 0)
      reeve_server_client_note_bad_input (self, n_read > 0 ? EPROTO : errno);
    reeve_server_client_close_now (self);
    return;
  }

  if (self->keepalive_watch > 0)
    self->keepalive.alive_us = g_get_monotonic_time ();
  if (is_kept) {
    self->input_size += (size_t) n_read;
    take_input (self, self->input, self->input_size, room);
  } else {
    take_input (self, data, (size_t) n_read, room);
  }
}

/* Whether there is input that the socket does not tell of. */
static gboolean
has_more (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->stream != NULL && !self->is_closing && !self->is_full &&
         !reeve_server_is_frozen (self->server) && !self->has_had_turn &&
         reeve_stream_has_input (self->stream);
}

static void
read_input (ReeveServerClient *self)
{
  do
    read_some (self);
  while (self->has_layer && has_more (self));
  push_last (self, TRUE);
}

void
reeve_server_client_read_more (ReeveServerClient *self)
{
  if (has_more (self))
    read_input (self);
}

static void
resume (ReeveLoop *loop, gpointer data)
{
  ReeveServerClient *self = data;

  reeve_server_client_reclaim (self);
  self->has_had_turn = FALSE;
  if (!throttle (self) && self->input_size > 0)
    take_input (self, self->input, self->input_size, get_room (self));
  reeve_server_client_read_more (self);
  reeve_server_client_check_end (self);
  push_last (self, TRUE);
  reeve_server_client_unref (self);
}

void
reeve_server_client_keep_locked (ReeveServerClient *self,
                                 const uint8_t *data,
                                 size_t size)
{
  keep_input (self, data, size);
  reeve_loop_invoke (self->home->loop, resume, reeve_server_client_ref (self));
}

void
reeve_server_client_resume_locked (ReeveServerClient *self)
{
  if (!self->is_throttled || self->is_resuming ||
      !reeve_server_client_has_room_locked (self))
    return;

  self->is_resuming = TRUE;
  reeve_loop_invoke (self->home->loop, resume, reeve_server_client_ref (self));
}

void
reeve_server_client_take_ready (ReeveLoop *loop,
                                int watch,
                                int fd,
                                ReeveEvents events,
                                gpointer data)
{
  ReeveServerClient *self = data;

  reeve_server_client_reclaim (self);
  if (events & REEVE_EVENT_READABLE)
    atomic_store_explicit (&self->has_spoken, TRUE, memory_order_relaxed);
  if (self->handshake != NULL && !reeve_server_client_shake (self, events))
    return;
  if (events & REEVE_EVENT_WRITABLE)
    reeve_server_client_write (self);
  if (events & REEVE_EVENT_READABLE)
    read_input (self);
  else if (events & (REEVE_EVENT_ERROR | REEVE_EVENT_HANGUP))
    reeve_server_client_close_now (self);
}
