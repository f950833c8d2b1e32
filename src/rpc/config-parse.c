/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/config-tree.h"
#include "rpc/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* From text to a tree. */

typedef enum {
  TOKEN_END,
  TOKEN_OPEN,   /* { */
  TOKEN_CLOSE,  /* } */
  TOKEN_FIRST,  /* [ */
  TOKEN_LAST,   /* ] */
  TOKEN_COMMA,  /* , */
  TOKEN_EQUALS, /* = */
  TOKEN_QUOTED,
  TOKEN_WORD, /* a bare word, where no value can stand */
  TOKEN_BARE, /* a bare word as a value */
  TOKEN_INT,
  TOKEN_FLOAT,
  TOKEN_UNFINISHED, /* a string without its end */
} TokenKind;

/* Where reading is; the token is the one in front of it. */
typedef struct {
  const char *text;
  const char *end;
  const char *next; /* behind the token */
  TokenKind kind;
  const char *token;
  size_t length; /* of what is in it, for a string without its quotes */
  unsigned n_nodes;
} Reader;

/* -------------------------------------------------------------- tokens --- */

static gboolean
is_blank (char c)
{
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static void
skip_blanks (Reader *self)
{
  gboolean is_comment = FALSE;

  for (; self->next < self->end; self->next++) {
    if (*self->next == '#')
      is_comment = TRUE;
    else if (*self->next == '\n')
      is_comment = FALSE;
    else if (!is_comment && !is_blank (*self->next))
      return;
  }
}

static void
read_quoted (Reader *self, char quote)
{
  self->kind = TOKEN_QUOTED;
  self->token = ++self->next;
  while (self->next < self->end && *self->next != quote)
    /* A backslash guards what follows it; in single quotes it is a letter. */
    self->next +=
        *self->next == '\\' && quote == '"' && self->next + 1 < self->end ? 2
                                                                          : 1;
  self->length = (size_t) (self->next - self->token);
  if (self->next < self->end)
    self->next++;
  else
    self->kind = TOKEN_UNFINISHED;
}

static void
read_number (Reader *self)
{
  self->kind = *self->next == '.' ? TOKEN_FLOAT : TOKEN_INT;
  for (self->next++; self->next < self->end; self->next++) {
    if (*self->next == '.' && self->kind == TOKEN_INT)
      self->kind = TOKEN_FLOAT;
    else if (!g_ascii_isdigit (*self->next))
      break;
  }
  self->length = (size_t) (self->next - self->token);
}

static void
read_word (Reader *self, gboolean is_value)
{
  self->kind = is_value ? TOKEN_BARE : TOKEN_WORD;
  while (self->next < self->end && !is_blank (*self->next) &&
         strchr ("#={}", *self->next) == NULL)
    self->next++;
  self->length = (size_t) (self->next - self->token);
}

/* What can stand in front of a value. */
static gboolean
precedes_value (TokenKind kind)
{
  return kind == TOKEN_EQUALS || kind == TOKEN_FIRST || kind == TOKEN_COMMA;
}

static void
read_token (Reader *self)
{
  static const char single[] = "{}[],=";
  gboolean is_value = precedes_value (self->kind);
  const char *found;

  skip_blanks (self);
  self->token = self->next;
  self->length = 0;
  if (self->next == self->end) {
    self->kind = TOKEN_END;
    return;
  }

  found = strchr (single, *self->next);
  if (found != NULL) {
    self->kind = TOKEN_OPEN + (TokenKind) (found - single);
    self->next++;
  } else if (*self->next == '"' || *self->next == '\'') {
    read_quoted (self, *self->next);
  } else if (is_value && strchr (".+-" G_CSET_DIGITS, *self->next) != NULL) {
    read_number (self);
  } else {
    read_word (self, is_value);
  }
}

/* -------------------------------------------------------------- errors --- */

/* Says where the token is and that it is not what should be there. */
static gboolean
refuse (const Reader *self, const char *why, GError **error)
{
  const char *line = self->text;
  unsigned n_lines = 1;

  for (const char *c = self->text; c < self->token; c++) {
    if (*c == '\n') {
      n_lines++;
      line = c + 1;
    }
  }

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
               _ ("line %1$u, column %2$u: %3$s"), n_lines,
               (unsigned) (self->token - line) + 1, why);
  return FALSE;
}

static gboolean
expect (Reader *self, TokenKind kind, const char *why, GError **error)
{
  if (self->kind != kind)
    return refuse (self, why, error);

  read_token (self);
  return TRUE;
}

/* -------------------------------------------------------------- values --- */

/* (transfer full): a quoted string as it is meant; it starts behind its
 * quote. */
static char *
unquote (const char *token, size_t length)
{
  char *string = g_malloc (length + 1);
  size_t size = 0;

  for (size_t i = 0; i < length; i++) {
    if (token[-1] == '"' && token[i] == '\\' && i + 1 < length &&
        (token[i + 1] == '"' || token[i + 1] == '\\'))
      i++;
    string[size++] = token[i];
  }
  string[size] = '\0';
  return string;
}

static gboolean
read_int (Reader *self, ReeveConfigNode *node, GError **error)
{
  g_autofree char *digits = g_strndup (self->token, self->length);
  char *end;
  gint64 value;

  errno = 0;
  value = g_ascii_strtoll (digits, &end, 0);
  if (*end != '\0' || end == digits)
    return refuse (self, _ ("that is no number"), error);
  if (errno == ERANGE)
    return refuse (self, _ ("the number does not fit into 64 bits"), error);

  reeve_config_node_append_int (node, value);
  return TRUE;
}

static void
read_float (Reader *self, ReeveConfigNode *node)
{
  g_autofree char *digits = g_strndup (self->token, self->length);

  /* A lone point is zero. */
  reeve_config_node_append_float (node, g_ascii_strtod (digits, NULL));
}

static void
read_string (Reader *self, ReeveConfigNode *node)
{
  g_autofree char *string = self->kind == TOKEN_QUOTED
                                ? unquote (self->token, self->length)
                                : g_strndup (self->token, self->length);

  reeve_config_node_append_string (node, string);
}

static gboolean
read_scalar (Reader *self, ReeveConfigNode *node, GError **error)
{
  switch (self->kind) {
  case TOKEN_INT:
    if (!read_int (self, node, error))
      return FALSE;
    break;
  case TOKEN_FLOAT:
    read_float (self, node);
    break;
  case TOKEN_QUOTED:
  case TOKEN_BARE:
    read_string (self, node);
    break;
  case TOKEN_UNFINISHED:
    return refuse (self, _ ("the string does not end"), error);
  default:
    return refuse (self, _ ("there is no value"), error);
  }

  read_token (self);
  return TRUE;
}

/* Between two elements a comma may be missing, and one may end the list. */
static gboolean
read_list (Reader *self, ReeveConfigNode *node, GError **error)
{
  read_token (self);
  while (self->kind != TOKEN_LAST) {
    if (!read_scalar (self, node, error))
      return FALSE;
    if (self->kind == TOKEN_COMMA)
      read_token (self);
  }

  read_token (self);
  return TRUE;
}

/* --------------------------------------------------------------- nodes --- */

static gboolean read_entries (Reader *self,
                              ReeveConfigNode *section,
                              unsigned depth,
                              GError **error);

/* The name of an entry as a path of keys. (transfer full) (nullable) */
static char **
read_path (Reader *self, GError **error)
{
  g_autofree char *name = NULL;
  g_auto (GStrv) words = NULL;
  g_autoptr (GStrvBuilder) path = g_strv_builder_new ();
  gboolean is_quoted = self->kind == TOKEN_QUOTED;

  if (self->kind == TOKEN_UNFINISHED) {
    refuse (self, _ ("the string does not end"), error);
    return NULL;
  }
  if (!is_quoted && self->kind != TOKEN_WORD) {
    refuse (self, _ ("there is no key"), error);
    return NULL;
  }

  name = is_quoted ? unquote (self->token, self->length)
                   : g_strndup (self->token, self->length);
  if (name[0] == '\0' || g_str_has_suffix (name, "/")) {
    refuse (self, _ ("the key is empty"), error);
    return NULL;
  }

  words = g_strsplit (name, "/", -1);
  for (char **word = words; *word != NULL; word++)
    if (**word != '\0')
      g_strv_builder_add (path, *word);
  read_token (self);
  return g_strv_builder_end (path);
}

static gboolean
read_entry (Reader *self,
            ReeveConfigNode *section,
            unsigned depth,
            GError **error)
{
  g_auto (GStrv) path = read_path (self, error);
  ReeveConfigNode *node = section;

  if (path == NULL)
    return FALSE;

  depth += g_strv_length (path);
  self->n_nodes += g_strv_length (path);
  if (depth > REEVE_CONFIG_MAX_DEPTH ||
      self->n_nodes > REEVE_CONFIG_MAX_NODES) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("The text has more than %1$u keys, or sections deeper than "
                    "%2$u"),
                 REEVE_CONFIG_MAX_NODES, REEVE_CONFIG_MAX_DEPTH);
    return FALSE;
  }
  for (char **key = path; *key != NULL; key++)
    node = reeve_config_node_add_section (node, *key);

  if (self->kind == TOKEN_OPEN) {
    read_token (self);
    return read_entries (self, node, depth, error) &&
           expect (self, TOKEN_CLOSE, _ ("the section does not end"), error);
  }
  if (!expect (self, TOKEN_EQUALS, _ ("there is neither “=” nor “{”"), error))
    return FALSE;
  if (self->kind != TOKEN_FIRST)
    return read_scalar (self, node, error);
  reeve_config_node_become_list (node);
  return read_list (self, node, error);
}

static gboolean
read_entries (Reader *self,
              ReeveConfigNode *section,
              unsigned depth,
              GError **error)
{
  while (self->kind != TOKEN_CLOSE && self->kind != TOKEN_END)
    if (!read_entry (self, section, depth, error))
      return FALSE;

  return TRUE;
}

ReeveConfigNode *
reeve_config_node_parse (const char *text, size_t size, GError **error)
{
  g_autoptr (ReeveConfigNode) root = reeve_config_node_new ();
  Reader reader = {
    .text = text,
    .end = size == 0 ? text : text + strnlen (text, size),
    .next = text,
    .kind = TOKEN_END,
  };

  read_token (&reader);
  if (size >= 3 && memcmp (text, "\xEF\xBB\xBF", 3) == 0) {
    refuse (&reader, _ ("a byte order mark is not part of the language"),
            error);
    return NULL;
  }
  do
    if (!read_entry (&reader, root, 0, error))
      return NULL;
  while (reader.kind != TOKEN_END);

  return g_steal_pointer (&root);
}
