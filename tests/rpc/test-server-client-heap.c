/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/thread.h"
#include "rpc/message.h"
#include "rpc/server.h"
#include "tests/rpc/patience.h"

#include <malloc.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* How much of the heap a client takes that says nothing more. GLib's tables
 * are about to grow with so many. */
#define N_CLIENTS 950
#define MAX_BYTES 1024.0
#define PATIENCE_S 30

typedef struct {
  const char *name;
  uint32_t procedure;
  unsigned n_calls; /* of each client, at once */
} HeapCase;

typedef struct {
  ReeveLoop *loop;
  ReeveServer *server;
  pthread_t thread;
  int ends[N_CLIENTS]; /* (owned) */
} Fixture;

static const HeapCase heap_cases[] = {
  { "that-only-connected", 0, 0 },
  { "that-made-an-inline-call", PATIENCE_PROC_NOTED, 1 },
  { "that-made-a-call", PATIENCE_PROC_QUICK, 1 },
  { "that-made-many-calls-at-once", PATIENCE_PROC_QUICK, 16 },
};

static gboolean
answer (ReeveCall *call, GError **error)
{
  return TRUE;
}

static const patience_handlers handlers = { .quick = answer, .noted = answer };

static void *
run_loop (void *data)
{
  reeve_loop_run (data);
  return NULL;
}

static void
start (Fixture *self)
{
  pthread_create (&self->thread, NULL, run_loop, self->loop);
}

static void
stop (Fixture *self)
{
  reeve_loop_quit (self->loop);
  pthread_join (self->thread, NULL);
}

static void
set_up (Fixture *self, gconstpointer data)
{
  const ReeveServerLimits limits = {
    .workers = { .lo_water = 2, .hi_water = 2, .maximum = 2 },
  };
  struct rlimit files;

  getrlimit (RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  g_assert_no_errno (setrlimit (RLIMIT_NOFILE, &files));
  self->loop = reeve_loop_new (NULL);
  self->server = reeve_server_new ("test", self->loop, &limits);
  reeve_server_add_program (self->server, &patience_program, &handlers, NULL);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  stop (self);
  reeve_server_stop (self->server);
  reeve_server_unref (self->server);
  reeve_loop_unref (self->loop);
  for (unsigned i = 0; i < N_CLIENTS; i++)
    close (self->ends[i]);
}

static double
get_heap (void)
{
  struct mallinfo2 heap = mallinfo2 ();

  return (double) (heap.uordblks + heap.hblkhd);
}

static void
add_client (Fixture *self, unsigned i)
{
  const struct timeval patience = { .tv_sec = PATIENCE_S };
  int ends[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  setsockopt (ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  self->ends[i] = ends[0];
  reeve_server_add_fd_client (self->server, ends[1], NULL);
}

/* (transfer full) */
static GByteArray *
make_frames (const HeapCase *row)
{
  const ReeveHeader header = { .program = patience_program.number,
                               .version = patience_program.version,
                               .procedure = row->procedure };
  g_autoptr (GBytes) frame = reeve_message_encode (&header, NULL, NULL, NULL);
  GByteArray *frames = g_byte_array_new ();

  for (unsigned i = 0; i < row->n_calls; i++)
    g_byte_array_append (frames, g_bytes_get_data (frame, NULL),
                         (guint) g_bytes_get_size (frame));
  return frames;
}

static void
make_calls (int fd, const HeapCase *row, const GByteArray *frames)
{
  uint8_t replies[16 * REEVE_PAYLOAD_OFFSET];
  size_t size = row->n_calls * REEVE_PAYLOAD_OFFSET;

  if (size == 0)
    return;

  g_assert_cmpuint (size, <=, sizeof replies);
  g_assert_cmpint (send (fd, frames->data, frames->len, MSG_NOSIGNAL), ==,
                   frames->len);
  g_assert_cmpint (recv (fd, replies, size, MSG_WAITALL), ==, size);
}

/* What a call needed is given back soon after its reply. What the threads keep
 * for themselves, they have after the calls of the first client. */
static void
test_heap (Fixture *self, gconstpointer data)
{
  const HeapCase *row = data;
  gint64 end_us = g_get_monotonic_time () + PATIENCE_S * G_USEC_PER_SEC;
  g_autoptr (GByteArray) frames = make_frames (row);
  double before, n_bytes;

  add_client (self, 0);
  start (self);
  make_calls (self->ends[0], row, frames);
  stop (self);
  before = get_heap ();

  for (unsigned i = 1; i < N_CLIENTS; i++)
    add_client (self, i);
  start (self);
  for (unsigned i = 1; i < N_CLIENTS; i++)
    make_calls (self->ends[i], row, frames);
  do {
    g_usleep (10000);
    n_bytes = (get_heap () - before) / (N_CLIENTS - 1);
  } while (n_bytes >= MAX_BYTES && g_get_monotonic_time () < end_us);
  g_test_message ("%.0f bytes", n_bytes);
  g_assert_cmpfloat (n_bytes, <, MAX_BYTES);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (heap_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/server-client/heap/", heap_cases[i].name, NULL);

    g_test_add (path, Fixture, &heap_cases[i], set_up, test_heap, tear_down);
  }
  return g_test_run ();
}
