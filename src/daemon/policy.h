/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/audit.h"
#include "rpc/access-rules.h"

G_BEGIN_DECLS

/**
 * ReeveDaemonPolicy:
 *
 * Who may do what with a daemon, by the rules of a file (rpc/access-rules.h):
 * first those of the files `*.conf` in the folder FILE.d, in the order of their
 * names, then those of the file itself, so that what is put beside it counts
 * first. Without any of these files everybody may do everything.
 *
 * The rules are never changed but replaced as a whole; a call that has been
 * let through runs on.
 */
typedef struct _ReeveDaemonPolicy ReeveDaemonPolicy;

/**
 * ReeveDaemonAccessConfig:
 * @rules: (owned) (nullable): the file; if %NULL, NAME-access.conf beside the
 *   daemon's configuration
 * @trusts_owner: root and the daemon's own user, on unix sockets, may do
 *   everything
 */
typedef struct {
  char *rules;
  ReeveAuditMode audit;
  gboolean trusts_owner;
} ReeveDaemonAccessConfig;

/**
 * reeve_daemon_policy_new:
 * @path: of the file
 * @is_required: it has to be there
 * @loop: (nullable): of the server that it is for
 *
 * Thread: owner.
 */
ReeveDaemonPolicy *
reeve_daemon_policy_new (const ReeveDaemonAccessConfig *config,
                         const char *path,
                         gboolean is_required,
                         ReeveLoop *loop);
void reeve_daemon_policy_free (ReeveDaemonPolicy *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveDaemonPolicy, reeve_daemon_policy_free)

/**
 * reeve_daemon_policy_load:
 * @programs: (array zero-terminated=1): the programs that there are; lives as
 *   long as the policy
 * @is_complete: there are no others
 * @warnings: (element-type utf8): takes a sentence for what is odd and no error
 *
 * Reads the files for the first time.
 *
 * Thread: owner.
 * Errors: %REEVE_ERROR_CONFIG_SYNTAX with file, line, group and key;
 * %REEVE_ERROR_SYSTEM for a file that cannot be read.
 */
gboolean reeve_daemon_policy_load (ReeveDaemonPolicy *self,
                                   const ReeveProgram *const *programs,
                                   gboolean is_complete,
                                   GPtrArray *warnings,
                                   GError **error);

/* Reads them again, and logs what is odd; after an error, also of files that
 * are gone, the old rules hold. May block. Thread: any but the loop's. */
gboolean reeve_daemon_policy_reload (ReeveDaemonPolicy *self, GError **error);

/* Makes it the policy of a server. Before the first listen. Thread: owner. */
void reeve_daemon_policy_attach (ReeveDaemonPolicy *self, ReeveServer *server);

/**
 * ReeveDaemonUser:
 * @client: (nullable): of a socket; the others tell of a user of this host who
 *   is none
 * @groups: (array length=n_groups): all of them
 *
 * Who uses a daemon's resources.
 */
typedef struct {
  ReeveServerClient *client;
  uid_t uid;
  const gid_t *groups;
  size_t n_groups;
  pid_t pid;
} ReeveDaemonUser;

/* @name: (nullable): of the object; NULL: the daemon itself. Thread: any. */
gboolean reeve_daemon_policy_allows_user (ReeveDaemonPolicy *self,
                                          const ReeveDaemonUser *user,
                                          const char *tag,
                                          const char *name);

/**
 * ReeveDaemonDeed:
 *
 * What a user does with a resource, from its begin to its end, for the audit's
 * line.
 */
typedef struct _ReeveDaemonDeed ReeveDaemonDeed;

/**
 * reeve_daemon_policy_begin_deed:
 * @path: of the resource
 * @text: (nullable): that is written to it
 *
 * Returns: (transfer full) (nullable): for reeve_daemon_deed_end(); %NULL:
 * there will be no line
 */
ReeveDaemonDeed *reeve_daemon_policy_begin_deed (ReeveDaemonPolicy *self,
                                                 const ReeveDaemonUser *user,
                                                 const char *path,
                                                 const char *text,
                                                 const char *tag,
                                                 const char *name);
/* @deed: (nullable) (transfer full). @errnum: what came of it. */
void reeve_daemon_deed_end (ReeveDaemonDeed *deed, int errnum);

/* Tells that @user may not use the resource at @path. */
void reeve_daemon_policy_report_denied (ReeveDaemonPolicy *self,
                                        const ReeveDaemonUser *user,
                                        const char *path,
                                        const char *tag,
                                        const char *name);

gboolean reeve_daemon_policy_has_rules (ReeveDaemonPolicy *self);
/* (transfer full) (nullable): NULL: there are none, all may do all. Thread:
 * any, as of what stands beside it. */
ReeveAccessRules *reeve_daemon_policy_get_rules (ReeveDaemonPolicy *self);
gboolean reeve_daemon_policy_trusts_owner (ReeveDaemonPolicy *self);

G_END_DECLS
