/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/call-reader.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* After a call that lasted, or when no other worker was left, clients are not
 * given away again at once: to give one and to take it back costs more than a
 * call. */
#define REST_US (20 * 1000)
/* The worker waits a look longer for each so many clients: the more there are,
 * the more there is to be given back, and to be given again. */
#define CLIENTS_A_LOOK 8
/* A wait that nothing ends is no harm. It does not cost the setting of a timer
 * that is due before those that the kernel has anyway. */
#define WAIT_MS 100
/* A call that is seen at more looks than this lasts. It may be short, and its
 * worker without a processor: who looks may have preempted it. */
#define MAX_LOOKS 2
/* Who looks later than this had no processor meanwhile, and nor may the worker
 * have had one: one such look alone says nothing. */
#define LATE_LOOK_US 2000
/* What the file that ends a wait has in place of a slot. */
#define WAKE_SLOT REEVE_CALL_READER_CLIENTS

static gboolean
watch (ReeveCallReader *self, int fd, int slot)
{
  struct epoll_event event = { .events = EPOLLIN, .data.fd = slot };

  return epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

void
reeve_call_reader_init (ReeveCallReader *self)
{
  reeve_mutex_init (&self->lock);
  /* Without, no client is given. */
  self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  self->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  watch (self, self->wake_fd, WAKE_SLOT);
}

void
reeve_call_reader_clear (ReeveCallReader *self)
{
  g_assert (atomic_load (&self->n_clients) == 0);
  if (self->epoll_fd >= 0)
    close (self->epoll_fd);
  if (self->wake_fd >= 0)
    close (self->wake_fd);
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

  /* Two that wait could take from each other what wakes one of them. */
  stays = atomic_load (&self->worker) == NULL;
  if (stays && (!may_stay || self->is_waiting))
    return REEVE_CALL_READER_REFUSED;
  *slot = find_slot_locked (self);
  if (*slot < 0 || !watch (self, fd, *slot))
    return REEVE_CALL_READER_REFUSED;

  self->clients[*slot] = reeve_server_client_ref (client);
  self->used[*slot / 64] |= UINT64_C (1) << *slot % 64;
  atomic_fetch_add (&self->n_clients, 1);
  if (!stays)
    return REEVE_CALL_READER_GIVEN;

  worker->seen = UINT_MAX;
  worker->is_looked_at = self->is_looked_at;
  self->is_looked_at = TRUE;
  atomic_store (&self->worker, worker);
  return REEVE_CALL_READER_STAYS;
}

static void
wake_locked (ReeveCallReader *self) REEVE_REQUIRES (self->lock)
{
  if (self->is_waiting)
    eventfd_write (self->wake_fd, 1);
}

static ReeveServerClient *
forget (ReeveCallReader *self, int slot)
{
  ReeveServerClient *client;

  REEVE_LOCK_SCOPE (&self->lock);

  client = g_steal_pointer (&self->clients[slot]);
  self->used[slot / 64] &= ~(UINT64_C (1) << slot % 64);
  if (atomic_fetch_sub (&self->n_clients, 1) == 1)
    wake_locked (self);
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

static gboolean
begin_wait (ReeveCallReader *self, ReeveCallWorker *worker)
{
  REEVE_LOCK_SCOPE (&self->lock);

  /* Else somebody else may wait. */
  if (atomic_load (&self->worker) != worker ||
      atomic_load (&self->n_clients) == 0)
    return FALSE;

  self->is_waiting = TRUE;
  return TRUE;
}

static unsigned
end_wait (ReeveCallReader *self,
          ReeveCallWorker *worker,
          const struct epoll_event *events,
          int n_events,
          ReeveServerClient **ready)
{
  unsigned n_ready = 0;
  eventfd_t value;

  REEVE_LOCK_SCOPE (&self->lock);

  self->is_waiting = FALSE;
  /* A slot may be another client's meanwhile: then that has nothing to say. */
  for (int i = 0; i < n_events; i++) {
    int slot = events[i].data.fd;

    if (slot == WAKE_SLOT)
      eventfd_read (self->wake_fd, &value);
    else if (self->clients[slot] != NULL &&
             atomic_load (&self->worker) == worker)
      ready[n_ready++] = reeve_server_client_ref (self->clients[slot]);
  }
  return n_ready;
}

unsigned
reeve_call_reader_wait (ReeveCallReader *self,
                        ReeveCallWorker *worker,
                        ReeveServerClient **ready)
{
  struct epoll_event events[REEVE_CALL_READER_TURN];
  int n_events;

  if (!begin_wait (self, worker))
    return 0;

  n_events =
      epoll_wait (self->epoll_fd, events, REEVE_CALL_READER_TURN, WAIT_MS);
  return end_wait (self, worker, events, n_events, ready);
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
  wake_locked (self);
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

/* Whether the worker is to end; @is_stuck: (out): because of a call that lasts,
 * or because others need it. */
static gboolean
look_at_locked (ReeveCallReader *self,
                ReeveCallWorker *worker,
                gboolean has_spare,
                gint64 now_us,
                gboolean *is_stuck) REEVE_REQUIRES (self->lock)
{
  unsigned turn = atomic_load_explicit (&worker->turn, memory_order_relaxed);
  unsigned n_late = now_us - worker->looked_us > LATE_LOOK_US ? 1 : 0;
  gboolean runs = turn % 2 != 0;

  worker->n_same = turn == worker->seen ? worker->n_same + 1 : 0;
  worker->seen = turn;
  worker->looked_us = now_us;
  *is_stuck = runs ? worker->n_same >= MAX_LOOKS + n_late : !has_spare;
  return *is_stuck ||
         (!runs &&
          worker->n_same > atomic_load (&self->n_clients) / CLIENTS_A_LOOK);
}

gboolean
reeve_call_reader_look (ReeveCallReader *self,
                        gboolean has_spare,
                        gint64 now_us,
                        ReeveGivenClients *given)
{
  ReeveCallWorker *worker;
  gboolean is_stuck = FALSE;

  REEVE_LOCK_SCOPE (&self->lock);

  given->n_clients = 0;
  worker = atomic_load (&self->worker);
  if (worker != NULL &&
      look_at_locked (self, worker, has_spare, now_us, &is_stuck))
    end_locked (self, given);
  if (is_stuck)
    reeve_call_reader_rest (self, now_us);
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
