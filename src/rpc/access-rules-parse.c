/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/access-rules-private.h"
#include "rpc/error.h"

#include <string.h>

#define MAX_FILE_SIZE (1024 * 1024)
#define MAX_RULES 1024
#define MAX_ITEMS 256
#define MAX_ITEM_SIZE 1024
#define MAX_NAME_SIZE 64

const char *const reeve_rule_keys[REEVE_RULE_N_KEYS] = {
  "who", "from", "may", "on", "effect",
};

/* What is being read. */
typedef struct {
  ReeveAccessRules *rules;
  const char *file;
  unsigned line;
  ReeveAccessRule *rule; /* (nullable): the group that it is in */
} Reader;

gboolean
reeve_access_rule_fail (const ReeveAccessRule *self,
                        ReeveRuleKey key,
                        GError **error,
                        const char *format,
                        ...)
{
  g_autofree char *text = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
               "%s:%u: [rule %s] %s: %s", self->file, self->lines[key],
               self->name, reeve_rule_keys[key], text);
  return FALSE;
}

/* ----------------------------------------------------------------- who --- */

static const struct {
  const char *name;
  ReeveWhoKind kind;
} who_kinds[] = {
  { "user", REEVE_WHO_USER },   { "uid", REEVE_WHO_UID },
  { "group", REEVE_WHO_GROUP }, { "gid", REEVE_WHO_GID },
  { "dn", REEVE_WHO_DN },       { "sasl", REEVE_WHO_SASL },
};

gboolean
reeve_who_parse (ReeveWho *who, const char *item)
{
  const char *colon = strchr (item, ':');
  guint64 id;

  if (g_str_equal (item, "any")) {
    who->kind = REEVE_WHO_ANY;
    return TRUE;
  }
  if (colon == NULL || colon[1] == '\0')
    return FALSE;

  for (size_t i = 0; i < G_N_ELEMENTS (who_kinds); i++) {
    size_t length = strlen (who_kinds[i].name);

    if ((size_t) (colon - item) != length ||
        strncmp (item, who_kinds[i].name, length) != 0)
      continue;
    who->kind = who_kinds[i].kind;
    if (who->kind == REEVE_WHO_UID || who->kind == REEVE_WHO_GID) {
      /* The last number means "none". */
      if (!g_ascii_string_to_unsigned (colon + 1, 10, 0, UINT32_MAX - 1, &id,
                                       NULL))
        return FALSE;
      who->id = (uint32_t) id;
      return TRUE;
    }
    who->text = g_strdup (colon + 1);
    return TRUE;
  }

  return FALSE;
}

static gboolean
take_who (ReeveAccessRule *self, char **items, GError **error)
{
  for (; *items != NULL; items++) {
    ReeveWho who = { 0 };

    if (!reeve_who_parse (&who, *items))
      return reeve_access_rule_fail (
          self, REEVE_RULE_WHO, error,
          _ ("“%s” is none of any, user:NAME, uid:N, group:NAME, gid:N, "
             "dn:PATTERN and sasl:PATTERN"),
          *items);
    g_array_append_val (self->who, who);
  }

  return TRUE;
}

/* ---------------------------------------------------------------- from --- */

gboolean
reeve_transport_parse (const char *item, unsigned *bits)
{
  static const struct {
    const char *name;
    ReeveTransport transport;
  } transports[] = {
    { "unix", REEVE_TRANSPORT_UNIX },
    { "tcp", REEVE_TRANSPORT_TCP },
    { "tls", REEVE_TRANSPORT_TLS },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (transports); i++)
    if (g_str_equal (item, transports[i].name)) {
      *bits |= 1u << transports[i].transport;
      return TRUE;
    }

  return FALSE;
}

static gboolean
is_mapped (GInetAddressMask *mask)
{
  static const uint8_t prefix[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
  GInetAddress *address = g_inet_address_mask_get_address (mask);

  return g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV6 &&
         g_inet_address_mask_get_length (mask) >= 96 &&
         memcmp (g_inet_address_to_bytes (address), prefix, sizeof prefix) == 0;
}

static gboolean
take_from (ReeveAccessRule *self, char **items, GError **error)
{
  for (; *items != NULL; items++) {
    g_autoptr (GInetAddressMask) mask = NULL;

    if (reeve_transport_parse (*items, &self->from_transport))
      continue;
    mask = g_inet_address_mask_new_from_string (*items, NULL);
    if (mask == NULL)
      return reeve_access_rule_fail (
          self, REEVE_RULE_FROM, error,
          _ ("“%s” is none of unix, tcp, tls, ADDRESS and ADDRESS/BITS"),
          *items);
    if (is_mapped (mask))
      return reeve_access_rule_fail (self, REEVE_RULE_FROM, error,
                                     _ ("“%s”: write it as an IPv4 address"),
                                     *items);
    g_ptr_array_add (self->from_masks, g_steal_pointer (&mask));
  }

  return TRUE;
}

/* ----------------------------------------------------------------- may --- */

static gboolean
is_tag_pattern (const char *item)
{
  const char *colon = strchr (item, ':');

  return colon != NULL && colon > item && colon[1] != '\0' &&
         strchr (colon + 1, ':') == NULL &&
         item[strspn (item, "abcdefghijklmnopqrstuvwxyz0123456789_*?:")] ==
             '\0';
}

static gboolean
take_may (ReeveAccessRule *self, char **items, GError **error)
{
  static const char *const words[] = { "read", "control", "all", NULL };

  for (char **item = items; *item != NULL; item++)
    if (!g_strv_contains (words, *item) && !is_tag_pattern (*item))
      return reeve_access_rule_fail (
          self, REEVE_RULE_MAY, error,
          _ ("“%s” is none of OBJECT:PERMISSION, read, control and all"),
          *item);

  self->may = g_strdupv (items);
  return TRUE;
}

static gboolean
take_effect (ReeveAccessRule *self, char **items, GError **error)
{
  self->is_allowing = g_str_equal (items[0], "allow");
  if (items[1] == NULL && (self->is_allowing || g_str_equal (items[0], "deny")))
    return TRUE;

  return reeve_access_rule_fail (self, REEVE_RULE_EFFECT, error,
                                 _ ("“%s” is not one of allow and deny"),
                                 self->texts[REEVE_RULE_EFFECT]);
}

gboolean
reeve_access_rule_take_key (ReeveAccessRule *self,
                            ReeveRuleKey key,
                            char **items,
                            GError **error)
{
  switch (key) {
  case REEVE_RULE_WHO:
    return take_who (self, items, error);
  case REEVE_RULE_FROM:
    return take_from (self, items, error);
  case REEVE_RULE_MAY:
    return take_may (self, items, error);
  case REEVE_RULE_ON:
    self->on = g_strdupv (items);
    return TRUE;
  default:
    return take_effect (self, items, error);
  }
}

/* --------------------------------------------------------------- lines --- */

static gboolean
fail (const Reader *self, GError **error, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

static gboolean
fail (const Reader *self, GError **error, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  if (self->rule != NULL)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
                 "%s:%u: [rule %s] %s", self->file, self->line,
                 self->rule->name, text);
  else
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX, "%s:%u: %s",
                 self->file, self->line, text);
  return FALSE;
}

static ReeveAccessRule *
add_rule (Reader *self, const char *name)
{
  ReeveAccessRule *rule = g_new0 (ReeveAccessRule, 1);

  rule->name = g_strdup (name);
  rule->file = g_strdup (self->file);
  rule->line = self->line;
  rule->who = g_array_new (FALSE, FALSE, sizeof (ReeveWho));
  rule->from_masks = g_ptr_array_new_with_free_func (g_object_unref);
  rule->is_allowing = TRUE;
  g_ptr_array_add (self->rules->rules, rule);
  g_hash_table_insert (self->rules->by_name, rule->name, rule);
  return rule;
}

static gboolean
is_rule_name (const char *name)
{
  size_t size = strlen (name);

  return size > 0 && size <= MAX_NAME_SIZE &&
         strspn (name, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-_.") == size;
}

/* The rule that ends here has what it needs. */
static gboolean
check_rule (Reader *self, GError **error)
{
  static const ReeveRuleKey needed[] = { REEVE_RULE_WHO, REEVE_RULE_MAY };

  for (size_t i = 0; self->rule != NULL && i < G_N_ELEMENTS (needed); i++)
    if (self->rule->texts[needed[i]] == NULL) {
      self->line = self->rule->line;
      return fail (self, error, _ ("%s is missing"),
                   reeve_rule_keys[needed[i]]);
    }

  return TRUE;
}

static gboolean
take_group (Reader *self, char *line, GError **error)
{
  size_t size = strlen (line);
  ReeveAccessRule *other;
  char *name;

  if (!check_rule (self, error))
    return FALSE;
  self->rule = NULL;
  if (line[size - 1] != ']' || !g_str_has_prefix (line, "[rule "))
    return fail (self, error, _ ("there are no groups but [rule NAME]"));

  line[size - 1] = '\0';
  name = g_strstrip (line + strlen ("[rule "));
  if (!is_rule_name (name))
    return fail (self, error,
                 _ ("a rule's name has at most %d letters, digits and any of "
                    "“-_.”"),
                 MAX_NAME_SIZE);
  other = g_hash_table_lookup (self->rules->by_name, name);
  if (other != NULL)
    return fail (self, error,
                 _ ("there is a rule “%1$s” already, at %2$s:%3$u"), name,
                 other->file, other->line);
  if (self->rules->rules->len == MAX_RULES)
    return fail (self, error, _ ("there are more than %d rules"), MAX_RULES);

  self->rule = add_rule (self, name);
  return TRUE;
}

/* (transfer full) (nullable): what stands between `;`, one of which may end
 * it. */
static char **
split_items (Reader *self, ReeveRuleKey key, const char *value, GError **error)
{
  g_auto (GStrv) items = g_strsplit (value, ";", MAX_ITEMS + 2);
  unsigned n_items = g_strv_length (items);

  if (n_items > 1 && g_strstrip (items[n_items - 1])[0] == '\0')
    g_clear_pointer (&items[--n_items], g_free);
  if (n_items > MAX_ITEMS) {
    reeve_access_rule_fail (self->rule, key, error,
                            _ ("there are more than %d items"), MAX_ITEMS);
    return NULL;
  }

  for (unsigned i = 0; i < n_items; i++) {
    g_strstrip (items[i]);
    if (items[i][0] == '\0' || strlen (items[i]) > MAX_ITEM_SIZE) {
      reeve_access_rule_fail (self->rule, key, error,
                              _ ("an item is empty or longer than %d bytes"),
                              MAX_ITEM_SIZE);
      return NULL;
    }
  }
  if (n_items == 0) {
    reeve_access_rule_fail (self->rule, key, error, _ ("it is empty"));
    return NULL;
  }

  return g_steal_pointer (&items);
}

static gboolean
take_pair (Reader *self, char *line, GError **error)
{
  char *equals = strchr (line, '=');
  g_auto (GStrv) items = NULL;
  char *value;
  int key = 0;

  if (equals == NULL)
    return fail (self, error,
                 _ ("this is neither [rule NAME] nor KEY = VALUE"));
  if (self->rule == NULL)
    return fail (self, error, _ ("there is no [rule NAME] before it"));

  *equals = '\0';
  g_strchomp (line);
  value = g_strstrip (equals + 1);
  while (key < REEVE_RULE_N_KEYS && !g_str_equal (reeve_rule_keys[key], line))
    key++;
  if (key == REEVE_RULE_N_KEYS)
    return fail (self, error,
                 _ ("a key is none of who, from, may, on and effect"));
  if (self->rule->texts[key] != NULL)
    return fail (self, error, _ ("%s is there twice"), reeve_rule_keys[key]);

  self->rule->texts[key] = g_strdup (value);
  self->rule->lines[key] = self->line;
  items = split_items (self, (ReeveRuleKey) key, value, error);
  return items != NULL && reeve_access_rule_take_key (
                              self->rule, (ReeveRuleKey) key, items, error);
}

static gboolean
take_line (Reader *self, char *line, GError **error)
{
  g_strstrip (line);
  if (line[0] == '\0' || line[0] == '#')
    return TRUE;
  return line[0] == '[' ? take_group (self, line, error)
                        : take_pair (self, line, error);
}

gboolean
reeve_access_rules_add_text (ReeveAccessRules *self,
                             const char *file,
                             const char *text,
                             size_t size,
                             GError **error)
{
  Reader reader = { .rules = self, .file = file };
  const char *end = text + size;

  if (size > MAX_FILE_SIZE) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
                 _ ("%1$s: is larger than %2$d bytes"), file, MAX_FILE_SIZE);
    return FALSE;
  }
  if (!g_utf8_validate_len (text, size, NULL)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
                 _ ("%s: is not text in UTF-8"), file);
    return FALSE;
  }

  while (text < end) {
    const char *line_end = memchr (text, '\n', (size_t) (end - text));
    size_t length = (size_t) ((line_end != NULL ? line_end : end) - text);
    g_autofree char *line = g_strndup (text, length);

    reader.line++;
    if (!take_line (&reader, line, error))
      return FALSE;
    text += length + 1;
  }

  return check_rule (&reader, error);
}
