/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/access-program.h"

#include "client/access-explain.h"
#include "daemon/daemon-private.h"

#include <unistd.h>

static ReeveDaemonPolicy *
get_policy (ReeveCall *call)
{
  return reeve_daemon_get_policy (reeve_call_get_user_data (call));
}

gboolean
reeve_access_program_list (ReeveCall *call,
                           reeve_access_list_ret *ret,
                           GError **error)
{
  ReeveDaemonPolicy *policy = get_policy (call);
  g_autoptr (ReeveAccessRules) rules = reeve_daemon_policy_get_rules (policy);

  reeve_describe_access (rules, reeve_daemon_policy_trusts_owner (policy), ret);
  return TRUE;
}

gboolean
reeve_access_program_explain (ReeveCall *call,
                              const reeve_access_explain_args *args,
                              reeve_access_explain_ret *ret,
                              GError **error)
{
  ReeveDaemon *daemon = reeve_call_get_user_data (call);
  ReeveDaemonPolicy *policy = reeve_daemon_get_policy (daemon);
  g_autoptr (ReeveAccessRules) rules = reeve_daemon_policy_get_rules (policy);

  return reeve_explain_access (
      rules, reeve_server_get_programs (reeve_daemon_get_server (daemon)),
      reeve_daemon_policy_trusts_owner (policy), geteuid (), args, ret, error);
}

gboolean
reeve_access_program_reload (ReeveCall *call, GError **error)
{
  return reeve_daemon_policy_reload (get_policy (call), error);
}
