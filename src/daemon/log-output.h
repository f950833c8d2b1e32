/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

enum {
  REEVE_LOG_CONSOLE, /* standard error, or the journal in its place */
  REEVE_LOG_SYSLOG,
  REEVE_LOG_FILE,
  REEVE_LOG_N_DESTINATIONS,
};

/**
 * ReeveLogOutput:
 *
 * Where messages go: `LEVEL:stderr`, `LEVEL:file:PATH`, `LEVEL:syslog:NAME` or
 * `LEVEL:journald`, with the levels 1 (debug) to 4 (error). It takes what is
 * at least as severe.
 *
 * Writing never waits for long: what is not taken is lost, and once there is
 * room again a line says how much that was. Only one thread at a time may use
 * an output.
 */
typedef struct _ReeveLogOutput ReeveLogOutput;

/* One message on its way to the outputs. */
typedef struct {
  GLogLevelFlags level;
  const char *level_name;
  int priority; /* of syslog */
  const char *source;
  const char *text;
  const GLogField *fields; /* (array length=n_fields): all of it */
  gsize n_fields;
  /* Bits of destinations that take it, or do not, whatever their level. */
  unsigned forced;
  unsigned barred;
} ReeveLogMessage;

/**
 * reeve_log_outputs_parse:
 * @text: outputs with spaces between them
 *
 * Opens files, so it may block.
 *
 * Errors: %REEVE_ERROR_INVALID_ARG, naming the one that is wrong;
 * %REEVE_ERROR_SYSTEM for a file that cannot be opened.
 *
 * Returns: (transfer full) (element-type ReeveLogOutput)
 */
GPtrArray *reeve_log_outputs_parse (const char *text, GError **error);

/* (transfer full): the outputs with spaces between them. */
char *reeve_log_outputs_format (GPtrArray *outputs);

/* Whether there is a socket for `LEVEL:journald`. */
gboolean reeve_log_output_has_journal (void);

/* Those that are files get another owner. */
void reeve_log_outputs_give (GPtrArray *outputs, uid_t uid, gid_t gid);

/* Lets go of the files; what would go there is lost, without a remark. */
void reeve_log_outputs_close_files (GPtrArray *outputs);

/* The least severe level that one of @destination takes; 0: there is none. */
GLogLevelFlags
reeve_log_outputs_get_level (GPtrArray *outputs, int destination);

/* @digit: of 1 to 4 */
void
reeve_log_outputs_set_level (GPtrArray *outputs, int destination, char digit);

/* (nullable): what a line of the first one of @destination looks like, in the
 * letters of Open vSwitch's patterns. */
const char *reeve_log_outputs_get_pattern (GPtrArray *outputs, int destination);

/* For syslog, as of <syslog.h>, without its shift. Thread: any. */
void reeve_log_output_set_facility (unsigned facility);

/* The least severe level that one of them takes. */
GLogLevelFlags reeve_log_outputs_get_widest (GPtrArray *outputs);

/* Hands @message to all that take it. What none of them could take goes to
 * standard error. */
void
reeve_log_outputs_write (GPtrArray *outputs, const ReeveLogMessage *message);

G_END_DECLS
