/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/refs.h"
#include "event/thread.h"
#include "machine/console.h"
#include "machine/machine-list-private.h"
#include "machine/machine.h"
#include "machine/operation.h"
#include "machine/process.h"
#include "machine/qmp.h"
#include "machine/run-dir.h"
#include "machine/status.h"
#include "machine/worker.h"
#include "rpc/reconnect.h"
#include "rpc/uuid.h"

G_BEGIN_DECLS

/*
 * The inside of a machine, for machine-*.c. What readers see is under the
 * machine's lock; what drives QEMU belongs to the loop's thread.
 */

typedef enum {
  REEVE_PHASE_OFF,
  REEVE_PHASE_PREPARING, /* a worker makes the process */
  REEVE_PHASE_BOOTING,   /* the process is there, QEMU gets ready */
  REEVE_PHASE_UP,
  REEVE_PHASE_ENDED, /* the process is gone, a worker cleans up */
} ReevePhase;

/* What is known of the reason for an end that is coming. */
typedef enum {
  REEVE_END_UNKNOWN,
  REEVE_END_GUEST,     /* the guest powered off */
  REEVE_END_PANIC,     /* the guest crashed */
  REEVE_END_HOST,      /* somebody else told QEMU to quit */
  REEVE_END_DESTROYED, /* we did */
  REEVE_END_FAILED,    /* a start that did not succeed */
} ReeveEnd;

struct _ReeveMachine {
  ReeveRefs refs;
  ReeveMachineList *list; /* immutable (owned) */
  uint8_t uuid[16];       /* immutable */
  ReeveRunDir dir;        /* immutable */

  ReeveMutex lock;
  char *name REEVE_GUARDED;
  int id REEVE_GUARDED;
  ReeveMachineState state REEVE_GUARDED;
  int reason REEVE_GUARDED;
  gboolean is_active REEVE_GUARDED;
  gboolean is_autostart REEVE_GUARDED;
  gboolean is_removed REEVE_GUARDED; /* from the list; nothing starts it */
  uint64_t revision REEVE_GUARDED;
  uint64_t balloon_kib REEVE_GUARDED;        /* 0: not known */
  ReeveConfig *config REEVE_GUARDED;         /* (owned) (nullable) */
  ReeveConfig *live_config REEVE_GUARDED;    /* (owned) (nullable): there is
                                                one just while it is active */
  ReeveConfig *pending_config REEVE_GUARDED; /* (owned) (nullable): for the
                                                start that comes */
  ReeveConfig *last_config REEVE_GUARDED; /* (owned) (nullable): of one that is
                                             gone, for who still asks */
  GHashTable *chosen REEVE_GUARDED; /* (owned) (nullable): by QEMU, for this
                                       run; see reeve_config_dup_live_xml() */
  ReeveMachineXml *live_xml REEVE_GUARDED; /* (owned) (nullable) */
  GPtrArray *consoles REEVE_GUARDED;   /* (element-type ReeveConsole) (owned)
                                          (nullable); immutable */
  ReeveProcess *process REEVE_GUARDED; /* (owned) (nullable) */
  gint64 monitor_oldest_us REEVE_GUARDED;
  gboolean is_monitor_lost REEVE_GUARDED;

  /* loop's */
  ReevePhase phase;
  ReeveEnd end;
  GQueue operations;       /* (element-type ReeveOperation) (owned) */
  ReeveOperation *current; /* (owned) (nullable) */
  GQueue unsaved; /* (element-type ReeveOperation) (owned): successful, to be
                     told once the status is written */
  ReeveWorkerLane lane;
  ReeveQmp *qmp;            /* (owned) (nullable) */
  GPtrArray *taps;          /* (owned): of the consoles, while QEMU lives */
  int process_watch;        /* -1: none */
  int stop_timer;           /* -1: none; what to do if QEMU does not end */
  ReeveReconnect reconnect; /* of the monitor */
  int retry_timer;          /* -1: none; for a lost monitor */
  gconstpointer owner;
  gboolean is_autodestroy;
  gboolean is_rebooting;    /* a power-off that comes means a reset */
  gboolean is_restarting;   /* the RESUME that comes is a boot */
  gboolean is_shut_down;    /* SHUTDOWN came; later ones are QEMU's own end */
  gboolean is_start_paused; /* the start that runs, or ran, was so */
  gboolean is_flushing;     /* QEMU said that it ends */
  gboolean is_saving;       /* a status task is in the lane */
  gboolean is_save_wanted;  /* the state changed since */
  int pause_reason;         /* for the STOP that comes; -1: none */
  gint64 last_reset_us;
  int64_t rtc_offset_s;
  int64_t log_offset; /* where this run's part of the log begins */
};

/* machine.c */
ReeveMachine *reeve_machine_new (ReeveMachineList *list,
                                 const uint8_t uuid[16],
                                 const char *name);
char *reeve_machine_dup_name (ReeveMachine *self);
void reeve_machine_set_state (ReeveMachine *self,
                              ReeveMachineState state,
                              int reason);
ReeveMachineState reeve_machine_get_state (ReeveMachine *self, int *reason);
gboolean reeve_machine_is_active (ReeveMachine *self);
gboolean reeve_machine_is_persistent (ReeveMachine *self);
void reeve_machine_set_balloon (ReeveMachine *self, uint64_t kib);
/* (transfer full) (nullable) */
ReeveConfig *reeve_machine_dup_live_config (ReeveMachine *self);
/* (nullable): the one that runs. Of a machine that has no stored definition,
 * there is always one: that which will run, or which ran last. */
ReeveConfig *reeve_machine_get_live_config_locked (ReeveMachine *self)
    REEVE_REQUIRES (self->lock);
ReeveProcess *reeve_machine_dup_process (ReeveMachine *self);
void reeve_machine_set_process (ReeveMachine *self, ReeveProcess *process);

/* Something has changed that a list tells. */
void reeve_machine_note_row (ReeveMachine *self) REEVE_REQUIRES (self->lock);
void reeve_machine_set_config (ReeveMachine *self, ReeveConfig *config);
void reeve_machine_set_is_autostart (ReeveMachine *self, gboolean is_autostart);

/* machine-emit.c: events of a machine. Thread: any, no lock held. */
void reeve_machine_emit_lifecycle (ReeveMachine *self, int event, int detail);
/* Fills in who it is about and sends it. @event: (transfer full). */
void reeve_machine_emit (ReeveMachine *self, ReeveMachineEvent *event);

/* machine-chosen.c: Thread: loop. Asks what the definition left to QEMU. */
void reeve_machine_ask_chosen (ReeveMachine *self, gint64 deadline_us);

/* machine-console.c */
/* (transfer full) (element-type ReeveConsole): one for each terminal of
 * @config, for a machine of that name. @open, @open_data: as of
 * reeve_console_new(). Thread: loop. */
GPtrArray *reeve_machine_list_make_consoles (ReeveMachineList *self,
                                             ReeveRunDir *dir,
                                             ReeveConfig *config,
                                             ReeveConsoleOpen open,
                                             gpointer open_data);
GPtrArray *
reeve_machine_make_consoles (ReeveMachine *self, ReeveConfig *config);
/* The machine has these consoles from now on. Thread: loop. */
void reeve_machine_set_consoles (ReeveMachine *self, GPtrArray *consoles);
/* They are pumped again; or are another process's. Thread: loop. */
void reeve_machine_thaw_consoles (ReeveMachine *self);
void reeve_machine_leave_consoles (ReeveMachine *self);
/* QEMU told which terminals it has. Thread: loop. */
void reeve_machine_retry_consoles (ReeveMachine *self);
/* No more is to be expected of QEMU, or not by us. Thread: loop. */
void reeve_machine_untap_consoles (ReeveMachine *self);
/* (transfer full) (nullable) (element-type ReeveConsole): takes them away from
 * the machine. */
GPtrArray *reeve_machine_steal_consoles (ReeveMachine *self);
/* Reads all that is left, and ends them. @consoles: (nullable) Thread: worker.
 */
void reeve_machine_finish_consoles (GPtrArray *consoles);

/* machine-status.c: Thread: loop. Writes the status soon, by a worker. */
void reeve_machine_save_status (ReeveMachine *self);
/* Ends it well once the status is written: what was told is not lost. */
void reeve_machine_finish_saved (ReeveOperation *operation);
void reeve_machine_fill_status (ReeveMachine *self, ReeveStatus *status);

/* machine-attach.c: all Thread: loop. */
void reeve_machine_init_monitor (ReeveMachine *self);
/* Connects to the monitor. @fd: (transfer full) */
void
reeve_machine_attach_monitor (ReeveMachine *self, int fd, gint64 deadline_us);
/* Goes on with a connection of another process. */
void
reeve_machine_restore_monitor (ReeveMachine *self, const ReeveQmpState *state);
void reeve_machine_detach_monitor (ReeveMachine *self);
/* Its process is gone, and nobody has told. */
void reeve_machine_note_process_end (ReeveMachine *self);
/* Waits for the end of the process; FALSE when it is gone already. */
gboolean reeve_machine_watch_process (ReeveMachine *self);
void reeve_machine_unwatch_process (ReeveMachine *self);
/* As attach, and asks what was missed. @fd: (transfer full) */
void reeve_machine_resync_monitor (ReeveMachine *self, int fd);
/* Connects anew, by a worker, and asks what was missed. */
void reeve_machine_connect_monitor (ReeveMachine *self);
/* What get_monitor_state() tells is noted when something was asked, or
 * answered. */
void reeve_machine_note_monitor (ReeveMachine *self);

/* machine-start.c */
extern const ReeveOperationClass reeve_machine_start_class;
/* As reeve_machine_start(), but runs @config, (nullable). Thread: any. */
void reeve_machine_start_config (ReeveMachine *self,
                                 ReeveConfig *config,
                                 ReeveMachineStartFlags flags,
                                 gconstpointer owner,
                                 gint64 deadline_us,
                                 ReeveMachineDone done,
                                 gpointer data);
void reeve_machine_launch_failed (ReeveMachine *self, const GError *error);

/* machine-stop.c */
extern const ReeveOperationClass reeve_machine_destroy_class;
/* Ends QEMU, by quit if it answers and by SIGKILL if not, for the reason
 * @end, unless another one is known already. Thread: loop. */
void reeve_machine_stop (ReeveMachine *self, ReeveEnd end);
/* The process is gone. Thread: loop. */
void reeve_machine_process_ended (ReeveMachine *self);

/* machine-monitor.c: what QEMU tells. Thread: loop. */
void reeve_machine_take_event (ReeveMachine *self,
                               const char *name,
                               JsonObject *details,
                               int64_t seconds,
                               unsigned microseconds);
/* Makes state and reason those of query-status. */
void reeve_machine_take_status (ReeveMachine *self, const char *status);
/* Resets, whatever a guest's own reset is set to mean; with a monitor. */
void reeve_machine_send_reset (ReeveMachine *self,
                               gint64 deadline_us,
                               ReeveQmpReply reply,
                               gpointer data);
/* Starts a guest that powered off, or crashed, again. */
void reeve_machine_restart_guest (ReeveMachine *self);

/* machine-take-up.c */
/* Takes up what an earlier daemon left running. FALSE, with nothing changed,
 * when its QEMU cannot be found. May wait for a disk. Thread: loop. */
gboolean reeve_machine_take_up (ReeveMachine *self,
                                const ReeveStatus *status,
                                ReeveConfig *config,
                                GError **error);
/* Says why an inactive machine ended while there was no daemon. */
void reeve_machine_found_dead (ReeveMachine *self, const ReeveStatus *status);
/* The daemon ends, QEMU does not. Thread: loop. */
void reeve_machine_let_go (ReeveMachine *self);

G_END_DECLS
