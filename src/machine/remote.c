/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/remote.h"

#include "event/intl.h"
#include "machine/remote-private.h"
#include "rpc/error.h"

#include <string.h>

/* An operation ends this much before its call, so that its own words win. */
#define DEADLINE_MARGIN_US (200 * 1000)

ReeveRemote *
reeve_remote_new (ReeveMachineList *machines,
                  ReeveStoragePool *pool,
                  const char *uri)
{
  ReeveRemote *self = g_new0 (ReeveRemote, 1);

  self->machines = reeve_machine_list_ref (machines);
  self->pool = reeve_storage_pool_ref (pool);
  self->uri = g_strdup (uri);
  reeve_remote_add_connect (&self->handlers);
  reeve_remote_add_node (&self->handlers);
  reeve_remote_add_list (&self->handlers);
  reeve_remote_add_define (&self->handlers);
  reeve_remote_add_life (&self->handlers);
  reeve_remote_add_info (&self->handlers);
  reeve_remote_add_stats (&self->handlers);
  reeve_remote_add_metadata (&self->handlers);
  reeve_remote_add_event (&self->handlers);
  reeve_remote_add_graphics (&self->handlers);
  reeve_remote_add_pool (&self->handlers);
  reeve_remote_add_volume (&self->handlers);
  reeve_remote_add_stream (&self->handlers);
  reeve_remote_add_qemu (&self->qemu_handlers);
  reeve_remote_add_watch (&self->watch_handlers);
  return self;
}

void
reeve_remote_free (ReeveRemote *self)
{
  if (self == NULL)
    return;

  reeve_machine_list_unref (self->machines);
  reeve_storage_pool_unref (self->pool);
  g_free (self->uri);
  g_free (self);
}

void
reeve_remote_register (ReeveRemote *self, ReeveServer *server)
{
  reeve_server_add_program (server, &remote_program, &self->handlers, self);
  reeve_server_add_program (server, &qemu_program, &self->qemu_handlers, self);
  reeve_server_add_program (server, &watch_program, &self->watch_handlers,
                            self);
  reeve_machine_program_register (self, server);
  reeve_remote_add_subscriptions (server);
  reeve_remote_add_objects (server);
  reeve_remote_keep_sessions (server, self->machines);
  reeve_remote_keep_consoles (server, self->machines);
}

ReeveRemote *
reeve_remote_get (ReeveCall *call)
{
  return reeve_call_get_user_data (call);
}

ReeveMachineList *
reeve_remote_get_machines (ReeveCall *call)
{
  return reeve_remote_get (call)->machines;
}

gboolean
reeve_remote_check_open (ReeveCall *call, GError **error)
{
  if (reeve_session_is_open (reeve_session_get (call)))
    return TRUE;
  /* One call of a script stands alone. */
  if (!reeve_server_client_speaks_xdr (reeve_call_get_client (call))) {
    reeve_session_set_open (reeve_session_get (call));
    return TRUE;
  }

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_INTERNAL,
                       _ ("The connection was not opened"));
  return FALSE;
}

ReeveMachine *
reeve_remote_find (ReeveCall *call, const remote_domain *domain, GError **error)
{
  if (!reeve_remote_check_open (call, error))
    return NULL;

  return reeve_machine_list_lookup_uuid (reeve_remote_get_machines (call),
                                         domain->uuid, error);
}

ReeveMachine *
reeve_remote_find_with_flags (ReeveCall *call,
                              const remote_domain *domain,
                              uint32_t flags,
                              uint32_t known,
                              GError **error)
{
  return reeve_remote_check_flags (call, flags, known, error)
             ? reeve_remote_find (call, domain, error)
             : NULL;
}

void
reeve_remote_fill (remote_domain *domain, ReeveMachine *machine)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  reeve_machine_get_snapshot (machine, &snapshot);
  domain->name = g_steal_pointer (&snapshot.name);
  memcpy (domain->uuid, snapshot.uuid, sizeof domain->uuid);
  domain->id = snapshot.id;
}

gboolean
reeve_remote_check_flags (ReeveCall *call,
                          uint32_t flags,
                          uint32_t known,
                          GError **error)
{
  if ((flags & ~known) == 0)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("unsupported flags (0x%1$x) in %2$s"), flags & ~known,
               reeve_call_get_procedure (call)->name);
  return FALSE;
}

gint64
reeve_remote_get_deadline_us (ReeveCall *call)
{
  return reeve_call_get_deadline_us (call) - DEADLINE_MARGIN_US;
}

void
reeve_remote_answer (ReeveMachine *machine, const GError *error, gpointer data)
{
  if (error != NULL)
    reeve_call_fail (data, error);
  else
    reeve_call_reply (data, NULL);
}

void
reeve_remote_run (ReeveCall *call,
                  ReeveMachine *machine,
                  ReeveMachineOperation operation)
{
  operation (machine, reeve_remote_get_deadline_us (call), reeve_remote_answer,
             reeve_call_defer (call));
}

void
reeve_remote_answer_handle (ReeveMachine *machine,
                            const GError *error,
                            gpointer data)
{
  remote_domain_create_with_flags_ret ret = { 0 };

  if (error != NULL) {
    reeve_call_fail (data, error);
    return;
  }

  reeve_remote_fill (&ret.dom, machine);
  reeve_call_reply (data, &ret);
  remote_domain_create_with_flags_ret_clear (&ret);
}

gboolean
reeve_remote_resolve_impact (const ReeveMachineSnapshot *snapshot,
                             uint32_t *flags,
                             GError **error)
{
  if ((*flags & (REEVE_IMPACT_LIVE | REEVE_IMPACT_CONFIG)) == 0)
    *flags |= snapshot->is_active ? REEVE_IMPACT_LIVE : REEVE_IMPACT_CONFIG;

  if ((*flags & REEVE_IMPACT_LIVE) && !snapshot->is_active) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                         _ ("domain is not running"));
    return FALSE;
  }
  if ((*flags & REEVE_IMPACT_CONFIG) && !snapshot->is_persistent) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                         _ ("transient domains do not have any persistent "
                            "config"));
    return FALSE;
  }

  return TRUE;
}

/* --------------------------------------------------- typed parameters ---- */

static remote_typed_param *
add_param (GArray *params, const char *field, int32_t type)
{
  const remote_typed_param param = {
    .field = g_strdup (field),
    .value.type = type,
  };

  g_array_append_val (params, param);
  return &g_array_index (params, remote_typed_param, params->len - 1);
}

void
reeve_params_add_int (GArray *params, const char *field, int32_t value)
{
  add_param (params, field, REMOTE_PARAM_INT)->value.u.i = value;
}

void
reeve_params_add_uint (GArray *params, const char *field, uint32_t value)
{
  add_param (params, field, REMOTE_PARAM_UINT)->value.u.ui = value;
}

void
reeve_params_add_ullong (GArray *params, const char *field, uint64_t value)
{
  add_param (params, field, REMOTE_PARAM_ULLONG)->value.u.ul = value;
}

void
reeve_params_add_string (GArray *params, const char *field, const char *value)
{
  add_param (params, field, REMOTE_PARAM_STRING)->value.u.s = g_strdup (value);
}
