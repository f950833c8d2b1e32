/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server-loops.h"

#include "rpc/event-frames.h"
#include "rpc/server.h"
#include "tests/rpc/wires.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define N_CLIENTS 500

typedef struct {
  ReeveLoop *loop;
  ReeveServer *server;
  ReeveEventFrames *frames;
  int fds[N_CLIENTS]; /* the clients' ends */
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  self->loop = reeve_loop_new (NULL);
  self->server = new_server ("test", self->loop, NULL);
  self->frames = reeve_event_frames_new ();
  for (unsigned i = 0; i < N_CLIENTS; i++) {
    int ends[2];

    g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                     ==, 0);
    reeve_server_add_fd_client (self->server, ends[0], NULL);
    self->fds[i] = ends[1];
  }
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  for (unsigned i = 0; i < N_CLIENTS; i++)
    close (self->fds[i]);
  reeve_event_frames_free (self->frames);
  reeve_server_stop (self->server);
  reeve_server_unref (self->server);
  reeve_loop_unref (self->loop);
}

static gboolean
send_name (Fixture *self, unsigned number, int32_t key, char *name)
{
  g_autoptr (ReeveServerClient) client =
      reeve_server_find_client (self->server, number + 1);
  const wires_name body = { .name = name };

  return reeve_event_frames_send (
      self->frames, client, key, &wires_program,
      reeve_program_find (&wires_program, WIRES_PROC_HAPPENED), &body);
}

/* The event that came has that in it, and nothing else did. */
static void
assert_receives (Fixture *self, unsigned number, const char *name)
{
  char data[1024];
  ssize_t size = recv (self->fds[number], data, sizeof data, MSG_DONTWAIT);

  g_assert_cmpint (size, >, 28);
  g_assert_nonnull (memmem (data, (size_t) size, name, strlen (name)));
  g_assert_cmpint (recv (self->fds[number], data, sizeof data, MSG_DONTWAIT),
                   ==, -1);
}

static void
test_is_encoded_once (Fixture *self, gconstpointer data)
{
  char name[] = "everybody";

  for (unsigned i = 0; i < N_CLIENTS; i++)
    g_assert_true (send_name (self, i, 1, name));
  g_assert_cmpuint (reeve_event_frames_get_n_encoded (self->frames), ==, 1);
  for (unsigned i = 0; i < N_CLIENTS; i++)
    assert_receives (self, i, "everybody");
}

static void
test_keys_are_told_apart (Fixture *self, gconstpointer data)
{
  for (unsigned i = 0; i < N_CLIENTS; i++) {
    char name[] = "odd-or-even-0";

    name[strlen (name) - 1] = (char) ('0' + i % 2);
    g_assert_true (send_name (self, i, (int32_t) (i % 2), name));
  }
  g_assert_cmpuint (reeve_event_frames_get_n_encoded (self->frames), ==, 2);
  assert_receives (self, 6, "odd-or-even-0");
  assert_receives (self, 7, "odd-or-even-1");
}

/* What is kept is bounded; what is sent is right all the same. */
static void
test_many_keys (Fixture *self, gconstpointer data)
{
  for (unsigned i = 0; i < N_CLIENTS; i++) {
    g_autofree char *name = g_strdup_printf ("client-%03u", i);

    g_assert_true (send_name (self, i, (int32_t) i, name));
  }
  for (unsigned i = 0; i < N_CLIENTS; i++) {
    g_autofree char *name = g_strdup_printf ("client-%03u", i);

    assert_receives (self, i, name);
  }
}

#define ADD(name, func)                                                        \
  g_test_add ("/rpc/event-frames/" name, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("is-encoded-once", test_is_encoded_once);
  ADD ("keys-are-told-apart", test_keys_are_told_apart);
  ADD ("many-keys", test_many_keys);
  return g_test_run ();
}
