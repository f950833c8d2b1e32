/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "event/thread.h"
#include "machine/remote-private.h"
#include "machine/stats.h"
#include "rpc/access.h"
#include "rpc/error.h"

#include <stdatomic.h>

/* Counters. Nothing here waits long for a QEMU: one that does not answer in
 * time is left out of what it alone knows. */

/* A QEMU that is well answers within a few ms. */
#define STATS_TIMEOUT_US (50 * G_TIME_SPAN_MILLISECOND)

/* libvirt's DomainMemoryStatTags. */
enum {
  TAG_SWAP_IN = 0,
  TAG_SWAP_OUT = 1,
  TAG_MAJOR_FAULT = 2,
  TAG_MINOR_FAULT = 3,
  TAG_UNUSED = 4,
  TAG_AVAILABLE = 5,
  TAG_ACTUAL = 6,
  TAG_RSS = 7,
  TAG_USABLE = 8,
  TAG_LAST_UPDATE = 9,
  TAG_DISK_CACHES = 10,
};

#define STATS_NOWAIT UINT32_C (0x20000000)
#define STATS_BACKING UINT32_C (0x40000000)
#define STATS_ENFORCE UINT32_C (0x80000000)

/* -------------------------------------------------------- memory stats --- */

static void
add_stat (GArray *stats, int32_t tag, uint64_t value)
{
  const remote_domain_memory_stats_ret_stat stat = { .tag = tag, .val = value };

  if (value != UINT64_MAX)
    g_array_append_val (stats, stat);
}

static void
take_memory_stats (ReeveMachine *machine,
                   const ReeveMachineMemoryStats *stats,
                   const GError *error,
                   gpointer data)
{
  remote_domain_memory_stats_ret ret = { 0 };
  GArray *rows;

  if (error != NULL) {
    reeve_call_fail (data, error);
    return;
  }

  rows =
      g_array_new (FALSE, FALSE, sizeof (remote_domain_memory_stats_ret_stat));
  add_stat (rows, TAG_ACTUAL, stats->actual_kib);
  add_stat (rows, TAG_SWAP_IN, stats->swap_in_kib);
  add_stat (rows, TAG_SWAP_OUT, stats->swap_out_kib);
  add_stat (rows, TAG_MAJOR_FAULT, stats->major_faults);
  add_stat (rows, TAG_MINOR_FAULT, stats->minor_faults);
  add_stat (rows, TAG_UNUSED, stats->unused_kib);
  add_stat (rows, TAG_AVAILABLE, stats->available_kib);
  add_stat (rows, TAG_USABLE, stats->usable_kib);
  add_stat (rows, TAG_DISK_CACHES, stats->disk_caches_kib);
  add_stat (rows, TAG_LAST_UPDATE, stats->last_update_s);
  add_stat (rows, TAG_RSS, stats->resident_kib);
  ret.stats.n_items = rows->len;
  ret.stats.items =
      (remote_domain_memory_stats_ret_stat *) (void *) g_array_free (rows,
                                                                     FALSE);
  reeve_call_reply (data, &ret);
  remote_domain_memory_stats_ret_clear (&ret);
}

static gboolean
domain_memory_stats (ReeveCall *call,
                     const remote_domain_memory_stats_args *args,
                     remote_domain_memory_stats_ret *ret,
                     GError **error)
{
  g_autoptr (ReeveMachine) machine =
      reeve_remote_find_with_flags (call, &args->dom, args->flags, 0, error);

  if (machine == NULL)
    return FALSE;

  reeve_machine_query_memory (machine, reeve_remote_get_deadline_us (call),
                              take_memory_stats, reeve_call_defer (call));
  return TRUE;
}

/* ----------------------------------------------------------- all stats --- */

/* One machine's part of an answer. */
typedef struct {
  ReeveMachine *machine; /* (owned) */
  GArray *params;        /* (element-type remote_typed_param) (owned) */
} Record;

/* An answer to domstats: made of what is known at once, and of what the
 * machines say to questions that are all asked at the same time. */
typedef struct {
  ReeveCall *call;    /* (owned) */
  GPtrArray *records; /* (element-type Record) (owned) */
  atomic_int n_open;  /* questions without an answer, and the asking itself */
} Answer;

static void
record_free (gpointer data)
{
  Record *self = data;

  reeve_machine_unref (self->machine);
  g_array_unref (self->params);
  g_free (self);
}

static Record *
record_new (ReeveMachine *machine, uint32_t stats)
{
  Record *self = g_new0 (Record, 1);

  self->machine = reeve_machine_ref (machine);
  self->params = reeve_stats_new (machine, stats);
  return self;
}

static void
send_answer (Answer *self)
{
  remote_connect_get_all_domain_stats_ret ret = { 0 };

  ret.records.n_items = self->records->len;
  ret.records.items = g_new0 (remote_connect_get_all_domain_stats_ret_record,
                              MAX (self->records->len, 1));
  for (unsigned i = 0; i < self->records->len; i++) {
    Record *record = self->records->pdata[i];

    reeve_remote_fill (&ret.records.items[i].dom, record->machine);
    ret.records.items[i].params.n_items = record->params->len;
    ret.records.items[i].params.items =
        (remote_typed_param *) (void *) g_array_free (
            g_array_ref (record->params), FALSE);
  }
  reeve_call_reply (self->call, &ret);
  remote_connect_get_all_domain_stats_ret_clear (&ret);
  g_ptr_array_unref (self->records);
  g_free (self);
}

static void
close_question (Answer *self)
{
  if (atomic_fetch_sub (&self->n_open, 1) == 1)
    send_answer (self);
}

typedef struct {
  Answer *answer;
  Record *record; /* not owned */
} Question;

/* In the loop's thread; a machine that did not answer adds nothing. */
static void
take_balloon (ReeveMachine *machine,
              const ReeveMachineMemoryStats *stats,
              const GError *error,
              gpointer data)
{
  Question *question = data;

  if (error == NULL)
    reeve_stats_add_memory (question->record->params, stats);
  close_question (question->answer);
  g_free (question);
}

static void
ask_all (Answer *self)
{
  gint64 deadline_us = MIN (reeve_call_get_deadline_us (self->call),
                            g_get_monotonic_time () + STATS_TIMEOUT_US);

  for (unsigned i = 0; i < self->records->len; i++) {
    Record *record = self->records->pdata[i];
    g_auto (ReeveMachineSnapshot) snapshot = { 0 };
    Question *question;

    reeve_machine_get_snapshot (record->machine, &snapshot);
    if (!snapshot.is_active)
      continue;
    question = g_new (Question, 1);
    question->answer = self;
    question->record = record;
    atomic_fetch_add (&self->n_open, 1);
    reeve_machine_query_memory (record->machine, deadline_us, take_balloon,
                                question);
  }
}

/* Each of them takes more than the call itself. */
static gboolean
check_access (ReeveCall *call, ReeveMachine *machine, GError **error)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  reeve_machine_get_snapshot (machine, &snapshot);
  if (reeve_server_client_may (reeve_call_get_client (call), "domain:getattr",
                               snapshot.name))
    return reeve_call_check_access (call, "domain:read", snapshot.name, error);

  reeve_machine_list_miss_uuid (snapshot.uuid, error);
  return FALSE;
}

static GPtrArray *
get_named (ReeveCall *call,
           const remote_connect_get_all_domain_stats_args *args,
           GError **error)
{
  g_autoptr (GPtrArray) machines =
      g_ptr_array_new_with_free_func ((GDestroyNotify) reeve_machine_unref);

  for (uint32_t i = 0; i < args->doms.n_items; i++) {
    ReeveMachine *machine =
        reeve_remote_find (call, &args->doms.items[i], error);

    if (machine == NULL)
      return NULL;
    g_ptr_array_add (machines, machine);
    if (!check_access (call, machine, error))
      return NULL;
  }

  return g_steal_pointer (&machines);
}

static gboolean
connect_get_all_domain_stats (
    ReeveCall *call,
    const remote_connect_get_all_domain_stats_args *args,
    remote_connect_get_all_domain_stats_ret *ret,
    GError **error)
{
  uint32_t stats = args->stats == 0 ? REEVE_STATS_ALL : args->stats;
  g_autoptr (GPtrArray) machines = NULL;
  Answer *answer;

  if (!reeve_remote_check_open (call, error) ||
      !reeve_remote_check_flags (
          call, args->flags,
          0xff | STATS_NOWAIT | STATS_BACKING | STATS_ENFORCE, error))
    return FALSE;
  if ((args->flags & STATS_ENFORCE) && (stats & ~(uint32_t) REEVE_STATS_ALL)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_ARGUMENT_UNSUPPORTED,
                 _ ("Stats types bits 0x%x are not supported by this daemon"),
                 stats & ~(uint32_t) REEVE_STATS_ALL);
    return FALSE;
  }

  machines =
      args->doms.n_items > 0
          ? get_named (call, args, error)
          : reeve_remote_get_visible (call, "domain:read", args->flags & 0xff);
  if (machines == NULL)
    return FALSE;

  answer = g_new0 (Answer, 1);
  atomic_init (&answer->n_open, 1);
  answer->call = reeve_call_defer (call);
  answer->records = g_ptr_array_new_with_free_func (record_free);
  for (unsigned i = 0; i < machines->len; i++)
    g_ptr_array_add (answer->records, record_new (machines->pdata[i], stats));
  if ((stats & REEVE_STATS_BALLOON) && (args->flags & STATS_NOWAIT) == 0)
    ask_all (answer);
  close_question (answer);
  return TRUE;
}

void
reeve_remote_add_stats (remote_handlers *handlers)
{
  handlers->domain_memory_stats = domain_memory_stats;
  handlers->connect_get_all_domain_stats = connect_get_all_domain_stats;
}
