/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "protocol/remote.h"
#include "rpc/message.h"
#include "rpc/stream.h"
#include "rpc/wire-xdr.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* pipeline UNIX TCP CALLERS SUBSCRIBERS: callers, on either stream in turn,
 * have several calls in flight at all times; subscribers listen to the events
 * of a machine that one more client defines and undefines again and again. All
 * until standard input ends. Nobody connects twice: no library is in between.
 *
 * Prints, as JSON, what went wrong, how many events there were, and each gap
 * between two replies that was longer than GAP_US, with its end on the
 * monotonic clock. */

#define WINDOW 8
#define GAP_US 1000
#define PATIENCE_MS 60000

typedef struct {
  pthread_t thread;
  ReeveStream *stream; /* (owned) */
  GByteArray *input;   /* (owned): that was received, and is not used */
  uint32_t serial;
  unsigned n_failed;  /* replies that are errors, or of no call */
  unsigned n_dropped; /* connections */
  guint64 n_calls;
  unsigned n_events;
  unsigned n_misplaced; /* events: lost or doubled */
  GArray *gaps;         /* (element-type gint64) (owned): end, length */
} Client;

static atomic_bool is_over;
static atomic_uint n_defined; /* and undefined, of each one */

/* --------------------------------------------------------------- messages - */

static gboolean
wait_for (Client *self, short events)
{
  struct pollfd item = { .fd = reeve_stream_get_fd (self->stream),
                         .events = events };

  if (poll (&item, 1, PATIENCE_MS) > 0)
    return TRUE;
  self->n_dropped++;
  return FALSE;
}

static gboolean
send_all (Client *self, const uint8_t *data, size_t size)
{
  while (size > 0) {
    const struct iovec iov = { (void *) data, size };
    gssize n_sent = reeve_stream_sendv (self->stream, &iov, 1);

    if (n_sent < 0 && errno != EAGAIN) {
      self->n_dropped++;
      return FALSE;
    }
    if (n_sent < 0 && !wait_for (self, POLLOUT))
      return FALSE;
    data += MAX (n_sent, 0);
    size -= (size_t) MAX (n_sent, 0);
  }

  return TRUE;
}

static gboolean
send_call (Client *self, int32_t procedure, gconstpointer args)
{
  const ReeveHeader header = {
    .program = remote_program.number,
    .version = remote_program.version,
    .procedure = procedure,
    .type = REEVE_MESSAGE_CALL,
    .serial = ++self->serial,
  };
  const ReeveType *type = reeve_program_find (&remote_program, procedure)->args;
  g_autoptr (GBytes) frame = reeve_message_encode (&header, type, args, NULL);
  gsize size;
  const void *data = g_bytes_get_data (frame, &size);

  return send_all (self, data, size);
}

static size_t
get_frame_size (const Client *self)
{
  size_t size =
      self->input->len < 4 ? 0 : reeve_length_decode (self->input->data);

  return size <= self->input->len ? size : 0;
}

/* The first frame that is there; FALSE: the connection ended. */
static gboolean
receive (Client *self, ReeveHeader *header)
{
  uint8_t buffer[65536];

  while (get_frame_size (self) == 0) {
    gssize n_read =
        reeve_stream_recv (self->stream, buffer, sizeof buffer, NULL);

    if (n_read > 0)
      g_byte_array_append (self->input, buffer, (guint) n_read);
    else if (n_read < 0 && errno == EAGAIN && wait_for (self, POLLIN))
      continue;
    else {
      self->n_dropped++;
      return FALSE;
    }
  }

  reeve_header_decode (header, self->input->data + REEVE_LENGTH_SIZE);
  return TRUE;
}

/* Whoever looks into it wants to know what. */
static void
note_failure (Client *self, const ReeveHeader *header)
{
  g_autoptr (GError) error =
      reeve_message_decode_error (self->input->data + REEVE_PAYLOAD_OFFSET,
                                  get_frame_size (self) - REEVE_PAYLOAD_OFFSET);

  self->n_failed++;
  fprintf (stderr, "procedure %d, type %u, status %u, serial %u: %s\n",
           header->procedure, header->type, header->status, header->serial,
           header->status == REEVE_STATUS_ERROR ? error->message : "");
}

static void
drop_frame (Client *self)
{
  g_byte_array_remove_range (self->input, 0, (guint) get_frame_size (self));
}

/* @ret: (nullable): the result; FALSE: it failed. */
static gboolean
call (Client *self, int32_t procedure, gconstpointer args, void *ret)
{
  const ReeveType *type = reeve_program_find (&remote_program, procedure)->ret;
  ReeveHeader header;

  self->n_calls++;
  if (!send_call (self, procedure, args) || !receive (self, &header))
    return FALSE;
  if (header.type != REEVE_MESSAGE_REPLY || header.serial != self->serial ||
      header.status != REEVE_STATUS_OK ||
      (ret != NULL &&
       !reeve_xdr_decode (type, self->input->data + REEVE_PAYLOAD_OFFSET,
                          get_frame_size (self) - REEVE_PAYLOAD_OFFSET, ret,
                          NULL, NULL))) {
    note_failure (self, &header);
    drop_frame (self);
    return FALSE;
  }
  drop_frame (self);
  return TRUE;
}

/* One after the other: ThreadSanitizer does not understand the locks that GLib
 * takes when it makes its types. */
static void
connect_to (Client *self, const char *name)
{
  g_autoptr (GError) error = NULL;

  self->stream = reeve_stream_open (
      name, g_get_monotonic_time () + PATIENCE_MS * 1000, NULL, &error);
  if (self->stream == NULL) {
    fprintf (stderr, "%s\n", error->message);
    exit (1);
  }
}

static gboolean
open_connection (Client *self)
{
  const remote_connect_open_args args = { .name = (char *) "qemu:///system" };

  return call (self, REMOTE_PROC_CONNECT_OPEN, &args, NULL);
}

/* ---------------------------------------------------------------- callers - */

static void
note_gap (Client *self, gint64 *last_us)
{
  gint64 now_us = g_get_monotonic_time ();
  const gint64 gap[2] = { now_us, now_us - *last_us };

  if (*last_us != 0 && gap[1] > GAP_US)
    g_array_append_vals (self->gaps, gap, 2);
  *last_us = now_us;
}

/* Takes one reply, which may be that of any call in flight, but only once.
 * @flying: their serials, 0 where there is room */
static gboolean
take_reply (Client *self, uint32_t flying[WINDOW])
{
  ReeveHeader header;
  gboolean is_ours = FALSE;

  if (!receive (self, &header))
    return FALSE;
  for (unsigned i = 0; i < WINDOW && !is_ours; i++) {
    is_ours = flying[i] != 0 && flying[i] == header.serial;
    if (is_ours)
      flying[i] = 0;
  }
  if (!is_ours || header.type != REEVE_MESSAGE_REPLY ||
      header.status != REEVE_STATUS_OK)
    note_failure (self, &header);
  drop_frame (self);
  return TRUE;
}

static void *
run_caller (void *data)
{
  static const int32_t procedures[] = {
    REMOTE_PROC_CONNECT_GET_LIB_VERSION,
    REMOTE_PROC_NODE_GET_INFO,
    REMOTE_PROC_CONNECT_GET_HOSTNAME,
    REMOTE_PROC_CONNECT_NUM_OF_DOMAINS,
  };
  Client *self = data;
  uint32_t flying[WINDOW] = { 0 };
  gint64 last_us = 0;

  if (!open_connection (self))
    return NULL;
  for (;;) {
    unsigned n_flying = 0;

    for (unsigned i = 0; i < WINDOW; i++) {
      if (flying[i] == 0 && !atomic_load (&is_over)) {
        if (!send_call (self, procedures[self->n_calls++ % 4], NULL))
          return NULL;
        flying[i] = self->serial;
      }
      n_flying += flying[i] != 0;
    }
    if (n_flying == 0 || !take_reply (self, flying))
      return NULL;
    note_gap (self, &last_us);
  }
}

/* ------------------------------------------------------------ subscribers - */

static void *
run_changer (void *data)
{
  static const char xml[] =
      "<domain type='qemu'><name>flip</name>"
      "<uuid>11111111-2222-4333-8444-555555555555</uuid>"
      "<memory unit='MiB'>32</memory><vcpu>1</vcpu>"
      "<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>";
  const remote_domain_define_xml_flags_args define = { .xml = (char *) xml };
  Client *self = data;

  if (!open_connection (self))
    return NULL;
  while (!atomic_load (&is_over)) {
    remote_domain_define_xml_flags_ret ret = { 0 };
    remote_domain_undefine_flags_args undefine = { 0 };

    if (!call (self, REMOTE_PROC_DOMAIN_DEFINE_XML_FLAGS, &define, &ret))
      return NULL;
    undefine.dom = ret.dom;
    if (!call (self, REMOTE_PROC_DOMAIN_UNDEFINE_FLAGS, &undefine, NULL))
      return NULL;
    remote_domain_define_xml_flags_ret_clear (&ret);
    atomic_fetch_add (&n_defined, 1);
  }
  return NULL;
}

/* Each DEFINED (0) is followed by an UNDEFINED (1). */
static void
take_event (Client *self)
{
  remote_domain_event_callback_lifecycle_msg event = { 0 };

  if (!reeve_xdr_decode (&remote_domain_event_callback_lifecycle_msg_type,
                         self->input->data + REEVE_PAYLOAD_OFFSET,
                         get_frame_size (self) - REEVE_PAYLOAD_OFFSET, &event,
                         NULL, NULL) ||
      event.msg.event != (int32_t) (self->n_events % 2))
    self->n_misplaced++;
  self->n_events++;
  remote_domain_event_callback_lifecycle_msg_clear (&event);
}

static atomic_uint n_listening;
static atomic_bool is_changed_no_more;

static void *
run_subscriber (void *data)
{
  const remote_connect_domain_event_callback_register_any_args args = { 0 };
  Client *self = data;
  ReeveHeader header;

  if (open_connection (self))
    call (self, REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, &args,
          NULL);
  atomic_fetch_add (&n_listening, 1);
  while (self->n_dropped == 0 &&
         (!atomic_load (&is_changed_no_more) ||
          self->n_events < 2 * atomic_load (&n_defined))) {
    struct pollfd item = { .fd = reeve_stream_get_fd (self->stream),
                           .events = POLLIN };

    if (get_frame_size (self) == 0 && poll (&item, 1, 20) == 0)
      continue;
    if (!receive (self, &header))
      return NULL;
    if (header.procedure == REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE)
      take_event (self);
    drop_frame (self);
  }
  return NULL;
}

/* ------------------------------------------------------------------- main - */

static void
start (Client *self, const char *name, void *(*run) (void *) )
{
  connect_to (self, name);
  self->input = g_byte_array_new ();
  self->gaps = g_array_new (FALSE, FALSE, sizeof (gint64));
  pthread_create (&self->thread, NULL, run, self);
}

static void
wait_for_end (void)
{
  char buffer[16];

  while (read (STDIN_FILENO, buffer, sizeof buffer) > 0)
    ;
  atomic_store (&is_over, TRUE);
}

static void
print (const Client *clients, unsigned n_callers, unsigned n_clients)
{
  guint64 n_calls = 0;
  unsigned n_failed = 0, n_dropped = 0, n_misplaced = 0;
  const char *comma = "";

  for (unsigned i = 0; i < n_clients; i++) {
    n_calls += clients[i].n_calls;
    n_failed += clients[i].n_failed;
    n_dropped += clients[i].n_dropped;
    n_misplaced += clients[i].n_misplaced;
  }
  printf ("{\"calls\": %" G_GUINT64_FORMAT ", \"failed\": %u, \"dropped\": %u, "
          "\"misplaced\": %u, \"expected\": %u, \"events\": [",
          n_calls, n_failed, n_dropped, n_misplaced,
          2 * atomic_load (&n_defined));
  for (unsigned i = n_callers + 1; i < n_clients; i++, comma = ", ")
    printf ("%s%u", comma, clients[i].n_events);
  printf ("], \"gaps\": [");
  comma = "";
  for (unsigned i = 0; i < n_callers; i++)
    for (guint j = 0; j < clients[i].gaps->len; j += 2, comma = ", ")
      printf ("%s[%" G_GINT64_FORMAT ", %" G_GINT64_FORMAT "]", comma,
              g_array_index (clients[i].gaps, gint64, j),
              g_array_index (clients[i].gaps, gint64, j + 1));
  printf ("]}\n");
}

int
main (int argc, char **argv)
{
  unsigned n_callers = argc == 5 ? (unsigned) atoi (argv[3]) : 0;
  unsigned n_subscribers = argc == 5 ? (unsigned) atoi (argv[4]) : 0;
  unsigned n_clients = n_callers + 1 + n_subscribers;
  g_autofree Client *clients = g_new0 (Client, n_clients);

  if (n_callers == 0) {
    fprintf (stderr, "usage: %s UNIX TCP CALLERS SUBSCRIBERS\n", argv[0]);
    return 2;
  }

  for (unsigned i = n_callers + 1; i < n_clients; i++)
    start (&clients[i], argv[1 + i % 2], run_subscriber);
  while (atomic_load (&n_listening) < n_subscribers)
    g_usleep (1000);
  for (unsigned i = 0; i < n_callers; i++)
    start (&clients[i], argv[1 + i % 2], run_caller);
  start (&clients[n_callers], argv[1], run_changer);
  printf ("ready\n");
  fflush (stdout);

  wait_for_end ();
  for (unsigned i = 0; i <= n_callers; i++)
    pthread_join (clients[i].thread, NULL);
  atomic_store (&is_changed_no_more, TRUE);
  for (unsigned i = n_callers + 1; i < n_clients; i++)
    pthread_join (clients[i].thread, NULL);
  print (clients, n_callers, n_clients);
  for (unsigned i = 0; i < n_clients; i++) {
    reeve_stream_free (clients[i].stream);
    g_byte_array_unref (clients[i].input);
    g_array_unref (clients[i].gaps);
  }
  return 0;
}
