/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/introspection.h"

#include "daemon/access-program.h"
#include "daemon/command-program.h"
#include "daemon/metrics.h"
#include "event/intl.h"
#include "rpc/error.h"

/* ------------------------------------------------- a program as data ----- */

/* The types that were met, each once; a type is known by its place. */
typedef struct {
  GPtrArray *types;    /* (element-type ReeveType) */
  GHashTable *indices; /* type -> index + 1 */
} TypeList;

static uint32_t
get_index (TypeList *self, const ReeveType *type)
{
  gpointer known = g_hash_table_lookup (self->indices, type);

  if (known != NULL)
    return GPOINTER_TO_UINT (known) - 1;

  g_ptr_array_add (self->types, (gpointer) type);
  g_hash_table_insert (self->indices, (gpointer) type,
                       GUINT_TO_POINTER (self->types->len));
  return self->types->len - 1;
}

static void
describe_members (TypeList *list, const ReeveType *type, reeve_type_row *row)
{
  row->members.n_items = (uint32_t) type->n_members;
  row->members.items = g_new0 (reeve_member_row, type->n_members);
  for (size_t i = 0; i < type->n_members; i++) {
    const ReeveMember *member = &type->members[i];

    row->members.items[i] = (reeve_member_row){
      .name = g_strdup (member->name != NULL ? member->name : ""),
      .type = get_index (list, member->type),
      .value = member->value,
      .is_default = member->is_default,
    };
  }
}

static void
describe_values (const ReeveType *type, reeve_type_row *row)
{
  row->values.n_items = (uint32_t) type->n_values;
  row->values.items = g_new0 (reeve_enum_row, type->n_values);
  for (size_t i = 0; i < type->n_values; i++)
    row->values.items[i] = (reeve_enum_row){
      .name = g_strdup (type->values[i].name),
      .value = type->values[i].value,
    };
}

static void
describe_type (TypeList *list, const ReeveType *type, reeve_type_row *row)
{
  row->kind = type->kind;
  row->name = g_strdup (type->name != NULL ? type->name : "");
  row->limit = type->limit;
  if (type->element != NULL)
    row->element = get_index (list, type->element);
  describe_members (list, type, row);
  describe_values (type, row);
}

/* The list grows while it is walked, as types lead to types. */
static void
describe_types (TypeList *list, reeve_program_describe_ret *ret)
{
  GArray *rows = g_array_new (FALSE, TRUE, sizeof (reeve_type_row));

  for (unsigned i = 0; i < list->types->len; i++) {
    reeve_type_row row = { 0 };

    describe_type (list, list->types->pdata[i], &row);
    g_array_append_val (rows, row);
  }

  ret->types.n_items = rows->len;
  ret->types.items = (reeve_type_row *) (void *) g_array_free (rows, FALSE);
}

static void
describe_procedure (TypeList *list,
                    const ReeveProcedure *procedure,
                    reeve_procedure_row *row)
{
  *row = (reeve_procedure_row){
    .number = procedure->number,
    .name = g_strdup (procedure->name),
    .summary = g_strdup (procedure->summary),
    .access = g_strdup (procedure->access),
    .since = g_strdup (procedure->since),
    .dispatch = procedure->dispatch,
    .flags = procedure->flags,
    .args = get_index (list, procedure->args),
    .ret = get_index (list, procedure->ret),
  };
}

static void
summarize (const ReeveProgram *program, reeve_program_row *row)
{
  *row = (reeve_program_row){
    .name = g_strdup (program->name),
    .number = program->number,
    .vers = program->version,
  };
}

static void
describe (const ReeveProgram *program, reeve_program_describe_ret *ret)
{
  TypeList list = { g_ptr_array_new (), g_hash_table_new (NULL, NULL) };

  summarize (program, &ret->summary);
  ret->procedures.n_items = (uint32_t) program->n_procedures;
  ret->procedures.items = g_new0 (reeve_procedure_row, program->n_procedures);
  for (size_t i = 0; i < program->n_procedures; i++)
    describe_procedure (&list, &program->procedures[i],
                        &ret->procedures.items[i]);
  describe_types (&list, ret);
  g_ptr_array_unref (list.types);
  g_hash_table_unref (list.indices);
}

/* ------------------------------------------------------------ handlers --- */

static const ReeveProgram *const *
get_programs (ReeveCall *call)
{
  return reeve_server_get_programs (
      reeve_server_client_get_server (reeve_call_get_client (call)));
}

static gboolean
handle_ping (ReeveCall *call, GError **error)
{
  return TRUE;
}

static gboolean
handle_version (ReeveCall *call, reeve_version_ret *ret, GError **error)
{
  const ReeveDaemonInfo *info =
      reeve_daemon_get_info (reeve_call_get_user_data (call));

  ret->name = g_strdup (info->name);
  ret->release = g_strdup (info->version);
  return TRUE;
}

static gboolean
handle_program_list (ReeveCall *call,
                     reeve_program_list_ret *ret,
                     GError **error)
{
  const ReeveProgram *const *programs = get_programs (call);
  uint32_t n_programs = 0;

  while (programs[n_programs] != NULL)
    n_programs++;
  ret->programs.n_items = n_programs;
  ret->programs.items = g_new0 (reeve_program_row, n_programs);
  for (uint32_t i = 0; i < n_programs; i++)
    summarize (programs[i], &ret->programs.items[i]);
  return TRUE;
}

static gboolean
handle_program_describe (ReeveCall *call,
                         const reeve_program_describe_args *args,
                         reeve_program_describe_ret *ret,
                         GError **error)
{
  const ReeveProgram *const *programs = get_programs (call);

  for (; *programs != NULL; programs++) {
    if (g_str_equal ((*programs)->name, args->name)) {
      describe (*programs, ret);
      return TRUE;
    }
  }

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("There is no program “%s”"), args->name);
  return FALSE;
}

static gboolean
handle_stats (ReeveCall *call, reeve_stats_ret *ret, GError **error)
{
  ReeveServer *server =
      reeve_daemon_get_server (reeve_call_get_user_data (call));
  ReeveServerStats stats;
  ReeveJobPoolStats pool;

  reeve_server_get_stats (server, &stats);
  reeve_job_pool_get_stats (reeve_server_get_pool (server), &pool);
  *ret = (reeve_stats_ret){
    .clients = stats.n_clients,
    .clients_accepted = stats.n_accepted,
    .clients_refused = stats.n_refused,
    .calls = stats.n_calls,
    .calls_failed = stats.n_failed,
    .events = stats.n_events,
    .events_dropped = stats.n_events_dropped,
    .workers = pool.n_threads,
    .workers_waiting = pool.n_waiting,
    .workers_priority = pool.n_priority,
    .jobs_queued = pool.n_queued,
    .jobs_queued_max = pool.max_queued,
    .jobs_done = pool.n_done,
    .clients_unauth = stats.n_unauth,
    .clients_unauth_dropped = stats.n_unauth_dropped,
    .clients_silent = stats.n_silent,
    .connections_delayed = stats.n_delayed,
    .connections_without_files = stats.n_out_of_files,
    .messages_bad = stats.n_bad_messages,
    .calls_denied = stats.n_denied,
  };
  return TRUE;
}

static gboolean
handle_metrics (ReeveCall *call, reeve_metrics_ret *ret, GError **error)
{
  reeve_metrics_collect (reeve_call_get_user_data (call), ret);
  return TRUE;
}

static gboolean
handle_tls_info (ReeveCall *call,
                 const reeve_tls_info_args *args,
                 reeve_tls_info_ret *ret,
                 GError **error)
{
  return reeve_metrics_tell_tls (reeve_call_get_user_data (call), args->name,
                                 ret, error);
}

static const reeve_handlers handlers = {
  .ping = handle_ping,
  .version = handle_version,
  .program_list = handle_program_list,
  .program_describe = handle_program_describe,
  .stats = handle_stats,
  .metrics = handle_metrics,
  .tls_info = handle_tls_info,
  .access_list = reeve_access_program_list,
  .access_explain = reeve_access_program_explain,
  .access_reload = reeve_access_program_reload,
  .command_list = reeve_command_program_list,
  .logging_list = reeve_command_program_log_list,
  .logging_set = reeve_command_program_log_set,
  .logging_reopen = reeve_command_program_log_reopen,
  .logging_patterns = reeve_command_program_log_patterns,
  .logging_limit = reeve_command_program_log_limit,
  .logging_unlimit = reeve_command_program_log_unlimit,
  .logging_close = reeve_command_program_log_close,
  .counter_list = reeve_command_program_counter_list,
  .counter = reeve_command_program_counter,
  .usage = reeve_command_program_usage,
  .exit = reeve_command_program_exit,
};

void
reeve_introspection_register (ReeveDaemon *daemon, ReeveServer *server)
{
  reeve_server_add_program (server, &reeve_program, &handlers, daemon);
  reeve_command_program_register (server);
}
