/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/error.h"

#include "event/intl.h"

#include <stdatomic.h>

/* Any thread may be the first. */
GQuark
reeve_error_quark (void)
{
  static _Atomic (GQuark) quark;

  if (atomic_load (&quark) == 0)
    atomic_store (&quark, g_quark_from_static_string ("reeve-error-quark"));
  return atomic_load (&quark);
}

gboolean
reeve_error_from_errno (GError **error, int errnum, const char *format, ...)
{
  g_autofree char *what = NULL;
  va_list arguments;

  va_start (arguments, format);
  what = g_strdup_vprintf (format, arguments);
  va_end (arguments);

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM, "%s: %s", what,
               g_strerror (errnum));
  return FALSE;
}

const char *
reeve_error_get_hint (int code)
{
  static const struct {
    int code;
    const char *hint;
  } hints[] = {
    { REEVE_ERROR_NO_SUPPORT, N_ ("list-commands shows what can be called") },
    { REEVE_ERROR_OPERATION_DENIED,
      N_ ("connect to the socket that is not read-only") },
    { REEVE_ERROR_ACCESS_DENIED,
      N_ ("“reeve acl explain” says which rule decides") },
    { REEVE_ERROR_LIMIT, N_ ("send less at a time, and try again") },
    { REEVE_ERROR_TIMED_OUT,
      N_ ("it may still take effect: look before you repeat it") },
    { REEVE_ERROR_NO_DOMAIN, N_ ("“reeve list --all” shows what there is") },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (hints); i++)
    if (hints[i].code == code)
      return _ (hints[i].hint);

  return NULL;
}
