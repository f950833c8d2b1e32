/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/connection.h"

G_BEGIN_DECLS

typedef enum {
  REEVE_OUTPUT_TEXT,
  REEVE_OUTPUT_JSON,
  REEVE_OUTPUT_JSON_PRETTY,
} ReeveOutputFormat;

/**
 * ReeveShell:
 *
 * One run of the shell: its connection (made when a command first needs it)
 * and how it prints. Thread: owner.
 */
typedef struct {
  char *uri; /* (owned) (nullable) */
  gboolean is_read_only;
  gboolean is_quiet;
  gboolean is_interactive;
  gboolean is_lasting;  /* a connection that was lost comes back */
  gboolean is_finished; /* "quit" was said */
  int status; /* of a command that did what it was told (ReeveExitStatus) */
  gboolean is_local;        /* the command that runs needs no connection */
  gboolean is_completing;   /* nobody is to be asked for anything */
  int timeout_ms;           /* of each call; -1 for the default */
  int keepalive_interval_s; /* 0: never; -1 for the default */
  int keepalive_count;      /* -1 for the default */
  ReeveOutputFormat format;
  ReeveConnection *connection; /* (owned) (nullable) */
  char *admin_socket;          /* (owned) (nullable): its path */
  ReeveConnection *admin;      /* (owned) (nullable): to the admin socket */
} ReeveShell;

/* The exit statuses of the shell. */
typedef enum {
  REEVE_EXIT_OK = 0,
  REEVE_EXIT_FAILED = 1,
  REEVE_EXIT_USAGE = 2,
  REEVE_EXIT_NO_CONNECTION = 3,
  REEVE_EXIT_NOT_FOUND = 4,
  REEVE_EXIT_DENIED = 5,
  REEVE_EXIT_TIMED_OUT = 6,
  REEVE_EXIT_OUTCOME_UNKNOWN = 7,
} ReeveExitStatus;

/* Errors of bad usage, so that they get their own exit status. */
#define REEVE_SHELL_ERROR (reeve_shell_error_quark ())
GQuark reeve_shell_error_quark (void);
typedef enum {
  REEVE_SHELL_ERROR_USAGE,
} ReeveShellError;

void reeve_shell_clear (ReeveShell *self);

/* (transfer none): connects when there is no live connection. */
ReeveConnection *reeve_shell_connect (ReeveShell *self, GError **error);

/* Calls a procedure of the `remote` program with the shell's timeout. */
gboolean reeve_shell_call (ReeveShell *self,
                           int32_t procedure,
                           gconstpointer args,
                           gpointer ret,
                           GError **error);

/* The same for another program, and another timeout. */
gboolean reeve_shell_call_program (ReeveShell *self,
                                   const ReeveProgram *program,
                                   int32_t procedure,
                                   gconstpointer args,
                                   gpointer ret,
                                   int timeout_ms,
                                   GError **error);

/* (transfer none): connects to the admin socket of the daemon. */
ReeveConnection *reeve_shell_connect_admin (ReeveShell *self, GError **error);

/* Calls a procedure of the `admin` program, on the admin socket of the daemon
 * that the shell drives. */
gboolean reeve_shell_call_admin (ReeveShell *self,
                                 int32_t procedure,
                                 gconstpointer args,
                                 gpointer ret,
                                 GError **error);

/* The same for another program that is there, too. */
gboolean reeve_shell_call_admin_socket (ReeveShell *self,
                                        const ReeveProgram *program,
                                        int32_t procedure,
                                        gconstpointer args,
                                        gpointer ret,
                                        GError **error);

/**
 * reeve_shell_run:
 * @words: (array zero-terminated=1): a command and its words
 *
 * Runs one command and reports its error on stderr.
 */
ReeveExitStatus reeve_shell_run (ReeveShell *self, const char *const *words);

/* The same for a line as typed, which may hold several commands with `;`. */
ReeveExitStatus reeve_shell_run_line (ReeveShell *self, const char *line);

/* Reads commands until the end of the input or "quit". */
ReeveExitStatus reeve_shell_run_interactive (ReeveShell *self);

G_END_DECLS
