/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/error.h"

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
