/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "shell/shell.h"

G_BEGIN_DECLS

/**
 * ReeveOptionKind:
 * @REEVE_OPTION_FLAG: present or not
 * @REEVE_OPTION_STRING: a word
 * @REEVE_OPTION_NUMBER: an integer
 * @REEVE_OPTION_SIZE: a number, or with a unit (b, K, M, G, KB, MiB, …)
 * @REEVE_OPTION_REST: every word that is left
 */
typedef enum {
  REEVE_OPTION_FLAG,
  REEVE_OPTION_STRING,
  REEVE_OPTION_NUMBER,
  REEVE_OPTION_SIZE,
  REEVE_OPTION_REST,
} ReeveOptionKind;

/* What completion offers for a value. */
typedef enum {
  REEVE_COMPLETE_NOTHING,
  REEVE_COMPLETE_FILES,
  REEVE_COMPLETE_MACHINES,
  REEVE_COMPLETE_ACTIVE_MACHINES,
  REEVE_COMPLETE_INACTIVE_MACHINES,
  REEVE_COMPLETE_EVENTS,
  REEVE_COMPLETE_COMMANDS,
  REEVE_COMPLETE_PROCEDURES,
  REEVE_COMPLETE_SERVERS,
  REEVE_COMPLETE_RESOURCES,
  REEVE_COMPLETE_CLIENTS, /* of the server that is the word before */
} ReeveCompletion;

/**
 * ReeveOption:
 *
 * An option of a command. `--name VALUE` and `--name=VALUE` are the same. An
 * option that is not a flag is also filled by position, in the order of the
 * table, unless it is named_only.
 */
typedef struct {
  const char *name;
  ReeveOptionKind kind;
  gboolean is_required;
  gboolean is_named_only;
  ReeveCompletion completion;
  const char *help;
} ReeveOption;

/* The values of a command's options. */
typedef struct _ReeveArguments ReeveArguments;

/* Its name may have two words. */
typedef struct {
  const char *name;
  const char *summary;
  const ReeveOption *options; /* (array length=n_options) (nullable) */
  size_t n_options;
  gboolean (*run) (ReeveShell *shell,
                   const ReeveArguments *arguments,
                   GError **error);
  gboolean is_hidden;
  gboolean is_local; /* it works without a daemon */
} ReeveCommand;

/* A group of commands: one file each. */
typedef struct {
  const char *name; /* translatable */
  const ReeveCommand *commands;
  size_t n_commands;
} ReeveCommandGroup;

extern const ReeveCommandGroup reeve_host_commands;
extern const ReeveCommandGroup reeve_life_commands;
extern const ReeveCommandGroup reeve_define_commands;
extern const ReeveCommandGroup reeve_info_commands;
extern const ReeveCommandGroup reeve_console_commands;
extern const ReeveCommandGroup reeve_storage_commands;
extern const ReeveCommandGroup reeve_monitor_commands;
extern const ReeveCommandGroup reeve_event_commands;
extern const ReeveCommandGroup reeve_admin_commands;
extern const ReeveCommandGroup reeve_resource_commands;
extern const ReeveCommandGroup reeve_pki_commands;
extern const ReeveCommandGroup reeve_access_commands;
extern const ReeveCommandGroup reeve_doctor_commands;
extern const ReeveCommandGroup reeve_call_commands;
extern const ReeveCommandGroup reeve_shell_commands;

/* (array zero-terminated=1): all of the above. */
extern const ReeveCommandGroup *const reeve_command_groups[];

/* (nullable) */
const ReeveCommand *reeve_command_find (const char *name);
/* (nullable): the command that @words begin with.
 *
 * @words: (array zero-terminated=1)
 * @n_words: (out): how many of them are its name
 */
const ReeveCommand *
reeve_command_find_words (const char *const *words, size_t *n_words);
/* (transfer full): what @words name if they are no command: the first two, if
 * commands begin with the first. */
char *reeve_command_dup_unknown (const char *const *words);
/* (nullable) */
const ReeveOption *
reeve_command_find_option (const ReeveCommand *self, const char *name);
/* (nullable): the option that the next positional word fills after @n_words
 * of them. */
const ReeveOption *
reeve_command_get_positional (const ReeveCommand *self, size_t n_words);

/**
 * reeve_arguments_parse:
 * @words: what follows the command's name
 *
 * Errors: %REEVE_ERROR_INVALID_ARG naming the option.
 *
 * Returns: (transfer full)
 */
ReeveArguments *reeve_arguments_parse (const ReeveCommand *command,
                                       const char *const *words,
                                       GError **error);
void reeve_arguments_free (ReeveArguments *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveArguments, reeve_arguments_free)

gboolean reeve_arguments_has (const ReeveArguments *self, const char *name);
/* (nullable) (transfer none) */
const char *reeve_arguments_get (const ReeveArguments *self, const char *name);
/* (array zero-terminated=1) (transfer none): the words of a rest option. */
const char *const *reeve_arguments_get_rest (const ReeveArguments *self);

/* These leave *@value alone and return TRUE when the option was not given.
 * Errors: REEVE_ERROR_INVALID_ARG. */
gboolean reeve_arguments_get_number (const ReeveArguments *self,
                                     const char *name,
                                     int64_t minimum,
                                     int64_t maximum,
                                     int64_t *value,
                                     GError **error);
/* In bytes, also without a unit. */
gboolean reeve_arguments_get_size (const ReeveArguments *self,
                                   const char *name,
                                   uint64_t *value,
                                   GError **error);
gboolean reeve_arguments_get_size_kib (const ReeveArguments *self,
                                       const char *name,
                                       uint64_t *value,
                                       GError **error);

G_END_DECLS
