/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"
#include "machine/console.h"
#include "machine/machine-event.h"
#include "machine/machine.h"
#include "machine/start-gate.h"
#include "rpc/saved-state.h"

G_BEGIN_DECLS

/**
 * ReeveMachineList:
 *
 * All machines of a daemon, their directories and their events. Look-ups and
 * lists never wait for a disk or a QEMU. What changes a definition returns
 * after the change is on disk; call it from a worker, not from the loop.
 */
typedef struct _ReeveMachineList ReeveMachineList;

/**
 * ReeveMachinePaths:
 * @config_dir: durable definitions and autostart marks
 * @run_dir: one directory for each machine that runs; short, for sockets have
 *   their place in it
 * @log_dir: one log for each machine
 * @console_log_dir: one directory for each machine, of its consoles' logs
 */
typedef struct {
  const char *config_dir;
  const char *run_dir;
  const char *log_dir;
  const char *console_log_dir;
} ReeveMachinePaths;

/* Bits as in libvirt's ConnectListAllDomainsFlags. Within a group (one line
 * here) a machine has to match any given bit; it has to match every group of
 * which a bit is given. Bits of the last lines match the negative ones alone.
 */
typedef enum {
  REEVE_MACHINES_ACTIVE = 0x1,
  REEVE_MACHINES_INACTIVE = 0x2,
  REEVE_MACHINES_PERSISTENT = 0x4,
  REEVE_MACHINES_TRANSIENT = 0x8,
  REEVE_MACHINES_RUNNING = 0x10,
  REEVE_MACHINES_PAUSED = 0x20,
  REEVE_MACHINES_SHUTOFF = 0x40,
  REEVE_MACHINES_OTHER = 0x80,
  REEVE_MACHINES_MANAGEDSAVE = 0x100,
  REEVE_MACHINES_NO_MANAGEDSAVE = 0x200,
  REEVE_MACHINES_AUTOSTART = 0x400,
  REEVE_MACHINES_NO_AUTOSTART = 0x800,
  REEVE_MACHINES_HAS_SNAPSHOT = 0x1000,
  REEVE_MACHINES_NO_SNAPSHOT = 0x2000,
  REEVE_MACHINES_HAS_CHECKPOINT = 0x4000,
  REEVE_MACHINES_NO_CHECKPOINT = 0x8000,
} ReeveMachineFilter;

#define REEVE_MACHINES_FILTER_ALL 0xffff

/**
 * reeve_machine_list_new:
 * @loop: (transfer none): where operations run and events come from
 * @paths: copied
 *
 * Thread: loop.
 *
 * Returns: (transfer full): an empty list
 */
ReeveMachineList *
reeve_machine_list_new (ReeveLoop *loop, const ReeveMachinePaths *paths);
ReeveMachineList *reeve_machine_list_ref (ReeveMachineList *self);
void reeve_machine_list_unref (ReeveMachineList *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveMachineList, reeve_machine_list_unref)

/* Of the consoles of machines that start from now on, or are taken up. Thread:
 * loop. */
void reeve_machine_list_set_console_limits (ReeveMachineList *self,
                                            const ReeveConsoleLimits *limits);

/* How many machines may be on their way to a QEMU that answers at once; 0: by
 * the number of processors. Others wait in their order. Thread: loop. */
void
reeve_machine_list_set_max_starting (ReeveMachineList *self, unsigned limit);
/* Thread: any. */
void reeve_machine_list_get_start_counts (ReeveMachineList *self,
                                          ReeveStartCounts *counts);

/**
 * reeve_machine_list_load:
 *
 * Makes the directories, reads all definitions and takes up the machines that
 * an earlier daemon left running. A definition that cannot be read is logged
 * and left alone. Reads disks: call it once, before the loop serves clients.
 *
 * Errors: a directory that cannot be made or read.
 *
 * Thread: loop.
 */
gboolean reeve_machine_list_load (ReeveMachineList *self, GError **error);

/*
 * Taking over from another daemon; see docs/takeover.md. Thread: loop.
 *
 * reeve_machine_list_prepare() is in the place of reeve_machine_list_load():
 * it reads what there is, so that restoring takes no time. The others are those
 * of #ReeveDaemonTakeover; after leave the list is closed.
 */
gboolean reeve_machine_list_prepare (ReeveMachineList *self, GError **error);
void reeve_machine_list_freeze (ReeveMachineList *self);
void reeve_machine_list_thaw (ReeveMachineList *self);
void reeve_machine_list_leave (ReeveMachineList *self);
gboolean reeve_machine_list_is_quiet (ReeveMachineList *self, char **why);
gboolean reeve_machine_list_save (ReeveMachineList *self,
                                  ReeveSavedState *state,
                                  GError **error);
gboolean reeve_machine_list_restore (ReeveMachineList *self,
                                     ReeveSavedState *state,
                                     GError **error);

/* Starts the machines marked so, once for each boot of the host; what an
 * earlier daemon of the same boot did not come to start, too. Before clients
 * are served: it waits for a disk. Thread: loop. */
void reeve_machine_list_autostart (ReeveMachineList *self);

/**
 * reeve_machine_list_close:
 *
 * Lets go of every QEMU (they run on), fails waiting operations with
 * %REEVE_ERROR_CLOSED and ends the list's threads once what they write is
 * written. No event comes any more. Thread: loop.
 */
void reeve_machine_list_close (ReeveMachineList *self);

/*
 * Look-ups. Thread: any. They fail with REEVE_ERROR_NO_DOMAIN and a sentence
 * that names what was looked for.
 */
ReeveMachine *reeve_machine_list_lookup_name (ReeveMachineList *self,
                                              const char *name,
                                              GError **error);
ReeveMachine *reeve_machine_list_lookup_uuid (ReeveMachineList *self,
                                              const uint8_t uuid[16],
                                              GError **error);
ReeveMachine *
reeve_machine_list_lookup_id (ReeveMachineList *self, int id, GError **error);

/* What they fail with, for a machine that is to be taken for missing. */
void reeve_machine_list_miss_name (const char *name, GError **error);
void reeve_machine_list_miss_uuid (const uint8_t uuid[16], GError **error);
void reeve_machine_list_miss_id (int id, GError **error);

/**
 * reeve_machine_list_get_machines:
 * @filter: 0 for all
 * @revision: (out) (optional): sequence of the last event that the answer
 *   holds; an event with a greater one may not be in it
 *
 * Thread: any.
 *
 * Returns: (transfer full) (element-type ReeveMachine): active ones by id, then
 *   the others by name
 */
GPtrArray *reeve_machine_list_get_machines (ReeveMachineList *self,
                                            ReeveMachineFilter filter,
                                            uint64_t *revision);
unsigned
reeve_machine_list_count (ReeveMachineList *self, ReeveMachineFilter filter);

/**
 * reeve_machine_list_define:
 * @config: (transfer none): a new definition; its uuid decides which machine
 *   it is for
 * @was_updated: (out) (optional): whether the machine was there already
 *
 * Stores @config and makes the machine, or gives it a new persistent
 * definition. A running transient machine becomes persistent.
 *
 * Thread: a worker. Errors: %REEVE_ERROR_OPERATION_FAILED when another machine
 * has the name, or the machine has another name; %REEVE_ERROR_SYSTEM from the
 * disk, then nothing was changed.
 *
 * Returns: (transfer full): the machine
 */
ReeveMachine *reeve_machine_list_define (ReeveMachineList *self,
                                         ReeveConfig *config,
                                         gboolean *was_updated,
                                         GError **error);

/**
 * reeve_machine_list_create:
 * @config: (transfer none): the definition of a transient machine
 * @flags, @owner, @deadline_us, @done, @data: as of reeve_machine_start()
 *
 * Makes a transient machine (nothing is stored) and starts it. An inactive
 * persistent machine of the same uuid and name runs with @config this once.
 * @done gets the end of the start; a transient machine whose start failed is
 * gone again.
 *
 * Thread: any. Errors, for which @done is not called:
 * %REEVE_ERROR_OPERATION_FAILED when name or uuid are taken by another
 * machine, %REEVE_ERROR_OPERATION_INVALID when the machine is active.
 *
 * Returns: (transfer full): the machine
 */
ReeveMachine *reeve_machine_list_create (ReeveMachineList *self,
                                         ReeveConfig *config,
                                         ReeveMachineStartFlags flags,
                                         gconstpointer owner,
                                         gint64 deadline_us,
                                         ReeveMachineDone done,
                                         gpointer data,
                                         GError **error);

/**
 * reeve_machine_list_undefine:
 *
 * Removes the stored definition. An active machine goes on as a transient one;
 * an inactive one is gone. Thread: a worker.
 *
 * Errors: %REEVE_ERROR_OPERATION_INVALID for a transient machine;
 * %REEVE_ERROR_SYSTEM from the disk, then nothing was changed.
 */
gboolean reeve_machine_list_undefine (ReeveMachineList *self,
                                      ReeveMachine *machine,
                                      GError **error);

/* Only inactive persistent machines can be renamed. Thread: a worker. */
gboolean reeve_machine_list_rename (ReeveMachineList *self,
                                    ReeveMachine *machine,
                                    const char *name,
                                    GError **error);

/* Only persistent machines can be marked. Thread: a worker. */
gboolean reeve_machine_list_set_autostart (ReeveMachineList *self,
                                           ReeveMachine *machine,
                                           gboolean autostart,
                                           GError **error);

/**
 * ReeveMachineUpdate:
 * @change: makes the new definition, of the same uuid and name, of the one that
 *   is there, or fails: it computes, for it is called while no definition
 *   changes, and may be called several times
 * @is_stored: whether the persistent definition is changed
 * @is_live: whether that which runs is changed
 */
typedef struct {
  ReeveConfig *(*change) (ReeveConfig *config,
                          gconstpointer data,
                          GError **error);
  gconstpointer data;
  gboolean is_stored;
  gboolean is_live;
} ReeveMachineUpdate;

/**
 * reeve_machine_list_update:
 * @event: (nullable) (transfer full): told when it is done
 *
 * Changes definitions: title, description, metadata and values that QEMU does
 * not see. What others changed before stays as it is. Thread: a worker.
 *
 * Errors: those of the change; %REEVE_ERROR_OPERATION_INVALID when the machine
 * has no definition of that kind; %REEVE_ERROR_SYSTEM from the disk.
 */
gboolean reeve_machine_list_update (ReeveMachineList *self,
                                    ReeveMachine *machine,
                                    const ReeveMachineUpdate *update,
                                    ReeveMachineEvent *event,
                                    GError **error);

/* Before a machine is started with autodestroy for @owner, which will say when
 * it goes away. Thread: any. */
void reeve_machine_list_add_owner (ReeveMachineList *self, gconstpointer owner);

/**
 * reeve_machine_list_destroy_owned:
 * @owner: what was given to reeve_machine_start(); a client that went away
 *
 * Destroys every machine started for @owner with autodestroy, and lets no start
 * of another one succeed. Thread: any.
 */
void
reeve_machine_list_destroy_owned (ReeveMachineList *self, gconstpointer owner);

/**
 * ReeveMachineGoneFunc:
 *
 * Called in the loop's thread, with no lock held, soon after a machine that was
 * not defined any more has gone from the list: behind the last of its events,
 * if it ran, and without any if its start failed.
 */
typedef void (*ReeveMachineGoneFunc) (ReeveMachine *machine, gpointer data);

/* @func: (nullable). Thread: loop. */
void reeve_machine_list_set_gone_func (ReeveMachineList *self,
                                       ReeveMachineGoneFunc func,
                                       gpointer data);

/**
 * ReeveMachineEventFunc:
 *
 * Gets each event, in the order of their sequence, with no lock held, in the
 * loop's thread: it must not block. It may subscribe and unsubscribe.
 */
typedef void (*ReeveMachineEventFunc) (ReeveMachineEvent *event, gpointer data);

/**
 * reeve_machine_list_subscribe:
 * @free_func: (nullable): called in the loop's thread, once, when @func will
 *   not be called any more
 * @revision: (out) (optional): @func gets every event after this one
 *
 * Thread: any.
 *
 * Returns: an id for reeve_machine_list_unsubscribe(), never 0
 */
unsigned reeve_machine_list_subscribe (ReeveMachineList *self,
                                       ReeveMachineEventFunc func,
                                       gpointer data,
                                       GDestroyNotify free_func,
                                       uint64_t *revision);

/* Thread: any. On the loop's thread @func is not called any more after it. */
void reeve_machine_list_unsubscribe (ReeveMachineList *self, unsigned id);

/**
 * reeve_machine_list_sync:
 * @events: (element-type ReeveMachineEvent): takes those after @since, but for
 *   events of monitors
 * @now: (out): the last event that was delivered: every subscriber has got
 *   those up to it, and will get those after it
 *
 * Thread: loop; not from a subscriber's function.
 *
 * Returns: whether @events is all there was after @since; if not, as it was
 *   too long ago, @events is empty
 */
gboolean reeve_machine_list_sync (ReeveMachineList *self,
                                  const ReeveMachineRevision *since,
                                  GPtrArray *events,
                                  ReeveMachineRevision *now);

/* The sequence of the latest event. Thread: any. */
uint64_t reeve_machine_list_get_revision (ReeveMachineList *self);

G_END_DECLS
