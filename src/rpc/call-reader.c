/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/call-reader.h"

#include <sys/epoll.h>
#include <unistd.h>

/* After a call that lasted, or when no other worker was left, clients are not
 * given away again at once: to give one and to take it back costs more than a
 * call. */
#define REST_US (20 * 1000)

void
reeve_call_reader_init (ReeveCallReader *self)
{
  reeve_mutex_init (&self->lock);
  /* Without, no client is given. */
  self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
}

void
reeve_call_reader_clear (ReeveCallReader *self)
{
  g_assert (atomic_load (&self->n_clients) == 0);
  if (self->epoll_fd >= 0)
    close (self->epoll_fd);
  reeve_mutex_clear (&self->lock);
}

/* -1: there is none. */
static int
find_slot_locked (ReeveCallReader *self) REEVE_REQUIRES (self->lock)
{
  for (unsigned i = 0; i < G_N_ELEMENTS (self->used); i++)
    if (~self->used[i] != 0)
      return (int) (64 * i) + __builtin_ctzll (~self->used[i]);
  return -1;
}

static gboolean
watch (ReeveCallReader *self, int fd, int slot)
{
  struct epoll_event event = { .events = EPOLLIN, .data.fd = slot };

  return slot >= 0 &&
         epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

ReeveCallReaderAnswer
reeve_call_reader_add (ReeveCallReader *self,
                       ReeveServerClient *client,
                       int fd,
                       ReeveCallWorker *worker,
                       gboolean may_stay,
                       int *slot)
{
  gboolean stays;

  REEVE_LOCK_SCOPE (&self->lock);

  stays = atomic_load (&self->worker) == NULL;
  if (stays && !may_stay)
    return REEVE_CALL_READER_REFUSED;
  *slot = find_slot_locked (self);
  if (!watch (self, fd, *slot))
    return REEVE_CALL_READER_REFUSED;

  self->clients[*slot] = reeve_server_client_ref (client);
  self->used[*slot / 64] |= UINT64_C (1) << *slot % 64;
  atomic_fetch_add (&self->n_clients, 1);
  if (!stays)
    return REEVE_CALL_READER_GIVEN;

  worker->is_looked_at = self->is_looked_at;
  self->is_looked_at = TRUE;
  atomic_store (&self->worker, worker);
  return REEVE_CALL_READER_STAYS;
}

static ReeveServerClient *
forget (ReeveCallReader *self, int slot)
{
  ReeveServerClient *client;

  REEVE_LOCK_SCOPE (&self->lock);

  client = g_steal_pointer (&self->clients[slot]);
  self->used[slot / 64] &= ~(UINT64_C (1) << slot % 64);
  atomic_fetch_sub (&self->n_clients, 1);
  return client;
}

void
reeve_call_reader_remove (ReeveCallReader *self, int slot, int fd)
{
  epoll_ctl (self->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
  reeve_server_client_unref (forget (self, slot));
}

gboolean
reeve_call_reader_has (ReeveCallReader *self, ReeveCallWorker *worker)
{
  return atomic_load_explicit (&self->worker, memory_order_relaxed) == worker;
}

static unsigned
find_ready (ReeveCallReader *self,
            ReeveCallWorker *worker,
            const struct epoll_event *events,
            int n_events,
            ReeveServerClient **ready)
{
  unsigned n_ready = 0;

  REEVE_LOCK_SCOPE (&self->lock);

  if (atomic_load (&self->worker) != worker)
    return 0;

  /* A slot may be another client's meanwhile: then that has nothing to say. */
  for (int i = 0; i < n_events; i++) {
    ReeveServerClient *client = self->clients[events[i].data.fd];

    if (client != NULL)
      ready[n_ready++] = reeve_server_client_ref (client);
  }
  return n_ready;
}

unsigned
reeve_call_reader_wait (ReeveCallReader *self,
                        ReeveCallWorker *worker,
                        ReeveServerClient **ready)
{
  struct epoll_event events[REEVE_CALL_READER_TURN];
  int n_events = epoll_wait (self->epoll_fd, events, REEVE_CALL_READER_TURN,
                             REEVE_CALL_READER_PATIENCE_MS);

  return n_events <= 0 ? 0 : find_ready (self, worker, events, n_events, ready);
}

void
reeve_call_worker_turn (ReeveCallWorker *self)
{
  atomic_fetch_add_explicit (&self->turn, 1, memory_order_relaxed);
}

static void
end_locked (ReeveCallReader *self, ReeveGivenClients *given)
    REEVE_REQUIRES (self->lock)
{
  atomic_store (&self->worker, NULL);
  for (unsigned i = 0; i < REEVE_CALL_READER_CLIENTS; i++)
    if (self->clients[i] != NULL)
      given->clients[given->n_clients++] =
          reeve_server_client_ref (self->clients[i]);
}

void
reeve_call_reader_leave (ReeveCallReader *self,
                         ReeveCallWorker *worker,
                         ReeveGivenClients *given)
{
  REEVE_LOCK_SCOPE (&self->lock);

  given->n_clients = 0;
  if (atomic_load (&self->worker) == worker)
    end_locked (self, given);
}

void
reeve_call_reader_begin_look (ReeveCallReader *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->is_looked_at = TRUE;
}

/* Whether it runs the call that it ran at the last look. */
static gboolean
lasts (ReeveCallWorker *self)
{
  unsigned seen = self->seen;

  self->seen = atomic_load_explicit (&self->turn, memory_order_relaxed);
  return self->seen % 2 != 0 && self->seen == seen;
}

gboolean
reeve_call_reader_look (ReeveCallReader *self, ReeveGivenClients *given)
{
  ReeveCallWorker *worker;

  REEVE_LOCK_SCOPE (&self->lock);

  given->n_clients = 0;
  worker = atomic_load (&self->worker);
  if (worker != NULL && lasts (worker))
    end_locked (self, given);
  self->is_looked_at = atomic_load (&self->worker) != NULL;
  return self->is_looked_at;
}

void
reeve_call_reader_rest (ReeveCallReader *self, gint64 now_us)
{
  atomic_store_explicit (&self->rest_us, now_us + REST_US,
                         memory_order_relaxed);
}

gboolean
reeve_call_reader_rests (ReeveCallReader *self, gint64 now_us)
{
  return now_us < atomic_load_explicit (&self->rest_us, memory_order_relaxed);
}
