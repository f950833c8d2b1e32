/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "load.h"

#include "nothing.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_DEPTH 16
/* Of a run, before the clock starts. */
#define WARM_UP_US 20000

typedef struct {
  int fd;
  unsigned n_in_flight;
  unsigned n_bytes; /* of a reply that is not all there */
} Client;

struct _Clients {
  unsigned n_active;
  unsigned n_idle;
  Client *active; /* (owned) */
  int *idle;      /* (owned) */
};

static int
connect_one (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  if (fd < 0 ||
      connect (fd, (struct sockaddr *) &address, sizeof address) < 0) {
    g_printerr ("cannot connect: %s\n", g_strerror (errno));
    exit (1);
  }
  return fd;
}

Clients *
clients_new (const char *path, unsigned n_active, unsigned n_idle)
{
  Clients *self = g_new0 (Clients, 1);

  self->n_active = n_active;
  self->n_idle = n_idle;
  self->active = g_new0 (Client, n_active);
  self->idle = g_new0 (int, n_idle);
  for (unsigned i = 0; i < n_active; i++)
    self->active[i].fd = connect_one (path);
  for (unsigned i = 0; i < n_idle; i++)
    self->idle[i] = connect_one (path);
  return self;
}

void
clients_free (Clients *self)
{
  for (unsigned i = 0; i < self->n_active; i++)
    close (self->active[i].fd);
  for (unsigned i = 0; i < self->n_idle; i++)
    close (self->idle[i]);
  g_free (self->active);
  g_free (self->idle);
  g_free (self);
}

static void
put_word (uint8_t *data, unsigned index, uint32_t word)
{
  word = GUINT32_TO_BE (word);
  memcpy (data + 4 * index, &word, 4);
}

/* As many calls as a client may send at once. */
static void
make_frames (uint8_t *frames, int procedure)
{
  memset (frames, 0, MAX_DEPTH * FRAME_SIZE);
  for (unsigned i = 0; i < MAX_DEPTH; i++, frames += FRAME_SIZE) {
    put_word (frames, 0, FRAME_SIZE);
    put_word (frames, 1, nothing_program.number);
    put_word (frames, 2, nothing_program.version);
    put_word (frames, 3, (uint32_t) procedure);
    put_word (frames, 5, i + 1); /* serial */
  }
}

static void
send_calls (Client *client, const uint8_t *frames, unsigned n_calls)
{
  size_t size = n_calls * FRAME_SIZE;

  /* A few hundred bytes fit any socket's buffer. */
  if (send (client->fd, frames, size, MSG_NOSIGNAL) != (ssize_t) size) {
    g_printerr ("cannot send: %s\n", g_strerror (errno));
    exit (1);
  }
  client->n_in_flight += n_calls;
}

/* Returns how many replies came to their end. */
static unsigned
take_replies (Client *client)
{
  uint8_t data[MAX_DEPTH * FRAME_SIZE];
  ssize_t n_read = recv (client->fd, data, sizeof data, MSG_DONTWAIT);
  unsigned n_replies;
  uint32_t status;

  if (n_read <= 0) {
    g_printerr ("a server closed a connection\n");
    exit (1);
  }
  if (client->n_bytes == 0 && n_read >= FRAME_SIZE) {
    memcpy (&status, data + FRAME_SIZE - sizeof status, sizeof status);
    if (status != 0) {
      g_printerr ("a call failed\n");
      exit (1);
    }
  }

  n_replies = (client->n_bytes + (unsigned) n_read) / FRAME_SIZE;
  client->n_bytes = (client->n_bytes + (unsigned) n_read) % FRAME_SIZE;
  client->n_in_flight -= n_replies;
  return n_replies;
}

static int
watch_clients (Clients *self, unsigned n_clients)
{
  int epoll_fd = epoll_create1 (EPOLL_CLOEXEC);

  for (unsigned i = 0; i < n_clients; i++) {
    struct epoll_event event = { .events = EPOLLIN,
                                 .data.ptr = &self->active[i] };

    epoll_ctl (epoll_fd, EPOLL_CTL_ADD, self->active[i].fd, &event);
  }
  return epoll_fd;
}

/* Takes what is ready and sends as many calls again, unless it @is_last. */
static unsigned
turn (int epoll_fd, const uint8_t *frames, gboolean is_last)
{
  struct epoll_event events[64];
  int n_events = epoll_wait (epoll_fd, events, G_N_ELEMENTS (events), 5000);
  unsigned n_calls = 0;

  if (n_events <= 0) {
    g_printerr ("a server does not answer\n");
    exit (1);
  }
  for (int i = 0; i < n_events; i++) {
    unsigned n_replies = take_replies (events[i].data.ptr);

    n_calls += n_replies;
    if (n_replies > 0 && !is_last)
      send_calls (events[i].data.ptr, frames, n_replies);
  }
  return n_calls;
}

/* Returns how many calls were answered until @end_us. */
static unsigned
run_until (int epoll_fd, const uint8_t *frames, gint64 end_us)
{
  unsigned n_calls = 0;

  while (g_get_monotonic_time () < end_us)
    n_calls += turn (epoll_fd, frames, FALSE);
  return n_calls;
}

double
clients_run (Clients *self, const Load *load, int procedure, gint64 duration_us)
{
  uint8_t frames[MAX_DEPTH * FRAME_SIZE];
  int epoll_fd = watch_clients (self, load->n_clients);
  unsigned n_left = load->n_clients * load->depth;
  gint64 start_us;
  unsigned n_calls;

  make_frames (frames, procedure);
  for (unsigned i = 0; i < load->n_clients; i++)
    send_calls (&self->active[i], frames, load->depth);
  run_until (epoll_fd, frames, g_get_monotonic_time () + WARM_UP_US);

  start_us = g_get_monotonic_time ();
  n_calls = run_until (epoll_fd, frames, start_us + duration_us);
  duration_us = g_get_monotonic_time () - start_us;

  while (n_left > 0)
    n_left -= turn (epoll_fd, frames, TRUE);
  close (epoll_fd);
  return (double) duration_us / MAX (n_calls, 1);
}
