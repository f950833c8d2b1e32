/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/command.h"

#include "event/intl.h"

#include <errno.h>
#include <string.h>

const ReeveCommandGroup *const reeve_command_groups[] = {
  &reeve_life_commands,    &reeve_define_commands,
  &reeve_info_commands,    &reeve_console_commands,
  &reeve_storage_commands, &reeve_monitor_commands,
  &reeve_event_commands,   &reeve_host_commands,
  &reeve_admin_commands,   &reeve_resource_commands,
  &reeve_pki_commands,     &reeve_access_commands,
  &reeve_doctor_commands,  &reeve_call_commands,
  &reeve_shell_commands,   NULL,
};

struct _ReeveArguments {
  const ReeveCommand *command;
  GHashTable *values; /* option name (of the table) -> value (owned) */
  GPtrArray *rest;    /* (owned), zero-terminated */
};

const ReeveCommand *
reeve_command_find (const char *name)
{
  for (size_t g = 0; reeve_command_groups[g] != NULL; g++)
    for (size_t i = 0; i < reeve_command_groups[g]->n_commands; i++)
      if (g_str_equal (reeve_command_groups[g]->commands[i].name, name))
        return &reeve_command_groups[g]->commands[i];

  return NULL;
}

const ReeveCommand *
reeve_command_find_words (const char *const *words, size_t *n_words)
{
  g_autofree char *two = words[0] != NULL && words[1] != NULL
                             ? g_strjoin (" ", words[0], words[1], NULL)
                             : NULL;
  const ReeveCommand *command = two == NULL ? NULL : reeve_command_find (two);

  *n_words = command == NULL ? 1 : 2;
  if (command == NULL && words[0] != NULL)
    command = reeve_command_find (words[0]);
  return command;
}

static gboolean
begins_commands (const char *word)
{
  g_autofree char *start = g_strconcat (word, " ", NULL);

  for (size_t g = 0; reeve_command_groups[g] != NULL; g++)
    for (size_t i = 0; i < reeve_command_groups[g]->n_commands; i++)
      if (g_str_has_prefix (reeve_command_groups[g]->commands[i].name, start))
        return TRUE;

  return FALSE;
}

char *
reeve_command_dup_unknown (const char *const *words)
{
  return words[1] != NULL && begins_commands (words[0])
             ? g_strjoin (" ", words[0], words[1], NULL)
             : g_strdup (words[0]);
}

const ReeveOption *
reeve_command_find_option (const ReeveCommand *self, const char *name)
{
  for (size_t i = 0; i < self->n_options; i++)
    if (g_str_equal (self->options[i].name, name))
      return &self->options[i];

  return NULL;
}

static gboolean
is_positional (const ReeveOption *option)
{
  return option->kind != REEVE_OPTION_FLAG && !option->is_named_only;
}

const ReeveOption *
reeve_command_get_positional (const ReeveCommand *self, size_t n_words)
{
  for (size_t i = 0; i < self->n_options; i++) {
    const ReeveOption *option = &self->options[i];

    if (!is_positional (option))
      continue;
    if (option->kind == REEVE_OPTION_REST || n_words == 0)
      return option;
    n_words--;
  }

  return NULL;
}

/* The first positional option that has no value yet. */
static const ReeveOption *
get_open_positional (const ReeveArguments *self)
{
  const ReeveCommand *command = self->command;

  for (size_t i = 0; i < command->n_options; i++) {
    const ReeveOption *option = &command->options[i];

    if (is_positional (option) &&
        (option->kind == REEVE_OPTION_REST ||
         !g_hash_table_contains (self->values, option->name)))
      return option;
  }

  return NULL;
}

static gboolean
take_word (ReeveArguments *self, const char *word, GError **error)
{
  const ReeveOption *option = get_open_positional (self);

  if (option == NULL) {
    g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
                 _ ("%1$s: unexpected word “%2$s”"), self->command->name, word);
    return FALSE;
  }

  if (option->kind == REEVE_OPTION_REST) {
    g_hash_table_replace (self->values, (gpointer) option->name, NULL);
    g_ptr_array_add (self->rest, g_strdup (word));
  } else {
    g_hash_table_replace (self->values, (gpointer) option->name,
                          g_strdup (word));
  }
  return TRUE;
}

static gboolean
set_usage_error (GError **error,
                 const ReeveArguments *self,
                 const char *format,
                 const char *name)
{
  g_autofree char *text = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  text = g_strdup_printf (format, name);
#pragma GCC diagnostic pop
  g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE, "%s: %s",
               self->command->name, text);
  return FALSE;
}

/* @text is behind the dashes; *@next is the word that follows. */
static gboolean
take_option (ReeveArguments *self,
             const char *text,
             const char *const **next,
             GError **error)
{
  const char *equals = strchr (text, '=');
  g_autofree char *name =
      equals != NULL ? g_strndup (text, equals - text) : g_strdup (text);
  const ReeveOption *option = reeve_command_find_option (self->command, name);
  const char *value = equals != NULL ? equals + 1 : NULL;

  if (option == NULL || option->kind == REEVE_OPTION_REST)
    return set_usage_error (error, self, _ ("there is no option --%s"), name);
  if (g_hash_table_contains (self->values, option->name))
    return set_usage_error (error, self, _ ("--%s is given twice"), name);

  if (option->kind == REEVE_OPTION_FLAG) {
    if (value != NULL)
      return set_usage_error (error, self, _ ("--%s takes no value"), name);
  } else if (value == NULL) {
    value = **next;
    if (value == NULL)
      return set_usage_error (error, self, _ ("--%s needs a value"), name);
    (*next)++;
  }

  g_hash_table_replace (self->values, (gpointer) option->name,
                        g_strdup (value));
  return TRUE;
}

static gboolean
check_required (const ReeveArguments *self, GError **error)
{
  for (size_t i = 0; i < self->command->n_options; i++) {
    const ReeveOption *option = &self->command->options[i];

    if (option->is_required &&
        !g_hash_table_contains (self->values, option->name))
      return set_usage_error (error, self, _ ("--%s is missing"), option->name);
  }

  return TRUE;
}

ReeveArguments *
reeve_arguments_parse (const ReeveCommand *command,
                       const char *const *words,
                       GError **error)
{
  g_autoptr (ReeveArguments) self = g_new0 (ReeveArguments, 1);
  gboolean only_words = FALSE;

  self->command = command;
  self->values = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  self->rest = g_ptr_array_new_with_free_func (g_free);

  while (*words != NULL) {
    const char *word = *words++;

    if (!only_words && g_str_equal (word, "--")) {
      only_words = TRUE;
    } else if (!only_words && g_str_has_prefix (word, "--")) {
      if (!take_option (self, word + 2, &words, error))
        return NULL;
    } else if (!take_word (self, word, error)) {
      return NULL;
    }
  }

  if (!check_required (self, error))
    return NULL;
  g_ptr_array_add (self->rest, NULL);
  return g_steal_pointer (&self);
}

void
reeve_arguments_free (ReeveArguments *self)
{
  if (self == NULL)
    return;

  g_hash_table_unref (self->values);
  g_ptr_array_unref (self->rest);
  g_free (self);
}

gboolean
reeve_arguments_has (const ReeveArguments *self, const char *name)
{
  return g_hash_table_contains (self->values, name);
}

const char *
reeve_arguments_get (const ReeveArguments *self, const char *name)
{
  return g_hash_table_lookup (self->values, name);
}

const char *const *
reeve_arguments_get_rest (const ReeveArguments *self)
{
  return (const char *const *) self->rest->pdata;
}

gboolean
reeve_arguments_get_number (const ReeveArguments *self,
                            const char *name,
                            int64_t minimum,
                            int64_t maximum,
                            int64_t *value,
                            GError **error)
{
  const char *text = reeve_arguments_get (self, name);
  g_autoptr (GError) why = NULL;

  if (text == NULL)
    return TRUE;
  if (g_ascii_string_to_signed (text, 10, minimum, maximum, value, &why))
    return TRUE;

  g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
               _ ("%1$s: --%2$s: %3$s"), self->command->name, name,
               why->message);
  return FALSE;
}

/* What a number without a unit counts is in *@bytes before. */
static gboolean
find_unit (const char *suffix, uint64_t *bytes)
{
  static const char letters[] = "kmgtpe";
  const char *letter;
  uint64_t factor = 1;
  uint64_t base;

  if (suffix[0] == '\0')
    return TRUE;
  if (g_ascii_strcasecmp (suffix, "b") == 0 || g_str_equal (suffix, "bytes")) {
    *bytes = 1;
    return TRUE;
  }

  letter = strchr (letters, g_ascii_tolower (suffix[0]));
  if (letter == NULL)
    return FALSE;
  if (suffix[1] == '\0' || g_ascii_strcasecmp (suffix + 1, "ib") == 0)
    base = 1024;
  else if (g_ascii_strcasecmp (suffix + 1, "b") == 0)
    base = 1000;
  else
    return FALSE;

  for (const char *p = letters; p <= letter; p++)
    factor *= base;
  *bytes = factor;
  return TRUE;
}

static gboolean
parse_size (const ReeveArguments *self,
            const char *name,
            uint64_t unit,
            uint64_t *value,
            GError **error)
{
  const char *text = reeve_arguments_get (self, name);
  char *end = NULL;
  uint64_t number;

  if (text == NULL)
    return TRUE;

  errno = 0;
  number = g_ascii_strtoull (text, &end, 10);
  if (end == text || text[0] == '-' || errno != 0 || !find_unit (end, &unit) ||
      number > UINT64_MAX / unit) {
    g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
                 _ ("%1$s: --%2$s: “%3$s” is not a size"), self->command->name,
                 name, text);
    return FALSE;
  }

  *value = number * unit;
  return TRUE;
}

gboolean
reeve_arguments_get_size (const ReeveArguments *self,
                          const char *name,
                          uint64_t *value,
                          GError **error)
{
  return parse_size (self, name, 1, value, error);
}

gboolean
reeve_arguments_get_size_kib (const ReeveArguments *self,
                              const char *name,
                              uint64_t *value,
                              GError **error)
{
  uint64_t bytes = 0;

  if (reeve_arguments_get (self, name) == NULL)
    return TRUE;
  if (!parse_size (self, name, 1024, &bytes, error))
    return FALSE;
  *value = bytes / 1024 + (bytes % 1024 != 0);
  return TRUE;
}
