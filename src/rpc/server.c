/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/server.h"

#include "event/intl.h"
#include "event/refs.h"
#include "rpc/error.h"
#include "rpc/server-inside.h"
#include "rpc/socket-name.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Permissions of a unix socket. */
#define DEFAULT_MODE 0600

/* ------------------------------------------------------------ programs --- */

static void
program_free (gpointer data)
{
  ReeveServerProgram *self = data;

  g_free (self->by_number);
  g_hash_table_unref (self->by_name);
  g_free (self->counters);
  reeve_access_tags_free (self->access, self->program->n_procedures);
  g_free (self);
}

void
reeve_server_add_program (ReeveServer *self,
                          const ReeveProgram *program,
                          gconstpointer handlers,
                          gpointer user_data)
{
  ReeveServerProgram *entry = g_new0 (ReeveServerProgram, 1);
  const ReeveProcedure *last = &program->procedures[program->n_procedures - 1];

  entry->program = program;
  entry->handlers = handlers;
  entry->user_data = user_data;
  entry->counters = g_new0 (ReeveProcedureCounters, program->n_procedures);
  entry->access = reeve_access_tags_new (program);
  entry->lowest = program->procedures[0].number;
  entry->n_numbers = (uint32_t) (last->number - entry->lowest + 1);
  entry->by_number = g_new0 (const ReeveProcedure *, entry->n_numbers);
  entry->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  for (size_t i = 0; i < program->n_procedures; i++) {
    const ReeveProcedure *procedure = &program->procedures[i];

    self->takes_fds |= (procedure->flags & REEVE_PROCEDURE_FDS_IN) != 0;
    entry->by_number[procedure->number - entry->lowest] = procedure;
    g_hash_table_insert (entry->by_name, (gpointer) procedure->name,
                         (gpointer) procedure);
  }

  g_ptr_array_add (self->programs, entry);
  g_ptr_array_set_size (self->tables, (int) self->tables->len - 1);
  g_ptr_array_add (self->tables, (gpointer) program);
  g_ptr_array_add (self->tables, NULL);
}

void
reeve_server_set_objects (ReeveServer *self,
                          const ReeveProgram *program,
                          const ReeveAccessObjects *objects)
{
  for (unsigned i = 0; i < self->programs->len; i++) {
    ReeveServerProgram *entry = self->programs->pdata[i];

    if (entry->program == program)
      entry->objects = objects;
  }
}

void
reeve_server_set_policy (ReeveServer *self,
                         const ReevePolicy *policy,
                         gpointer data)
{
  self->policy = (ReeveServerPolicy){ policy, data };
}

const ReeveServerPolicy *
reeve_server_get_policy (ReeveServer *self)
{
  return &self->policy;
}

const ReeveProgram *const *
reeve_server_get_programs (ReeveServer *self)
{
  return (const ReeveProgram *const *) self->tables->pdata;
}

const GPtrArray *
reeve_server_get_entries (ReeveServer *self)
{
  return self->programs;
}

gboolean
reeve_server_takes_fds (ReeveServer *self)
{
  return self->takes_fds;
}

/* (nullable): a procedure that can be called. */
static const ReeveProcedure *
find_procedure (const ReeveServerProgram *entry, int32_t number)
{
  uint32_t index = (uint32_t) number - (uint32_t) entry->lowest;
  const ReeveProcedure *procedure =
      index < entry->n_numbers ? entry->by_number[index] : NULL;

  return procedure == NULL || procedure->dispatch == REEVE_DISPATCH_EVENT
             ? NULL
             : procedure;
}

/* libvirt's clients look for the words of the first. */
static void
set_unknown (const ReeveHeader *header, gboolean is_known, GError **error)
{
  if (is_known)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC, "unknown procedure: %d",
                 header->procedure);
  else
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("Cannot find program %1$u version %2$u"), header->program,
                 header->version);
}

const ReeveProcedure *
reeve_server_find (ReeveServer *self,
                   const ReeveHeader *header,
                   ReeveServerProgram **program,
                   GError **error)
{
  gboolean is_known = FALSE;

  /* Programs may share a number, as `auth` and `remote` do. */
  for (unsigned i = 0; i < self->programs->len; i++) {
    ReeveServerProgram *entry = self->programs->pdata[i];
    const ReeveProcedure *procedure;

    if (entry->program->number != header->program ||
        entry->program->version != header->version)
      continue;
    is_known = TRUE;
    procedure = find_procedure (entry, header->procedure);
    if (procedure != NULL) {
      *program = entry;
      return procedure;
    }
  }

  set_unknown (header, is_known, error);
  return NULL;
}

/* -------------------------------------------------------------- limits --- */

const ReeveLiveLimits *
reeve_server_get_live_limits (ReeveServer *self)
{
  return &self->limits;
}

void
reeve_server_get_limits (ReeveServer *self, ReeveServerLimits *limits)
{
  reeve_live_limits_load (&self->limits, limits);
  reeve_job_pool_get_size (self->pool, &limits->workers);
}

/* Those of one loop. */
static void
update_clients (ReeveServerLoop *loop, gpointer data)
{
  g_autoptr (GPtrArray) clients = reeve_server_dup_clients (loop->server);

  for (unsigned i = 0; i < clients->len; i++)
    if (reeve_server_client_get_home (clients->pdata[i]) == loop)
      reeve_server_client_update_keepalive (clients->pdata[i]);
}

gboolean
reeve_server_set_limits (ReeveServer *self,
                         const ReeveServerLimits *limits,
                         GError **error)
{
  static const ReeveJobPoolSize no_size = { 0 };
  ReeveServerLimits filled = *limits;
  gboolean has_size = memcmp (&filled.workers, &no_size, sizeof no_size) != 0;

  if (!reeve_server_limits_check (limits, error))
    return FALSE;
  reeve_server_limits_fill (&filled);

  REEVE_LOCK_SCOPE (&self->limits_lock);

  if (has_size && !reeve_job_pool_resize (self->pool, &filled.workers, error))
    return FALSE;
  reeve_live_limits_store (&self->limits, &filled);
  for (unsigned i = 0; i < self->loops->len; i++)
    reeve_server_loop_send (self->loops->pdata[i], update_clients, NULL);
  return TRUE;
}

/* ------------------------------------------------------------ the pool --- */

void
reeve_server_push (ReeveServer *self, GQueue *jobs)
{
  reeve_job_pool_push (self->pool, jobs);
}

void
reeve_server_push_job (ReeveServer *self, ReeveJob *job)
{
  GQueue jobs = G_QUEUE_INIT;

  g_queue_push_tail_link (&jobs, &job->link);
  reeve_job_pool_push (self->pool, &jobs);
}

static void
start_handshakes (ReeveServer *self)
{
  if (self->handshakes == NULL)
    self->handshakes =
        reeve_handshakes_new (reeve_server_client_run_handshakes);
}

ReeveHandshakes *
reeve_server_get_handshakes (ReeveServer *self)
{
  return self->handshakes;
}

/* ---------------------------------------------------------- the server --- */

ReeveServer *
reeve_server_new (const char *name,
                  ReeveLoop *loop,
                  const ReeveServerLimits *limits) REEVE_UNCHECKED
{
  ReeveServer *self = g_new0 (ReeveServer, 1);
  ReeveServerLimits filled = { 0 };

  reeve_refs_init (&self->refs);
  self->name = g_strdup (name);
  self->loop = reeve_loop_ref (loop);
  if (limits != NULL)
    filled = *limits;
  reeve_server_limits_fill (&filled);
  reeve_job_pool_size_fill (&filled.workers);
  reeve_live_limits_store (&self->limits, &filled);
  reeve_mutex_init (&self->limits_lock);
  reeve_refusals_init (&self->refusals);
  self->programs = g_ptr_array_new_with_free_func (program_free);
  self->tables = g_ptr_array_new ();
  self->commands = g_ptr_array_new ();
  self->subscriptions = g_array_new (FALSE, FALSE, sizeof (ReeveSubscription));
  self->attachments = g_ptr_array_new_with_free_func (g_free);
  self->stream_kinds = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (self->tables, NULL);
  self->services =
      g_ptr_array_new_with_free_func ((GDestroyNotify) reeve_service_free);
  reeve_mutex_init (&self->lock);
  self->clients = g_hash_table_new (g_int64_hash, g_int64_equal);
  self->own_loop = reeve_server_loop_new (self, loop, 0);
  self->loops =
      g_ptr_array_new_with_free_func ((GDestroyNotify) reeve_server_loop_free);
  g_ptr_array_add (self->loops, self->own_loop);
  reeve_mutex_init (&self->hold_lock);
  reeve_cond_init (&self->hold_changed);
  self->pool = reeve_job_pool_new (&filled.workers, reeve_dispatch_jobs, self);
  return self;
}

ReeveServer *
reeve_server_ref (ReeveServer *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

void
reeve_server_unref (ReeveServer *self) REEVE_UNCHECKED
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  reeve_server_end_loops (self);
  g_assert (g_hash_table_size (self->clients) == 0);
  g_assert (g_queue_is_empty (&self->unauth));
  reeve_job_pool_free (self->pool);
  reeve_handshakes_free (self->handshakes);
  g_ptr_array_unref (self->services);
  g_ptr_array_unref (self->programs);
  g_ptr_array_unref (self->tables);
  g_ptr_array_unref (self->commands);
  g_array_unref (self->subscriptions);
  g_ptr_array_unref (self->attachments);
  g_ptr_array_unref (self->stream_kinds);
  g_hash_table_unref (self->clients);
  reeve_authenticator_free (self->authenticator);
  reeve_mutex_clear (&self->lock);
  reeve_mutex_clear (&self->limits_lock);
  reeve_refusals_clear (&self->refusals);
  g_ptr_array_unref (self->loops);
  reeve_mutex_clear (&self->hold_lock);
  reeve_cond_clear (&self->hold_changed);
  reeve_loop_unref (self->loop);
  g_free (self->name);
  g_free (self);
}

const char *
reeve_server_get_name (ReeveServer *self)
{
  return self->name;
}

ReeveLoop *
reeve_server_get_loop (ReeveServer *self)
{
  return self->loop;
}

static gboolean
check_tls (const char *name, const ReeveServiceOptions *options, GError **error)
{
  if (options->tls != NULL ||
      !reeve_socket_name_is (name, TRUE, REEVE_SOCKET_TLS))
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("%s: TLS needs a certificate"), name);
  return FALSE;
}

void
reeve_server_set_authenticator (ReeveServer *self,
                                ReeveAuthenticator *authenticator)
{
  self->authenticator = authenticator;
}

/* Who has clients accepts them. (nullable): with errno set. */
static ReeveService *
open_service (ReeveServer *self,
              ReevePStream *pstream,
              const ReeveServiceOptions *options)
{
  unsigned n_threads = reeve_server_get_io_threads (self);
  ReeveLoop *loops[REEVE_SERVER_MAX_IO_THREADS] = { self->loop };
  ReeveService *service;

  for (unsigned i = 0; i < n_threads; i++)
    loops[i] = ((ReeveServerLoop *) self->loops->pdata[1 + i])->loop;
  reeve_server_hold_loops (self);
  service = reeve_service_new (loops, MAX (n_threads, 1), pstream, options,
                               &self->limits, reeve_server_take_stream,
                               reeve_server_refuse_connection, self);
  reeve_server_release_loops (self);
  return service;
}

const char *
reeve_server_listen_on (ReeveServer *self,
                        ReevePStream *pstream,
                        const ReeveServiceOptions *options,
                        GError **error)
{
  g_autoptr (ReevePStream) owned = pstream;
  const char *name = reeve_pstream_get_name (pstream);
  ReeveService *service;

  if (!check_tls (name, options, error))
    return NULL;
  if (!reeve_authenticator_prepare (self->authenticator, options->auth,
                                    error)) {
    g_prefix_error (error, "%s: ", name);
    return NULL;
  }

  service = open_service (self, g_steal_pointer (&owned), options);
  if (service == NULL) {
    reeve_error_from_errno (error, errno, _ ("Cannot listen"));
    return NULL;
  }

  if (options->tls != NULL)
    start_handshakes (self);
  g_ptr_array_add (self->services, service);
  return reeve_service_get_name (service);
}

const char *
reeve_server_listen (ReeveServer *self,
                     const char *name,
                     const ReeveServiceOptions *options,
                     GError **error)
{
  static const ReeveServiceOptions defaults = { 0 };
  ReevePStream *pstream;

  if (options == NULL)
    options = &defaults;
  if (!check_tls (name, options, error))
    return NULL;
  pstream = reeve_pstream_open (
      name, options->mode == 0 ? DEFAULT_MODE : options->mode,
      options->group == 0 ? (gid_t) -1 : options->group, error);
  return pstream == NULL
             ? NULL
             : reeve_server_listen_on (self, pstream, options, error);
}

void
reeve_server_add_fd_client (ReeveServer *self,
                            int fd,
                            const ReeveServiceOptions *options)
{
  static const ReeveServiceOptions defaults = { 0 };

  if (options == NULL)
    options = &defaults;
  if (options->tls != NULL)
    start_handshakes (self);
  /* What cannot be prepared fails when the client asks for it. */
  reeve_authenticator_prepare (self->authenticator, options->auth, NULL);
  reeve_server_add_client (self, reeve_stream_new_for_fd (fd), options);
}

void
reeve_server_stop (ReeveServer *self)
{
  g_autoptr (GPtrArray) clients = NULL;

  reeve_server_hold_loops (self);
  atomic_store (&self->is_stopped, TRUE);
  /* What ends a data stream runs, too. */
  atomic_store (&self->is_frozen, FALSE);
  g_ptr_array_set_size (self->services, 0);
  for (unsigned i = 0; i < self->loops->len; i++)
    reeve_server_loop_let_go (self->loops->pdata[i]);
  clients = reeve_server_dup_clients (self);
  for (unsigned i = 0; i < clients->len; i++)
    reeve_server_client_close_now (clients->pdata[i]);
  reeve_server_end_loops (self);
  g_clear_pointer (&self->handshakes, reeve_handshakes_free);
  /* What runs sees that its client is gone, and may still push what ends a
   * data stream. */
  reeve_job_pool_free (self->pool);
  self->pool = NULL;
  /* What they left for the loops holds clients, which hold us. */
  reeve_server_catch_up (self);
  reeve_authenticator_stop (self->authenticator);
}

void
reeve_server_count_handshake (ReeveServer *self,
                              gboolean is_refused,
                              gboolean is_resumed)
{
  if (is_resumed && !is_refused)
    atomic_fetch_add_explicit (&self->n_handshakes_resumed, 1,
                               memory_order_relaxed);
  atomic_fetch_add_explicit (is_refused ? &self->n_handshakes_refused
                                        : &self->n_handshakes,
                             1, memory_order_relaxed);
}

void
reeve_server_count_denied (ReeveServer *self)
{
  atomic_fetch_add (&self->n_denied, 1);
}

void
reeve_server_count_event (ReeveServer *self, gboolean is_dropped)
{
  atomic_fetch_add_explicit (is_dropped ? &self->n_events_dropped
                                        : &self->n_events,
                             1, memory_order_relaxed);
}

void
reeve_server_set_call_func (ReeveServer *self,
                            ReeveAnsweredCallFunc func,
                            gpointer data)
{
  self->call_func = func;
  self->call_data = data;
}

void
reeve_server_watch_calls (ReeveServer *self, gboolean is_watched)
{
  atomic_store (&self->is_watched, is_watched && self->call_func != NULL);
}

gboolean
reeve_server_is_watched (ReeveServer *self)
{
  return atomic_load_explicit (&self->is_watched, memory_order_relaxed);
}

void
reeve_server_tell (ReeveServer *self, const ReeveAnsweredCall *call)
{
  self->call_func (call, self->call_data);
}

static void
add_calls (const ReeveProcedureStats *procedure, gpointer data)
{
  ReeveServerStats *stats = data;

  stats->n_calls += procedure->n_calls;
  stats->n_failed += procedure->n_failed;
}

void
reeve_server_get_stats (ReeveServer *self, ReeveServerStats *stats)
{
  unsigned n_unauth;
  unsigned n_clients = reeve_server_count_clients (self, &n_unauth);

  *stats = (ReeveServerStats){
    .n_clients = n_clients,
    .n_unauth = n_unauth,
    .n_accepted = atomic_load (&self->n_accepted),
    .n_refused = reeve_refusals_count (&self->refusals, REEVE_REFUSAL_CLIENT),
    .n_unauth_dropped =
        reeve_refusals_count (&self->refusals, REEVE_REFUSAL_UNAUTH),
    .n_delayed = reeve_refusals_count (&self->refusals, REEVE_REFUSAL_RATE),
    .n_out_of_files =
        reeve_refusals_count (&self->refusals, REEVE_REFUSAL_FILES),
    .n_bad_messages =
        reeve_refusals_count (&self->refusals, REEVE_REFUSAL_MESSAGE),
    .n_handshakes = atomic_load (&self->n_handshakes),
    .n_handshakes_resumed = atomic_load (&self->n_handshakes_resumed),
    .n_handshakes_failed =
        reeve_refusals_count (&self->refusals, REEVE_REFUSAL_HANDSHAKE),
    .n_handshakes_refused = atomic_load (&self->n_handshakes_refused),
    .n_silent = reeve_refusals_count (&self->refusals, REEVE_REFUSAL_SILENT),
    .n_events = atomic_load (&self->n_events),
    .n_denied = atomic_load (&self->n_denied),
    .n_events_dropped = atomic_load (&self->n_events_dropped),
  };
  reeve_server_foreach_procedure (self, add_calls, stats);
}

ReeveJobPool *
reeve_server_get_pool (ReeveServer *self)
{
  return self->pool;
}
