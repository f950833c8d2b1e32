/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/qmp.h"

#include "event/fd-closer.h"
#include "event/fd.h"
#include "event/intl.h"
#include "event/refs.h"
#include "machine/qmp-parser.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#define READ_SIZE 65536
#define MAX_READS_PER_TURN 16
#define MAX_PENDING 4096
#define MAX_OUT_BYTES (4u * 1024 * 1024)

typedef struct {
  char *text;
  size_t size;
  size_t n_sent;
  int fd; /* (owned), -1: none */
} OutItem;

typedef struct {
  int64_t id;
  gint64 sent_us;
  gint64 deadline_us;
  gboolean is_late;  /* was answered with TIMED_OUT; waits for QEMU's answer */
  JsonNode *user_id; /* (owned) (nullable): of a raw request */
  ReeveQmpReply reply;
  ReeveQmpRawReply raw_reply;
  gpointer data;
} Pending;

struct _ReeveQmp {
  ReeveRefs refs;
  ReeveLoop *loop; /* immutable (owned) */
  ReeveQmpFuncs funcs;
  gpointer data;

  /* all below: loop's */
  int fd;
  int watch;
  int timer;
  ReeveQmpParser parser;
  GQueue out; /* (element-type OutItem) (owned) */
  size_t out_bytes;
  gboolean wants_write;
  GQueue pending; /* (element-type Pending) (owned), in the order of sending */
  int64_t last_id;
  gint64 greeting_deadline_us;
  gboolean is_greeted;
  gboolean is_ready;
  gboolean is_closed;
};

static void on_handle (ReeveLoop *loop,
                       int watch,
                       int fd,
                       ReeveEvents events,
                       gpointer data);
static void on_timer (ReeveLoop *loop, int watch, gpointer data);
static void negotiate (ReeveQmp *self);

/* It may be a client's own file. */
static void
out_item_close_fd (OutItem *item)
{
  if (item->fd >= 0)
    reeve_fd_close_elsewhere (g_steal_fd (&item->fd));
}

static void
out_item_free (OutItem *item)
{
  out_item_close_fd (item);
  g_free (item->text);
  g_free (item);
}

static void
pending_free (Pending *pending)
{
  g_clear_pointer (&pending->user_id, json_node_unref);
  g_free (pending);
}

static ReeveQmp *
qmp_new (ReeveLoop *loop, int fd, const ReeveQmpFuncs *funcs, gpointer data)
{
  ReeveQmp *self = g_new0 (ReeveQmp, 1);
  int flags = fcntl (fd, F_GETFL);

  reeve_refs_init (&self->refs);
  self->loop = reeve_loop_ref (loop);
  self->fd = fd;
  self->funcs = *funcs;
  self->data = data;
  reeve_qmp_parser_init (&self->parser, REEVE_QMP_MAX_MESSAGE,
                         REEVE_QMP_MAX_DEPTH);

  if (flags >= 0)
    (void) fcntl (fd, F_SETFL, flags | O_NONBLOCK);
  self->watch = reeve_loop_add_handle (loop, fd, REEVE_EVENT_READABLE,
                                       on_handle, self, NULL);
  self->timer = reeve_loop_add_timeout (loop, -1, on_timer, self, NULL);
  return self;
}

ReeveQmp *
reeve_qmp_new (ReeveLoop *loop,
               int fd,
               const ReeveQmpFuncs *funcs,
               gpointer data,
               gint64 greeting_deadline_us)
{
  ReeveQmp *self = qmp_new (loop, fd, funcs, data);

  self->greeting_deadline_us = greeting_deadline_us;
  negotiate (self);
  return self;
}

/* No more is to come than what is late. */
static gboolean
waits_for_answers (ReeveQmp *self)
{
  for (GList *link = self->pending.head; link != NULL; link = link->next)
    if (!((const Pending *) link->data)->is_late)
      return TRUE;

  return FALSE;
}

gboolean
reeve_qmp_save (ReeveQmp *self, ReeveQmpState *state)
{
  if (!reeve_qmp_is_ready (self) || !g_queue_is_empty (&self->out) ||
      waits_for_answers (self))
    return FALSE;

  state->fd = self->fd;
  state->last_id = self->last_id;
  state->unread = reeve_qmp_parser_peek (&self->parser, &state->n_unread);
  return TRUE;
}

ReeveQmp *
reeve_qmp_restore (ReeveLoop *loop,
                   const ReeveQmpState *state,
                   const ReeveQmpFuncs *funcs,
                   gpointer data)
{
  ReeveQmp *self = qmp_new (loop, state->fd, funcs, data);

  self->last_id = state->last_id;
  self->is_greeted = self->is_ready = TRUE;
  reeve_qmp_parser_feed (&self->parser, state->unread, state->n_unread);
  return self;
}

ReeveQmp *
reeve_qmp_ref (ReeveQmp *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

void
reeve_qmp_unref (ReeveQmp *self)
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  reeve_qmp_close (self);
  g_assert (g_queue_is_empty (&self->pending));
  reeve_qmp_parser_clear (&self->parser);
  reeve_loop_unref (self->loop);
  g_free (self);
}

gboolean
reeve_qmp_is_ready (ReeveQmp *self)
{
  return self->is_ready && !self->is_closed;
}

gboolean
reeve_qmp_is_closed (ReeveQmp *self)
{
  return self->is_closed;
}

gint64
reeve_qmp_get_oldest_us (ReeveQmp *self)
{
  Pending *oldest = g_queue_peek_head (&self->pending);

  return oldest == NULL ? 0 : oldest->sent_us;
}

/* Calls the reply function; the caller took @pending out or made it late. */
static void
answer (Pending *pending, JsonObject *message, const GError *error)
{
  ReeveQmpReply reply = g_steal_pointer (&pending->reply);
  ReeveQmpRawReply raw_reply = g_steal_pointer (&pending->raw_reply);

  if (raw_reply != NULL)
    raw_reply (message, error, pending->data);
  else if (reply != NULL)
    reply (message == NULL ? NULL : json_object_get_member (message, "return"),
           error, pending->data);
}

static void
fail_all (ReeveQmp *self, const GError *error)
{
  Pending *pending;

  while ((pending = g_queue_pop_head (&self->pending)) != NULL) {
    answer (pending, NULL, error);
    pending_free (pending);
  }
}

static void
shut (ReeveQmp *self, const GError *reason)
{
  self->is_closed = TRUE;
  if (self->watch >= 0)
    reeve_loop_remove (self->loop, self->watch);
  reeve_loop_remove (self->loop, self->timer);
  reeve_fd_clear (&self->fd);
  g_queue_clear_full (&self->out, (GDestroyNotify) out_item_free);
  self->out_bytes = 0;
  fail_all (self, reason);
}

void
reeve_qmp_close (ReeveQmp *self)
{
  g_autoptr (GError) reason = NULL;

  if (self->is_closed)
    return;

  reason = g_error_new (REEVE_ERROR, REEVE_ERROR_CLOSED,
                        _ ("the connection to the monitor was closed"));
  shut (self, reason);
}

/* The peer's end of the connection, or a broken stream. */
static void
lose (ReeveQmp *self, const GError *reason)
{
  if (self->is_closed)
    return;

  shut (self, reason);
  if (self->funcs.closed != NULL)
    self->funcs.closed (self, reason, self->data);
}

static void
set_timer (ReeveQmp *self)
{
  gint64 earliest_us = G_MAXINT64;
  gint64 now_us = g_get_monotonic_time ();
  gint64 left_us;

  for (GList *link = self->pending.head; link != NULL; link = link->next) {
    Pending *pending = link->data;

    if (!pending->is_late)
      earliest_us = MIN (earliest_us, pending->deadline_us);
  }

  if (earliest_us == G_MAXINT64) {
    reeve_loop_update_timeout (self->loop, self->timer, -1);
    return;
  }
  /* rounded up: an early call would find nothing due and come back */
  left_us = MAX (earliest_us - now_us, 0);
  reeve_loop_update_timeout (self->loop, self->timer,
                             (int) MIN (left_us / 1000 + 1, G_MAXINT));
}

static Pending *
find_due (ReeveQmp *self, gint64 now_us)
{
  for (GList *link = self->pending.head; link != NULL; link = link->next) {
    Pending *pending = link->data;

    if (!pending->is_late && pending->deadline_us <= now_us)
      return pending;
  }
  return NULL;
}

static void
on_timer (ReeveLoop *loop, int watch, gpointer data)
{
  g_autoptr (ReeveQmp) self = reeve_qmp_ref (data);
  g_autoptr (GError) error =
      g_error_new (REEVE_ERROR, REEVE_ERROR_TIMED_OUT,
                   _ ("QEMU's monitor did not answer in time"));
  gint64 now_us = g_get_monotonic_time ();
  Pending *pending;

  while (!self->is_closed && (pending = find_due (self, now_us)) != NULL) {
    /* It stays in the queue: its answer may still come, and is for it. */
    pending->is_late = TRUE;
    answer (pending, NULL, error);
  }
  if (!self->is_closed)
    set_timer (self);
}

static int64_t
get_reply_id (JsonObject *message)
{
  JsonNode *id = json_object_get_member (message, "id");

  if (id == NULL || !JSON_NODE_HOLDS_VALUE (id) ||
      json_node_get_value_type (id) != G_TYPE_INT64)
    return -1;
  return json_node_get_int (id);
}

static GError *
error_from_message (JsonObject *message)
{
  JsonNode *node = json_object_get_member (message, "error");
  const char *text = NULL;

  if (node == NULL && json_object_has_member (message, "return"))
    return NULL;
  if (node != NULL && JSON_NODE_HOLDS_OBJECT (node))
    text = json_object_get_string_member_with_default (
        json_node_get_object (node), "desc", NULL);
  return g_error_new (REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED,
                      _ ("QEMU refused the command: %s"),
                      text != NULL ? text : _ ("no reason given"));
}

/* json-glib gives immutable trees: the user's id needs a copy of the top. */
static JsonObject *
with_user_id (JsonObject *message, JsonNode *user_id)
{
  JsonObject *copy = json_object_new ();
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;

  json_object_iter_init (&iter, message);
  while (json_object_iter_next (&iter, &name, &node)) {
    if (!g_str_equal (name, "id"))
      json_object_set_member (copy, name, json_node_copy (node));
  }
  if (user_id != NULL)
    json_object_set_member (copy, "id", json_node_copy (user_id));
  return copy;
}

static void
answer_reply (Pending *pending, JsonObject *message)
{
  g_autoptr (GError) error = NULL;

  if (pending->raw_reply != NULL) {
    g_autoptr (JsonObject) copy = with_user_id (message, pending->user_id);

    answer (pending, copy, NULL);
    return;
  }

  error = error_from_message (message);
  answer (pending, error == NULL ? message : NULL, error);
}

static void
take_reply (ReeveQmp *self, JsonObject *message)
{
  int64_t id = get_reply_id (message);

  for (GList *link = self->pending.head; link != NULL; link = link->next) {
    Pending *pending = link->data;

    if (pending->id != id)
      continue;
    g_queue_delete_link (&self->pending, link);
    answer_reply (pending, message);
    pending_free (pending);
    return;
  }

  /* An error without id tells that QEMU could not read what we sent, and one
   * bad message yields a burst of them: it belongs to no command for sure.
   * The command that was lost ends at its deadline. */
  g_debug ("the monitor sent a reply that nobody waits for");
}

static void
take_event (ReeveQmp *self, JsonObject *message)
{
  JsonNode *name = json_object_get_member (message, "event");
  JsonNode *data = json_object_get_member (message, "data");
  JsonNode *stamp = json_object_get_member (message, "timestamp");
  int64_t seconds = 0;
  int64_t microseconds = 0;

  if (!JSON_NODE_HOLDS_VALUE (name) || json_node_get_string (name) == NULL ||
      self->funcs.event == NULL)
    return;

  if (stamp != NULL && JSON_NODE_HOLDS_OBJECT (stamp)) {
    JsonObject *object = json_node_get_object (stamp);

    seconds = json_object_get_int_member_with_default (object, "seconds", 0);
    microseconds =
        json_object_get_int_member_with_default (object, "microseconds", 0);
  }
  self->funcs.event (self, json_node_get_string (name),
                     data != NULL && JSON_NODE_HOLDS_OBJECT (data)
                         ? json_node_get_object (data)
                         : NULL,
                     seconds, (unsigned) CLAMP (microseconds, 0, 999999),
                     self->data);
}

static void
take_message (ReeveQmp *self, JsonObject *message)
{
  if (!self->is_greeted) {
    g_autoptr (GError) error = NULL;

    self->is_greeted = json_object_has_member (message, "QMP");
    if (self->is_greeted)
      return;
    error = g_error_new (REEVE_ERROR, REEVE_ERROR_RPC,
                         _ ("the peer is not a QEMU monitor"));
    lose (self, error);
  } else if (json_object_has_member (message, "event")) {
    take_event (self, message);
  } else {
    take_reply (self, message);
  }
}

static void
take_messages (ReeveQmp *self)
{
  while (!self->is_closed) {
    g_autoptr (JsonObject) message = NULL;
    g_autoptr (GError) error = NULL;

    if (!reeve_qmp_parser_next (&self->parser, &message, &error)) {
      lose (self, error);
      return;
    }
    if (message == NULL)
      return;
    take_message (self, message);
  }
}

/* Returns FALSE when there is nothing more to read now. */
static gboolean
read_once (ReeveQmp *self, char *buffer)
{
  g_autoptr (GError) error = NULL;
  ssize_t n_read = recv (self->fd, buffer, READ_SIZE, 0);

  if (n_read > 0) {
    reeve_qmp_parser_feed (&self->parser, buffer, (size_t) n_read);
    take_messages (self);
    return !self->is_closed && n_read == READ_SIZE;
  }
  if (n_read < 0 && (errno == EAGAIN || errno == EINTR))
    return FALSE;

  /* A QEMU that ends closes with EOF or with a reset; both mean the same. */
  if (n_read == 0 || errno == ECONNRESET || errno == EPIPE)
    error = g_error_new (REEVE_ERROR, REEVE_ERROR_CLOSED,
                         _ ("QEMU closed its monitor"));
  else
    reeve_error_from_errno (&error, errno, _ ("cannot read from the monitor"));
  lose (self, error);
  return FALSE;
}

void
reeve_qmp_drain (ReeveQmp *self)
{
  g_autoptr (ReeveQmp) hold G_GNUC_UNUSED = reeve_qmp_ref (self);
  g_autofree char *buffer = g_malloc (READ_SIZE);

  while (!self->is_closed) {
    ssize_t n_read = recv (self->fd, buffer, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n_read < 0 && errno == EAGAIN)
      return;
    (void) read_once (self, buffer);
  }
}

static ssize_t
send_item (ReeveQmp *self, OutItem *item)
{
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE (sizeof (int))];
  } control;
  struct iovec vector = {
    .iov_base = item->text + item->n_sent,
    .iov_len = item->size - item->n_sent,
  };
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

  if (item->fd >= 0) {
    memset (&control, 0, sizeof control);
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN (sizeof (int));
    memcpy (CMSG_DATA (&control.header), &item->fd, sizeof (int));
  }
  return sendmsg (self->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
set_wants_write (ReeveQmp *self, gboolean wants_write)
{
  if (self->wants_write == wants_write || self->watch < 0)
    return;

  self->wants_write = wants_write;
  reeve_loop_update_handle (self->loop, self->watch,
                            wants_write
                                ? REEVE_EVENT_READABLE | REEVE_EVENT_WRITABLE
                                : REEVE_EVENT_READABLE);
}

static void
flush (ReeveQmp *self)
{
  OutItem *item;

  while ((item = g_queue_peek_head (&self->out)) != NULL) {
    ssize_t n_sent = send_item (self, item);

    /* What went wrong for good is seen, and told, by reading. */
    if (n_sent < 0)
      break;

    out_item_close_fd (item);
    item->n_sent += (size_t) n_sent;
    self->out_bytes -= (size_t) n_sent;
    if (item->n_sent == item->size)
      out_item_free (g_queue_pop_head (&self->out));
  }
  set_wants_write (self, item != NULL && (errno == EAGAIN || errno == EINTR));
}

static void
on_handle (ReeveLoop *loop,
           int watch,
           int fd,
           ReeveEvents events,
           gpointer data)
{
  g_autoptr (ReeveQmp) self = reeve_qmp_ref (data);
  g_autofree char *buffer = g_malloc (READ_SIZE);

  if (events & REEVE_EVENT_WRITABLE)
    flush (self);
  for (int i = 0; i < MAX_READS_PER_TURN; i++) {
    if (self->is_closed || !read_once (self, buffer))
      break;
  }
}

typedef struct {
  Pending *pending;
  GError *error;
} Refusal;

static void
on_refused (ReeveLoop *loop, gpointer data)
{
  Refusal *refusal = data;

  answer (refusal->pending, NULL, refusal->error);
  pending_free (refusal->pending);
  g_error_free (refusal->error);
  g_free (refusal);
}

/* By way of the loop: a reply function is not called from inside the function
 * that asked. */
static void
refuse (ReeveQmp *self, Pending *pending)
{
  Refusal *refusal = g_new0 (Refusal, 1);

  refusal->pending = pending;
  if (self->is_closed)
    refusal->error =
        g_error_new (REEVE_ERROR, REEVE_ERROR_CLOSED,
                     _ ("the connection to the monitor was closed"));
  else
    refusal->error = g_error_new (REEVE_ERROR, REEVE_ERROR_LIMIT,
                                  _ ("too many commands wait for the monitor"));
  reeve_loop_invoke (self->loop, on_refused, refusal);
}

static void
push_text (ReeveQmp *self, JsonObject *request, int fd)
{
  OutItem *item = g_new0 (OutItem, 1);
  g_autofree char *text = reeve_qmp_object_to_text (request);

  item->text = g_strconcat (text, "\n", NULL);
  item->size = strlen (item->text);
  item->fd = fd < 0 ? -1 : fcntl (fd, F_DUPFD_CLOEXEC, 3);
  self->out_bytes += item->size;
  g_queue_push_tail (&self->out, item);
}

static void
submit (ReeveQmp *self, JsonObject *request, int fd, Pending *pending)
{
  if (self->is_closed || self->out_bytes >= MAX_OUT_BYTES ||
      g_queue_get_length (&self->pending) >= MAX_PENDING) {
    refuse (self, pending);
    return;
  }

  pending->id = ++self->last_id;
  pending->sent_us = g_get_monotonic_time ();
  json_object_set_int_member (request, "id", pending->id);
  g_queue_push_tail (&self->pending, pending);
  push_text (self, request, fd);
  if (!self->wants_write)
    flush (self);
  set_timer (self);
}

void
reeve_qmp_execute_with_fd (ReeveQmp *self,
                           const char *command,
                           JsonObject *arguments,
                           int fd,
                           gint64 deadline_us,
                           ReeveQmpReply reply,
                           gpointer data)
{
  g_autoptr (JsonObject) request = json_object_new ();
  Pending *pending = g_new0 (Pending, 1);

  json_object_set_string_member (request, "execute", command);
  if (arguments != NULL)
    json_object_set_object_member (request, "arguments", arguments);
  pending->deadline_us = deadline_us;
  pending->reply = reply;
  pending->data = data;
  submit (self, request, fd, pending);
}

void
reeve_qmp_execute (ReeveQmp *self,
                   const char *command,
                   JsonObject *arguments,
                   gint64 deadline_us,
                   ReeveQmpReply reply,
                   gpointer data)
{
  reeve_qmp_execute_with_fd (self, command, arguments, -1, deadline_us, reply,
                             data);
}

void
reeve_qmp_execute_raw (ReeveQmp *self,
                       JsonObject *request,
                       int fd,
                       gint64 deadline_us,
                       ReeveQmpRawReply reply,
                       gpointer data)
{
  Pending *pending = g_new0 (Pending, 1);
  g_autoptr (JsonObject) copy = with_user_id (request, NULL);
  JsonNode *user_id = json_object_get_member (request, "id");

  pending->user_id = user_id == NULL ? NULL : json_node_copy (user_id);
  pending->deadline_us = deadline_us;
  pending->raw_reply = reply;
  pending->data = data;
  submit (self, copy, fd, pending);
}

static void
on_negotiated (JsonNode *result, const GError *error, gpointer data)
{
  ReeveQmp *self = data;

  if (error != NULL) {
    lose (self, error);
    return;
  }

  self->is_ready = TRUE;
  if (self->funcs.ready != NULL)
    self->funcs.ready (self, self->data);
}

/* QEMU reads it after it sent its greeting, so there is no need to wait. */
static void
negotiate (ReeveQmp *self)
{
  reeve_qmp_execute (self, "qmp_capabilities", NULL, self->greeting_deadline_us,
                     on_negotiated, self);
}
