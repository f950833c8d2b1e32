/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define MAX_EVENTS 64
#define TIMEOUT_MS 30000
/* Who makes paced calls looks at the clock after each system call; if it takes
 * longer until the next time, something else had its core. */
#define STAND_US 20

typedef struct {
  Connection connection;
  Replies replies;
  double due_us;   /* the paced call in flight */
  double start_us; /* the same, when it was sent if that is our fault */
  double sent_us;  /* the same, when it was sent; 0: late, by standing still */
  unsigned n_requests; /* that a connection of connections_run() made */
} Client;

struct _Clients {
  unsigned n_clients;
  Client clients[];
};

/* Returns how many replies came to their end. */
static unsigned
take_replies (Client *self)
{
  uint8_t data[65536];
  unsigned n_replies = 0;
  size_t size;

  do {
    size = connection_recv (&self->connection, data, sizeof data);
    n_replies += replies_take (&self->replies, data, size);
    /* The socket does not tell of what a session has read. */
  } while (size > 0 && self->connection.tls != NULL);
  return n_replies;
}

static void
watch (int epoll_fd, Client *client)
{
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };

  epoll_ctl (epoll_fd, EPOLL_CTL_ADD, client->connection.fd, &event);
}

static int
watch_all (Clients *self, unsigned n_clients)
{
  int epoll_fd = epoll_create1 (EPOLL_CLOEXEC);

  for (unsigned i = 0; i < n_clients; i++)
    watch (epoll_fd, &self->clients[i]);
  return epoll_fd;
}

/* Ends the process after TIMEOUT_MS without an event. */
static int
wait_for_events (int epoll_fd, struct epoll_event *events)
{
  int n_events;

  /* It does not go on by itself in a process that was stopped. */
  do
    n_events = epoll_wait (epoll_fd, events, MAX_EVENTS, TIMEOUT_MS);
  while (n_events < 0 && errno == EINTR);
  if (n_events <= 0) {
    g_printerr ("a server does not answer\n");
    exit (1);
  }
  return n_events;
}

static void
start_call (Client *client, const Request *request)
{
  g_autoptr (GByteArray) frame = request_make_frames (request, 1);

  connection_send (&client->connection, frame->data, frame->len);
}

static void
end_call (Client *client)
{
  struct epoll_event events[MAX_EVENTS];
  int epoll_fd = epoll_create1 (EPOLL_CLOEXEC);

  watch (epoll_fd, client);
  do
    wait_for_events (epoll_fd, events);
  while (take_replies (client) == 0);
  close (epoll_fd);
}

Clients *
clients_new (const Address *address, const Request *opening, unsigned n_clients)
{
  Clients *self = g_malloc0 (sizeof *self + n_clients * sizeof (Client));

  self->n_clients = n_clients;
  for (unsigned i = 0; i < n_clients; i++) {
    connection_open (&self->clients[i].connection, address);
    if (opening == NULL)
      continue;
    start_call (&self->clients[i], opening);
    end_call (&self->clients[i]);
  }
  return self;
}

void
clients_free (Clients *self)
{
  if (self == NULL)
    return;

  for (unsigned i = 0; i < self->n_clients; i++)
    connection_close (&self->clients[i].connection);
  g_free (self);
}

void
clients_start_call (Clients *self, const Request *request)
{
  start_call (&self->clients[0], request);
}

void
clients_end_call (Clients *self)
{
  end_call (&self->clients[0]);
}

/* ----------------------------------------------- as often as it goes --- */

/* Takes what is ready and sends as many calls again, unless it @is_last. */
static unsigned
turn (int epoll_fd, const GByteArray *frames, unsigned depth, gboolean is_last)
{
  struct epoll_event events[MAX_EVENTS];
  int n_events = wait_for_events (epoll_fd, events);
  unsigned n_calls = 0;

  for (int i = 0; i < n_events; i++) {
    Client *client = events[i].data.ptr;
    unsigned n_replies = take_replies (client);

    n_calls += n_replies;
    if (n_replies > 0 && !is_last)
      connection_send (&client->connection, frames->data,
                       frames->len / depth * n_replies);
  }
  return n_calls;
}

/* Returns how many calls were answered until @end_us. */
static unsigned
run_until (int epoll_fd,
           const GByteArray *frames,
           unsigned depth,
           gint64 end_us)
{
  unsigned n_calls = 0;

  while (g_get_monotonic_time () < end_us)
    n_calls += turn (epoll_fd, frames, depth, FALSE);
  return n_calls;
}

/* What one thread does. */
typedef struct {
  Clients *clients;
  unsigned first;
  unsigned n_clients;
  unsigned depth;
  const GByteArray *frames;
  gint64 warm_up_us;
  gint64 duration_us;
  unsigned n_early;
  unsigned n_calls; /* while the clock ran */
  double rate;
} Share;

static gpointer
run_share (gpointer data)
{
  Share *self = data;
  Client *clients = self->clients->clients + self->first;
  int epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  unsigned n_left = self->n_clients * self->depth;
  gint64 start_us;

  for (unsigned i = 0; i < self->n_clients; i++) {
    watch (epoll_fd, &clients[i]);
    connection_send (&clients[i].connection, self->frames->data,
                     self->frames->len);
  }
  self->n_early = run_until (epoll_fd, self->frames, self->depth,
                             g_get_monotonic_time () + self->warm_up_us);

  start_us = g_get_monotonic_time ();
  self->n_calls = run_until (epoll_fd, self->frames, self->depth,
                             start_us + self->duration_us);
  self->rate = self->n_calls / (double) (g_get_monotonic_time () - start_us);

  while (n_left > 0)
    n_left -= turn (epoll_fd, self->frames, self->depth, TRUE);
  close (epoll_fd);
  return NULL;
}

Run
clients_run (Clients *self,
             const Load *load,
             unsigned n_threads,
             const Request *request,
             gint64 warm_up_us,
             gint64 duration_us)
{
  g_autoptr (GByteArray) frames = request_make_frames (request, load->depth);
  g_autofree Share *shares = g_new0 (Share, n_threads);
  g_autofree GThread **threads = g_new0 (GThread *, n_threads);
  double n_runs = load->n_clients * load->depth;
  double rate = 0;

  for (unsigned i = 0; i < n_threads; i++) {
    unsigned first = load->n_clients * i / n_threads;

    shares[i] = (Share){
      .clients = self,
      .first = first,
      .n_clients = load->n_clients * (i + 1) / n_threads - first,
      .depth = load->depth,
      .frames = frames,
      .warm_up_us = warm_up_us,
      .duration_us = duration_us,
    };
    if (i > 0)
      threads[i] = g_thread_new ("load", run_share, &shares[i]);
  }
  run_share (&shares[0]);
  for (unsigned i = 0; i < n_threads; i++) {
    if (i > 0)
      g_thread_join (threads[i]);
    n_runs += shares[i].n_early + shares[i].n_calls;
    rate += shares[i].rate;
  }
  return (Run){ .us = 1 / MAX (rate, 1 / (double) duration_us),
                .n_runs = n_runs };
}

/* ------------------------------------------------------------- paced --- */

typedef struct {
  const GByteArray *frame;
  double interval_us;
  double next_us;     /* when the next call is due */
  double held_us;     /* when calls waited last because all clients had one */
  double end_us;      /* no call is due later */
  double now_us;      /* at the last look at the clock */
  double stood_us;    /* when we went on after having stood still */
  gboolean is_behind; /* and did not catch up yet */
  GPtrArray *free;    /* (element-type Client): without a call in flight */
  PacedTimes *times;
} Pace;

static double
get_now_us (void)
{
  struct timespec time;

  clock_gettime (CLOCK_MONOTONIC, &time);
  return (double) time.tv_sec * 1e6 + (double) time.tv_nsec / 1e3;
}

static void
look (Pace *self)
{
  double now_us = get_now_us ();

  if (now_us > self->now_us + STAND_US) {
    self->stood_us = now_us;
    self->is_behind = TRUE;
  }
  self->now_us = now_us;
}

/* One that had to wait for a reply counts from when it was due, as it is the
 * server that is late; else it is we who come late to send it. */
static void
make_call (Pace *self)
{
  Client *client = g_ptr_array_steal_index_fast (self->free, 0);

  client->due_us = self->next_us;
  client->start_us = self->next_us;
  if (self->next_us + STAND_US >= self->now_us)
    self->is_behind = FALSE;
  client->sent_us = self->is_behind ? 0 : self->now_us;
  if (self->next_us > self->held_us) {
    client->start_us = self->now_us;
    histogram_add (&self->times->late, self->now_us - self->next_us);
  }
  self->next_us += self->interval_us;
  connection_send (&client->connection, self->frame->data, self->frame->len);
}

static void
make_due_calls (Pace *self)
{
  look (self);
  while (self->next_us <= MIN (self->now_us, self->end_us)) {
    if (self->free->len == 0) {
      self->held_us = self->now_us;
      return;
    }
    make_call (self);
    look (self);
  }
}

static void
note_reply (Pace *self, const Client *client, double now_us)
{
  double took_us = now_us - client->start_us;

  histogram_add (&self->times->from_due, now_us - client->due_us);
  histogram_add (&self->times->from_sent, took_us);
  if (client->sent_us > self->stood_us)
    histogram_add (&self->times->attended, took_us);
}

/* A reply was there when epoll told of it. What is due is made between two of
 * them: reading many must not make calls late. */
static void
take_paced (Pace *self, int epoll_fd)
{
  struct epoll_event events[MAX_EVENTS];
  int n_events = epoll_wait (epoll_fd, events, MAX_EVENTS, 0);
  double told_us;

  look (self);
  told_us = self->now_us;
  for (int i = 0; i < n_events; i++) {
    Client *client = events[i].data.ptr;

    if (take_replies (client) == 0)
      continue;
    note_reply (self, client, told_us);
    g_ptr_array_add (self->free, client);
    make_due_calls (self);
  }
}

void
clients_run_paced (Clients *self,
                   const Request *request,
                   double interval_us,
                   gint64 duration_us,
                   PacedTimes *times)
{
  g_autoptr (GByteArray) frame = request_make_frames (request, 1);
  g_autoptr (GPtrArray) idle = g_ptr_array_new ();
  int epoll_fd = watch_all (self, self->n_clients);
  double now_us = get_now_us ();
  Pace pace = {
    .frame = frame,
    .interval_us = interval_us,
    .next_us = now_us,
    .now_us = now_us,
    .end_us = now_us + (double) duration_us,
    .free = idle,
    .times = times,
  };

  for (unsigned i = 0; i < self->n_clients; i++)
    g_ptr_array_add (idle, &self->clients[i]);
  /* It does not sleep: a wake-up would take longer than a call. */
  while (pace.next_us <= pace.end_us || idle->len < self->n_clients) {
    make_due_calls (&pace);
    take_paced (&pace, epoll_fd);
  }
  close (epoll_fd);
}

/* ------------------------------------------------------- connections --- */

typedef struct {
  const Address *address;
  GPtrArray *frames; /* (element-type GByteArray): of its calls */
  int epoll_fd;
  gint64 end_us;
  unsigned n_open;
  unsigned n_closed;
} Churn;

static void
send_next (Churn *self, Client *client)
{
  const GByteArray *frame = self->frames->pdata[client->n_requests];

  connection_send (&client->connection, frame->data, frame->len);
}

static void
begin (Churn *self, Client *client)
{
  *client = (Client){ 0 };
  connection_open (&client->connection, self->address);
  watch (self->epoll_fd, client);
  self->n_open++;
  send_next (self, client);
}

static void
go_on (Churn *self, Client *client)
{
  if (take_replies (client) == 0)
    return;
  if (++client->n_requests < self->frames->len) {
    send_next (self, client);
    return;
  }

  connection_close (&client->connection);
  self->n_open--;
  self->n_closed++;
  if (g_get_monotonic_time () < self->end_us)
    begin (self, client);
}

/* Without calls nothing is to be waited for: with TLS, the handshake is over;
 * returns the number of connections. */
static unsigned
run_without_calls (const Address *address, gint64 end_us)
{
  unsigned n_connections = 0;

  for (; g_get_monotonic_time () < end_us; n_connections++) {
    Connection connection;

    connection_open (&connection, address);
    connection_close (&connection);
  }
  return n_connections;
}

static unsigned
run_with_calls (const Address *address,
                const Request *requests,
                unsigned n_requests,
                unsigned n_at_once,
                gint64 end_us)
{
  g_autofree Client *clients = g_new (Client, n_at_once);
  g_autoptr (GPtrArray) frames =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_byte_array_unref);
  Churn churn = { address, frames, epoll_create1 (EPOLL_CLOEXEC), end_us };

  for (unsigned i = 0; i < n_requests; i++)
    g_ptr_array_add (frames, request_make_frames (&requests[i], 1));
  for (unsigned i = 0; i < n_at_once; i++)
    begin (&churn, &clients[i]);
  while (churn.n_open > 0) {
    struct epoll_event events[MAX_EVENTS];
    int n_events = wait_for_events (churn.epoll_fd, events);

    for (int i = 0; i < n_events; i++)
      go_on (&churn, events[i].data.ptr);
  }
  close (churn.epoll_fd);
  return churn.n_closed;
}

Run
connections_run (const Address *address,
                 const Request *requests,
                 unsigned n_requests,
                 unsigned n_at_once,
                 gint64 duration_us)
{
  gint64 start_us = g_get_monotonic_time ();
  gint64 end_us = start_us + duration_us;
  unsigned n = n_requests == 0 ? run_without_calls (address, end_us)
                               : run_with_calls (address, requests, n_requests,
                                                 n_at_once, end_us);

  return (Run){
    .us = (double) (g_get_monotonic_time () - start_us) / MAX (n, 1),
    .n_runs = MAX (n, 1),
  };
}
