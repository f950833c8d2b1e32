/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/daemon.h"
#include "daemon/policy.h"
#include "machine/machine-list.h"
#include "machine/worker.h"
#include "resource/property.h"
#include "resource/tree.h"

G_BEGIN_DECLS

/* What `reeved` has as files: its machines, its clients and itself. */
extern const ReeveDaemonModule reeve_tree_module;

/* What its nodes know of the daemon. All of the loop's thread; immutable. */
typedef struct {
  ReeveDaemon *daemon;
  ReeveMachineList *machines;
  ReeveWorker *worker;  /* for what may wait for a disk */
  ReeveWorkerLane lane; /* of it: one after the other */
} ReeveTreeBase;

/* ---------------------------------------------------------------- access -- */

/**
 * ReeveTreeAccess:
 * @read_tag: what it takes to read it
 * @write_tag: (nullable): and to write; %NULL: the node asks itself
 * @is_admin: it shows what the socket for administrators shows: somebody who is
 *   no user of this host is let through by rules alone
 *
 * Who may use a file.
 */
typedef struct {
  const char *read_tag;
  const char *write_tag;
  gboolean is_admin;
} ReeveTreeAccess;

/* Whether @caller may know that there is a machine of that name. */
gboolean reeve_tree_shows (const ReeveTreeBase *base,
                           const ReeveResourceCaller *caller,
                           const char *name);

/**
 * reeve_tree_check:
 * @path: of the file; with @machine, of what is in its directory
 *
 * For the guard of a file. What is denied is told to the audit.
 */
gboolean reeve_tree_check (const ReeveTreeBase *base,
                           ReeveResourceNode *node,
                           const ReeveResourceCaller *caller,
                           int want,
                           const ReeveTreeAccess *access,
                           const char *path,
                           ReeveMachine *machine);

/**
 * ReeveTreeSource:
 *
 * What is behind a node with such a guard: to embed, as the first member.
 */
typedef struct {
  ReeveTreeBase *base;   /* (not owned) */
  ReeveMachine *machine; /* (owned) (nullable): in whose directory it is */
  const ReeveTreeAccess *access;
  char *path; /* (owned): as of reeve_tree_check() */
} ReeveTreeSource;

/* (transfer full): of @size bytes, which are zeros behind it. */
gpointer reeve_tree_source_new (size_t size,
                                ReeveTreeBase *base,
                                const ReeveTreeAccess *access,
                                const char *path,
                                ReeveMachine *machine);
/* GDestroyNotify, of a node's data. */
void reeve_tree_source_free (gpointer self);
/* ReeveResourceGuard; @data: a #ReeveTreeSource. */
gboolean reeve_tree_guard (ReeveResourceNode *node,
                           const ReeveResourceCaller *caller,
                           int want,
                           gpointer data);

/* ---------------------------------------------------------------- writes -- */

/**
 * ReeveTreeWrite:
 *
 * A command, or a value, that somebody writes, until there is an answer: to him
 * and to the audit.
 */
typedef struct _ReeveTreeWrite ReeveTreeWrite;

/* (transfer full): for reeve_tree_write_end(). @request: (transfer full);
 * @tag: what it takes. */
ReeveTreeWrite *reeve_tree_write_begin (const ReeveTreeSource *source,
                                        ReeveResourceRequest *request,
                                        const char *text,
                                        const char *tag);
void reeve_tree_write_end (ReeveTreeWrite *self, int errnum);

/* Runs in another thread. */
typedef gboolean (*ReeveTreeWriteFunc) (ReeveTreeBase *base,
                                        const char *text,
                                        gpointer data,
                                        GError **error);

/* Ends @self (transfer full) with what @func says, later. @data: of the node.
 */
void reeve_tree_write_run (ReeveTreeWrite *self,
                           ReeveTreeWriteFunc func,
                           gpointer data);

/* What errno has for an error of a machine. */
int reeve_tree_get_errno (const GError *error);

/* ------------------------------------------------------- server, clients -- */

/* Attaches /server. */
void reeve_tree_add_server (ReeveResourceTree *tree, ReeveTreeBase *base);
/* Attaches /clients: a directory for each client. */
void reeve_tree_add_clients (ReeveResourceTree *tree, ReeveTreeBase *base);

/* -------------------------------------------------------------- machines -- */

/**
 * ReeveTreeMachines:
 *
 * /machines: a directory for each machine, links to them in by-uuid, and
 * events. What a machine has is made when somebody looks for it. Thread: loop.
 */
typedef struct _ReeveTreeMachines ReeveTreeMachines;

ReeveTreeMachines *
reeve_tree_machines_new (ReeveResourceTree *tree, ReeveTreeBase *base);
/* Before the list of machines goes. */
void reeve_tree_machines_free (ReeveTreeMachines *self);

/* ---------------------------------------------------------- their files --- */

/* (transfer full) (element-type utf8 ReeveResourceNode): what the directory of
 * @machine has, without its events and its stats. */
GHashTable *
reeve_tree_make_machine_files (ReeveMachine *machine, ReeveTreeBase *base);
/* Adds the same names to @listing. */
void reeve_tree_list_machine_files (ReeveResourceListing *listing);

/* (transfer full): reads what the guest prints on its first console, and types
 * what is written. */
ReeveResourceNode *
reeve_tree_console_new (ReeveMachine *machine, ReeveTreeBase *base);

/* (transfer full): a picture of the first screen, of when it is read. */
ReeveResourceNode *
reeve_tree_screenshot_new (ReeveMachine *machine, ReeveTreeBase *base);

/**
 * ReeveTreeStats:
 *
 * The directory `stats` of a machine: a file for each field of its counters, as
 * `virsh domstats` names it. Thread: loop.
 */
typedef struct _ReeveTreeStats ReeveTreeStats;

ReeveTreeStats *
reeve_tree_stats_new (ReeveMachine *machine, ReeveTreeBase *base);
void reeve_tree_stats_free (ReeveTreeStats *self);
/* (transfer full) (nullable): of a field, or the directory, for NULL. */
ReeveResourceNode *
reeve_tree_stats_find (ReeveTreeStats *self, const char *field);
void
reeve_tree_stats_list (ReeveTreeStats *self, ReeveResourceListing *listing);

G_END_DECLS
