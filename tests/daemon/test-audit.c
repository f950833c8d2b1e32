/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/audit.h"

#include "../log-capture.h"

#include <errno.h>

/* Admits until it is refused; returns how many were admitted. */
static unsigned
admit_all (ReeveAudit *audit, const char *who, gint64 now_us)
{
  unsigned n = 0;

  while (n < 10000 && reeve_audit_admit (audit, who, now_us))
    n++;
  return n;
}

static void
test_admit (void)
{
  ReeveAudit *audit = reeve_audit_new (REEVE_AUDIT_DENIED, NULL);
  gint64 now_us = 1000 * G_USEC_PER_SEC;

  g_assert_cmpuint (admit_all (audit, "uid=1", now_us), ==, REEVE_AUDIT_BURST);
  g_assert_cmpuint (admit_all (audit, "uid=1", now_us), ==, 0);
  /* Others have not lost anything by it. */
  g_assert_cmpuint (admit_all (audit, "uid=2", now_us), ==, REEVE_AUDIT_BURST);
  now_us += G_USEC_PER_SEC;
  g_assert_cmpuint (admit_all (audit, "uid=1", now_us), ==, REEVE_AUDIT_RATE);
  now_us += 3600 * (gint64) G_USEC_PER_SEC;
  g_assert_cmpuint (admit_all (audit, "uid=1", now_us), ==, REEVE_AUDIT_BURST);
  reeve_audit_free (audit);
}

static void
test_left_out (void)
{
  ReeveAudit *audit = reeve_audit_new (REEVE_AUDIT_DENIED, NULL);
  g_autofree char *nothing = reeve_audit_take_left_out (audit);
  g_autofree char *text = NULL;
  g_autofree char *again = NULL;

  g_assert_null (nothing);
  admit_all (audit, "uid=1", 0);
  for (int i = 0; i < 6; i++)
    g_assert_false (reeve_audit_admit (audit, "uid=1", 0));
  text = reeve_audit_take_left_out (audit);
  g_assert_cmpstr (text, ==, "audit: lines left out: uid=1 (7)");
  again = reeve_audit_take_left_out (audit);
  g_assert_null (again);
  g_assert_cmpuint (reeve_audit_get_n_left_out (audit), ==, 7);
  reeve_audit_free (audit);
}

/* Too many to be counted each share what is one's; in time there is room. */
static void
test_many (void)
{
  ReeveAudit *audit = reeve_audit_new (REEVE_AUDIT_DENIED, NULL);
  unsigned n_admitted = 0;

  for (int i = 0; i < 1000; i++) {
    g_autofree char *who = g_strdup_printf ("uid=%d", i);

    n_admitted += reeve_audit_admit (audit, who, 0);
  }
  g_assert_cmpuint (n_admitted, ==, 256 + REEVE_AUDIT_BURST);
  g_assert_cmpuint (
      admit_all (audit, "uid=2000", 3600 * (gint64) G_USEC_PER_SEC), ==,
      REEVE_AUDIT_BURST);
  reeve_audit_free (audit);
}

typedef struct {
  ReeveAuditMode mode;
  uint32_t flags;
  ReeveAccessOutcome outcome;
  gboolean wants;
} WantsRow;

static void
test_wants (void)
{
  static const WantsRow rows[] = {
    { REEVE_AUDIT_NONE, 0, REEVE_ACCESS_DENIED, FALSE },
    { REEVE_AUDIT_DENIED, 0, REEVE_ACCESS_DENIED, TRUE },
    { REEVE_AUDIT_DENIED, 0, REEVE_ACCESS_READ_ONLY, TRUE },
    { REEVE_AUDIT_DENIED, 0, REEVE_ACCESS_GRANTED, FALSE },
    { REEVE_AUDIT_CHANGES, 0, REEVE_ACCESS_DENIED, TRUE },
    { REEVE_AUDIT_CHANGES, 0, REEVE_ACCESS_GRANTED, TRUE },
    { REEVE_AUDIT_CHANGES, REEVE_PROCEDURE_READ_ONLY, REEVE_ACCESS_GRANTED,
      FALSE },
    { REEVE_AUDIT_ALL, REEVE_PROCEDURE_READ_ONLY, REEVE_ACCESS_GRANTED, TRUE },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    const ReeveProcedure procedure = { .flags = rows[i].flags };
    ReeveAudit *audit = reeve_audit_new (rows[i].mode, NULL);

    g_assert_cmpint (reeve_audit_wants (audit, &procedure, rows[i].outcome), ==,
                     rows[i].wants);
    reeve_audit_free (audit);
  }
}

static void
test_quote (void)
{
  static const struct {
    const char *text;
    const char *quoted;
  } rows[] = {
    { "web", "\"web\"" },
    { "", "\"\"" },
    { "Grün 网", "\"Grün 网\"" },
    { "a\" rule=\"b\\", "\"a\\\" rule=\\\"b\\\\\"" },
    { "a\nb\x1b[0m", "\"a\\u{a}b\\u{1b}[0m\"" },
    { "a\xe2\x80\xae", "\"a\\u{202e}\"" },
    { "a\xff", "\"a\xef\xbf\xbd\"" },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *quoted = reeve_audit_quote (rows[i].text);

    g_assert_cmpstr (quoted, ==, rows[i].quoted);
  }
}

static void
test_deeds (void)
{
  ReeveAudit *audit = reeve_audit_new (REEVE_AUDIT_CHANGES, NULL);
  ReeveAudit *quiet = reeve_audit_new (REEVE_AUDIT_DENIED, NULL);
  g_autofree char *much = g_strnfill (1000, 'x');
  g_autofree char *some = g_strnfill (256, 'x');
  g_autofree char *pattern = g_strdup_printf ("* wrote=\"%s\"… *", some);
  ReeveAuditDeed deed = {
    .path = "/m/ctl",
    .text = "start\nx\" result=done",
    .tag = "domain:start",
    .name = "m",
    .who = "uid=7",
    .from = "mount pid=9",
    .errnum = EBUSY,
  };

  log_capture_begin ();
  reeve_audit_write_deed (quiet, &deed, REEVE_ACCESS_GRANTED);
  reeve_audit_write_deed (audit, &deed, REEVE_ACCESS_GRANTED);
  log_capture_take (
      "notice audit: granted uid=7 from=mount pid=9 file=\"/m/ctl\" "
      "wrote=\"start\\u{a}x\\\" result=done\" takes=domain:start "
      "object=\"m\" result=EBUSY rule=(none)");
  deed.errnum = 0;
  deed.text = much;
  reeve_audit_write_deed (audit, &deed, REEVE_ACCESS_GRANTED);
  log_capture_take (pattern);
  deed.text = NULL;
  deed.rule = "r";
  reeve_audit_write_deed (quiet, &deed, REEVE_ACCESS_DENIED);
  log_capture_take ("warning audit: denied uid=7 from=mount pid=9 "
                    "file=\"/m/ctl\" takes=domain:start object=\"m\" rule=r");
  log_capture_assert_empty ();
  reeve_audit_free (audit);
  reeve_audit_free (quiet);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/daemon/audit/admit/so-many-at-once-and-in-time",
                   test_admit);
  g_test_add_func ("/daemon/audit/admit/counts-what-is-left-out",
                   test_left_out);
  g_test_add_func ("/daemon/audit/admit/memory-is-bounded", test_many);
  g_test_add_func ("/daemon/audit/wants/by-mode", test_wants);
  g_test_add_func ("/daemon/audit/quote/nothing-ends-it", test_quote);
  g_test_add_func ("/daemon/audit/deeds", test_deeds);
  return g_test_run ();
}
