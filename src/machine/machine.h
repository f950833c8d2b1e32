/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/config.h"
#include "machine/console.h"

#include <json-glib/json-glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/**
 * ReeveMachine:
 *
 * A machine: its definition, and its QEMU while it runs. A machine belongs to
 * one #ReeveMachineList (machine-list.h), which makes it.
 *
 * Reads never wait: they answer from the last known state, under a lock that
 * nobody holds across I/O. What changes a machine is an operation. The
 * operations of a machine run one after the other in the loop's thread; each
 * has a deadline and tells its end by a callback. Destroy is the exception: it
 * aborts what runs and what waits, and works on a QEMU that answers nothing.
 */
typedef struct _ReeveMachine ReeveMachine;

/* Numbers that libvirt's clients know. */
typedef enum {
  REEVE_MACHINE_NOSTATE = 0,
  REEVE_MACHINE_RUNNING = 1,
  REEVE_MACHINE_BLOCKED = 2,
  REEVE_MACHINE_PAUSED = 3,
  REEVE_MACHINE_SHUTDOWN = 4, /* the guest is down, QEMU not yet gone */
  REEVE_MACHINE_SHUTOFF = 5,
  REEVE_MACHINE_CRASHED = 6,
  REEVE_MACHINE_PMSUSPENDED = 7,
} ReeveMachineState;

/* Why a machine is in its state; what a number means depends on the state. */
enum {
  REEVE_MACHINE_RUNNING_UNKNOWN = 0,
  REEVE_MACHINE_RUNNING_BOOTED = 1,
  REEVE_MACHINE_RUNNING_MIGRATED = 2,
  REEVE_MACHINE_RUNNING_RESTORED = 3,
  REEVE_MACHINE_RUNNING_FROM_SNAPSHOT = 4,
  REEVE_MACHINE_RUNNING_UNPAUSED = 5,
  REEVE_MACHINE_RUNNING_WAKEUP = 8,
  REEVE_MACHINE_RUNNING_CRASHED = 9,
};

enum {
  REEVE_MACHINE_PAUSED_UNKNOWN = 0,
  REEVE_MACHINE_PAUSED_USER = 1,
  REEVE_MACHINE_PAUSED_IOERROR = 5,
  REEVE_MACHINE_PAUSED_WATCHDOG = 6,
  REEVE_MACHINE_PAUSED_SHUTTING_DOWN = 8,
  REEVE_MACHINE_PAUSED_CRASHED = 10,
  REEVE_MACHINE_PAUSED_STARTING_UP = 11,
};

enum {
  REEVE_MACHINE_SHUTDOWN_UNKNOWN = 0,
  REEVE_MACHINE_SHUTDOWN_USER = 1,
};

enum {
  REEVE_MACHINE_SHUTOFF_UNKNOWN = 0,
  REEVE_MACHINE_SHUTOFF_SHUTDOWN = 1,
  REEVE_MACHINE_SHUTOFF_DESTROYED = 2,
  REEVE_MACHINE_SHUTOFF_CRASHED = 3,
  REEVE_MACHINE_SHUTOFF_FAILED = 6,
  REEVE_MACHINE_SHUTOFF_DAEMON = 8,
};

enum {
  REEVE_MACHINE_CRASHED_UNKNOWN = 0,
  REEVE_MACHINE_CRASHED_PANICKED = 1,
};

/* Bits as in libvirt's DomainCreateFlags. */
typedef enum {
  REEVE_MACHINE_START_NONE = 0,
  REEVE_MACHINE_START_PAUSED = 1 << 0,
  REEVE_MACHINE_START_AUTODESTROY = 1 << 1,
} ReeveMachineStartFlags;

typedef enum {
  REEVE_MACHINE_DESTROY_DEFAULT = 0,
  REEVE_MACHINE_DESTROY_GRACEFUL = 1 << 0, /* no SIGKILL: fail instead */
} ReeveMachineDestroyFlags;

/**
 * ReeveMachineSnapshot:
 *
 * What was true of a machine at one moment.
 * @name: (owned)
 * @id: number of this run, -1 while the machine is off
 * @pid: QEMU's, 0 while there is none
 * @revision: sequence of the last event of this machine
 * @current_memory_kib: what the balloon leaves; the definition's current
 *   memory while the machine is off
 * @config: (owned) (nullable): the persistent definition, used at next start;
 *   %NULL for a transient machine
 * @live_config: (owned) (nullable): the definition that runs; %NULL while a
 *   persistent machine is off. A transient one has it from its beginning, and
 *   one that is gone from the list has its last
 * @chosen: (owned) (nullable): what QEMU chose for this run, as told to
 *   reeve_config_dup_live_xml(); immutable
 */
typedef struct {
  char *name;
  uint8_t uuid[16];
  int id;
  ReeveMachineState state;
  int reason;
  gboolean is_active;
  gboolean is_persistent;
  gboolean is_autostart;
  pid_t pid;
  uint64_t revision;
  uint64_t current_memory_kib;
  ReeveConfig *config;
  ReeveConfig *live_config;
  GHashTable *chosen;
} ReeveMachineSnapshot;

void reeve_machine_snapshot_clear (ReeveMachineSnapshot *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ReeveMachineSnapshot,
                                  reeve_machine_snapshot_clear)

/**
 * ReeveMachineDone:
 * @error: (nullable): why the operation failed
 *
 * The end of an operation; called exactly once, in the loop's thread, with no
 * lock held.
 */
typedef void (*ReeveMachineDone) (ReeveMachine *machine,
                                  const GError *error,
                                  gpointer data);

/**
 * ReeveMachineReply:
 * @result: (nullable) (transfer none): what QEMU returned; %NULL on error
 *
 * The answer to a question to QEMU; called like #ReeveMachineDone.
 */
typedef void (*ReeveMachineReply) (ReeveMachine *machine,
                                   JsonNode *result,
                                   const GError *error,
                                   gpointer data);

/**
 * ReeveMachineTextReply:
 * @text: (nullable) (transfer none): QEMU's answer; %NULL on error
 */
typedef void (*ReeveMachineTextReply) (ReeveMachine *machine,
                                       const char *text,
                                       const GError *error,
                                       gpointer data);

ReeveMachine *reeve_machine_ref (ReeveMachine *self);
void reeve_machine_unref (ReeveMachine *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveMachine, reeve_machine_unref)

/* (transfer none): 16 bytes; never changes. Thread: any. */
const uint8_t *reeve_machine_get_uuid (ReeveMachine *self);

/**
 * reeve_machine_get_snapshot:
 * @snapshot: (out): cleared by reeve_machine_snapshot_clear()
 *
 * Never waits. Thread: any.
 */
void
reeve_machine_get_snapshot (ReeveMachine *self, ReeveMachineSnapshot *snapshot);

/**
 * ReeveMachineXml:
 *
 * The XML of a machine that runs, at one time. Immutable. Thread: any.
 */
typedef struct _ReeveMachineXml ReeveMachineXml;

/* (transfer full) (nullable): %NULL if it does not run, unless it is transient
 * and about to, or has just been. Never waits. */
ReeveMachineXml *reeve_machine_get_live_xml (ReeveMachine *self);
/* Whether that has nothing to make first. */
gboolean reeve_machine_has_live_xml (ReeveMachine *self);
const char *reeve_machine_xml_get_text (ReeveMachineXml *self);
void reeve_machine_xml_unref (ReeveMachineXml *self);

/* (transfer full) (nullable): %NULL if it is transient. */
ReeveConfig *reeve_machine_dup_config (ReeveMachine *self);

/**
 * ReeveMachineUsage:
 *
 * What the kernel says of a machine's QEMU.
 */
typedef struct {
  uint64_t cpu_ns; /* user and system */
  uint64_t user_ns;
  uint64_t system_ns;
  uint64_t resident_kib;
} ReeveMachineUsage;

/**
 * reeve_machine_get_usage:
 * @usage: (out): all zero while the machine is off
 *
 * Reads /proc; a stopped QEMU answers as well. Thread: any.
 *
 * Returns: whether the machine runs
 */
gboolean reeve_machine_get_usage (ReeveMachine *self, ReeveMachineUsage *usage);

/**
 * ReeveMachineMonitorState:
 * @command_us: how long the oldest unanswered command has waited; 0: none
 * @is_error: the monitor's connection is lost
 */
typedef struct {
  gint64 command_us;
  gboolean is_error;
} ReeveMachineMonitorState;

/* Answers at once. Thread: any. */
void reeve_machine_get_monitor_state (ReeveMachine *self,
                                      ReeveMachineMonitorState *state);

/*
 * Operations. All of them may be called from any thread, take a reference on
 * the machine until @done was called, and return at once. @deadline_us is in
 * g_get_monotonic_time()'s time; at it the operation fails with
 * REEVE_ERROR_TIMED_OUT, whatever QEMU does. @done may be NULL.
 *
 * Common errors: REEVE_ERROR_OPERATION_INVALID in the wrong state (its message
 * says which), REEVE_ERROR_ABORTED when a destroy came between,
 * REEVE_ERROR_NO_DOMAIN when the machine was undefined meanwhile,
 * REEVE_ERROR_OPERATION_FAILED with QEMU's words when QEMU refused,
 * REEVE_ERROR_LIMIT when too many operations wait.
 */

/* An operation that is told nothing but its deadline. */
typedef void (*ReeveMachineOperation) (ReeveMachine *self,
                                       gint64 deadline_us,
                                       ReeveMachineDone done,
                                       gpointer data);

/**
 * reeve_machine_start:
 * @owner: (nullable): with %REEVE_MACHINE_START_AUTODESTROY, whose end ends
 *   the machine: see reeve_machine_list_add_owner()
 *
 * Starts the machine's persistent definition (the one it was made with, for a
 * transient machine). Done when the guest runs, or is ready with
 * %REEVE_MACHINE_START_PAUSED. A failed start leaves nothing behind, and a
 * transient machine is gone.
 *
 * While as many others start as may at once, it waits for its turn, and the
 * machine is off as before; a destroy ends that, and succeeds. With a
 * @deadline_us of %G_MAXINT64 it has a minute from its turn on.
 */
void reeve_machine_start (ReeveMachine *self,
                          ReeveMachineStartFlags flags,
                          gconstpointer owner,
                          gint64 deadline_us,
                          ReeveMachineDone done,
                          gpointer data);
/* The same, without flags and owner. */
void reeve_machine_start_plainly (ReeveMachine *self,
                                  gint64 deadline_us,
                                  ReeveMachineDone done,
                                  gpointer data);

/* Presses the power button; the guest may ignore it. */
void reeve_machine_shutdown (ReeveMachine *self,
                             gint64 deadline_us,
                             ReeveMachineDone done,
                             gpointer data);

/* Presses the power button, and restarts the machine once it went down. */
void reeve_machine_reboot (ReeveMachine *self,
                           gint64 deadline_us,
                           ReeveMachineDone done,
                           gpointer data);

/* Presses the reset button. */
void reeve_machine_reset (ReeveMachine *self,
                          gint64 deadline_us,
                          ReeveMachineDone done,
                          gpointer data);

/* Done when QEMU is gone. */
void reeve_machine_destroy (ReeveMachine *self,
                            ReeveMachineDestroyFlags flags,
                            gint64 deadline_us,
                            ReeveMachineDone done,
                            gpointer data);
/* The same, without flags. */
void reeve_machine_destroy_plainly (ReeveMachine *self,
                                    gint64 deadline_us,
                                    ReeveMachineDone done,
                                    gpointer data);

/* Stops the virtual processors; fine with a machine that is paused. */
void reeve_machine_suspend (ReeveMachine *self,
                            gint64 deadline_us,
                            ReeveMachineDone done,
                            gpointer data);

/* Lets a paused machine run. */
void reeve_machine_resume (ReeveMachine *self,
                           gint64 deadline_us,
                           ReeveMachineDone done,
                           gpointer data);

/* Asks the balloon for @memory_kib; done when QEMU took the wish. */
void reeve_machine_set_memory (ReeveMachine *self,
                               uint64_t memory_kib,
                               gint64 deadline_us,
                               ReeveMachineDone done,
                               gpointer data);

#define REEVE_MACHINE_MAX_KEYS 16

/**
 * reeve_machine_send_key:
 * @keys: QEMU's key numbers (XT set 1, extended keys with bit 7 set); see
 *   reeve_machine_key_from_linux()
 * @hold_ms: 0 for QEMU's default
 */
void reeve_machine_send_key (ReeveMachine *self,
                             const unsigned *keys,
                             size_t n_keys,
                             unsigned hold_ms,
                             gint64 deadline_us,
                             ReeveMachineDone done,
                             gpointer data);

/* The QEMU number of a Linux KEY_* code; 0 when there is none. */
unsigned reeve_machine_key_from_linux (unsigned code);

/*
 * Questions to QEMU, in the order of asking, beside the queue of operations: a
 * command that hangs holds back the monitor's later commands (QEMU answers in
 * order) but no operation that needs none. They fail with
 * REEVE_ERROR_OPERATION_INVALID while the machine is off.
 */

/**
 * reeve_machine_execute:
 * @command: a QMP command
 * @arguments: (nullable) (transfer full): its arguments
 */
void reeve_machine_execute (ReeveMachine *self,
                            const char *command,
                            JsonObject *arguments,
                            gint64 deadline_us,
                            ReeveMachineReply reply,
                            gpointer data);

/* The same with @fd (transfer full), or -1. */
void reeve_machine_execute_with_fd (ReeveMachine *self,
                                    const char *command,
                                    JsonObject *arguments,
                                    int fd,
                                    gint64 deadline_us,
                                    ReeveMachineReply reply,
                                    gpointer data);

/**
 * reeve_machine_open_graphics:
 * @index: of the graphics in the definition
 * @fd: (transfer full): a socket, whose other end is the viewer's
 * @skips_auth: no password is asked for
 *
 * Lets QEMU serve a viewer on @fd.
 *
 * Errors: %REEVE_ERROR_OPERATION_INVALID when it does not run,
 * %REEVE_ERROR_INVALID_ARG for an index that there is not or an fd that is no
 * socket, %REEVE_ERROR_CONFIG_UNSUPPORTED for graphics that are not VNC, and
 * what QEMU says.
 */
void reeve_machine_open_graphics (ReeveMachine *self,
                                  unsigned index,
                                  int fd,
                                  gboolean skips_auth,
                                  gint64 deadline_us,
                                  ReeveMachineDone done,
                                  gpointer data);

/**
 * reeve_machine_monitor_command:
 * @text: a QMP command as JSON text, or a line for the human monitor
 * @fd: (transfer full): goes with it, for `getfd` and the like; -1 for none
 *
 * Passes @text on and its whole answer back, a QMP error object included: the
 * caller of the monitor wants QEMU's own words. The `id` of a QMP command is
 * given back as it came.
 *
 * Errors: %REEVE_ERROR_INVALID_ARG when @text is no JSON object
 */
void reeve_machine_monitor_command (ReeveMachine *self,
                                    const char *text,
                                    gboolean is_human,
                                    int fd,
                                    gint64 deadline_us,
                                    ReeveMachineTextReply reply,
                                    gpointer data);

/**
 * ReeveMachineMemoryStats:
 *
 * Amounts in KiB and counts; %UINT64_MAX is "not known".
 */
typedef struct {
  uint64_t actual_kib;
  uint64_t swap_in_kib;
  uint64_t swap_out_kib;
  uint64_t major_faults;
  uint64_t minor_faults;
  uint64_t unused_kib;
  uint64_t available_kib;
  uint64_t usable_kib;
  uint64_t disk_caches_kib;
  uint64_t last_update_s; /* since the epoch; 0: the guest never told */
  uint64_t resident_kib;
} ReeveMachineMemoryStats;

typedef void (*ReeveMachineMemoryReply) (ReeveMachine *machine,
                                         const ReeveMachineMemoryStats *stats,
                                         const GError *error,
                                         gpointer data);

/* Asks the balloon; a machine without one tells what the host knows. */
void reeve_machine_query_memory (ReeveMachine *self,
                                 gint64 deadline_us,
                                 ReeveMachineMemoryReply reply,
                                 gpointer data);

/**
 * ReeveMachinePictureReply:
 * @fd: (transfer full): a file that holds the picture; -1 on error
 * @type: (nullable): of the picture, as MIME has it
 */
typedef void (*ReeveMachinePictureReply) (ReeveMachine *machine,
                                          int fd,
                                          const char *type,
                                          const GError *error,
                                          gpointer data);

/* What the guest shows on a screen. Errors: REEVE_ERROR_INVALID_ARG when there
 * is no such screen, REEVE_ERROR_OPERATION_UNSUPPORTED when there is none. */
void reeve_machine_take_screenshot (ReeveMachine *self,
                                    unsigned screen,
                                    gint64 deadline_us,
                                    ReeveMachinePictureReply reply,
                                    gpointer data);

typedef enum {
  REEVE_TERMINAL_CONSOLE,
  REEVE_TERMINAL_CHANNEL,
} ReeveTerminalKind;

/**
 * reeve_machine_find_console:
 * @name: (nullable): of the device as QEMU has it; or of the channel, as the
 *   guest has it. %NULL: the first one
 *
 * Never waits. Thread: any.
 *
 * Errors: %REEVE_ERROR_OPERATION_INVALID while the machine is off;
 * %REEVE_ERROR_INTERNAL (as libvirt has it) when there is none of that name, or
 * it is none of type pty.
 *
 * Returns: (transfer full)
 */
ReeveConsole *reeve_machine_find_console (ReeveMachine *self,
                                          ReeveTerminalKind kind,
                                          const char *name,
                                          GError **error);
/* By QEMU's name of the device; as above. */
ReeveConsole *reeve_machine_get_console (ReeveMachine *self,
                                         const char *alias,
                                         GError **error);

G_END_DECLS
