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

static void
fill_domain (gpointer to, const ReeveMachineRow *row)
{
  remote_domain *domain = to;

  domain->name = (char *) row->name;
  memcpy (domain->uuid, row->uuid, sizeof domain->uuid);
  domain->id = row->id;
}

static gboolean
list_all_domains (ReeveCall *call,
                  const remote_connect_list_all_domains_args *args,
                  remote_connect_list_all_domains_ret *ret,
                  GError **error)
{
  if (!reeve_remote_check_open (call, error) ||
      !reeve_remote_check_flags (call, args->flags, REEVE_MACHINES_FILTER_ALL,
                                 error))
    return FALSE;
  if (args->need_results == 0) {
    ret->ret = reeve_remote_count_rows (call, args->flags);
    return TRUE;
  }

  ret->domains.items =
      reeve_remote_lend_rows (call, args->flags, sizeof *ret->domains.items,
                              fill_domain, &ret->domains.n_items);
  ret->ret = ret->domains.n_items;
  if (ret->ret > REMOTE_LIST_MAX) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("%1$u machines are more than the %2$d that a reply has "
                    "room for"),
                 ret->ret, REMOTE_LIST_MAX);
    return FALSE;
  }
  return TRUE;
}

/* -------------------------------------------------------- the old lists -- */

static gboolean
num_of_domains (ReeveCall *call,
                remote_connect_num_of_domains_ret *ret,
                GError **error)
{
  ret->num = (int32_t) reeve_remote_count_rows (call, REEVE_MACHINES_ACTIVE);
  return reeve_remote_check_open (call, error);
}

static gboolean
num_of_defined_domains (ReeveCall *call,
                        remote_connect_num_of_defined_domains_ret *ret,
                        GError **error)
{
  ret->num = (int32_t) reeve_remote_count_rows (call, REEVE_MACHINES_INACTIVE);
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

static void
fill_id (gpointer to, const ReeveMachineRow *row)
{
  *(int32_t *) to = row->id;
}

static gboolean
list_domains (ReeveCall *call,
              const remote_connect_list_domains_args *args,
              remote_connect_list_domains_ret *ret,
              GError **error)
{
  uint32_t n_ids;

  if (!reeve_remote_check_open (call, error) ||
      !check_maximum (args->maxids, error))
    return FALSE;

  ret->ids.items = reeve_remote_lend_rows (
      call, REEVE_MACHINES_ACTIVE, sizeof *ret->ids.items, fill_id, &n_ids);
  ret->ids.n_items = MIN (n_ids, (uint32_t) args->maxids);
  return TRUE;
}

static void
fill_name (gpointer to, const ReeveMachineRow *row)
{
  *(char **) to = (char *) row->name;
}

static gboolean
list_defined_domains (ReeveCall *call,
                      const remote_connect_list_defined_domains_args *args,
                      remote_connect_list_defined_domains_ret *ret,
                      GError **error)
{
  uint32_t n_names;

  if (!reeve_remote_check_open (call, error) ||
      !check_maximum (args->maxnames, error))
    return FALSE;

  ret->names.items =
      reeve_remote_lend_rows (call, REEVE_MACHINES_INACTIVE,
                              sizeof *ret->names.items, fill_name, &n_names);
  ret->names.n_items = MIN (n_names, (uint32_t) args->maxnames);
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
