/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * ReeveError:
 *
 * The codes of the one error domain, %REEVE_ERROR. They cross the wire: up to
 * 999 they have the numbers that libvirt's clients know, ours start at 1000.
 * They are only ever appended.
 */
typedef enum {
  REEVE_ERROR_INTERNAL = 1,
  REEVE_ERROR_NO_MEMORY = 2,
  REEVE_ERROR_NO_SUPPORT = 3,
  REEVE_ERROR_NO_CONNECT = 5,
  REEVE_ERROR_INVALID_CONNECTION = 6,
  REEVE_ERROR_INVALID_ARG = 8,
  REEVE_ERROR_OPERATION_FAILED = 9,
  REEVE_ERROR_XML = 27,
  REEVE_ERROR_OPERATION_DENIED = 29,
  REEVE_ERROR_CONFIG_SYNTAX = 33,
  REEVE_ERROR_XML_DETAIL = 35,
  REEVE_ERROR_SYSTEM = 38,
  REEVE_ERROR_RPC = 39,
  REEVE_ERROR_NO_DOMAIN = 42,
  REEVE_ERROR_AUTH_FAILED = 45,
  REEVE_ERROR_NO_POOL = 49,
  REEVE_ERROR_NO_VOLUME = 50,
  REEVE_ERROR_OPERATION_INVALID = 55,
  REEVE_ERROR_CONFIG_UNSUPPORTED = 67,
  REEVE_ERROR_TIMED_OUT = 68,
  REEVE_ERROR_ARGUMENT_UNSUPPORTED = 74,
  REEVE_ERROR_ABORTED = 78,
  REEVE_ERROR_AUTH_CANCELLED = 79, /* by the person who was asked */
  REEVE_ERROR_NO_METADATA = 80,
  REEVE_ERROR_OVERFLOW = 82,
  REEVE_ERROR_OPERATION_UNSUPPORTED = 84,
  REEVE_ERROR_AGENT_UNRESPONSIVE = 86,
  REEVE_ERROR_LIMIT = 87, /* a bounded thing is full (libvirt: resource busy) */
  REEVE_ERROR_ACCESS_DENIED = 88,
  REEVE_ERROR_VOLUME_EXISTS = 90,
  REEVE_ERROR_AUTH_UNAVAILABLE = 94, /* nobody can be asked */
  REEVE_ERROR_NO_SERVER = 95,
  REEVE_ERROR_NO_CLIENT = 96,

  REEVE_ERROR_CLOSED = 1000,          /* the connection is closed */
  REEVE_ERROR_OUTCOME_UNKNOWN = 1001, /* it was lost while the call ran */
  REEVE_ERROR_NO_RESOURCE = 1002,     /* there is no file of that path */
} ReeveError;

#define REEVE_ERROR (reeve_error_quark ())
GQuark reeve_error_quark (void);

/* (nullable) (transfer none): what to do about an error, in the user's
 * language. Thread: any. */
const char *reeve_error_get_hint (int code);

/**
 * reeve_error_from_errno:
 * @error: (out) (optional): set to %REEVE_ERROR_SYSTEM
 * @errnum: an errno
 * @format: a printf() format: what failed, without the reason
 *
 * Sets @error to "WHAT: REASON".
 *
 * Returns: %FALSE, so that it can end a function
 */
gboolean
reeve_error_from_errno (GError **error, int errnum, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

G_END_DECLS
