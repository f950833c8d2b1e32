/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/access-rules.h"

#include "rpc/access-rules-private.h"

#include <string.h>

/* ---------------------------------------------------------------- life --- */

static void
rule_free (gpointer data)
{
  ReeveAccessRule *self = data;

  for (unsigned i = 0; i < self->who->len; i++)
    g_free (g_array_index (self->who, ReeveWho, i).text);
  g_array_unref (self->who);
  g_ptr_array_unref (self->from_masks);
  g_strfreev (self->may);
  g_strfreev (self->on);
  for (int i = 0; i < REEVE_RULE_N_KEYS; i++)
    g_free (self->texts[i]);
  g_free (self->file);
  g_free (self->name);
  g_free (self);
}

ReeveAccessRules *
reeve_access_rules_new (void)
{
  ReeveAccessRules *self = g_new0 (ReeveAccessRules, 1);

  reeve_refs_init (&self->refs);
  self->rules = g_ptr_array_new_with_free_func (rule_free);
  self->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  self->tags = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->tag_kinds =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return self;
}

ReeveAccessRules *
reeve_access_rules_ref (ReeveAccessRules *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

void
reeve_access_rules_unref (ReeveAccessRules *self)
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  g_hash_table_unref (self->by_name);
  g_ptr_array_unref (self->rules);
  g_hash_table_unref (self->tags);
  g_hash_table_unref (self->tag_kinds);
  g_free (self);
}

/* ------------------------------------------------------------ patterns --- */

static const char *
next_character (const char *text, const char *end)
{
  text++;
  while (text < end && ((uint8_t) *text & 0xc0) == 0x80)
    text++;
  return text;
}

gboolean
reeve_glob_match (const char *pattern,
                  size_t pattern_size,
                  const char *text,
                  size_t text_size)
{
  const char *pattern_end = pattern + pattern_size;
  const char *text_end = text + text_size;
  const char *star = NULL;  /* behind the last one that was met */
  const char *again = NULL; /* where that one ends, so far */

  while (text < text_end) {
    if (pattern < pattern_end && *pattern == '*') {
      star = ++pattern;
      again = text;
    } else if (pattern < pattern_end && *pattern == '?') {
      pattern++;
      text = next_character (text, text_end);
    } else if (pattern < pattern_end && *pattern == *text) {
      pattern++;
      text++;
    } else if (star != NULL) {
      pattern = star;
      text = ++again;
    } else {
      return FALSE;
    }
  }

  while (pattern < pattern_end && *pattern == '*')
    pattern++;
  return pattern == pattern_end;
}

gboolean
reeve_glob_matches (const char *pattern, const char *text)
{
  return reeve_glob_match (pattern, strlen (pattern), text, strlen (text));
}

static gboolean
any_glob_matches (char *const *patterns, const char *text)
{
  for (; *patterns != NULL; patterns++)
    if (reeve_glob_matches (*patterns, text))
      return TRUE;

  return FALSE;
}

/* Up to a comma that no backslash stands before. */
static size_t
measure_part (const char *name)
{
  size_t size = 0;

  while (name[size] != '\0' && name[size] != ',')
    size += name[size] == '\\' && name[size + 1] != '\0' ? 2 : 1;
  return size;
}

/* Part by part, so that no `*` swallows a comma and with it another part. But
 * a `*` alone is any name. */
static gboolean
dn_matches (const char *pattern, const char *name)
{
  if (g_str_equal (pattern, "*"))
    return TRUE;

  for (;;) {
    size_t pattern_size, name_size;

    pattern += strspn (pattern, " ");
    name += strspn (name, " ");
    pattern_size = measure_part (pattern);
    name_size = measure_part (name);
    if (!reeve_glob_match (pattern, pattern_size, name, name_size))
      return FALSE;
    pattern += pattern_size;
    name += name_size;
    if (*pattern != *name)
      return FALSE;
    if (*pattern == '\0')
      return TRUE;
    pattern++;
    name++;
  }
}

/* ------------------------------------------------------------- deciding -- */

static gboolean
is_in_group (const ReeveAccessCaller *caller, gid_t gid)
{
  for (size_t i = 0; i < caller->n_groups; i++)
    if (caller->groups[i] == gid)
      return TRUE;

  return FALSE;
}

static gboolean
is_meant (const ReeveWho *who, const ReeveAccessCaller *caller)
{
  switch (who->kind) {
  case REEVE_WHO_ANY:
    return TRUE;
  case REEVE_WHO_USER:
  case REEVE_WHO_UID:
    return caller->has_peer && !who->is_void && caller->uid == who->id;
  case REEVE_WHO_GROUP:
  case REEVE_WHO_GID:
    return caller->has_peer && !who->is_void && is_in_group (caller, who->id);
  case REEVE_WHO_DN:
    return caller->x509_name != NULL &&
           dn_matches (who->text, caller->x509_name);
  case REEVE_WHO_SASL:
    return caller->sasl_name != NULL &&
           reeve_glob_matches (who->text, caller->sasl_name);
  }

  return FALSE;
}

static gboolean
comes_from (const ReeveAccessRule *rule, const ReeveAccessCaller *caller)
{
  if (rule->texts[REEVE_RULE_FROM] == NULL ||
      (rule->from_transport >> caller->transport & 1) != 0)
    return TRUE;

  for (unsigned i = 0; caller->address != NULL && i < rule->from_masks->len;
       i++)
    if (g_inet_address_mask_matches (rule->from_masks->pdata[i],
                                     caller->address))
      return TRUE;

  return FALSE;
}

static gboolean
is_about (const ReeveAccessRule *rule, const ReeveAccessCaller *caller)
{
  if (!comes_from (rule, caller))
    return FALSE;

  for (unsigned i = 0; i < rule->who->len; i++)
    if (is_meant (&g_array_index (rule->who, ReeveWho, i), caller))
      return TRUE;

  return FALSE;
}

static gboolean
covers (const ReeveAccessRule *rule, ReeveAccessScope scope, const char *name)
{
  if (rule->on == NULL)
    return TRUE;

  switch (scope) {
  case REEVE_ACCESS_NAMED:
    return any_glob_matches (rule->on, name);
  case REEVE_ACCESS_NAMELESS:
    return FALSE;
  case REEVE_ACCESS_EACH:
    return !rule->is_allowing;
  case REEVE_ACCESS_SOME:
    return rule->is_allowing;
  case REEVE_ACCESS_OWN:
    break;
  }

  return FALSE;
}

/* (nullable): the rule that allows one of @tags at least. */
static const ReeveAccessRule *
find_allowing (const ReeveAccessRules *self,
               const ReeveAccessCaller *caller,
               ReeveTagSet tags,
               ReeveAccessScope scope,
               const char *name)
{
  for (unsigned i = 0; i < self->rules->len; i++) {
    const ReeveAccessRule *rule = self->rules->pdata[i];

    if (!reeve_tag_set_meets (&rule->tags, &tags) ||
        !covers (rule, scope, name) || !is_about (rule, caller))
      continue;
    if (rule->is_allowing)
      return rule;
    reeve_tag_set_subtract (&tags, &rule->tags);
  }

  return NULL;
}

/* (nullable): the rule by which @tag, about which no rule decides, goes with
 * something that is allowed. */
static const ReeveAccessRule *
find_implying (const ReeveAccessRules *self,
               const ReeveAccessCaller *caller,
               const char *tag,
               ReeveAccessScope scope,
               const char *name)
{
  size_t length = strcspn (tag, ":");
  g_autofree char *kind = g_strndup (tag, length);
  const char *permission = tag + length + 1;
  gboolean is_connect = g_str_equal (kind, "connect");
  ReeveTagSet every;

  if (is_connect && (g_str_equal (permission, "getattr") ||
                     g_str_equal (permission, "read") ||
                     g_str_has_prefix (permission, "search_"))) {
    memset (&every, 0xff, sizeof every);
    return find_allowing (self, caller, every, REEVE_ACCESS_SOME, NULL);
  }
  if (!is_connect && g_str_equal (permission, "getattr")) {
    const ReeveTagSet *tags = g_hash_table_lookup (self->tag_kinds, kind);

    return find_allowing (self, caller, *tags, scope, name);
  }

  return NULL;
}

ReeveAccessVerdict
reeve_access_rules_decide (const ReeveAccessRules *self,
                           const ReeveAccessCaller *caller,
                           const char *tag,
                           ReeveAccessScope scope,
                           const char *name)
{
  unsigned bit = GPOINTER_TO_UINT (g_hash_table_lookup (self->tags, tag));
  ReeveAccessVerdict verdict = { .reason = REEVE_ACCESS_BY_NONE };

  if (bit-- == 0)
    return verdict;

  for (unsigned i = 0; i < self->rules->len; i++) {
    const ReeveAccessRule *rule = self->rules->pdata[i];

    if (reeve_tag_set_has (&rule->tags, bit) && covers (rule, scope, name) &&
        is_about (rule, caller))
      return (ReeveAccessVerdict){ rule->is_allowing, REEVE_ACCESS_BY_RULE,
                                   rule };
  }

  verdict.rule = find_implying (self, caller, tag, scope, name);
  if (verdict.rule != NULL) {
    verdict.is_allowed = TRUE;
    verdict.reason = REEVE_ACCESS_BY_ANOTHER;
  }
  return verdict;
}

/* ------------------------------------------------------------ to be seen - */

size_t
reeve_access_rules_get_n_rules (const ReeveAccessRules *self)
{
  return self->rules->len;
}

const ReeveAccessRule *
reeve_access_rules_get_rule (const ReeveAccessRules *self, size_t i)
{
  return self->rules->pdata[i];
}

const char *
reeve_access_rule_get_name (const ReeveAccessRule *self)
{
  return self->name;
}

const char *
reeve_access_rule_get_file (const ReeveAccessRule *self)
{
  return self->file;
}

unsigned
reeve_access_rule_get_line (const ReeveAccessRule *self)
{
  return self->line;
}

const char *
reeve_access_rule_get_text (const ReeveAccessRule *self, const char *key)
{
  for (int i = 0; i < REEVE_RULE_N_KEYS; i++)
    if (g_str_equal (reeve_rule_keys[i], key))
      return self->texts[i];

  return NULL;
}

gboolean
reeve_access_rule_is_allowing (const ReeveAccessRule *self)
{
  return self->is_allowing;
}
