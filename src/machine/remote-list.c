/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/remote-private.h"
#include "rpc/error.h"

#include <string.h>

/* Which machines there are. */

static gboolean
lookup_by_id (ReeveCall *call,
              const remote_domain_lookup_by_id_args *args,
              remote_domain_lookup_by_id_ret *ret,
              GError **error)
{
  g_autoptr (ReeveMachine) machine = NULL;

  if (!reeve_remote_check_open (call, error))
    return FALSE;
  machine = reeve_machine_list_lookup_id (reeve_remote_get_machines (call),
                                          args->id, error);
  if (machine == NULL)
    return FALSE;
  reeve_remote_fill (&ret->dom, machine);
  return TRUE;
}

static gboolean
lookup_by_name (ReeveCall *call,
                const remote_domain_lookup_by_name_args *args,
                remote_domain_lookup_by_name_ret *ret,
                GError **error)
{
  g_autoptr (ReeveMachine) machine = NULL;

  if (!reeve_remote_check_open (call, error))
    return FALSE;
  machine = reeve_machine_list_lookup_name (reeve_remote_get_machines (call),
                                            args->name, error);
  if (machine == NULL)
    return FALSE;
  reeve_remote_fill (&ret->dom, machine);
  return TRUE;
}

static gboolean
lookup_by_uuid (ReeveCall *call,
                const remote_domain_lookup_by_uuid_args *args,
                remote_domain_lookup_by_uuid_ret *ret,
                GError **error)
{
  g_autoptr (ReeveMachine) machine = NULL;

  if (!reeve_remote_check_open (call, error))
    return FALSE;
  machine = reeve_machine_list_lookup_uuid (reeve_remote_get_machines (call),
                                            args->uuid, error);
  if (machine == NULL)
    return FALSE;
  reeve_remote_fill (&ret->dom, machine);
  return TRUE;
}

static GPtrArray *
get_visible (ReeveCall *call, ReeveMachineFilter filter)
{
  return reeve_remote_get_visible (call, "domain:getattr", filter);
}

static gboolean
list_all_domains (ReeveCall *call,
                  const remote_connect_list_all_domains_args *args,
                  remote_connect_list_all_domains_ret *ret,
                  GError **error)
{
  g_autoptr (GPtrArray) machines = NULL;

  if (!reeve_remote_check_open (call, error) ||
      !reeve_remote_check_flags (call, args->flags, REEVE_MACHINES_FILTER_ALL,
                                 error))
    return FALSE;

  machines = get_visible (call, (ReeveMachineFilter) args->flags);
  ret->ret = machines->len;
  if (args->need_results == 0)
    return TRUE;
  if (machines->len > REMOTE_LIST_MAX) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("%1$u machines are more than the %2$d that a reply has "
                    "room for"),
                 machines->len, REMOTE_LIST_MAX);
    return FALSE;
  }

  ret->domains.n_items = machines->len;
  ret->domains.items = g_new0 (remote_domain, machines->len);
  for (unsigned i = 0; i < machines->len; i++)
    reeve_remote_fill (&ret->domains.items[i], machines->pdata[i]);
  return TRUE;
}

/* -------------------------------------------------------- the old lists -- */

static gboolean
num_of_domains (ReeveCall *call,
                remote_connect_num_of_domains_ret *ret,
                GError **error)
{
  g_autoptr (GPtrArray) machines = get_visible (call, REEVE_MACHINES_ACTIVE);

  ret->num = (int32_t) machines->len;
  return reeve_remote_check_open (call, error);
}

static gboolean
num_of_defined_domains (ReeveCall *call,
                        remote_connect_num_of_defined_domains_ret *ret,
                        GError **error)
{
  g_autoptr (GPtrArray) machines = get_visible (call, REEVE_MACHINES_INACTIVE);

  ret->num = (int32_t) machines->len;
  return reeve_remote_check_open (call, error);
}

static gboolean
check_maximum (int32_t maximum, GError **error)
{
  if (maximum >= 0 && maximum <= REMOTE_LIST_MAX)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
               _ ("A list of %1$d is not from 0 to %2$d"), maximum,
               REMOTE_LIST_MAX);
  return FALSE;
}

static gboolean
list_domains (ReeveCall *call,
              const remote_connect_list_domains_args *args,
              remote_connect_list_domains_ret *ret,
              GError **error)
{
  g_autoptr (GPtrArray) machines = NULL;

  if (!reeve_remote_check_open (call, error) ||
      !check_maximum (args->maxids, error))
    return FALSE;

  machines = get_visible (call, REEVE_MACHINES_ACTIVE);
  ret->ids.n_items = MIN (machines->len, (uint32_t) args->maxids);
  ret->ids.items = g_new0 (int32_t, ret->ids.n_items);
  for (unsigned i = 0; i < ret->ids.n_items; i++) {
    g_auto (ReeveMachineSnapshot) snapshot = { 0 };

    reeve_machine_get_snapshot (machines->pdata[i], &snapshot);
    ret->ids.items[i] = snapshot.id;
  }
  return TRUE;
}

static gboolean
list_defined_domains (ReeveCall *call,
                      const remote_connect_list_defined_domains_args *args,
                      remote_connect_list_defined_domains_ret *ret,
                      GError **error)
{
  g_autoptr (GPtrArray) machines = NULL;

  if (!reeve_remote_check_open (call, error) ||
      !check_maximum (args->maxnames, error))
    return FALSE;

  machines = get_visible (call, REEVE_MACHINES_INACTIVE);
  ret->names.n_items = MIN (machines->len, (uint32_t) args->maxnames);
  ret->names.items = g_new0 (char *, ret->names.n_items);
  for (unsigned i = 0; i < ret->names.n_items; i++) {
    g_auto (ReeveMachineSnapshot) snapshot = { 0 };

    reeve_machine_get_snapshot (machines->pdata[i], &snapshot);
    ret->names.items[i] = g_steal_pointer (&snapshot.name);
  }
  return TRUE;
}

void
reeve_remote_add_list (remote_handlers *handlers)
{
  handlers->domain_lookup_by_id = lookup_by_id;
  handlers->domain_lookup_by_name = lookup_by_name;
  handlers->domain_lookup_by_uuid = lookup_by_uuid;
  handlers->connect_list_all_domains = list_all_domains;
  handlers->connect_num_of_domains = num_of_domains;
  handlers->connect_num_of_defined_domains = num_of_defined_domains;
  handlers->connect_list_domains = list_domains;
  handlers->connect_list_defined_domains = list_defined_domains;
}
