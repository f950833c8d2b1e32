/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of a daemon know of each other. */

#include "daemon/admin.h"
#include "daemon/config.h"
#include "daemon/daemon.h"
#include "daemon/idle.h"
#include "daemon/listeners.h"
#include "daemon/notify.h"
#include "daemon/options.h"
#include "daemon/pid-file.h"
#include "daemon/policy.h"
#include "daemon/process-title.h"
#include "daemon/rates.h"
#include "daemon/reload.h"
#include "daemon/successor.h"
#include "daemon/takeover-channel.h"
#include "daemon/takeover.h"
#include "daemon/tls.h"
#include "daemon/watchdog.h"
#include "rpc/tls-context.h"

#include <stdatomic.h>

G_BEGIN_DECLS

/* What holds if no operator set anything else. */
typedef struct {
  ReeveServerLimits limits[2]; /* of the servers, in their order */
  char *log_outputs;
  char *log_filters;
  unsigned timeout_s;
} ReeveDaemonBase;

/* Everything is owned by the loop's thread; what the getters return does not
 * change after reeve_daemon_main() made it. */
struct _ReeveDaemon {
  const ReeveDaemonInfo *info;
  ReeveDaemonOptions *options;
  ReevePlaces *places;
  ReeveDaemonConfig *config;
  char *pid_path;
  ReevePidFile *pid_file;
  ReeveLoop *loop;
  ReeveProcessTitle *title;
  ReeveNotify *notify;
  ReeveNotify *supervisor; /* (nullable): of the daemon before this one, until
                              this one is ready */
  gboolean is_monitored;
  ReeveWatchdog *watchdog;
  ReeveReload *reload;
  ReeveServer *server;
  ReeveDaemonPolicy *policy;
  ReeveDaemonTls *tls; /* (nullable): nobody listens with TLS */
  ReeveListeners *listeners;
  ReeveAdmin *admin;
  ReeveServer *servers[3]; /* the two, NULL at the end */
  ReeveRates *rates[2];    /* (owned): of each */
  ReeveIdle *idle;
  guint64 n_accepted; /* clients, when it was last looked whether it is idle */
  gpointer *states;   /* of the modules that were made */
  size_t n_made;
  gboolean is_stopping;
  gboolean is_handed_over;   /* another daemon goes on */
  ReeveTakeover *takeover;   /* (nullable): none is possible */
  ReeveSuccessor *successor; /* (nullable): unless it takes over */
  atomic_uint timeout_s;
  ReeveDaemonBase base; /* the reload's thread changes its limits, while one
                           runs */
};

/* Immutable. Thread: any. */
ReeveDaemonPolicy *reeve_daemon_get_policy (ReeveDaemon *self);

/* (transfer none): Thread: any. Errors: %REEVE_ERROR_NO_SERVER */
ReeveServer *
reeve_daemon_find_server (ReeveDaemon *self, const char *name, GError **error);

/* Immutable once the loop runs. Thread: any, then. */
ReeveAdmin *reeve_daemon_get_admin (ReeveDaemon *self);

/* (nullable): without a listener that speaks TLS. Immutable once the loop runs.
 * Thread: any, then. */
ReeveTlsSlot *reeve_daemon_get_tls_slot (ReeveDaemon *self);

/* (transfer full) (nullable): what the files say now. Thread: any; waits for
 * the disk. */
ReeveDaemonConfig *reeve_daemon_load_config (ReeveDaemon *self, GError **error);

/* (transfer none) */
const char *reeve_daemon_get_pid_path (ReeveDaemon *self);

/* ------------------------------------------------- daemon-background.c --- */

/* Where the log goes that has no terminal and was not told where to. */
gboolean reeve_daemon_log_in_background (ReeveDaemon *self, GError **error);

/* As the options want it. Returns -1 in the process that is to be the daemon,
 * its @n_restarts by a monitor beside it; an exit status in others. While there
 * is one thread. */
int reeve_daemon_leave_terminal (ReeveDaemon *self, unsigned *n_restarts);

/* It needs nothing any more from where it was started. */
gboolean reeve_daemon_settle (ReeveDaemon *self, GError **error);

/* ---------------------------------------------------- daemon-process.c --- */

/* What the process is allowed, and who it is, as options and configuration
 * want it. While there is one thread. */
gboolean reeve_daemon_set_up_process (ReeveDaemon *self, GError **error);

/* --------------------------------------------------- daemon-settings.c --- */

/* What is so now comes from the configuration. */
void reeve_daemon_note_settings (ReeveDaemon *self);
void reeve_daemon_clear_settings (ReeveDaemon *self);
/* The others are about what differs from it. */
void reeve_daemon_save_settings (ReeveDaemon *self, takeover_daemon *saved);
gboolean reeve_daemon_restore_settings (ReeveDaemon *self,
                                        const takeover_daemon *saved,
                                        GError **error);

/* --------------------------------------------------- daemon-takeover.c --- */

/* From now on another daemon can take over; unless it can already. */
void reeve_daemon_offer_takeover (ReeveDaemon *self);
/* The steps of one that does so. */
gboolean reeve_daemon_ask_for_takeover (ReeveDaemon *self, GError **error);
gboolean reeve_daemon_take_over (ReeveDaemon *self, GError **error);
/* Nothing to do unless it does so. */
gboolean reeve_daemon_commit_takeover (ReeveDaemon *self, GError **error);
/* It has failed, if it was under way: whatever was restored stays another's. */
void reeve_daemon_give_up_takeover (ReeveDaemon *self, const GError *why);

/* ----------------------------------------------------- daemon-listen.c --- */

/* (transfer none): of one of the servers. Thread: any. */
ReeveRates *reeve_daemon_get_rates (ReeveDaemon *self, ReeveServer *server);

/* Lets the servers listen: on what was inherited, and for the rest anew. */
gboolean reeve_daemon_listen (ReeveDaemon *self, GError **error);

G_END_DECLS
