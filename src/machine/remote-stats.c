/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "event/thread.h"
#include "machine/remote-private.h"
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

/* libvirt's DomainStatsTypes. */
enum {
  STATS_STATE = 1 << 0,
  STATS_CPU_TOTAL = 1 << 1,
  STATS_BALLOON = 1 << 2,
  STATS_VCPU = 1 << 3,
  STATS_INTERFACE = 1 << 4,
  STATS_BLOCK = 1 << 5,
  STATS_ALL = STATS_STATE | STATS_CPU_TOTAL | STATS_BALLOON | STATS_VCPU |
              STATS_INTERFACE | STATS_BLOCK,
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
  g_autoptr (ReeveMachine) machine = NULL;

  if (!reeve_remote_check_flags (call, args->flags, 0, error))
    return FALSE;
  machine = reeve_remote_find (call, &args->dom, error);
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

static void
add_state (Record *self, const ReeveMachineSnapshot *snapshot)
{
  reeve_params_add_int (self->params, "state.state", snapshot->state);
  reeve_params_add_int (self->params, "state.reason", snapshot->reason);
}

static void
add_cpu (Record *self)
{
  ReeveMachineUsage usage;

  if (!reeve_machine_get_usage (self->machine, &usage))
    return;
  reeve_params_add_ullong (self->params, "cpu.time", usage.cpu_ns);
  reeve_params_add_ullong (self->params, "cpu.user", usage.user_ns);
  reeve_params_add_ullong (self->params, "cpu.system", usage.system_ns);
}

static void
add_balloon (Record *self,
             const ReeveMachineSnapshot *snapshot,
             ReeveConfig *config)
{
  reeve_params_add_ullong (self->params, "balloon.current",
                           snapshot->current_memory_kib);
  reeve_params_add_ullong (self->params, "balloon.maximum",
                           reeve_config_get_memory_kib (config));
}

static void
add_vcpus (Record *self,
           const ReeveMachineSnapshot *snapshot,
           ReeveConfig *config)
{
  reeve_params_add_uint (self->params, "vcpu.current",
                         reeve_config_get_vcpus (config));
  reeve_params_add_uint (self->params, "vcpu.maximum",
                         reeve_config_get_max_vcpus (config));
  for (unsigned i = 0;
       snapshot->is_active && i < reeve_config_get_vcpus (config); i++) {
    g_autofree char *field = g_strdup_printf ("vcpu.%u.state", i);

    reeve_params_add_int (self->params, field, 1);
  }
}

static void
add_interfaces (Record *self, ReeveConfig *config)
{
  GPtrArray *interfaces = reeve_config_get_interfaces (config);

  reeve_params_add_uint (self->params, "net.count", interfaces->len);
  for (unsigned i = 0; i < interfaces->len; i++) {
    const ReeveConfigInterface *interface = interfaces->pdata[i];
    g_autofree char *field = g_strdup_printf ("net.%u.name", i);

    reeve_params_add_string (self->params, field,
                             interface->target != NULL ? interface->target
                                                       : interface->alias);
  }
}

static void
add_blocks (Record *self, ReeveConfig *config)
{
  GPtrArray *disks = reeve_config_get_disks (config);

  reeve_params_add_uint (self->params, "block.count", disks->len);
  for (unsigned i = 0; i < disks->len; i++) {
    const ReeveConfigDisk *disk = disks->pdata[i];
    g_autofree char *name = g_strdup_printf ("block.%u.name", i);
    g_autofree char *path = g_strdup_printf ("block.%u.path", i);

    reeve_params_add_string (self->params, name, disk->target);
    if (disk->path != NULL)
      reeve_params_add_string (self->params, path, disk->path);
  }
}

static Record *
record_new (ReeveMachine *machine, uint32_t stats)
{
  Record *self = g_new0 (Record, 1);
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };
  ReeveConfig *config;

  self->machine = reeve_machine_ref (machine);
  self->params = g_array_new (FALSE, FALSE, sizeof (remote_typed_param));
  reeve_machine_get_snapshot (machine, &snapshot);
  config =
      snapshot.live_config != NULL ? snapshot.live_config : snapshot.config;
  if (stats & STATS_STATE)
    add_state (self, &snapshot);
  if (stats & STATS_CPU_TOTAL)
    add_cpu (self);
  if (stats & STATS_BALLOON)
    add_balloon (self, &snapshot, config);
  if (stats & STATS_VCPU)
    add_vcpus (self, &snapshot, config);
  if (stats & STATS_INTERFACE)
    add_interfaces (self, config);
  if (stats & STATS_BLOCK)
    add_blocks (self, config);
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

static void
add_known (Record *self, const char *field, uint64_t value)
{
  if (value != UINT64_MAX)
    reeve_params_add_ullong (self->params, field, value);
}

/* In the loop's thread; a machine that did not answer adds nothing. */
static void
take_balloon (ReeveMachine *machine,
              const ReeveMachineMemoryStats *stats,
              const GError *error,
              gpointer data)
{
  Question *question = data;
  Record *record = question->record;

  if (error == NULL) {
    add_known (record, "balloon.swap_in", stats->swap_in_kib);
    add_known (record, "balloon.swap_out", stats->swap_out_kib);
    add_known (record, "balloon.major_fault", stats->major_faults);
    add_known (record, "balloon.minor_fault", stats->minor_faults);
    add_known (record, "balloon.unused", stats->unused_kib);
    add_known (record, "balloon.available", stats->available_kib);
    add_known (record, "balloon.usable", stats->usable_kib);
    add_known (record, "balloon.disk_caches", stats->disk_caches_kib);
    add_known (record, "balloon.last-update", stats->last_update_s);
    add_known (record, "balloon.rss", stats->resident_kib);
  }
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
  uint32_t stats = args->stats == 0 ? STATS_ALL : args->stats;
  g_autoptr (GPtrArray) machines = NULL;
  Answer *answer;

  if (!reeve_remote_check_open (call, error) ||
      !reeve_remote_check_flags (
          call, args->flags,
          0xff | STATS_NOWAIT | STATS_BACKING | STATS_ENFORCE, error))
    return FALSE;
  if ((args->flags & STATS_ENFORCE) && (stats & ~(uint32_t) STATS_ALL)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_ARGUMENT_UNSUPPORTED,
                 _ ("Stats types bits 0x%x are not supported by this daemon"),
                 stats & ~(uint32_t) STATS_ALL);
    return FALSE;
  }

  machines =
      args->doms.n_items > 0
          ? get_named (call, args, error)
          : reeve_remote_get_visible (
                call, "domain:read", (ReeveMachineFilter) (args->flags & 0xff));
  if (machines == NULL)
    return FALSE;

  answer = g_new0 (Answer, 1);
  atomic_init (&answer->n_open, 1);
  answer->call = reeve_call_defer (call);
  answer->records = g_ptr_array_new_with_free_func (record_free);
  for (unsigned i = 0; i < machines->len; i++)
    g_ptr_array_add (answer->records, record_new (machines->pdata[i], stats));
  if ((stats & STATS_BALLOON) && (args->flags & STATS_NOWAIT) == 0)
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
