/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/stats.h"

#include "tree/module.h"

#include "protocol/remote.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* How long QEMU may take for what it alone knows. */
#define TIMEOUT_US (5 * G_USEC_PER_SEC)
#define BALLOON "balloon."

struct _ReeveTreeStats {
  ReeveMachine *machine; /* (owned) */
  ReeveTreeBase *base;
  ReeveResourceNode *directory; /* (owned) */
  GHashTable *nodes; /* (element-type utf8 ReeveResourceNode) (owned): of the
                        fields that somebody has looked for */
};

/* Behind a node. */
typedef struct {
  ReeveTreeSource common;
  char *field; /* (owned) */
} Source;

/* (nullable) */
static const remote_typed_param *
find_param (GArray *params, const char *field)
{
  for (unsigned i = 0; i < params->len; i++) {
    const remote_typed_param *param =
        &g_array_index (params, remote_typed_param, i);

    if (g_str_equal (param->field, field))
      return param;
  }
  return NULL;
}

/* What @field is one of; 0: of nothing. */
static uint32_t
get_group (const char *field)
{
  static const struct {
    const char *start;
    uint32_t group;
  } groups[] = {
    { "state.", REEVE_STATS_STATE },   { "cpu.", REEVE_STATS_CPU_TOTAL },
    { BALLOON, REEVE_STATS_BALLOON },  { "vcpu.", REEVE_STATS_VCPU },
    { "net.", REEVE_STATS_INTERFACE }, { "block.", REEVE_STATS_BLOCK },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (groups); i++)
    if (g_str_has_prefix (field, groups[i].start))
      return groups[i].group;
  return 0;
}

/* (transfer full): the fields of @groups that the machine may have now. */
static GArray *
collect (ReeveMachine *machine, uint32_t groups)
{
  static const ReeveMachineMemoryStats all = { 0 };
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };
  GArray *params = reeve_stats_new (machine, groups);

  reeve_machine_get_snapshot (machine, &snapshot);
  if (snapshot.is_active && (groups & REEVE_STATS_BALLOON) != 0)
    reeve_stats_add_memory (params, &all);
  return params;
}

/* --------------------------------------------------------------- reading -- */

/* @param: (nullable) */
static void
answer (ReeveResourceRequest *request, const remote_typed_param *param)
{
  const remote_typed_param_value *value = param == NULL ? NULL : &param->value;
  g_autofree char *text = NULL;

  if (value == NULL) {
    reeve_resource_request_fail (request, ENODATA);
    return;
  }
  switch (value->type) {
  case REMOTE_PARAM_INT:
    text = g_strdup_printf ("%" PRId32 "\n", value->u.i);
    break;
  case REMOTE_PARAM_UINT:
    text = g_strdup_printf ("%" PRIu32 "\n", value->u.ui);
    break;
  case REMOTE_PARAM_ULLONG:
    text = g_strdup_printf ("%" PRIu64 "\n", (uint64_t) value->u.ul);
    break;
  default:
    text = g_strconcat (value->u.s, "\n", NULL);
    break;
  }
  reeve_resource_request_show_text (request, g_steal_pointer (&text));
}

/* What QEMU is asked for. */
typedef struct {
  ReeveResourceRequest *request; /* (owned) */
  char *field;                   /* (owned) */
} Question;

/* ReeveMachineMemoryReply */
static void
take_memory (ReeveMachine *machine,
             const ReeveMachineMemoryStats *stats,
             const GError *error,
             gpointer data)
{
  Question *self = data;

  if (error != NULL) {
    reeve_resource_request_fail (self->request, reeve_tree_get_errno (error));
  } else {
    GArray *params = reeve_stats_new (machine, 0);

    reeve_stats_add_memory (params, stats);
    answer (self->request, find_param (params, self->field));
    reeve_stats_free (params);
  }
  g_free (self->field);
  g_free (self);
}

static gboolean
is_active (ReeveMachine *machine)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  reeve_machine_get_snapshot (machine, &snapshot);
  return snapshot.is_active;
}

static void
show (ReeveResourceRequest *request, gpointer data)
{
  const Source *self = data;
  uint32_t group = get_group (self->field);
  GArray *params = reeve_stats_new (self->common.machine, group);
  const remote_typed_param *param = find_param (params, self->field);

  if (param == NULL && group == REEVE_STATS_BALLOON &&
      is_active (self->common.machine)) {
    Question *question = g_new0 (Question, 1);

    question->request = request;
    question->field = g_strdup (self->field);
    reeve_machine_query_memory (self->common.machine,
                                g_get_monotonic_time () + TIMEOUT_US,
                                take_memory, question);
  } else {
    answer (request, param);
  }
  reeve_stats_free (params);
}

/* ----------------------------------------------------------------- names -- */

static void
source_free (gpointer data)
{
  Source *self = data;

  g_free (self->field);
  reeve_tree_source_free (self);
}

static ReeveResourceNode *
make_node (ReeveTreeStats *self, const char *field)
{
  static const ReeveResourceTextFuncs funcs = { .read = show };
  static const ReeveTreeAccess access = { .read_tag = "domain:read" };
  g_autofree char *path = g_strconcat ("stats/", field, NULL);
  Source *source = reeve_tree_source_new (sizeof *source, self->base, &access,
                                          path, self->machine);
  ReeveResourceNode *node =
      reeve_resource_property_new (0444, &funcs, source, source_free);

  source->field = g_strdup (field);
  reeve_resource_node_set_guard (node, reeve_tree_guard, source);
  return node;
}

static gboolean
has_field (ReeveTreeStats *self, const char *field)
{
  uint32_t group = get_group (field);
  GArray *params = collect (self->machine, group);
  gboolean is_there = find_param (params, field) != NULL;

  reeve_stats_free (params);
  return is_there;
}

ReeveResourceNode *
reeve_tree_stats_find (ReeveTreeStats *self, const char *field)
{
  ReeveResourceNode *node = NULL;

  if (field == NULL)
    return reeve_resource_node_ref (self->directory);
  if (!has_field (self, field)) {
    g_hash_table_remove (self->nodes, field);
    return NULL;
  }
  node = g_hash_table_lookup (self->nodes, field);
  if (node == NULL) {
    node = make_node (self, field);
    g_hash_table_insert (self->nodes, g_strdup (field), node);
  }
  return reeve_resource_node_ref (node);
}

void
reeve_tree_stats_list (ReeveTreeStats *self, ReeveResourceListing *listing)
{
  GArray *params = collect (self->machine, REEVE_STATS_ALL);

  for (unsigned i = 0; i < params->len; i++)
    reeve_resource_listing_add (
        listing, g_array_index (params, remote_typed_param, i).field, S_IFREG);
  reeve_stats_free (params);
}

ReeveTreeStats *
reeve_tree_stats_new (ReeveMachine *machine, ReeveTreeBase *base)
{
  ReeveTreeStats *self = g_new0 (ReeveTreeStats, 1);

  self->machine = reeve_machine_ref (machine);
  self->base = base;
  self->directory = reeve_resource_node_new_directory (0755);
  self->nodes =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                             (GDestroyNotify) reeve_resource_node_unref);
  return self;
}

void
reeve_tree_stats_free (ReeveTreeStats *self)
{
  g_hash_table_unref (self->nodes);
  reeve_resource_node_unref (self->directory);
  reeve_machine_unref (self->machine);
  g_free (self);
}
