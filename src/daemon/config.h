/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/daemon.h"
#include "daemon/policy.h"
#include "rpc/auth.h"

G_BEGIN_DECLS

/* The group `[tls]`; paths may be relative to the configuration directory. */
typedef struct {
  char *certificate; /* (owned) (nullable), as what follows */
  char *key;
  char *ca;
  char *crl;
  char *priority;
  char **allowed_names; /* patterns of distinguished names */
  gboolean verify_clients;
  gboolean check_files;
  gboolean session_tickets;
  unsigned handshake_timeout_ms;
} ReeveDaemonTlsConfig;

/* The kernel's are from -1000 to 1000. */
#define REEVE_OOM_SCORE_NONE G_MAXINT

/**
 * ReeveDaemonConfig:
 *
 * What the configuration file of a daemon says: a key file with the groups
 * `[server]`, `[daemon]`, `[listen]`, `[tls]`, `[auth]`, `[wires]`, `[access]`
 * and
 * `[log]`
 * and those of its modules, then the files `*.conf` in the folder FILE.d, in
 * the order of their names, each of which overrides what came before. Files
 * that do not exist are empty.
 */
typedef struct {
  ReeveServerLimits limits;
  ReeveAuth auth_unix; /* what each kind of socket asks for */
  ReeveAuth auth_unix_ro;
  ReeveAuth auth_tcp;
  ReeveAuth auth_tls;
  ReeveWires wires_unix; /* what each kind of socket speaks */
  ReeveWires wires_unix_ro;
  ReeveWires wires_admin;
  ReeveWires wires_tcp;
  ReeveWires wires_tls;
  char *sasl_service; /* (owned) (nullable), as what follows */
  char *sasl_realm;
  char *sasl_database;
  char **sasl_mechanisms;
  char **sasl_names;
  unsigned sasl_min_ssf;
  char *polkit_manage;         /* (owned) (nullable) */
  char *polkit_monitor;        /* (owned) (nullable) */
  unsigned io_threads;         /* of the server, for its clients */
  unsigned idle_timeout;       /* seconds, then the daemon ends; 0: never */
  char *user;                  /* (owned) (nullable): to become, USER[:GROUP] */
  char *directory;             /* (owned) (nullable): to work in */
  int umask;                   /* -1: as it is */
  int oom_score_adjust;        /* or REEVE_OOM_SCORE_NONE */
  unsigned max_files;          /* that may be open; 0: as it is */
  unsigned restart_interval_s; /* between the starts of a monitor */
  unsigned watchdog_s;         /* of a monitor; 0: none */
  unsigned overdue_s;          /* that a job may keep a worker; 0: for ever */
  unsigned stop_timeout_s;     /* until an orderly stop is given up */
  char **listen;               /* (owned): names of passive streams */
  mode_t unix_mode;            /* of the unix sockets; 0: not said */
  mode_t unix_ro_mode;         /* of the read-only one; 0: not said */
  gid_t unix_group;            /* 0: not said */
  ReeveDaemonTlsConfig tls;
  ReeveDaemonAccessConfig access;
  GLogLevelFlags log_level;
  char *log_outputs;           /* (owned) (nullable) */
  char *log_filters;           /* (owned) (nullable) */
  const ReeveDaemonInfo *info; /* (nullable) */
  GHashTable *settings; /* (owned): ReeveDaemonSetting -> (owned) uint64_t */
} ReeveDaemonConfig;

/**
 * reeve_daemon_config_load:
 * @path: of the main file
 * @info: (nullable): whose modules have settings in it
 * @warnings: (element-type utf8): takes a sentence for each key that is
 *   unknown, with the same
 *
 * Errors: %REEVE_ERROR_CONFIG_SYNTAX with a line for each mistake, which has
 * file, line, group and key; %REEVE_ERROR_SYSTEM for a file that cannot be
 * read.
 *
 * Returns: (transfer full)
 */
ReeveDaemonConfig *reeve_daemon_config_load (const char *path,
                                             const ReeveDaemonInfo *info,
                                             GPtrArray *warnings,
                                             GError **error);
void reeve_daemon_config_free (ReeveDaemonConfig *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveDaemonConfig, reeve_daemon_config_free)

/* What the files say, or the fallback. */
uint64_t reeve_daemon_config_get_setting (const ReeveDaemonConfig *self,
                                          const ReeveDaemonSetting *setting);

G_END_DECLS
