/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/error.h"

G_DEFINE_QUARK (reeve - error - quark, reeve_error)

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
