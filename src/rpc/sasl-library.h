/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * libsasl2's state of the process. It can be begun any number of times, also
 * by others; nothing of the host's configuration is read.
 */

/* Errors: REEVE_ERROR_NO_SUPPORT. Thread: any; loads plug-ins from disk. */
gboolean reeve_sasl_library_begin_server (GError **error);
gboolean reeve_sasl_library_begin_client (GError **error);

struct sasl_conn;

/* For reeve_sasl_library_set_security(): the transport protects what is said.
 */
#define REEVE_SASL_PROTECTED (-1)

/**
 * reeve_sasl_library_set_security:
 * @exchange: of either side, before it starts
 * @min_ssf: what a layer has to be worth, 0 for none at all;
 *   %REEVE_SASL_PROTECTED wants no layer, and allows plain text
 *
 * Returns: a status of libsasl2
 */
int reeve_sasl_library_set_security (struct sasl_conn *exchange, int min_ssf);

/* A callback of libsasl2 (SASL_CB_LOG): what it has to say is for debugging,
 * never a secret. */
int reeve_sasl_library_log (void *context, int level, const char *message);

G_END_DECLS
