/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/access-caller.h"
#include "rpc/access-rules-private.h"
#include "rpc/error.h"

#include <string.h>

/* The tags that there are. */
static const ReeveProcedure procedures[] = {
  { .access = "none" },
  { .access = "connect:getattr" },
  { .access = "connect:read connect:search_domains" },
  { .access = "connect:write" },
  { .access = "domain:getattr" },
  { .access = "domain:read domain:read_secure?flags&1" },
  { .access = "domain:write domain:save?flags&2" },
  { .access = "domain:start" },
  { .access = "domain:stop" },
  { .access = "storage_vol:getattr" },
  { .access = "storage_vol:data_read" },
};
static const ReeveProgram program = {
  .procedures = procedures,
  .n_procedures = G_N_ELEMENTS (procedures),
};
static const ReeveProgram *const programs[] = { &program, NULL };

static ReeveAccessRules *
load (const char *text, GPtrArray *warnings, GError **error)
{
  g_autoptr (ReeveAccessRules) rules = reeve_access_rules_new ();

  if (!reeve_access_rules_add_text (rules, "f", text, strlen (text), error) ||
      !reeve_access_rules_prepare (rules, programs, TRUE, warnings, error))
    return NULL;
  return g_steal_pointer (&rules);
}

/* -------------------------------------------------------------- decide --- */

/* A question, and "RULE" that allows it, "!RULE" that denies it, "+RULE" with
 * which it goes, or "" if there is none. */
typedef struct {
  const char *name;
  const char *rules;
  const char *who;
  const char *from;
  const char *tag;
  const char *object; /* NULL: the daemon; "each" and "some" are scopes */
  const char *verdict;
} DecideCase;

#define RULE(name, text) "[rule " name "]\n" text "\n"

/* Most are one after the other in a file. */
#define HOUSE                                                                  \
  RULE ("shut", "who=uid:7\nmay=all\non=safe-*\neffect=deny")                  \
  RULE ("web", "who=uid:5;gid:50\nmay=read;domain:start\non=web-*;www")        \
  RULE ("guest", "who=sasl:*@guests\nmay=domain:getattr\nfrom=10.0.0.0/8")     \
  RULE ("cert", "who=dn:O=Example,CN=*\nmay=control\nfrom=tls")                \
  RULE ("boss", "who=uid:7\nmay=all")

static const DecideCase decide_cases[] = {
  /* who */
  { "any-is-anybody", RULE ("r", "who=any\nmay=all"), "any", NULL,
    "domain:start", "x", "r" },
  { "uid", HOUSE, "uid:5", NULL, "domain:start", "web-1", "web" },
  { "other-uid", HOUSE, "uid:6", NULL, "domain:start", "web-1", "" },
  { "uid-is-no-gid", HOUSE, "gid:5", NULL, "domain:start", "web-1", "" },
  { "gid", HOUSE, "gid:50", NULL, "domain:start", "web-1", "web" },
  { "user-by-name", RULE ("r", "who=user:root\nmay=all"), "uid:0", NULL,
    "domain:stop", "x", "r" },
  { "group-by-name", RULE ("r", "who=group:root\nmay=all"), "gid:0", NULL,
    "domain:stop", "x", "r" },
  { "user-is-in-groups", RULE ("r", "who=group:root\nmay=all"), "user:root",
    NULL, "domain:stop", "x", "r" },
  { "no-user-from-tcp", RULE ("r", "who=uid:0;gid:0\nmay=all"), "any", "tcp",
    "domain:stop", "x", "" },
  { "user-that-is-not-allows-nobody",
    RULE ("r", "who=user:no-such-user\nmay=all"), "uid:0", NULL, "domain:stop",
    "x", "" },
  { "sasl-name", RULE ("r", "who=sasl:bob\nmay=all"), "sasl:bob", NULL,
    "domain:stop", "x", "r" },
  { "sasl-name-has-case", RULE ("r", "who=sasl:bob\nmay=all"), "sasl:Bob", NULL,
    "domain:stop", "x", "" },
  { "sasl-pattern", HOUSE, "sasl:eve@guests", "tcp:10.1.2.3", "domain:getattr",
    "x", "guest" },
  { "sasl-pattern-to-its-end", HOUSE, "sasl:eve@guests.net", "tcp:10.1.2.3",
    "domain:getattr", "x", "" },
  { "certificate", HOUSE, "dn:O=Example,CN=eve", NULL, "domain:stop", "x",
    "cert" },
  { "certificate-with-spaces", HOUSE, "dn:O=Example, CN=Eve Smith", NULL,
    "domain:stop", "x", "cert" },
  { "certificate-of-others", HOUSE, "dn:O=Other,CN=eve", NULL, "domain:stop",
    "x", "" },
  { "certificate-with-more-parts", HOUSE, "dn:O=Example,CN=eve,O=Other", NULL,
    "domain:stop", "x", "" },
  { "certificate-with-a-comma", HOUSE, "dn:O=Example,CN=eve\\,O=Other", NULL,
    "domain:stop", "x", "cert" },
  { "certificate-with-fewer-parts", HOUSE, "dn:O=Example", NULL, "domain:stop",
    "x", "" },
  { "any-certificate", RULE ("r", "who=dn:*\nmay=all"), "dn:O=a,CN=b", NULL,
    "domain:stop", "x", "r" },
  { "no-certificate", RULE ("r", "who=dn:*\nmay=all"), "sasl:bob", "tls",
    "domain:stop", "x", "" },

  /* from */
  { "from-transport", HOUSE, "dn:O=Example,CN=eve", "tls:1.2.3.4",
    "domain:stop", "x", "cert" },
  { "from-other-transport", HOUSE, "dn:O=Example,CN=eve", "tcp", "domain:stop",
    "x", "" },
  { "from-other-network", HOUSE, "sasl:eve@guests", "tcp:11.1.2.3",
    "domain:getattr", "x", "" },
  { "from-address", RULE ("r", "who=any\nmay=all\nfrom=::1;127.0.0.1"), "any",
    "tcp:127.0.0.1", "domain:stop", "x", "r" },
  { "from-ipv6", RULE ("r", "who=any\nmay=all\nfrom=fd00::/8"), "any",
    "tls:fd00::17%eth0", "domain:stop", "x", "r" },
  { "from-ipv4-as-ipv6", RULE ("r", "who=any\nmay=all\nfrom=10.0.0.0/8"), "any",
    "tcp:::ffff:10.0.0.9", "domain:stop", "x", "r" },
  { "from-unix-has-no-address", RULE ("r", "who=any\nmay=all\nfrom=0.0.0.0/0"),
    "uid:5", NULL, "domain:stop", "x", "" },
  { "from-unix", RULE ("r", "who=any\nmay=all\nfrom=unix"), "uid:5", NULL,
    "domain:stop", "x", "r" },

  /* may */
  { "other-tag", HOUSE, "uid:5", NULL, "domain:stop", "web-1", "" },
  { "pattern-of-tags", RULE ("r", "who=any\nmay=domain:st*"), "any", NULL,
    "domain:stop", "x", "r" },
  { "pattern-of-objects", RULE ("r", "who=any\nmay=*:data_read"), "any", NULL,
    "storage_vol:data_read", "x", "r" },
  { "word-read", HOUSE, "uid:5", NULL, "domain:read", "web-1", "web" },
  { "word-read-is-not-secure", HOUSE, "uid:5", NULL, "domain:read_secure",
    "web-1", "" },
  { "word-read-is-no-data", RULE ("r", "who=any\nmay=read"), "any", NULL,
    "storage_vol:data_read", "x", "" },
  { "word-control", RULE ("r", "who=any\nmay=control"), "any", NULL,
    "domain:stop", "x", "r" },
  { "word-control-reads", RULE ("r", "who=any\nmay=control"), "any", NULL,
    "domain:read", "x", "r" },
  { "word-control-defines-nothing", RULE ("r", "who=any\nmay=control"), "any",
    NULL, "domain:write", "x", "" },
  { "word-all", RULE ("r", "who=any\nmay=all"), "any", NULL, "connect:write",
    NULL, "r" },
  { "tag-that-is-not", RULE ("r", "who=any\nmay=all"), "any", NULL,
    "domain:fly", "x", "" },
  { "tag-with-a-condition", RULE ("r", "who=any\nmay=domain:save"), "any", NULL,
    "domain:save", "x", "r" },

  /* on */
  { "name", HOUSE, "uid:5", NULL, "domain:start", "www", "web" },
  { "name-that-goes-on", HOUSE, "uid:5", NULL, "domain:start", "www2", "" },
  { "name-that-begins-earlier", HOUSE, "uid:5", NULL, "domain:start", "a-web-1",
    "" },
  { "character-of-utf-8", RULE ("r", "who=any\nmay=all\non=db-?"), "any", NULL,
    "domain:start", "db-ä", "r" },
  { "name-of-a-volume", RULE ("r", "who=any\nmay=all\non=pool/web-*"), "any",
    NULL, "storage_vol:data_read", "pool/web-1", "r" },
  { "named-rule-is-not-about-the-daemon", RULE ("r", "who=any\nmay=all\non=*"),
    "any", NULL, "connect:write", NULL, "" },
  { "named-rule-is-not-for-each", HOUSE, "uid:5", NULL, "domain:start", "each",
    "" },
  { "named-denial-is-for-each", HOUSE, "uid:7", NULL, "domain:start", "each",
    "!shut" },
  { "named-rule-is-for-some", HOUSE, "uid:5", NULL, "domain:start", "some",
    "web" },
  { "named-denial-is-not-for-some", HOUSE, "uid:7", NULL, "domain:start",
    "some", "boss" },

  /* order */
  { "first-that-matches-denies", HOUSE, "uid:7", NULL, "domain:start", "safe-1",
    "!shut" },
  { "denial-of-others-is-passed", HOUSE, "uid:7", NULL, "domain:start", "web-1",
    "boss" },
  { "first-that-matches-allows",
    RULE ("a", "who=any\nmay=all\non=x")
        RULE ("b", "who=any\nmay=all\neffect=deny"),
    "any", NULL, "domain:stop", "x", "a" },
  { "rest-is-denied",
    RULE ("a", "who=any\nmay=all\non=x")
        RULE ("b", "who=any\nmay=all\neffect=deny"),
    "any", NULL, "domain:stop", "y", "!b" },
  { "no-rules-deny", "# nothing\n\n", "uid:0", NULL, "domain:start", "x", "" },

  /* what goes with something */
  { "who-starts-it-sees-it", RULE ("r", "who=any\nmay=domain:start\non=x"),
    "any", NULL, "domain:getattr", "x", "+r" },
  { "who-starts-it-sees-no-other",
    RULE ("r", "who=any\nmay=domain:start\non=x"), "any", NULL,
    "domain:getattr", "y", "" },
  { "who-starts-it-does-not-read-it",
    RULE ("r", "who=any\nmay=domain:start\non=x"), "any", NULL, "domain:read",
    "x", "" },
  { "who-starts-it-sees-no-volume", RULE ("r", "who=any\nmay=domain:start"),
    "any", NULL, "storage_vol:getattr", "x", "" },
  { "who-may-something-connects", HOUSE, "uid:5", NULL, "connect:getattr", NULL,
    "+web" },
  { "who-may-something-searches", HOUSE, "uid:5", NULL,
    "connect:search_domains", NULL, "+web" },
  { "who-may-something-changes-nothing", HOUSE, "uid:5", NULL, "connect:write",
    NULL, "" },
  { "who-may-nothing-does-not-connect", HOUSE, "uid:6", NULL, "connect:getattr",
    NULL, "" },
  { "sight-can-be-denied",
    RULE ("n", "who=any\nmay=domain:getattr\neffect=deny\non=x")
        RULE ("r", "who=any\nmay=domain:start"),
    "any", NULL, "domain:getattr", "x", "!n" },
  { "what-is-denied-shows-nothing",
    RULE ("n", "who=any\nmay=domain:st*\neffect=deny\non=x")
        RULE ("r", "who=any\nmay=domain:start;domain:stop"),
    "any", NULL, "domain:getattr", "x", "" },
  { "what-is-left-shows-it",
    RULE ("n", "who=any\nmay=domain:start\neffect=deny\non=x")
        RULE ("r", "who=any\nmay=domain:start;domain:stop"),
    "any", NULL, "domain:getattr", "x", "+r" },
  { "who-is-denied-all-does-not-connect",
    RULE ("n", "who=any\nmay=domain:*\neffect=deny")
        RULE ("r", "who=any\nmay=domain:start"),
    "any", NULL, "connect:getattr", NULL, "" },

  /* how it is written */
  { "spaces-and-comments",
    "\t# x\r\n  [rule  r ] \r\n who = any ;\r\n\tmay\t=\tall\r\n", "any", NULL,
    "domain:start", "x", "r" },
  { "no-newline-at-the-end", "[rule r]\nwho=any\nmay=all", "any", NULL,
    "domain:start", "x", "r" },
};

static char *
describe (const ReeveAccessVerdict *verdict)
{
  return g_strconcat (
      verdict->reason == REEVE_ACCESS_BY_ANOTHER      ? "+"
      : verdict->rule != NULL && !verdict->is_allowed ? "!"
                                                      : "",
      verdict->rule == NULL ? "" : reeve_access_rule_get_name (verdict->rule),
      NULL);
}

static void
test_decide (gconstpointer data)
{
  const DecideCase *row = data;
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveAccessRules) rules = load (row->rules, warnings, &error);
  g_auto (ReeveAccessCaller) caller = { 0 };
  g_autofree char *text = NULL;
  ReeveAccessScope scope =
      row->object == NULL                 ? REEVE_ACCESS_NAMELESS
      : g_str_equal (row->object, "each") ? REEVE_ACCESS_EACH
      : g_str_equal (row->object, "some") ? REEVE_ACCESS_SOME
                                          : REEVE_ACCESS_NAMED;
  ReeveAccessVerdict verdict;

  g_assert_no_error (error);
  reeve_access_caller_parse (&caller, row->who, row->from, &error);
  g_assert_no_error (error);
  verdict =
      reeve_access_rules_decide (rules, &caller, row->tag, scope, row->object);
  text = describe (&verdict);
  g_assert_cmpstr (text, ==, row->verdict);
  g_assert_cmpint (verdict.is_allowed, ==,
                   row->verdict[0] != '!' && row->verdict[0] != '\0');
}

/* -------------------------------------------------------------- refuse --- */

typedef struct {
  const char *name;
  const char *text;
  const char *message;
} RefuseCase;

#define OK "[rule r]\nwho=any\nmay=all\n"

static const RefuseCase refuse_cases[] = {
  { "other-group", "[rules]\n", "f:1: there are no groups but [rule NAME]" },
  { "group-without-end", "[rule r\n",
    "f:1: there are no groups but [rule NAME]" },
  { "rule-without-name", "[rule ]\n",
    "f:1: a rule's name has at most 64 letters, digits and any of “-_.”" },
  { "name-with-a-space", "[rule a b]\n",
    "f:1: a rule's name has at most 64 letters, digits and any of “-_.”" },
  { "name-twice", OK "\n[rule r]\n",
    "f:5: there is a rule “r” already, at f:1" },
  { "line-that-is-nothing", OK "nonsense\n",
    "f:4: [rule r] this is neither [rule NAME] nor KEY = VALUE" },
  { "key-without-rule", "who=any\n", "f:1: there is no [rule NAME] before it" },
  { "unknown-key", OK "whom=any\n",
    "f:4: [rule r] a key is none of who, from, may, on and effect" },
  { "key-in-another-language", OK "on[de]=x\n",
    "f:4: [rule r] a key is none of who, from, may, on and effect" },
  { "key-twice", OK "who=uid:0\n", "f:4: [rule r] who is there twice" },
  { "without-who", "[rule r]\nmay=all\n[rule s]\n",
    "f:1: [rule r] who is missing" },
  { "without-may", "\n[rule r]\nwho=any\n", "f:2: [rule r] may is missing" },
  { "empty-value", "[rule r]\nwho=\n", "f:2: [rule r] who: it is empty" },
  { "empty-item", "[rule r]\nwho=any;;uid:0\n",
    "f:2: [rule r] who: an item is empty or longer than 1024 bytes" },
  { "two-ends", "[rule r]\nwho=any;;\n",
    "f:2: [rule r] who: an item is empty or longer than 1024 bytes" },
  { "unknown-who", "[rule r]\nwho=bob\n",
    "f:2: [rule r] who: “bob” is none of any, user:NAME, uid:N, group:NAME, "
    "gid:N, dn:PATTERN and sasl:PATTERN" },
  { "who-without-name", "[rule r]\nwho=user:\n",
    "f:2: [rule r] who: “user:” is none of any, user:NAME, uid:N, group:NAME, "
    "gid:N, dn:PATTERN and sasl:PATTERN" },
  { "uid-that-means-none", "[rule r]\nwho=uid:4294967295\n",
    "f:2: [rule r] who: “uid:4294967295” is none of any, user:NAME, uid:N, "
    "group:NAME, gid:N, dn:PATTERN and sasl:PATTERN" },
  { "uid-that-is-no-number", "[rule r]\nwho=uid:0x0\n",
    "f:2: [rule r] who: “uid:0x0” is none of any, user:NAME, uid:N, "
    "group:NAME, gid:N, dn:PATTERN and sasl:PATTERN" },
  { "unknown-from", "[rule r]\nfrom=here\n",
    "f:2: [rule r] from: “here” is none of unix, tcp, tls, ADDRESS and "
    "ADDRESS/BITS" },
  { "address-with-bits-beyond", "[rule r]\nfrom=10.0.0.1/8\n",
    "f:2: [rule r] from: “10.0.0.1/8” is none of unix, tcp, tls, ADDRESS and "
    "ADDRESS/BITS" },
  { "too-many-bits", "[rule r]\nfrom=10.0.0.0/33\n",
    "f:2: [rule r] from: “10.0.0.0/33” is none of unix, tcp, tls, ADDRESS and "
    "ADDRESS/BITS" },
  { "ipv4-as-ipv6", "[rule r]\nfrom=::ffff:10.0.0.0/104\n",
    "f:2: [rule r] from: “::ffff:10.0.0.0/104”: write it as an IPv4 address" },
  { "unknown-word", "[rule r]\nmay=write\n",
    "f:2: [rule r] may: “write” is none of OBJECT:PERMISSION, read, control "
    "and all" },
  { "tag-with-two-colons", "[rule r]\nmay=a:b:c\n",
    "f:2: [rule r] may: “a:b:c” is none of OBJECT:PERMISSION, read, control "
    "and all" },
  { "tag-that-is-not", "[rule r]\nwho=any\nmay=domain:raed\n",
    "f:3: [rule r] may: nothing takes “domain:raed”" },
  { "tags-that-are-not", "[rule r]\nwho=any\nmay=volume:*\n",
    "f:3: [rule r] may: nothing takes “volume:*”" },
  { "name-of-the-daemon", "[rule r]\nwho=any\nmay=connect:*\non=x\n",
    "f:4: [rule r] on: what is allowed is about the daemon itself, which has "
    "no name" },
  { "unknown-effect", OK "effect=maybe\n",
    "f:4: [rule r] effect: “maybe” is not one of allow and deny" },
  { "two-effects", OK "effect=allow;deny\n",
    "f:4: [rule r] effect: “allow;deny” is not one of allow and deny" },
  { "denied-user-that-is-not",
    OK "effect=deny\n[rule s]\nwho=user:no-such-user\n"
       "may=all\neffect=deny\n",
    "f:6: [rule s] who: there is no user “no-such-user”" },
  { "denied-group-that-is-not",
    "[rule s]\nwho=group:no-such-group\nmay=all\neffect=deny\n",
    "f:2: [rule s] who: there is no group “no-such-group”" },
  { "not-utf-8", OK "# \xff\n", "f: is not text in UTF-8" },
};

static void
test_refuse (gconstpointer data)
{
  const RefuseCase *row = data;
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveAccessRules) rules = load (row->text, warnings, &error);

  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX);
  g_assert_null (rules);
  g_assert_cmpstr (error->message, ==, row->message);
}

static void
assert_refused (const char *text, const char *message)
{
  g_autoptr (ReeveAccessRules) rules = reeve_access_rules_new ();
  g_autoptr (GError) error = NULL;

  g_assert_false (
      reeve_access_rules_add_text (rules, "f", text, strlen (text), &error));
  g_assert_cmpstr (error->message, ==, message);
}

static void
test_limits (void)
{
  g_autoptr (GString) many = g_string_new (NULL);
  g_autofree char *large = g_strnfill (1024 * 1024 + 1, '\n');
  g_autofree char *item = g_strnfill (1025, 'x');
  g_autofree char *long_item = g_strconcat ("[rule r]\non=", item, NULL);

  for (int i = 0; i <= 1024; i++)
    g_string_append_printf (many, "[rule r%d]\nwho=any\nmay=all\n", i);
  assert_refused (large, "f: is larger than 1048576 bytes");
  assert_refused (many->str, "f:3073: there are more than 1024 rules");
  assert_refused (
      long_item,
      "f:2: [rule r] on: an item is empty or longer than 1024 bytes");
}

static void
test_warning (void)
{
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveAccessRules) rules =
      load (RULE ("r", "who=user:no-such-user;group:no-such-group\nmay=all"),
            warnings, &error);

  g_assert_no_error (error);
  g_assert_nonnull (rules);
  g_assert_cmpuint (warnings->len, ==, 2);
  g_assert_cmpstr (warnings->pdata[0], ==,
                   "f:2: [rule r] who: there is no user “no-such-user”, so it "
                   "allows him nothing");
  g_assert_cmpstr (warnings->pdata[1], ==,
                   "f:2: [rule r] who: there is no group “no-such-group”, so "
                   "it allows it nothing");
}

/* A pattern of many stars takes no longer for it. */
static void
test_glob (void)
{
  g_autofree char *text = g_strnfill (100000, 'a');
  const char *pattern = "*a*a*a*a*a*a*a*a*a*a*b";
  gint64 start_us = g_get_monotonic_time ();

  g_assert_false (reeve_glob_matches (pattern, text));
  g_assert_cmpint (g_get_monotonic_time () - start_us, <, G_USEC_PER_SEC);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (decide_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/access-rules/decide/", decide_cases[i].name, NULL);

    g_test_add_data_func (path, &decide_cases[i], test_decide);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS (refuse_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/access-rules/refuse/", refuse_cases[i].name, NULL);

    g_test_add_data_func (path, &refuse_cases[i], test_refuse);
  }
  g_test_add_func ("/rpc/access-rules/refuse/what-is-too-large", test_limits);
  g_test_add_func ("/rpc/access-rules/prepare/warns-of-users-that-are-not",
                   test_warning);
  g_test_add_func ("/rpc/access-rules/glob/stars-do-not-multiply", test_glob);
  return g_test_run ();
}
