/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/access-caller.h"
#include "rpc/access-rules-private.h"
#include "rpc/error.h"

#include <string.h>

/* What rules stand for: which tags there are, and who users and groups are. */

/* The words that `may` knows. */
static const struct {
  const char *word;
  const char *pattern;
} words[] = {
  { "read", "*:getattr" },
  { "read", "*:read" },
  { "read", "*:search_*" },
  /* What the front of a machine has: switches, keys, a screen, a console. */
  { "control", "*:getattr" },
  { "control", "*:read" },
  { "control", "*:search_*" },
  { "control", "domain:start" },
  { "control", "domain:stop" },
  { "control", "domain:reset" },
  { "control", "domain:suspend" },
  { "control", "domain:hibernate" },
  { "control", "domain:pm_control" },
  { "control", "domain:init_control" },
  { "control", "domain:inject_nmi" },
  { "control", "domain:send_input" },
  { "control", "domain:screenshot" },
  { "control", "domain:open_device" },
  { "control", "domain:open_graphics" },
  { "all", "*:*" },
};

static void
add_tag (ReeveAccessRules *self, const char *tag)
{
  unsigned n_tags = g_hash_table_size (self->tags);
  g_autofree char *kind = g_strndup (tag, strcspn (tag, ":"));
  ReeveTagSet *set;

  if (g_hash_table_contains (self->tags, tag) || n_tags == REEVE_MAX_TAGS)
    return;

  g_hash_table_insert (self->tags, g_strdup (tag),
                       GUINT_TO_POINTER (n_tags + 1));
  set = g_hash_table_lookup (self->tag_kinds, kind);
  if (set == NULL) {
    set = g_new0 (ReeveTagSet, 1);
    g_hash_table_insert (self->tag_kinds, g_steal_pointer (&kind), set);
  }
  reeve_tag_set_add (set, n_tags);
}

static void
add_tags (ReeveAccessRules *self, const ReeveProgram *program)
{
  for (size_t i = 0; i < program->n_procedures; i++) {
    const char *access = program->procedures[i].access;
    g_auto (GStrv) tags = g_strsplit (access, " ", -1);

    for (char **tag = tags; *tag != NULL; tag++) {
      (*tag)[strcspn (*tag, "?")] = '\0';
      if (strchr (*tag, ':') != NULL)
        add_tag (self, *tag);
    }
  }
}

/* Returns whether there was one. */
static gboolean
take_tags (ReeveAccessRules *self, ReeveAccessRule *rule, const char *pattern)
{
  GHashTableIter iter;
  gpointer tag, number;
  gboolean is_found = FALSE;

  g_hash_table_iter_init (&iter, self->tags);
  while (g_hash_table_iter_next (&iter, &tag, &number))
    if (reeve_glob_matches (pattern, tag)) {
      reeve_tag_set_add (&rule->tags, GPOINTER_TO_UINT (number) - 1);
      is_found = TRUE;
    }

  return is_found;
}

static gboolean
prepare_may (ReeveAccessRules *self,
             ReeveAccessRule *rule,
             gboolean is_complete,
             GError **error)
{
  for (char **item = rule->may; *item != NULL; item++) {
    gboolean is_word = strchr (*item, ':') == NULL;

    for (size_t i = 0; is_word && i < G_N_ELEMENTS (words); i++)
      if (g_str_equal (words[i].word, *item))
        take_tags (self, rule, words[i].pattern);
    if (!is_word && !take_tags (self, rule, *item) && is_complete)
      return reeve_access_rule_fail (rule, REEVE_RULE_MAY, error,
                                     _ ("nothing takes “%s”"), *item);
  }

  return TRUE;
}

/* The daemon has no name: a rule that is about nothing else would never
 * match. */
static gboolean
check_on (ReeveAccessRules *self, ReeveAccessRule *rule, GError **error)
{
  const ReeveTagSet *connect = g_hash_table_lookup (self->tag_kinds, "connect");
  ReeveTagSet rest = rule->tags;

  if (rule->on == NULL || connect == NULL ||
      !reeve_tag_set_meets (&rule->tags, connect))
    return TRUE;

  reeve_tag_set_subtract (&rest, connect);
  if (reeve_tag_set_meets (&rest, &rest))
    return TRUE;
  return reeve_access_rule_fail (
      rule, REEVE_RULE_ON, error,
      _ ("what is allowed is about the daemon itself, which has no name"));
}

static gboolean
prepare_name (ReeveAccessRule *rule,
              ReeveWho *who,
              GPtrArray *warnings,
              GError **error)
{
  gboolean is_user = who->kind == REEVE_WHO_USER;
  gid_t gid;
  int errnum;

  if (is_user ? reeve_access_find_user (who->text, &who->id, &gid, &errnum)
              : reeve_access_find_group (who->text, &who->id, &errnum))
    return TRUE;
  if (errnum != 0)
    return reeve_access_rule_fail (rule, REEVE_RULE_WHO, error,
                                   _ ("cannot look up “%1$s”: %2$s"), who->text,
                                   g_strerror (errnum));
  if (!rule->is_allowing)
    return reeve_access_rule_fail (rule, REEVE_RULE_WHO, error,
                                   is_user ? _ ("there is no user “%s”")
                                           : _ ("there is no group “%s”"),
                                   who->text);

  who->is_void = TRUE;
  g_ptr_array_add (
      warnings,
      g_strdup_printf (is_user ? _ ("%1$s:%2$u: [rule %3$s] who: there is no "
                                    "user “%4$s”, so it allows him nothing")
                               : _ ("%1$s:%2$u: [rule %3$s] who: there is no "
                                    "group “%4$s”, so it allows it nothing"),
                       rule->file, rule->lines[REEVE_RULE_WHO], rule->name,
                       who->text));
  return TRUE;
}

static gboolean
prepare_who (ReeveAccessRule *rule, GPtrArray *warnings, GError **error)
{
  for (unsigned i = 0; i < rule->who->len; i++) {
    ReeveWho *who = &g_array_index (rule->who, ReeveWho, i);

    if ((who->kind == REEVE_WHO_USER || who->kind == REEVE_WHO_GROUP) &&
        !prepare_name (rule, who, warnings, error))
      return FALSE;
  }

  return TRUE;
}

gboolean
reeve_access_rules_prepare (ReeveAccessRules *self,
                            const ReeveProgram *const *programs,
                            gboolean is_complete,
                            GPtrArray *warnings,
                            GError **error)
{
  for (; *programs != NULL; programs++)
    add_tags (self, *programs);

  for (unsigned i = 0; i < self->rules->len; i++) {
    ReeveAccessRule *rule = self->rules->pdata[i];

    if (!prepare_may (self, rule, is_complete, error) ||
        !check_on (self, rule, error) || !prepare_who (rule, warnings, error))
      return FALSE;
  }

  return TRUE;
}
