/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/sasl-server.h"

#include "event/intl.h"
#include "protocol/auth.h"
#include "rpc/access-caller.h"
#include "rpc/error.h"
#include "rpc/guess-pace.h"
#include "rpc/server-private.h"
#include "rpc/tls-context.h"

#include <inttypes.h>

/* After so many failures a connection is closed. */
#define MAX_FAILURES 3

struct _ReeveSaslServer {
  ReeveLoop *loop; /* immutable, as what follows */
  const ReeveSaslOptions *options;
  const char *const *names; /* (nullable) */
  ReeveJobPool *pool;       /* (owned): of one thread */

  /* Of the pool's thread. */
  ReeveGuessPace pace;

  /* Of the loop's thread. */
  int pulse;        /* something is finished */
  int timeout;      /* disabled unless there are failures */
  GQueue failures;  /* (element-type Step) (owned): oldest first */
  int held_timeout; /* disabled unless some are held */
  GQueue held;      /* (element-type Step) (owned): that came too fast */

  ReeveMutex lock;
  GQueue finished REEVE_GUARDED; /* (element-type Step) (owned) */
};

/* What a client has said so far; attached to it, of the pool's thread. */
typedef struct {
  ReeveSaslSession *session; /* (owned) (nullable): since sasl_init */
  gboolean has_begun;        /* since sasl_start */
  unsigned n_failures;
} Exchange;

/* A call, and what became of it. */
typedef struct {
  ReeveJob job;
  GList link;      /* of finished, failures or held */
  ReeveCall *call; /* (owned) */
  union {
    auth_sasl_init_ret init;
    auth_sasl_ret step;
  } ret;
  gboolean is_complete;
  char *name;            /* (owned) (nullable): when it is complete */
  ReeveSaslLayer *layer; /* (owned) (nullable) */
  GError *failure;       /* (owned) (nullable) */
  gboolean is_held;      /* it may not be tried yet */
  gint64 due_us;         /* when to tell a failure, or to try again */
  gboolean closes;       /* the connection ends with it */
} Step;

static const char exchange_key;

static void
step_free (gpointer data)
{
  Step *self = data;

  reeve_type_clear (self->call->procedure->ret, &self->ret);
  reeve_call_unref (self->call);
  g_free (self->name);
  reeve_sasl_layer_free (self->layer);
  g_clear_error (&self->failure);
  g_free (self);
}

static void
exchange_reset (Exchange *self)
{
  g_clear_pointer (&self->session, reeve_sasl_session_free);
  self->has_begun = FALSE;
}

static void
exchange_free (gpointer data)
{
  exchange_reset (data);
  g_free (data);
}

static Exchange *
get_exchange (ReeveServerClient *client)
{
  Exchange *exchange = reeve_server_client_get_data (client, &exchange_key);

  if (exchange != NULL)
    return exchange;
  return reeve_server_client_attach (client, &exchange_key,
                                     g_new0 (Exchange, 1), NULL, exchange_free);
}

/* ------------------------------------------------------ the pool's thread --
 */

/* (transfer full): whose attempts have a pace in common: a user of this host,
 * an address, or the network that an IPv6 address is of. */
static char *
get_peer (ReeveServerClient *client)
{
  const char *address = reeve_server_client_get_address (client);
  g_autoptr (GInetAddress) inet =
      address == NULL ? NULL : reeve_access_parse_address (address);
  gsize size = 8;
  uid_t uid;
  gid_t gid;
  pid_t pid;

  if (reeve_server_client_get_unix_peer (client, &uid, &gid, &pid))
    return g_strdup_printf ("uid %ju", (uintmax_t) uid);
  if (inet == NULL)
    return g_strdup ("unknown");
  if (g_inet_address_get_family (inet) == G_SOCKET_FAMILY_IPV4)
    size = g_inet_address_get_native_size (inet);
  return g_base64_encode (g_inet_address_to_bytes (inet), size);
}

static gint64
get_cost_us (ReeveSaslServer *self)
{
  return (gint64) self->options->failure_delay_ms * 1000;
}

/* A guess begins with sasl_start. */
static gboolean
may_try (ReeveSaslServer *self, Step *step)
{
  g_autofree char *peer = NULL;
  gint64 now_us = g_get_monotonic_time ();
  gint64 wait_us;

  if (step->call->procedure->number != AUTH_PROC_SASL_START)
    return TRUE;

  peer = get_peer (step->call->client);
  wait_us =
      reeve_guess_pace_take (&self->pace, peer, get_cost_us (self), now_us);
  step->is_held = wait_us > 0;
  step->due_us = now_us + wait_us;
  return !step->is_held;
}

static gboolean
begin (ReeveSaslServer *self, Step *step, Exchange *exchange, GError **error)
{
  ReeveServerClient *client = step->call->client;
  gboolean is_protected =
      reeve_server_client_get_transport (client) != REEVE_TRANSPORT_TCP;

  exchange_reset (exchange);
  exchange->session =
      reeve_sasl_session_new (self->options, is_protected, error);
  if (exchange->session == NULL)
    return FALSE;

  step->ret.init.mechlist =
      reeve_sasl_session_list_mechanisms (exchange->session, error);
  return step->ret.init.mechlist != NULL;
}

static gboolean
check_order (const Exchange *exchange, gboolean has_begun, GError **error)
{
  if (exchange->session != NULL && exchange->has_begun == has_begun)
    return TRUE;

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_AUTH_FAILED,
                       _ ("authentication failed: the calls of SASL are out of "
                          "order"));
  return FALSE;
}

/* No data at all is not the same as empty data. */
static const char *
get_data (int32_t nil, const int8_t *items)
{
  if (nil != 0)
    return NULL;
  return items == NULL ? "" : (const char *) items;
}

static gboolean
start_or_step (Step *step,
               Exchange *exchange,
               ReeveSaslMessage *reply,
               GError **error)
{
  if (step->call->procedure->number == AUTH_PROC_SASL_START) {
    const auth_sasl_start_args *args = step->call->args;

    if (!check_order (exchange, FALSE, error))
      return FALSE;
    exchange->has_begun = TRUE;
    return reeve_sasl_session_start (exchange->session, args->mech,
                                     get_data (args->nil, args->data.items),
                                     args->data.n_items, reply, error);
  } else {
    const auth_sasl_step_args *args = step->call->args;

    return check_order (exchange, TRUE, error) &&
           reeve_sasl_session_step (exchange->session,
                                    get_data (args->nil, args->data.items),
                                    args->data.n_items, reply, error);
  }
}

static gboolean
is_allowed (ReeveSaslServer *self, const char *name)
{
  return reeve_tls_name_is_allowed (name, self->names);
}

static gboolean
complete (ReeveSaslServer *self, Step *step, Exchange *exchange, GError **error)
{
  const char *name = reeve_sasl_session_get_name (exchange->session, error);
  g_autofree char *peer = get_peer (step->call->client);

  if (name == NULL)
    return FALSE;
  if (!is_allowed (self, name)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_AUTH_FAILED,
                 _ ("authentication failed: “%s” may not use this daemon"),
                 name);
    return FALSE;
  }

  reeve_guess_pace_give_back (&self->pace, peer, get_cost_us (self));
  step->is_complete = TRUE;
  step->name = g_strdup (name);
  g_message (_ ("Client %1$" PRIu64 " is “%2$s”, by %3$s"),
             reeve_server_client_get_id (step->call->client), name,
             reeve_sasl_session_get_mechanism (exchange->session));
  step->layer =
      reeve_sasl_session_to_layer (g_steal_pointer (&exchange->session));
  return TRUE;
}

static gboolean
go_on (ReeveSaslServer *self, Step *step, Exchange *exchange, GError **error)
{
  ReeveSaslMessage reply = { 0 };

  if (!start_or_step (step, exchange, &reply, error))
    return FALSE;
  if (reply.size > AUTH_DATA_MAX) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_AUTH_FAILED,
                 _ ("authentication failed: a message of %zu bytes is too "
                    "long"),
                 reply.size);
    return FALSE;
  }

  step->ret.step.complete = reply.is_complete;
  step->ret.step.nil = reply.data == NULL;
  if (reply.data != NULL) {
    step->ret.step.data.n_items = (uint32_t) reply.size;
    step->ret.step.data.items = g_memdup2 (reply.data, reply.size);
  }
  return !reply.is_complete || complete (self, step, exchange, error);
}

static void
take_failure (Step *step, Exchange *exchange)
{
  g_autofree char *detail =
      exchange->session == NULL
          ? NULL
          : reeve_sasl_session_get_detail (exchange->session);

  g_message (_ ("Client %1$" PRIu64 ": %2$s"),
             reeve_server_client_get_id (step->call->client),
             detail != NULL ? detail : step->failure->message);
  exchange_reset (exchange);
  exchange->n_failures++;
  step->closes = exchange->n_failures >= MAX_FAILURES;
}

static void
run_step (ReeveSaslServer *self, Step *step)
{
  Exchange *exchange = get_exchange (step->call->client);
  gboolean is_init = step->call->procedure->number == AUTH_PROC_SASL_INIT;

  if (is_init ? !begin (self, step, exchange, &step->failure)
              : !go_on (self, step, exchange, &step->failure))
    take_failure (step, exchange);
}

/* Returns whether it is the only one. */
static gboolean
push_finished (ReeveSaslServer *self, Step *step)
{
  REEVE_LOCK_SCOPE (&self->lock);

  g_queue_push_tail_link (&self->finished, &step->link);
  return self->finished.length == 1;
}

static void
run_steps (ReeveJob *const *jobs, unsigned n_jobs, gpointer data)
{
  ReeveSaslServer *self = data;

  for (unsigned i = 0; i < n_jobs; i++) {
    Step *step = (Step *) jobs[i];

    /* Its client may have gone meanwhile. */
    if (!atomic_load (&step->call->is_answered) && may_try (self, step))
      run_step (self, step);
    if (push_finished (self, step))
      reeve_loop_send_pulse (self->loop, self->pulse, 0, 0);
  }
}

/* ------------------------------------------------------ the loop's thread --
 */

static void
answer (Step *step)
{
  ReeveCall *call = reeve_call_ref (step->call);

  if (step->closes)
    reeve_call_close_after_reply (call);
  if (step->failure != NULL)
    reeve_call_fail (call, step->failure);
  else if (step->is_complete)
    reeve_server_client_authenticate (call, &step->ret, step->name,
                                      &reeve_sasl_layer_class,
                                      g_steal_pointer (&step->layer));
  else
    reeve_call_reply (call, &step->ret);
  step_free (step);
}

static void
schedule_failures (ReeveSaslServer *self)
{
  const Step *next = g_queue_peek_head (&self->failures);
  gint64 left_us = next == NULL ? 0 : next->due_us - g_get_monotonic_time ();

  reeve_loop_update_timeout (
      self->loop, self->timeout,
      next == NULL ? -1 : (int) (MAX (left_us, 0) / 1000) + 1);
}

static void
tell_failures (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveSaslServer *self = data;
  gint64 now_us = g_get_monotonic_time ();
  const Step *next;

  while ((next = g_queue_peek_head (&self->failures)) != NULL &&
         next->due_us <= now_us)
    answer (g_queue_pop_head_link (&self->failures)->data);
  schedule_failures (self);
}

/* All of them, as they came: whose time it is not is held again. */
static void
try_held (ReeveSaslServer *self)
{
  GQueue jobs = G_QUEUE_INIT;
  GList *link;

  while ((link = g_queue_pop_head_link (&self->held)) != NULL) {
    Step *step = link->data;

    step->is_held = FALSE;
    g_queue_push_tail_link (&jobs, &step->job.link);
  }
  if (jobs.length > 0)
    reeve_job_pool_push (self->pool, &jobs);
}

static void
try_held_in_time (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveSaslServer *self = data;

  reeve_loop_update_timeout (loop, watch, -1);
  try_held (self);
}

static void
hold (ReeveSaslServer *self, Step *step)
{
  gint64 due_us = step->due_us;

  g_queue_push_tail_link (&self->held, &step->link);
  for (GList *link = self->held.head; link != NULL; link = link->next)
    due_us = MIN (due_us, ((const Step *) link->data)->due_us);
  reeve_loop_update_timeout (
      self->loop, self->held_timeout,
      (int) (MAX (due_us - g_get_monotonic_time (), 0) / 1000) + 1);
}

static void
keep_failure (ReeveSaslServer *self, Step *step)
{
  step->due_us = g_get_monotonic_time () + get_cost_us (self);
  g_queue_push_tail_link (&self->failures, &step->link);
}

static GList *
steal_finished (ReeveSaslServer *self)
{
  GList *steps;

  REEVE_LOCK_SCOPE (&self->lock);

  steps = self->finished.head;
  g_queue_init (&self->finished);
  return steps;
}

static void
take_finished (ReeveLoop *loop,
               int watch,
               int code,
               intptr_t value,
               gpointer data)
{
  ReeveSaslServer *self = data;
  gboolean is_first = g_queue_is_empty (&self->failures);
  gboolean has_room = FALSE;
  GList *next;

  for (GList *link = steal_finished (self); link != NULL; link = next) {
    Step *step = link->data;

    next = link->next;
    link->prev = link->next = NULL;
    has_room |= step->is_complete;
    if (step->is_held)
      hold (self, step);
    else if (step->failure != NULL)
      keep_failure (self, step);
    else
      answer (step);
  }

  if (is_first)
    schedule_failures (self);
  if (has_room)
    try_held (self);
}

/* ----------------------------------------------------------------- life --- */

ReeveSaslServer *
reeve_sasl_server_new (ReeveLoop *loop,
                       const ReeveSaslOptions *options,
                       const char *const *names,
                       GError **error) REEVE_UNCHECKED
{
  static const ReeveJobPoolSize one = {
    .lo_water = 1, .hi_water = 1, .increment = 1, .maximum = 1
  };
  ReeveSaslServer *self;

  if (!reeve_sasl_session_is_possible (error))
    return NULL;

  self = g_new0 (ReeveSaslServer, 1);
  self->loop = loop;
  self->options = options;
  self->names = names;
  reeve_mutex_init (&self->lock);
  self->pulse = reeve_loop_add_pulse (loop, take_finished, self, NULL);
  self->timeout = reeve_loop_add_timeout (loop, -1, tell_failures, self, NULL);
  self->held_timeout =
      reeve_loop_add_timeout (loop, -1, try_held_in_time, self, NULL);
  reeve_guess_pace_init (&self->pace);
  self->pool = reeve_job_pool_new (&one, run_steps, self);
  return self;
}

static void
free_steps (GList *steps)
{
  GList *next;

  for (GList *link = steps; link != NULL; link = next) {
    next = link->next;
    step_free (link->data);
  }
}

void
reeve_sasl_server_free (ReeveSaslServer *self) REEVE_UNCHECKED
{
  if (self == NULL)
    return;

  reeve_job_pool_free (self->pool);
  reeve_loop_remove (self->loop, self->pulse);
  reeve_loop_remove (self->loop, self->timeout);
  reeve_loop_remove (self->loop, self->held_timeout);
  free_steps (steal_finished (self));
  free_steps (self->failures.head);
  free_steps (self->held.head);
  reeve_guess_pace_clear (&self->pace);
  reeve_mutex_clear (&self->lock);
  g_free (self);
}

void
reeve_sasl_server_take (ReeveSaslServer *self, ReeveCall *call)
{
  Step *step = g_new0 (Step, 1);
  GQueue jobs = G_QUEUE_INIT;

  step->job.link.data = step;
  step->job.name = "SASL";
  step->link.data = step;
  step->call = call;
  g_queue_push_tail_link (&jobs, &step->job.link);
  reeve_job_pool_push (self->pool, &jobs);
}
