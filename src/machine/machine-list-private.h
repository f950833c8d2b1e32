/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/refs.h"
#include "event/thread.h"
#include "machine/event-queue.h"
#include "machine/machine-list.h"
#include "machine/machine-table.h"
#include "machine/spool-watch.h"
#include "machine/start-gate.h"
#include "machine/worker.h"

#include <stdatomic.h>

G_BEGIN_DECLS

/*
 * The inside of a list, for machine-*.c. Order of locks: define_lock, then the
 * list's lock, then one machine's lock, then the event queue's.
 */
struct _ReeveMachineList {
  ReeveRefs refs;
  ReeveLoop *loop;         /* immutable (owned) */
  ReeveEventQueue *events; /* immutable (owned) */
  ReeveStartGate *gate;    /* immutable (owned) */
  char *config_dir;        /* immutable */
  char *run_dir;           /* immutable */
  char *log_dir;           /* immutable */
  char *console_log_dir;   /* immutable */

  /* Held across disk I/O by those who change stored definitions; never taken
   * by the loop's thread once clients are served. */
  ReeveMutex define_lock;

  ReeveMutex lock;
  GHashTable *by_uuid REEVE_GUARDED; /* (owned): uuid -> (owned) machine */
  GHashTable *by_name REEVE_GUARDED; /* (owned): name -> machine */
  GHashTable *by_id REEVE_GUARDED;   /* (owned): id -> machine */
  int last_id REEVE_GUARDED;
  ReeveMachineTable *table REEVE_GUARDED; /* (owned) (nullable): the latest */
  GHashTable *owners REEVE_GUARDED; /* (owned): of machines that end with them
                                     */

  /* Of anything that a table has. It rises while the lock is held under which
   * the change is made. */
  _Atomic (uint64_t) n_changes;

  /* loop's */
  ReeveWorker *worker;
  ReeveSpoolWatch *spools; /* (owned) */
  ReeveConsoleLimits console_limits;
  ReeveMachineGoneFunc gone_func; /* (nullable) */
  gpointer gone_data;
  gboolean is_closed;
  gboolean is_frozen;        /* begins nothing: another daemon goes on, perhaps
                              */
  GHashTable *known_configs; /* (owned) (nullable): XML -> (owned) config */
};

ReeveLoop *reeve_machine_list_get_loop (ReeveMachineList *self);
gboolean reeve_machine_list_is_closed (ReeveMachineList *self);

/*
 * What an active machine has from its first moment on.
 * @id: 0 for the next free one; one that another machine has is as good
 * @config: (nullable): %NULL for the stored one
 */
typedef struct {
  int id;
  ReeveConfig *config;
  ReeveMachineState state;
  int reason;
} ReeveMachineRun;

/* Makes @machine active, unless it was removed, is active already, or has
 * nothing to run. Thread: loop. */
gboolean reeve_machine_list_activate (ReeveMachineList *self,
                                      ReeveMachine *machine,
                                      const ReeveMachineRun *run,
                                      GError **error);

/* Makes it shut off, for @reason, and takes away all that belonged to its run.
 * A machine with no stored definition is gone from the list then. Thread: loop.
 */
void reeve_machine_list_deactivate (ReeveMachineList *self,
                                    ReeveMachine *machine,
                                    int reason);

/* Forgets @config, (nullable), which a start that does not come was to run. An
 * inactive machine that has no definition is gone from the list. Thread: loop.
 */
void reeve_machine_list_drop_pending (ReeveMachineList *self,
                                      ReeveMachine *machine,
                                      const ReeveConfig *config);

/* Adds a machine that was not there. Returns FALSE when name or uuid are
 * taken. Thread: any. */
gboolean reeve_machine_list_add (ReeveMachineList *self, ReeveMachine *machine);

/* The machine, of that name, is gone from the list. */
void reeve_machine_list_take_out_locked (ReeveMachineList *self,
                                         ReeveMachine *machine,
                                         const char *name)
    REEVE_REQUIRES (self->lock);

/* machine-autostart.c: the machine has been started since the host booted. May
 * wait for a disk. Thread: any. */
void reeve_machine_list_forget_autostart (ReeveMachineList *self,
                                          const uint8_t uuid[16]);

/* Whether it was added, and is there still. Thread: any. */
gboolean
reeve_machine_list_has_owner (ReeveMachineList *self, gconstpointer owner);

G_END_DECLS
