/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/machine-table.h"
#include "machine/remote-private.h"
#include "rpc/access.h"
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

/* The rows of a table that the caller may see. */
typedef struct {
  ReeveMachineTable *table; /* (owned) */
  ReeveServerClient
      *restricted; /* (nullable): the caller, if there are rules */
  const ReeveMachineRow *next;
  const ReeveMachineRow *end;
  unsigned filter;
} Walk;

static void
walk_begin (Walk *self, ReeveCall *call, unsigned filter)
{
  ReeveServerClient *client = reeve_call_get_client (call);
  unsigned n_rows;

  self->table =
      reeve_machine_list_get_table (reeve_remote_get_machines (call), NULL);
  self->restricted = reeve_server_client_is_restricted (client) ? client : NULL;
  self->next = reeve_machine_table_get_rows (self->table, &n_rows);
  self->end = self->next + n_rows;
  self->filter = filter;
}

static void
walk_end (Walk *self)
{
  g_clear_pointer (&self->table, reeve_machine_table_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Walk, walk_end)

/* (nullable) */
static const ReeveMachineRow *
walk_next (Walk *self)
{
  while (self->next < self->end) {
    const ReeveMachineRow *row = self->next++;

    if (reeve_machine_row_matches (row, self->filter) &&
        (self->restricted == NULL ||
         reeve_server_client_may (self->restricted, "domain:getattr",
                                  row->name)))
      return row;
  }
  return NULL;
}

static unsigned
count (ReeveCall *call, unsigned filter)
{
  g_auto (Walk) walk = { 0 };
  unsigned n_visible = 0;

  walk_begin (&walk, call, filter);
  while (walk_next (&walk) != NULL)
    n_visible++;
  return n_visible;
}

/* What a reply borrows. */
typedef struct {
  Walk walk;
  unsigned n_domains;
  remote_domain domains[];
} Listing;

static void
listing_free (gpointer data)
{
  Listing *self = data;

  walk_end (&self->walk);
  g_free (self);
}

static Listing *
make_listing (ReeveCall *call, unsigned filter)
{
  const ReeveMachineRow *row;
  Walk walk;
  Listing *self;

  walk_begin (&walk, call, filter);
  self = g_malloc (sizeof *self +
                   (size_t) (walk.end - walk.next) * sizeof self->domains[0]);
  self->n_domains = 0;
  while ((row = walk_next (&walk)) != NULL) {
    remote_domain *domain = &self->domains[self->n_domains++];

    domain->name = (char *) row->name;
    memcpy (domain->uuid, row->uuid, sizeof domain->uuid);
    domain->id = row->id;
  }
  self->walk = walk;
  return self;
}

static gboolean
list_all_domains (ReeveCall *call,
                  const remote_connect_list_all_domains_args *args,
                  remote_connect_list_all_domains_ret *ret,
                  GError **error)
{
  Listing *listing;

  if (!reeve_remote_check_open (call, error) ||
      !reeve_remote_check_flags (call, args->flags, REEVE_MACHINES_FILTER_ALL,
                                 error))
    return FALSE;
  if (args->need_results == 0) {
    ret->ret = count (call, args->flags);
    return TRUE;
  }

  listing = make_listing (call, args->flags);
  reeve_call_lend_ret (call, listing, listing_free);
  if (listing->n_domains > REMOTE_LIST_MAX) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("%1$u machines are more than the %2$d that a reply has "
                    "room for"),
                 listing->n_domains, REMOTE_LIST_MAX);
    return FALSE;
  }

  ret->ret = listing->n_domains;
  ret->domains.n_items = listing->n_domains;
  ret->domains.items = listing->domains;
  return TRUE;
}

/* -------------------------------------------------------- the old lists -- */

static gboolean
num_of_domains (ReeveCall *call,
                remote_connect_num_of_domains_ret *ret,
                GError **error)
{
  ret->num = (int32_t) count (call, REEVE_MACHINES_ACTIVE);
  return reeve_remote_check_open (call, error);
}

static gboolean
num_of_defined_domains (ReeveCall *call,
                        remote_connect_num_of_defined_domains_ret *ret,
                        GError **error)
{
  ret->num = (int32_t) count (call, REEVE_MACHINES_INACTIVE);
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
  Listing *listing;

  if (!reeve_remote_check_open (call, error) ||
      !check_maximum (args->maxids, error))
    return FALSE;

  listing = make_listing (call, REEVE_MACHINES_ACTIVE);
  ret->ids.n_items = MIN (listing->n_domains, (uint32_t) args->maxids);
  ret->ids.items = g_new0 (int32_t, ret->ids.n_items);
  for (unsigned i = 0; i < ret->ids.n_items; i++)
    ret->ids.items[i] = listing->domains[i].id;
  listing_free (listing);
  return TRUE;
}

static gboolean
list_defined_domains (ReeveCall *call,
                      const remote_connect_list_defined_domains_args *args,
                      remote_connect_list_defined_domains_ret *ret,
                      GError **error)
{
  Listing *listing;

  if (!reeve_remote_check_open (call, error) ||
      !check_maximum (args->maxnames, error))
    return FALSE;

  listing = make_listing (call, REEVE_MACHINES_INACTIVE);
  ret->names.n_items = MIN (listing->n_domains, (uint32_t) args->maxnames);
  ret->names.items = g_new0 (char *, ret->names.n_items);
  for (unsigned i = 0; i < ret->names.n_items; i++)
    ret->names.items[i] = g_strdup (listing->domains[i].name);
  listing_free (listing);
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
