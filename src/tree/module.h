/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/daemon.h"
#include "daemon/policy.h"
#include "machine/machine-list.h"
#include "resource/property.h"
#include "resource/tree.h"

G_BEGIN_DECLS

/* What `reeved` has as files: its machines and itself. */
extern const ReeveDaemonModule reeve_tree_module;

/* Whether @caller may do what takes @tag with the daemon, or with @machine. */
gboolean reeve_tree_allows (ReeveDaemon *daemon,
                            const ReeveResourceCaller *caller,
                            const char *tag,
                            ReeveMachine *machine);

/* ---------------------------------------------------------------- server -- */

/* Attaches /server. */
void reeve_tree_add_server (ReeveResourceTree *tree, ReeveDaemon *daemon);

/* -------------------------------------------------------------- machines -- */

/**
 * ReeveTreeMachines:
 *
 * /machines: a directory for each machine, links to them in by-uuid, and
 * events. What a machine has is made when somebody looks for it. Thread: loop.
 */
typedef struct _ReeveTreeMachines ReeveTreeMachines;

ReeveTreeMachines *reeve_tree_machines_new (ReeveResourceTree *tree,
                                            ReeveMachineList *machines,
                                            ReeveDaemon *daemon);
/* Before the list of machines goes. */
void reeve_tree_machines_free (ReeveTreeMachines *self);

/* ---------------------------------------------------------- their files --- */

/* (transfer full) (element-type utf8 ReeveResourceNode): what the directory of
 * @machine has, without its events. */
GHashTable *
reeve_tree_make_machine_files (ReeveMachine *machine, ReeveDaemon *daemon);
/* Adds the same names to @listing. */
void reeve_tree_list_machine_files (ReeveResourceListing *listing);

/* (transfer full): reads what the guest prints on its first console, and types
 * what is written. */
ReeveResourceNode *
reeve_tree_console_new (ReeveMachine *machine, ReeveDaemon *daemon);

/* What errno has for an error of a machine. */
int reeve_tree_get_errno (const GError *error);

G_END_DECLS
