/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/remote-private.h"

/* What libvirt has beside machines and we do not: clients that list it find
 * nothing, rather than an error that they stumble over. A zeroed result is an
 * empty list. */

#define EMPTY(name)                                                            \
  static gboolean name (ReeveCall *call, remote_##name##_ret *ret,             \
                        GError **error)                                        \
  {                                                                            \
    return reeve_remote_check_open (call, error);                              \
  }
#define EMPTY_WITH_ARGS(name)                                                  \
  static gboolean name (ReeveCall *call, const remote_##name##_args *args,     \
                        remote_##name##_ret *ret, GError **error)              \
  {                                                                            \
    return reeve_remote_check_open (call, error);                              \
  }

EMPTY (connect_num_of_networks)
EMPTY (connect_num_of_defined_networks)
EMPTY (connect_num_of_storage_pools)
EMPTY (connect_num_of_defined_storage_pools)
EMPTY (connect_num_of_interfaces)
EMPTY (connect_num_of_defined_interfaces)
EMPTY (connect_num_of_secrets)
EMPTY (connect_num_of_nwfilters)
EMPTY_WITH_ARGS (connect_list_networks)
EMPTY_WITH_ARGS (connect_list_defined_networks)
EMPTY_WITH_ARGS (connect_list_all_networks)
EMPTY_WITH_ARGS (connect_list_storage_pools)
EMPTY_WITH_ARGS (connect_list_defined_storage_pools)
EMPTY_WITH_ARGS (connect_list_all_storage_pools)
EMPTY_WITH_ARGS (connect_list_interfaces)
EMPTY_WITH_ARGS (connect_list_defined_interfaces)
EMPTY_WITH_ARGS (connect_list_all_interfaces)
EMPTY_WITH_ARGS (connect_list_secrets)
EMPTY_WITH_ARGS (connect_list_all_secrets)
EMPTY_WITH_ARGS (connect_list_nwfilters)
EMPTY_WITH_ARGS (connect_list_all_nwfilters)
EMPTY_WITH_ARGS (connect_list_all_nwfilter_bindings)
EMPTY_WITH_ARGS (connect_list_all_node_devices)
EMPTY_WITH_ARGS (node_num_of_devices)
EMPTY_WITH_ARGS (node_list_devices)
EMPTY_WITH_ARGS (domain_list_all_snapshots)
EMPTY_WITH_ARGS (domain_list_all_checkpoints)

void
reeve_remote_add_empty (remote_handlers *handlers)
{
#define SET(name) handlers->name = name
  SET (connect_num_of_networks);
  SET (connect_num_of_defined_networks);
  SET (connect_num_of_storage_pools);
  SET (connect_num_of_defined_storage_pools);
  SET (connect_num_of_interfaces);
  SET (connect_num_of_defined_interfaces);
  SET (connect_num_of_secrets);
  SET (connect_num_of_nwfilters);
  SET (connect_list_networks);
  SET (connect_list_defined_networks);
  SET (connect_list_all_networks);
  SET (connect_list_storage_pools);
  SET (connect_list_defined_storage_pools);
  SET (connect_list_all_storage_pools);
  SET (connect_list_interfaces);
  SET (connect_list_defined_interfaces);
  SET (connect_list_all_interfaces);
  SET (connect_list_secrets);
  SET (connect_list_all_secrets);
  SET (connect_list_nwfilters);
  SET (connect_list_all_nwfilters);
  SET (connect_list_all_nwfilter_bindings);
  SET (connect_list_all_node_devices);
  SET (node_num_of_devices);
  SET (node_list_devices);
  SET (domain_list_all_snapshots);
  SET (domain_list_all_checkpoints);
#undef SET
}
