/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/places.h"
#include "event/loop.h"
#include "rpc/saved-state.h"
#include "rpc/server.h"

G_BEGIN_DECLS

/**
 * ReeveDaemon:
 *
 * A daemon's life around its modules: options, configuration, log, pid file,
 * loop, server, sockets, orderly stop.
 */
typedef struct _ReeveDaemon ReeveDaemon;

/**
 * ReeveDaemonSetting:
 * @group, @name: where it stands in the configuration file
 * @fallback: what it is where the file says nothing
 *
 * A whole number in the configuration file that belongs to a module.
 */
typedef struct {
  const char *group;
  const char *name;
  uint64_t minimum;
  uint64_t maximum;
  uint64_t fallback;
} ReeveDaemonSetting;

/**
 * ReeveDaemonTakeover:
 * @freeze, @thaw: (nullable): begins nothing more, and goes on. A module of a
 *   daemon that takes over is frozen until it has taken over
 * @is_quiet: (nullable): whether nothing runs any more. Else @why (transfer
 * full) says what
 * @save: adds its sections; with what it keeps for clients, see
 *   rpc/server-state.h, which are saved after it
 * @restore: makes of them what was there; before the clients are. Nothing is
 *   written, and nobody spoken to, before it is thawed
 * @leave: (nullable): what is here is another process's now, and must not be
 * ended when the module stops, nor when its clients go; once, before those
 *
 * How a module goes on in another process: see docs/takeover.md. Everything is
 * called in the loop's thread.
 */
typedef struct {
  void (*freeze) (gpointer state);
  void (*thaw) (gpointer state);
  gboolean (*is_quiet) (gpointer state, char **why);
  gboolean (*save) (gpointer state, ReeveSavedState *saved, GError **error);
  gboolean (*restore) (gpointer state, ReeveSavedState *saved, GError **error);
  void (*leave) (gpointer state);
} ReeveDaemonTakeover;

/* One number of a module's. @name: with _total at its end if it only grows */
typedef void (*ReeveDaemonNumberFunc) (const char *name,
                                       int64_t value,
                                       gpointer data);

/**
 * ReeveDaemonModule:
 * @name: for messages
 * @init: makes the module's state and adds its programs; before any socket
 *   listens, so it may block
 * @start: (nullable): called when the sockets listen
 * @stop: (nullable): called when no client is left; frees the state
 * @settings: (nullable) (array length=n_settings): what it has in the
 *   configuration file
 * @is_busy: (nullable): whether the daemon is needed though no client is there,
 *   so that it must not end by itself; cheap
 * @programs: (nullable) (array zero-terminated=1): the programs that @init
 *   adds, for checks that come before it: without them, rules of access that
 *   name what they do not have are found out at the start alone
 * @takeover: (nullable): of a module with a state that is not on disk
 * @tell_numbers: (nullable): what it counts, for the daemon's metrics. Thread:
 *   any, between init and stop
 *
 * A part of a daemon. Modules are stopped in the reverse order. Everything else
 * is called in the loop's thread.
 */
typedef struct {
  const char *name;
  gboolean (*init) (ReeveDaemon *daemon, gpointer *state, GError **error);
  gboolean (*start) (ReeveDaemon *daemon, gpointer state, GError **error);
  void (*stop) (ReeveDaemon *daemon, gpointer state);
  const ReeveDaemonSetting *settings;
  size_t n_settings;
  gboolean (*is_busy) (ReeveDaemon *daemon, gpointer state);
  const ReeveProgram *const *programs;
  const ReeveDaemonTakeover *takeover;
  void (*tell_numbers) (gpointer state,
                        ReeveDaemonNumberFunc tell,
                        gpointer data);
} ReeveDaemonModule;

/**
 * ReeveDaemonInfo:
 * @name: names the sockets, the pid file and the configuration file
 * @directory: names the daemon's directories below /etc, /var/lib, /run, …
 * @modules: (array length=n_modules)
 */
typedef struct {
  const char *name;
  const char *directory;
  const char *summary;
  const char *version;
  const ReeveDaemonModule *const *modules;
  size_t n_modules;
} ReeveDaemonInfo;

/**
 * reeve_daemon_main:
 *
 * The whole life of the process: runs until SIGTERM or SIGINT; a second one
 * ends it at once. SIGHUP reloads. With a timeout it ends by itself when nobody
 * has needed it for so long.
 *
 * Returns: an exit status: 0; 1 failed; 2 bad arguments; 6 bad configuration
 */
int reeve_daemon_main (const ReeveDaemonInfo *info, int argc, char **argv);

/* (transfer none): Thread: any. */
const ReeveDaemonInfo *reeve_daemon_get_info (ReeveDaemon *self);
const ReevePlaces *reeve_daemon_get_places (ReeveDaemon *self);
ReeveLoop *reeve_daemon_get_loop (ReeveDaemon *self);
/* (nullable): what the init of @module made, which has run and whose stop has
 * not: for the modules behind it. */
gpointer
reeve_daemon_get_state (ReeveDaemon *self, const ReeveDaemonModule *module);
ReeveServer *reeve_daemon_get_server (ReeveDaemon *self);
/* (transfer none) (array zero-terminated=1): the server of the daemon's
 * clients, which has its name, and "admin". */
ReeveServer *const *reeve_daemon_get_servers (ReeveDaemon *self);

/* Whether another daemon serves, until this one has taken over: a module's init
 * makes no use of what both would use, as restore comes; nor does its start,
 * which comes after that. Thread: loop. */
gboolean reeve_daemon_is_taking_over (ReeveDaemon *self);

/**
 * reeve_daemon_set_timeout:
 * @seconds: 0: for ever
 *
 * From now on the daemon ends by itself once its server had no client and no
 * job, no module was busy, and nobody held it, for @seconds. Thread: any.
 */
void reeve_daemon_set_timeout (ReeveDaemon *self, unsigned seconds);

/**
 * reeve_daemon_hold:
 *
 * The daemon does not end by itself until reeve_daemon_release() was called as
 * often. A signal ends it all the same.
 *
 * Thread: any, from a module's init to its stop.
 */
void reeve_daemon_hold (ReeveDaemon *self);
void reeve_daemon_release (ReeveDaemon *self);

/* @setting: one of a module's own. Thread: any. */
uint64_t
reeve_daemon_get_setting (ReeveDaemon *self, const ReeveDaemonSetting *setting);

/**
 * ReeveDaemonReloadFunc:
 *
 * Reads something anew; what was in force stays so if that fails.
 *
 * Thread: one of its own, so that it may block.
 *
 * Returns: %FALSE with @error set, which is logged
 */
typedef gboolean (*ReeveDaemonReloadFunc) (gpointer data, GError **error);

/**
 * reeve_daemon_add_reload:
 * @name: (transfer none): for messages; lives as long as the daemon
 * @func: called at each reload, one after the other in the order in which they
 *   were added, until the modules are stopped
 *
 * Thread: loop, before it runs (as a module's init and start).
 */
void reeve_daemon_add_reload (ReeveDaemon *self,
                              const char *name,
                              ReeveDaemonReloadFunc func,
                              gpointer data);

/**
 * reeve_daemon_reload_tls:
 *
 * Reads the certificates of TLS anew, for clients that come from now on; those
 * that are there stay as they are. Waits for the disk. Thread: any but the
 * loop's, once it runs.
 *
 * Errors: %REEVE_ERROR_INTERNAL if no listener speaks TLS; %REEVE_ERROR_SYSTEM
 * and %REEVE_ERROR_INVALID_ARG for files that cannot be used, and then nothing
 * changes.
 */
gboolean reeve_daemon_reload_tls (ReeveDaemon *self, GError **error);

G_END_DECLS
