/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define REEVE_PROBE_MAX_BYTES (1024u * 1024)

/**
 * reeve_probe_run:
 * @argv: %NULL-terminated; the first is the path of the program
 * @timeout_ms: after which it is killed
 * @status: (out) (optional): of waitpid()
 *
 * Runs a program that is to say something and end, and waits for it. Thread: a
 * worker's.
 *
 * Errors: of #G_SPAWN_ERROR; %REEVE_ERROR_TIMED_OUT, %REEVE_ERROR_SYSTEM,
 * %REEVE_ERROR_LIMIT for an output that is too long.
 *
 * Returns: (transfer full): what it wrote to stdout
 */
char *reeve_probe_run (const char *const *argv,
                       int timeout_ms,
                       int *status,
                       GError **error);

/**
 * reeve_probe_run_quiet:
 * @timeout_ms: after which it is killed
 * @cancellable: (nullable): which kills it, too
 *
 * Runs a program that does something to files, and waits for it. Thread: one
 * that may wait.
 *
 * Errors: as of reeve_probe_run(); %REEVE_ERROR_ABORTED when it was cancelled;
 * %REEVE_ERROR_OPERATION_FAILED with what it wrote to stderr when it failed.
 */
gboolean reeve_probe_run_quiet (const char *const *argv,
                                int timeout_ms,
                                GCancellable *cancellable,
                                GError **error);

G_END_DECLS
