/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reader-fixture.h"

#include "protocol/keepalive.h"
#include "server-loops.h"

#include <sys/socket.h>
#include <unistd.h>

/* ------------------------------------------------------------ handlers --- */

static gboolean
quick (ReeveCall *call, GError **error)
{
  return TRUE;
}

/* Notes who runs it. */
static gboolean
traced (ReeveCall *call, GError **error)
{
  Fixture *fixture = reeve_call_get_user_data (call);

  REEVE_LOCK_SCOPE (&fixture->lock);

  for (unsigned i = 0; i < fixture->n_threads; i++)
    if (pthread_equal (fixture->threads[i], pthread_self ()))
      return TRUE;
  if (fixture->n_threads < N_WORKERS)
    fixture->threads[fixture->n_threads++] = pthread_self ();
  return TRUE;
}

unsigned
reset_threads (Fixture *self)
{
  unsigned n_threads;

  REEVE_LOCK_SCOPE (&self->lock);

  n_threads = self->n_threads;
  self->n_threads = 0;
  return n_threads;
}

static gboolean
slow (ReeveCall *call, GError **error)
{
  Fixture *fixture = reeve_call_get_user_data (call);

  while (!atomic_load (&fixture->may_end))
    g_usleep (100);
  return TRUE;
}

/* One of many is slow. */
static gboolean
mixed (ReeveCall *call, GError **error)
{
  Fixture *fixture = reeve_call_get_user_data (call);

  return atomic_fetch_sub (&fixture->n_quick, 1) != 0 || slow (call, error);
}

static const patience_handlers handlers = {
  .quick = quick,
  .slow = slow,
  .deferred = traced,
  .noted = quick,
  .open = mixed,
};

/* ------------------------------------------------------------- fixture --- */

static void *
run_loop (void *data)
{
  reeve_loop_run (data);
  return NULL;
}

static void
take_first (ReeveServerClient *client, gpointer data)
{
  ReeveServerClient **first = data;

  if (*first == NULL)
    *first = reeve_server_client_ref (client);
}

static int
add_client (Fixture *self)
{
  const struct timeval patience = { .tv_sec = 60 };
  int ends[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  setsockopt (ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  reeve_server_add_fd_client (self->server, ends[1], NULL);
  self->n_added++;
  wait_for_client (self->server, self->n_added);
  return ends[0];
}

static void
start (Fixture *self)
{
  const ReeveServerLimits limits = {
    .max_client_calls = 16,
    .workers = { .lo_water = 3,
                 .hi_water = N_WORKERS,
                 .increment = 1,
                 .maximum = N_WORKERS },
  };

  reeve_mutex_init (&self->lock);
  atomic_init (&self->n_quick, -1);
  self->loop = reeve_loop_new (NULL);
  self->server = new_server ("test", self->loop, &limits);
  reeve_server_add_program (self->server, &patience_program, &handlers, self);
  self->fds[0] = add_client (self);
  reeve_server_foreach_client (self->server, take_first, &self->client);
  self->fds[1] = add_client (self);
}

void
set_up (Fixture *self, gconstpointer data)
{
  start (self);
  pthread_create (&self->thread, NULL, run_loop, self->loop);
}

typedef struct {
  Fixture *fixture;
  void (*func) (Fixture *fixture, gpointer data);
  gpointer data;
  atomic_bool is_done;
} Errand;

static void
do_errand (ReeveLoop *loop, gpointer data)
{
  Errand *self = data;

  self->func (self->fixture, self->data);
  atomic_store (&self->is_done, TRUE);
}

void
in_loop (Fixture *self, void (*func) (Fixture *, gpointer), gpointer data)
{
  Errand errand = { self, func, data, FALSE };

  reeve_loop_invoke (self->loop, do_errand, &errand);
  while (!atomic_load (&errand.is_done))
    g_usleep (100);
}

void
add_one_of_many (Fixture *self, unsigned i)
{
  self->many[i] = add_client (self);
  self->clients[i] = reeve_server_find_client (self->server, self->n_added);
}

void
set_up_many (Fixture *self, gconstpointer data)
{
  start (self);
  self->n_many = N_MANY;
  for (unsigned i = 0; i < N_MANY; i++)
    add_one_of_many (self, i);
  pthread_create (&self->thread, NULL, run_loop, self->loop);
}

void
tear_down (Fixture *self, gconstpointer data)
{
  atomic_store (&self->may_end, TRUE);
  reeve_loop_quit (self->loop);
  pthread_join (self->thread, NULL);
  reeve_server_stop (self->server);
  reeve_server_client_unref (self->client);
  for (unsigned i = 0; i < self->n_many; i++)
    reeve_server_client_unref (self->clients[i]);
  reeve_server_unref (self->server);
  reeve_loop_unref (self->loop);
  for (unsigned i = 0; i < G_N_ELEMENTS (self->fds); i++)
    if (self->fds[i] >= 0)
      close (self->fds[i]);
  for (unsigned i = 0; i < self->n_many; i++)
    close (self->many[i]);
  reeve_mutex_clear (&self->lock);
}

GBytes *
make_frame (int32_t procedure, uint32_t serial)
{
  const ReeveHeader call = {
    .program = patience_program.number,
    .version = patience_program.version,
    .procedure = procedure,
    .type = REEVE_MESSAGE_CALL,
    .serial = serial,
  };

  return procedure == 0 ? reeve_keepalive_make_ping ()
                        : reeve_message_encode (&call, NULL, NULL, NULL);
}

void
send_bytes (int fd, GBytes *bytes, size_t start, size_t end)
{
  const uint8_t *data = g_bytes_get_data (bytes, NULL);

  g_assert_cmpint (send (fd, data + start, end - start, MSG_NOSIGNAL), ==,
                   end - start);
}

void
send_frame (Fixture *self, int fd, int32_t procedure)
{
  g_autoptr (GBytes) frame = make_frame (procedure, ++self->serial);

  send_bytes (fd, frame, 0, g_bytes_get_size (frame));
}

void
send_frames (Fixture *self, int fd, int32_t procedure, unsigned n_frames)
{
  g_autoptr (GByteArray) all = g_byte_array_new ();
  g_autoptr (GBytes) bytes = NULL;

  for (unsigned i = 0; i < n_frames; i++) {
    g_autoptr (GBytes) frame = make_frame (procedure, ++self->serial);

    g_byte_array_append (all, g_bytes_get_data (frame, NULL),
                         (guint) g_bytes_get_size (frame));
  }
  bytes = g_byte_array_free_to_bytes (g_steal_pointer (&all));
  send_bytes (fd, bytes, 0, g_bytes_get_size (bytes));
}

void
receive (int fd, ReeveHeader *header)
{
  uint8_t frame[65536];
  uint32_t length;

  g_assert_cmpint (recv (fd, frame, REEVE_PAYLOAD_OFFSET, MSG_WAITALL), ==,
                   REEVE_PAYLOAD_OFFSET);
  length = reeve_length_decode (frame) - REEVE_PAYLOAD_OFFSET;
  reeve_header_decode (header, frame + REEVE_LENGTH_SIZE);
  if (length > 0)
    g_assert_cmpint (recv (fd, frame, length, MSG_WAITALL), ==, length);
}

void
assert_reply (int fd, uint32_t serial)
{
  ReeveHeader header;

  receive (fd, &header);
  g_assert_cmpuint (header.type, ==, REEVE_MESSAGE_REPLY);
  g_assert_cmpuint (header.status, ==, REEVE_STATUS_OK);
  g_assert_cmpuint (header.serial, ==, serial);
}

uint64_t
receive_several (int fd, unsigned n_replies, uint32_t serial)
{
  uint64_t seen = 0;

  for (unsigned i = 0; i < n_replies; i++) {
    ReeveHeader header;

    receive (fd, &header);
    g_assert_cmpuint (header.status, ==, REEVE_STATUS_OK);
    seen |= UINT64_C (1) << (header.serial - serial);
  }
  return seen;
}
