/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/access-explain.h"
#include "event/intl.h"
#include "protocol/qemu.h"
#include "protocol/remote.h"
#include "rpc/access-files.h"
#include "rpc/error.h"
#include "shell/command.h"
#include "shell/output.h"

#include <stdio.h>

/* Rules of access: those that are in force, or those of a file. */

/* What a file's rules can be about. */
static const ReeveProgram *const programs[] = {
  &remote_program,
  &qemu_program,
  &reeve_program,
  NULL,
};

/* (transfer full) (nullable) */
static ReeveAccessRules *
read_rules (const char *path, GError **error)
{
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (ReeveAccessRules) rules = NULL;
  gboolean is_found;

  rules = reeve_access_rules_read (path, &is_found, error);
  if (rules == NULL)
    return NULL;
  if (!is_found) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM,
                 _ ("%s: there is no such file"), path);
    return NULL;
  }
  if (!reeve_access_rules_prepare (rules, programs, TRUE, warnings, error))
    return NULL;

  for (unsigned i = 0; i < warnings->len; i++)
    fprintf (stderr, _ ("warning: %s\n"), (const char *) warnings->pdata[i]);
  return g_steal_pointer (&rules);
}

static gboolean
call (ReeveShell *shell,
      int32_t procedure,
      gconstpointer args,
      gpointer ret,
      GError **error)
{
  return reeve_shell_call_program (shell, &reeve_program, procedure, args, ret,
                                   shell->timeout_ms, error);
}

/* ---------------------------------------------------------------- list --- */

static gboolean
get_list (ReeveShell *shell,
          const char *path,
          reeve_access_list_ret *ret,
          GError **error)
{
  g_autoptr (ReeveAccessRules) rules = NULL;

  if (path == NULL)
    return call (shell, REEVE_PROC_ACCESS_LIST, NULL, ret, error);

  rules = read_rules (path, error);
  if (rules == NULL)
    return FALSE;
  reeve_describe_access (rules, TRUE, ret);
  return TRUE;
}

static JsonObject *
make_row (const reeve_access_rule_row *rule)
{
  JsonObject *row = json_object_new ();

  json_object_set_string_member (row, "rule", rule->name);
  json_object_set_string_member (row, "effect",
                                 rule->allows ? "allow" : "deny");
  json_object_set_string_member (row, "who", rule->who);
  json_object_set_string_member (row, "from", rule->origin);
  json_object_set_string_member (row, "may", rule->may);
  json_object_set_string_member (row, "on", rule->target);
  json_object_set_string_member (row, "file", rule->path);
  json_object_set_int_member (row, "line", rule->line);
  return row;
}

static gboolean
run_list (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  static const ReeveField columns[] = {
    { "rule", N_ ("Rule") }, { "effect", N_ ("Effect") }, { "who", N_ ("Who") },
    { "from", N_ ("From") }, { "may", N_ ("May") },       { "on", N_ ("On") },
  };
  reeve_access_list_ret ret = { 0 };
  JsonArray *rows;

  if (!get_list (shell, reeve_arguments_get (arguments, "file"), &ret, error))
    return FALSE;

  if (!ret.has_rules && shell->format == REEVE_OUTPUT_TEXT) {
    reeve_output_text (shell, "text",
                       _ ("There are no rules: everybody may do everything."));
    return TRUE;
  }

  rows = json_array_new ();
  for (uint32_t i = 0; i < ret.rules.n_items; i++)
    json_array_add_object_element (rows, make_row (&ret.rules.items[i]));
  reeve_output_table (shell, columns, G_N_ELEMENTS (columns), rows);
  reeve_access_list_ret_clear (&ret);
  return TRUE;
}

/* ------------------------------------------------------------- explain --- */

static gboolean
get_verdicts (ReeveShell *shell,
              const char *path,
              const reeve_access_explain_args *args,
              reeve_access_explain_ret *ret,
              GError **error)
{
  g_autoptr (ReeveAccessRules) rules = NULL;

  if (path == NULL)
    return call (shell, REEVE_PROC_ACCESS_EXPLAIN, args, ret, error);

  rules = read_rules (path, error);
  return rules != NULL &&
         reeve_explain_access (rules, programs, TRUE, 0, args, ret, error);
}

static char *
describe (const reeve_access_verdict_row *row)
{
  switch (row->reason) {
  case REEVE_ACCESS_REASON_RULE:
    return g_strdup_printf (row->allowed
                                ? _ ("allowed by the rule %1$s (%2$s:%3$u)")
                                : _ ("denied by the rule %1$s (%2$s:%3$u)"),
                            row->rule, row->path, row->line);
  case REEVE_ACCESS_REASON_IMPLIED:
    return g_strdup_printf (
        _ ("allowed, as it goes with what the rule %1$s allows (%2$s:%3$u)"),
        row->rule, row->path, row->line);
  case REEVE_ACCESS_REASON_NO_RULE:
    return g_strdup (_ ("denied, as no rule allows it"));
  case REEVE_ACCESS_REASON_OWNER:
    return g_strdup (_ ("allowed to root and the daemon's own user"));
  case REEVE_ACCESS_REASON_NO_RULES:
    return g_strdup (_ ("allowed, as there are no rules"));
  }

  return g_strdup ("");
}

static JsonObject *
make_verdict (const reeve_access_verdict_row *row)
{
  static const char *const reasons[] = {
    [REEVE_ACCESS_REASON_RULE] = "rule",
    [REEVE_ACCESS_REASON_IMPLIED] = "implied",
    [REEVE_ACCESS_REASON_NO_RULE] = "no-rule",
    [REEVE_ACCESS_REASON_OWNER] = "owner",
    [REEVE_ACCESS_REASON_NO_RULES] = "no-rules",
  };
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "tag", row->tag);
  json_object_set_string_member (object, "condition", row->condition);
  json_object_set_boolean_member (object, "allowed", row->allowed);
  if ((size_t) row->reason < G_N_ELEMENTS (reasons))
    json_object_set_string_member (object, "reason", reasons[row->reason]);
  if (row->rule[0] != '\0') {
    json_object_set_string_member (object, "rule", row->rule);
    json_object_set_string_member (object, "file", row->path);
    json_object_set_int_member (object, "line", row->line);
  }
  return object;
}

static void
print_json_verdicts (ReeveShell *shell, const reeve_access_explain_ret *ret)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  JsonArray *rows = json_array_new ();

  json_object_set_boolean_member (object, "allowed", ret->allowed);
  for (uint32_t i = 0; i < ret->verdicts.n_items; i++)
    json_array_add_object_element (rows,
                                   make_verdict (&ret->verdicts.items[i]));
  json_object_set_array_member (object, "verdicts", rows);
  json_node_take_object (node, object);
  reeve_output_json (shell, node);
}

static void
print_verdicts (ReeveShell *shell, const reeve_access_explain_ret *ret)
{
  for (uint32_t i = 0; i < ret->verdicts.n_items; i++) {
    const reeve_access_verdict_row *row = &ret->verdicts.items[i];
    g_autofree char *text = describe (row);

    if (row->condition[0] != '\0')
      printf (_ ("%1$s (if %2$s): %3$s\n"), row->tag, row->condition, text);
    else
      printf ("%s: %s\n", row->tag, text);
  }
  puts (ret->allowed ? _ ("allowed") : _ ("denied"));
}

static gboolean
run_explain (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  const reeve_access_explain_args args = {
    .who = (char *) reeve_arguments_get (arguments, "who"),
    .origin = (char *) reeve_arguments_get (arguments, "from"),
    .action = (char *) reeve_arguments_get (arguments, "action"),
    .target = (char *) reeve_arguments_get (arguments, "object"),
  };
  reeve_access_explain_ret ret = { 0 };

  if (!get_verdicts (shell, reeve_arguments_get (arguments, "file"), &args,
                     &ret, error))
    return FALSE;

  if (shell->format == REEVE_OUTPUT_TEXT)
    print_verdicts (shell, &ret);
  else
    print_json_verdicts (shell, &ret);
  shell->status = ret.allowed ? REEVE_EXIT_OK : REEVE_EXIT_DENIED;
  reeve_access_explain_ret_clear (&ret);
  return TRUE;
}

/* -------------------------------------------------------------- reload --- */

static gboolean
run_reload (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  if (!call (shell, REEVE_PROC_ACCESS_RELOAD, NULL, NULL, error))
    return FALSE;

  reeve_output_done (shell, "access", _ ("The rules were read anew"));
  return TRUE;
}

static const ReeveOption list_options[] = {
  { "file", REEVE_OPTION_STRING, .is_named_only = TRUE,
    .completion = REEVE_COMPLETE_FILES,
    .help = N_ ("look at this file of rules, not at those in force") },
};

static const ReeveOption explain_options[] = {
  { "who", REEVE_OPTION_STRING, TRUE,
    .help = N_ ("user:NAME, uid:N, group:NAME, gid:N, dn:NAME, sasl:NAME") },
  { "action", REEVE_OPTION_STRING, TRUE,
    .completion = REEVE_COMPLETE_PROCEDURES,
    .help = N_ ("a procedure, or what one takes, e.g. domain:start") },
  { "object", REEVE_OPTION_STRING, .completion = REEVE_COMPLETE_MACHINES,
    .help = N_ ("a machine, a pool, POOL/VOLUME; if not given, each") },
  { "from", REEVE_OPTION_STRING, .is_named_only = TRUE,
    .help = N_ ("unix, tcp, tls, tcp:ADDRESS, tls:ADDRESS") },
  { "file", REEVE_OPTION_STRING, .is_named_only = TRUE,
    .completion = REEVE_COMPLETE_FILES,
    .help = N_ ("look at this file of rules, not at those in force") },
};

static const ReeveCommand commands[] = {
  { "acl list", N_ ("list the rules of access"), list_options,
    G_N_ELEMENTS (list_options), run_list, .is_local = TRUE },
  { "acl explain", N_ ("say whether somebody may do something, and why"),
    explain_options, G_N_ELEMENTS (explain_options), run_explain,
    .is_local = TRUE },
  { "acl reload", N_ ("read the rules of access anew"), NULL, 0, run_reload },
};

const ReeveCommandGroup reeve_access_commands = {
  N_ ("Rules of access"),
  commands,
  G_N_ELEMENTS (commands),
};
