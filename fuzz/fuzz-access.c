/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "protocol/reeve.h"
#include "protocol/remote.h"
#include "rpc/access-caller.h"

/* A file of rules of access. Where it is taken, somebody asks for something:
 * without a rule that allows, nothing is allowed. */

static const char *const people[][2] = {
  { "any", "tcp:10.1.2.3" },      { "uid:0", NULL },       { "gid:7", NULL },
  { "dn:O=Acme,CN=alice", NULL }, { "sasl:alice", "tls" }, { "any", "tls:::1" },
};

static const char *const tags[] = {
  "connect:getattr", "domain:getattr", "domain:start",
  "domain:read",     "access:reload",  "no:such",
};

static const ReeveAccessScope scopes[] = {
  REEVE_ACCESS_SOME,
  REEVE_ACCESS_EACH,
  REEVE_ACCESS_NAMED,
};

static void
check_rule (const ReeveAccessRule *rule)
{
  g_assert_nonnull (reeve_access_rule_get_name (rule));
  g_assert_cmpstr (reeve_access_rule_get_file (rule), ==, "file");
  g_assert_cmpuint (reeve_access_rule_get_line (rule), >, 0);
  g_assert_nonnull (reeve_access_rule_get_text (rule, "who"));
  g_assert_nonnull (reeve_access_rule_get_text (rule, "may"));
}

static void
ask (const ReeveAccessRules *rules,
     const ReeveAccessCaller *caller,
     gboolean can_be_allowed)
{
  for (size_t i = 0; i < G_N_ELEMENTS (tags); i++)
    for (size_t j = 0; j < G_N_ELEMENTS (scopes); j++) {
      ReeveAccessVerdict verdict = reeve_access_rules_decide (
          rules, caller, tags[i], scopes[j],
          scopes[j] == REEVE_ACCESS_NAMED ? "web-1" : NULL);

      g_assert_true (can_be_allowed || !verdict.is_allowed);
      g_assert_true ((verdict.rule == NULL) ==
                     (verdict.reason == REEVE_ACCESS_BY_NONE));
    }
}

/* They are looked up once. */
static const ReeveAccessCaller *
get_people (void)
{
  static ReeveAccessCaller callers[G_N_ELEMENTS (people)];
  static gboolean is_done;

  for (size_t i = 0; !is_done && i < G_N_ELEMENTS (people); i++)
    g_assert_true (reeve_access_caller_parse (&callers[i], people[i][0],
                                              people[i][1], NULL));
  is_done = TRUE;
  return callers;
}

static void
ask_all (const ReeveAccessRules *rules)
{
  gboolean can_be_allowed = FALSE;

  for (size_t i = 0; i < reeve_access_rules_get_n_rules (rules); i++) {
    const ReeveAccessRule *rule = reeve_access_rules_get_rule (rules, i);

    check_rule (rule);
    can_be_allowed |= reeve_access_rule_is_allowing (rule);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (people); i++)
    ask (rules, &get_people ()[i], can_be_allowed);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const ReeveProgram *const programs[] = { &reeve_program,
                                                  &remote_program, NULL };
  g_autoptr (ReeveAccessRules) rules = reeve_access_rules_new ();
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  gboolean is_good = reeve_access_rules_add_text (
                         rules, "file", (const char *) data, size, &error) &&
                     reeve_access_rules_prepare (rules, programs, size % 2 == 0,
                                                 warnings, &error);

  g_assert_true (is_good == (error == NULL));
  if (is_good)
    ask_all (rules);
  return 0;
}
