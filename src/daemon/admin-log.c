/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/admin-private.h"
#include "daemon/log-private.h"
#include "daemon/log.h"

/* The log of the daemon. Who says something about it here has the last word,
 * also where `vlog/set` said something before. */

gboolean
reeve_admin_get_log_outputs (ReeveCall *call,
                             const admin_connect_get_logging_outputs_args *args,
                             admin_connect_get_logging_outputs_ret *ret,
                             GError **error)
{
  if (!reeve_admin_check_flags (call, args->flags, error))
    return FALSE;

  ret->outputs = reeve_log_dup_outputs (&ret->noutputs);
  return TRUE;
}

gboolean
reeve_admin_get_log_filters (ReeveCall *call,
                             const admin_connect_get_logging_filters_args *args,
                             admin_connect_get_logging_filters_ret *ret,
                             GError **error)
{
  if (!reeve_admin_check_flags (call, args->flags, error))
    return FALSE;

  ret->filters = reeve_log_dup_filters (&ret->nfilters);
  if (ret->nfilters == 0)
    g_clear_pointer (&ret->filters, g_free);
  return TRUE;
}

gboolean
reeve_admin_set_log_outputs (ReeveCall *call,
                             const admin_connect_set_logging_outputs_args *args,
                             GError **error)
{
  if (!reeve_admin_check_flags (call, args->flags, error) ||
      !reeve_log_set_outputs (args->outputs, error))
    return FALSE;

  reeve_log_clear_rules ();
  return TRUE;
}

gboolean
reeve_admin_set_log_filters (ReeveCall *call,
                             const admin_connect_set_logging_filters_args *args,
                             GError **error)
{
  if (!reeve_admin_check_flags (call, args->flags, error) ||
      !reeve_log_set_filters (args->filters, error))
    return FALSE;

  reeve_log_clear_rules ();
  return TRUE;
}
