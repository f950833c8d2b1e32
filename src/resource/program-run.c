/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/program-private.h"
#include "rpc/access.h"
#include "rpc/error.h"

#include <errno.h>
#include <string.h>

/*
 * Calls in steps. A call of its own is one step, a COMBINE has several; each
 * may wait for its node, and the call for it, without a thread.
 */

/* A step ends so long before the server answers for it. */
#define DEADLINE_MARGIN_MS 50

struct _ReeveResourceRun {
  ReeveResourceSession *session;
  ReeveCall *call;            /* (owned): deferred */
  const resource_step *steps; /* the call's, or the one that follows */
  unsigned n_steps;
  resource_step single;
  gboolean is_combine;
  gboolean closes;

  resource_result *results; /* (owned) (array length=n_results) */
  unsigned n_results;
  int errnum;      /* of the step behind them */
  uint64_t opened; /* last; 0: nothing, or it was closed */
  size_t bytes_left;

  gboolean is_inside; /* a step is being begun */
  gboolean is_waiting;
  ReeveResourceRequest *request; /* (nullable): while it waits */
  uint64_t waits_for;            /* the number of its handle */
  int timeout;                   /* 0: none */
  GList link;                    /* of the session's, while it waits */
};

static void run_on (ReeveResourceRun *self);

/* ----------------------------------------------------------------- steps -- */

static resource_result *
get_result (ReeveResourceRun *self)
{
  return &self->results[self->n_results];
}

static const resource_step *
get_step (const ReeveResourceRun *self)
{
  return &self->steps[self->n_results];
}

/* (array length=size) (transfer full) (nullable) */
static uint8_t *
take_bytes (ReeveResourceRun *self, const ReeveResourceReply *reply)
{
  self->bytes_left -= reply->size;
  return g_memdup2 (reply->bytes, reply->size);
}

static void
note_reply (ReeveResourceRun *self, const ReeveResourceReply *reply)
{
  resource_result *result = get_result (self);

  switch (get_step (self)->kind) {
  case RESOURCE_STEP_READ:
    result->u.read.bytes.size = (uint32_t) reply->size;
    result->u.read.bytes.data = take_bytes (self, reply);
    break;
  case RESOURCE_STEP_WRITE:
    result->u.write.size = (uint32_t) reply->size;
    break;
  default:
    result->u.devctl.value = reply->value;
    result->u.devctl.bytes.size = (uint32_t) reply->size;
    result->u.devctl.bytes.data = take_bytes (self, reply);
    break;
  }
}

static void
stop_waiting (ReeveResourceRun *self)
{
  if (self->request == NULL)
    return;

  self->request = NULL;
  g_queue_unlink (&self->session->runs, &self->link);
  if (self->timeout != 0)
    reeve_loop_remove (self->session->program->loop, self->timeout);
  self->timeout = 0;
}

static void
take_reply (const ReeveResourceReply *reply, gpointer data)
{
  ReeveResourceRun *self = data;

  stop_waiting (self);
  self->is_waiting = FALSE;
  self->errnum = reply->errnum;
  if (reply->errnum == 0)
    note_reply (self, reply);
  if (self->is_inside)
    return;
  if (reply->errnum == 0)
    self->n_results++;
  run_on (self);
}

static void
give_up (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveResourceRun *self = data;

  reeve_resource_request_cancel (self->request, ETIMEDOUT);
}

/* @request: (nullable): there is an answer if there is none. */
static void
wait_for (ReeveResourceRun *self,
          ReeveResourceRequest *request,
          unsigned timeout_ms)
{
  int64_t left_ms =
      (reeve_call_get_deadline_us (self->call) - g_get_monotonic_time ()) /
          1000 -
      DEADLINE_MARGIN_MS;

  if (request == NULL)
    return;

  if (timeout_ms != 0)
    left_ms = MIN (left_ms, timeout_ms);
  self->request = request;
  self->link.data = self;
  g_queue_push_tail_link (&self->session->runs, &self->link);
  self->timeout = reeve_loop_add_timeout (self->session->program->loop,
                                          (int) CLAMP (left_ms, 1, G_MAXINT),
                                          give_up, self, NULL);
}

/* (nullable): the handle that a step is for. */
static ReeveResourceFile *
find_file (ReeveResourceRun *self, uint64_t number)
{
  if (number == 0)
    number = self->opened;
  self->waits_for = number;
  return reeve_resource_session_find (self->session, number);
}

static gboolean
may (ReeveResourceRun *self, const char *tag, const char *path)
{
  /* A call of its own was asked about already. */
  return !self->is_combine || reeve_resource_has_own_rules (self->call, path) ||
         reeve_call_check_access (self->call, tag, path, NULL);
}

static int
open_step (ReeveResourceRun *self, const resource_open_args *args)
{
  const unsigned changes = RESOURCE_OPEN_WRITE | RESOURCE_OPEN_TRUNCATE;
  int result;

  if ((args->flags & changes) != 0 &&
      (reeve_server_client_is_read_only (self->session->client) ||
       !may (self, "resource:write", args->path)))
    return EACCES;
  if ((args->flags & RESOURCE_OPEN_READ) != 0 &&
      !may (self, "resource:read", args->path))
    return EACCES;

  result = reeve_resource_session_open (self->session, args, &self->opened);
  get_result (self)->u.open.handle = self->opened;
  return result;
}

static int
close_step (ReeveResourceRun *self, uint64_t number)
{
  if (number == 0)
    number = self->opened;
  if (number == self->opened)
    self->opened = 0;
  return reeve_resource_session_close_file (self->session, number);
}

static int
stat_step (ReeveResourceRun *self, uint64_t number)
{
  const ReeveResourceFile *file = find_file (self, number);

  if (file == NULL)
    return EBADF;
  reeve_resource_fill_attr (&get_result (self)->u.stat,
                            reeve_resource_handle_get_node (file->handle));
  return 0;
}

static int
read_step (ReeveResourceRun *self, const resource_read_args *args)
{
  const ReeveResourceFile *file = find_file (self, args->handle);

  if (file == NULL)
    return EBADF;
  self->is_waiting = TRUE;
  wait_for (self,
            reeve_resource_handle_read (file->handle, args->offset,
                                        MIN (args->size, self->bytes_left),
                                        FALSE, take_reply, self),
            args->timeout_ms);
  return 0;
}

static int
write_step (ReeveResourceRun *self, const resource_write_args *args)
{
  const ReeveResourceFile *file = find_file (self, args->handle);

  if (file == NULL)
    return EBADF;
  self->is_waiting = TRUE;
  wait_for (self,
            reeve_resource_handle_write (file->handle, args->offset,
                                         args->bytes.data, args->bytes.size,
                                         FALSE, take_reply, self),
            args->timeout_ms);
  return 0;
}

static int
devctl_step (ReeveResourceRun *self, const resource_devctl_args *args)
{
  const ReeveResourceFile *file = find_file (self, args->handle);

  if (file == NULL)
    return EBADF;
  if (reeve_server_client_is_read_only (self->session->client) ||
      !may (self, "resource:write", file->path))
    return EACCES;
  self->is_waiting = TRUE;
  wait_for (self,
            reeve_resource_handle_devctl (
                file->handle, args->code, args->bytes.data, args->bytes.size,
                MIN (args->max_size, self->bytes_left), take_reply, self),
            args->timeout_ms);
  return 0;
}

/* Returns: 0, also if it waits, or an errno. */
static int
begin_step (ReeveResourceRun *self)
{
  const resource_step *step = get_step (self);

  /* The client is gone, and its handles with it. */
  if (self->session->client == NULL)
    return EBADF;

  get_result (self)->kind = step->kind;
  switch (step->kind) {
  case RESOURCE_STEP_OPEN:
    return open_step (self, &step->u.open);
  case RESOURCE_STEP_CLOSE:
    return close_step (self, step->u.close.handle);
  case RESOURCE_STEP_READ:
    return read_step (self, &step->u.read);
  case RESOURCE_STEP_WRITE:
    return write_step (self, &step->u.write);
  case RESOURCE_STEP_STAT:
    return stat_step (self, step->u.stat.handle);
  case RESOURCE_STEP_DEVCTL:
    return devctl_step (self, &step->u.devctl);
  }
  return ENOSYS;
}

/* ------------------------------------------------------------------ runs -- */

static void
answer_single (ReeveResourceRun *self)
{
  g_autoptr (GError) error = NULL;

  if (self->errnum == 0) {
    /* Each arm of the union stands at its begin. */
    reeve_call_reply (self->call, &self->results[0].u);
    return;
  }
  reeve_resource_set_error (&error, self->errnum,
                            self->single.kind == RESOURCE_STEP_OPEN
                                ? self->single.u.open.path
                                : NULL);
  reeve_call_fail (self->call, error);
}

static void
answer_combine (ReeveResourceRun *self)
{
  const resource_combine_ret ret = {
    .results = { self->n_results, self->results },
    .error = self->errnum,
  };

  /* Numbers are not used twice: one that was closed is just not there. */
  for (unsigned i = 0; i < self->n_results; i++)
    if (self->results[i].kind == RESOURCE_STEP_OPEN &&
        (self->closes || self->errnum != 0))
      reeve_resource_session_close_file (self->session,
                                         self->results[i].u.open.handle);
  reeve_call_reply (self->call, &ret);
}

static void
finish (ReeveResourceRun *self)
{
  /* The step that failed has a kind, and nothing that is to be freed. */
  unsigned n_results = self->n_results;
  resource_result *results = self->results;

  if (self->is_combine)
    answer_combine (self);
  else
    answer_single (self);
  for (unsigned i = 0; i < n_results; i++)
    resource_result_clear (&results[i]);
  g_free (results);
  g_free (self);
}

static void
run_on (ReeveResourceRun *self)
{
  while (self->errnum == 0 && self->n_results < self->n_steps) {
    int errnum;

    self->is_inside = TRUE;
    errnum = begin_step (self);
    self->is_inside = FALSE;
    if (errnum != 0)
      self->errnum = errnum;
    else if (self->is_waiting)
      return;
    if (self->errnum == 0)
      self->n_results++;
  }
  finish (self);
}

static ReeveResourceRun *
run_new (ReeveCall *call, unsigned n_steps)
{
  ReeveResourceRun *self = g_new0 (ReeveResourceRun, 1);

  self->session = reeve_resource_session_get (call);
  self->call = reeve_call_defer (call);
  self->steps = &self->single;
  self->n_steps = n_steps;
  self->results = g_new0 (resource_result, n_steps);
  self->bytes_left = RESOURCE_BYTES_MAX;
  return self;
}

/* (nullable) */
static ReeveResourceRun *
find_waiting (ReeveResourceSession *self, uint64_t number)
{
  for (GList *link = self->runs.head; link != NULL; link = link->next) {
    ReeveResourceRun *run = link->data;

    if (number == 0 || run->waits_for == number)
      return run;
  }
  return NULL;
}

unsigned
reeve_resource_session_cancel (ReeveResourceSession *self,
                               uint64_t number,
                               int errnum)
{
  ReeveResourceRun *run = NULL;
  unsigned n_cancelled = 0;

  /* One that is cancelled ends, and may close a handle that others wait for. */
  while ((run = find_waiting (self, number)) != NULL) {
    reeve_resource_request_cancel (run->request, errnum);
    n_cancelled++;
  }
  return n_cancelled;
}

/* -------------------------------------------------------------- handlers -- */

static void
run_step (ReeveCall *call, const resource_step *step)
{
  ReeveResourceRun *run = run_new (call, 1);

  run->single = *step;
  run_on (run);
}

static gboolean
handle_open (ReeveCall *call,
             const resource_open_args *args,
             resource_handle *ret,
             GError **error)
{
  run_step (call,
            &(resource_step){ .kind = RESOURCE_STEP_OPEN, .u.open = *args });
  return TRUE;
}

static gboolean
handle_close (ReeveCall *call, const resource_handle *args, GError **error)
{
  run_step (call,
            &(resource_step){ .kind = RESOURCE_STEP_CLOSE, .u.close = *args });
  return TRUE;
}

static gboolean
handle_read (ReeveCall *call,
             const resource_read_args *args,
             resource_read_ret *ret,
             GError **error)
{
  run_step (call,
            &(resource_step){ .kind = RESOURCE_STEP_READ, .u.read = *args });
  return TRUE;
}

static gboolean
handle_write (ReeveCall *call,
              const resource_write_args *args,
              resource_write_ret *ret,
              GError **error)
{
  run_step (call,
            &(resource_step){ .kind = RESOURCE_STEP_WRITE, .u.write = *args });
  return TRUE;
}

static gboolean
handle_stat (ReeveCall *call,
             const resource_handle *args,
             resource_attr *ret,
             GError **error)
{
  run_step (call,
            &(resource_step){ .kind = RESOURCE_STEP_STAT, .u.stat = *args });
  return TRUE;
}

static gboolean
handle_devctl (ReeveCall *call,
               const resource_devctl_args *args,
               resource_devctl_ret *ret,
               GError **error)
{
  run_step (call, &(resource_step){ .kind = RESOURCE_STEP_DEVCTL,
                                    .u.devctl = *args });
  return TRUE;
}

static gboolean
handle_combine (ReeveCall *call,
                const resource_combine_args *args,
                resource_combine_ret *ret,
                GError **error)
{
  ReeveResourceRun *run = run_new (call, args->steps.n_items);

  run->steps = args->steps.items;
  run->is_combine = TRUE;
  run->closes = args->closes != 0;
  run_on (run);
  return TRUE;
}

void
reeve_resource_add_run_handlers (resource_handlers *handlers)
{
  handlers->open = handle_open;
  handlers->close = handle_close;
  handlers->read = handle_read;
  handlers->write = handle_write;
  handlers->stat = handle_stat;
  handlers->devctl = handle_devctl;
  handlers->combine = handle_combine;
}
