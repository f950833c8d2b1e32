/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/access-explain.h"

#include "event/intl.h"
#include "rpc/access-caller.h"
#include "rpc/error.h"

#include <string.h>

/* (nullable): of "PROGRAM.PROCEDURE" or "PROCEDURE". */
static const ReeveProcedure *
find_procedure (const ReeveProgram *const *programs, const char *name)
{
  const char *dot = strchr (name, '.');

  for (; *programs != NULL; programs++) {
    const ReeveProcedure *procedure;

    if (dot != NULL &&
        (strncmp (name, (*programs)->name, (size_t) (dot - name)) != 0 ||
         (*programs)->name[dot - name] != '\0'))
      continue;
    procedure =
        reeve_program_find_by_name (*programs, dot != NULL ? dot + 1 : name);
    if (procedure != NULL && procedure->dispatch != REEVE_DISPATCH_EVENT)
      return procedure;
  }

  return NULL;
}

/* Whether a procedure takes it. */
static gboolean
is_taken (const ReeveProgram *program, const char *tag)
{
  for (size_t i = 0; i < program->n_procedures; i++) {
    g_auto (GStrv) words = g_strsplit (program->procedures[i].access, " ", -1);

    for (char **word = words; *word != NULL; word++) {
      (*word)[strcspn (*word, "?")] = '\0';
      if (g_str_equal (*word, tag))
        return TRUE;
    }
  }

  return FALSE;
}

/* (transfer full) (nullable): the tags that an action takes, which may be
 * none. */
static GStrv
find_tags (const ReeveProgram *const *programs,
           const char *action,
           GError **error)
{
  const ReeveProcedure *procedure = find_procedure (programs, action);

  if (procedure != NULL)
    return g_str_equal (procedure->access, "none")
               ? g_new0 (char *, 1)
               : g_strsplit (procedure->access, " ", -1);

  for (size_t i = 0; programs[i] != NULL; i++)
    if (is_taken (programs[i], action))
      return g_strsplit (action, " ", -1);

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("“%s” is neither a procedure nor what one takes"), action);
  return NULL;
}

static void
fill_reason (reeve_access_verdict_row *row, const ReeveAccessVerdict *verdict)
{
  static const reeve_access_reason reasons[] = {
    [REEVE_ACCESS_BY_RULE] = REEVE_ACCESS_REASON_RULE,
    [REEVE_ACCESS_BY_ANOTHER] = REEVE_ACCESS_REASON_IMPLIED,
    [REEVE_ACCESS_BY_NONE] = REEVE_ACCESS_REASON_NO_RULE,
  };

  row->allowed = verdict->is_allowed;
  row->reason = reasons[verdict->reason];
  if (verdict->rule == NULL)
    return;
  row->rule = g_strdup (reeve_access_rule_get_name (verdict->rule));
  row->path = g_strdup (reeve_access_rule_get_file (verdict->rule));
  row->line = reeve_access_rule_get_line (verdict->rule);
}

static void
fill_verdict (reeve_access_verdict_row *row,
              const ReeveAccessRules *rules,
              gboolean is_owner,
              const ReeveAccessCaller *caller,
              const char *tag,
              const char *target)
{
  size_t length = strcspn (tag, "?");

  row->tag = g_strndup (tag, length);
  row->condition = g_strdup (tag[length] == '?' ? tag + length + 1 : "");
  if (rules == NULL || is_owner) {
    row->allowed = TRUE;
    row->reason =
        is_owner ? REEVE_ACCESS_REASON_OWNER : REEVE_ACCESS_REASON_NO_RULES;
  } else {
    ReeveAccessVerdict verdict = reeve_access_rules_decide (
        rules, caller, row->tag, reeve_access_get_scope (row->tag, target),
        target);

    fill_reason (row, &verdict);
  }
  if (row->rule == NULL) {
    row->rule = g_strdup ("");
    row->path = g_strdup ("");
  }
}

gboolean
reeve_explain_access (const ReeveAccessRules *rules,
                      const ReeveProgram *const *programs,
                      gboolean trusts_owner,
                      uid_t owner,
                      const reeve_access_explain_args *args,
                      reeve_access_explain_ret *ret,
                      GError **error)
{
  g_auto (ReeveAccessCaller) caller = { 0 };
  g_auto (GStrv) tags = find_tags (programs, args->action, error);
  gboolean is_owner;

  if (tags == NULL ||
      !reeve_access_caller_parse (&caller, args->who, args->origin, error))
    return FALSE;

  is_owner = trusts_owner && reeve_access_caller_is_owner (&caller, owner);
  ret->allowed = TRUE;
  ret->verdicts.n_items = MIN (g_strv_length (tags), REEVE_VERDICTS_MAX);
  ret->verdicts.items =
      g_new0 (reeve_access_verdict_row, ret->verdicts.n_items);
  for (uint32_t i = 0; i < ret->verdicts.n_items; i++) {
    reeve_access_verdict_row *row = &ret->verdicts.items[i];

    fill_verdict (row, rules, is_owner, &caller, tags[i], args->target);
    if (row->condition[0] == '\0' && !row->allowed)
      ret->allowed = FALSE;
  }

  return TRUE;
}

static char *
dup_text (const ReeveAccessRule *rule, const char *key)
{
  const char *text = reeve_access_rule_get_text (rule, key);

  return g_strdup (text != NULL ? text : "");
}

void
reeve_describe_access (const ReeveAccessRules *rules,
                       gboolean trusts_owner,
                       reeve_access_list_ret *ret)
{
  ret->has_rules = rules != NULL;
  ret->trusts_owner = trusts_owner;
  if (rules == NULL)
    return;

  ret->rules.n_items = (uint32_t) reeve_access_rules_get_n_rules (rules);
  ret->rules.items = g_new0 (reeve_access_rule_row, ret->rules.n_items);
  for (uint32_t i = 0; i < ret->rules.n_items; i++) {
    const ReeveAccessRule *rule = reeve_access_rules_get_rule (rules, i);

    ret->rules.items[i] = (reeve_access_rule_row){
      .name = g_strdup (reeve_access_rule_get_name (rule)),
      .path = g_strdup (reeve_access_rule_get_file (rule)),
      .line = reeve_access_rule_get_line (rule),
      .who = dup_text (rule, "who"),
      .origin = dup_text (rule, "from"),
      .may = dup_text (rule, "may"),
      .target = dup_text (rule, "on"),
      .allows = reeve_access_rule_is_allowing (rule),
    };
  }
}
