/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/log-limit.h"

static const char file[] = "file.c";
static const char line[] = "1";
static const char other_line[] = "2";

/* Writes a whole burst of one place, and checks that it is the last. */
static void
write_burst (ReeveLogLimit *limit, gint64 now_us)
{
  unsigned n_left_out;

  for (int i = 1; i < REEVE_LOG_LIMIT_BURST; i++) {
    g_assert_cmpint (
        reeve_log_limit_judge (limit, file, line, now_us, &n_left_out), ==,
        REEVE_LOG_LIMIT_WRITE);
    g_assert_cmpuint (n_left_out, ==, 0);
  }
  g_assert_cmpint (
      reeve_log_limit_judge (limit, file, line, now_us, &n_left_out), ==,
      REEVE_LOG_LIMIT_WRITE_LAST);
}

static void
test_leaves_out_one_over_the_burst (void)
{
  g_autoptr (ReeveLogLimit) limit = reeve_log_limit_new ();
  unsigned n_left_out;

  write_burst (limit, 0);
  g_assert_cmpint (reeve_log_limit_judge (limit, file, line, 0, &n_left_out),
                   ==, REEVE_LOG_LIMIT_LEAVE_OUT);
}

static void
test_places_have_their_own (void)
{
  g_autoptr (ReeveLogLimit) limit = reeve_log_limit_new ();
  unsigned n_left_out;

  write_burst (limit, 0);
  g_assert_cmpint (
      reeve_log_limit_judge (limit, file, other_line, 0, &n_left_out), ==,
      REEVE_LOG_LIMIT_WRITE);
}

static void
test_begins_anew_and_tells (void)
{
  g_autoptr (ReeveLogLimit) limit = reeve_log_limit_new ();
  unsigned n_left_out;

  write_burst (limit, 5);
  for (int i = 0; i < 3; i++)
    g_assert_cmpint (reeve_log_limit_judge (limit, file, line,
                                            5 + REEVE_LOG_LIMIT_WINDOW_US - 1,
                                            &n_left_out),
                     ==, REEVE_LOG_LIMIT_LEAVE_OUT);

  g_assert_cmpint (reeve_log_limit_judge (limit, file, line,
                                          5 + REEVE_LOG_LIMIT_WINDOW_US,
                                          &n_left_out),
                   ==, REEVE_LOG_LIMIT_WRITE);
  g_assert_cmpuint (n_left_out, ==, 3);
  g_assert_cmpint (reeve_log_limit_judge (limit, file, line,
                                          6 + REEVE_LOG_LIMIT_WINDOW_US,
                                          &n_left_out),
                   ==, REEVE_LOG_LIMIT_WRITE);
  g_assert_cmpuint (n_left_out, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/daemon/log-limit/leaves-out-one-over-the-burst",
                   test_leaves_out_one_over_the_burst);
  g_test_add_func ("/daemon/log-limit/places-have-their-own",
                   test_places_have_their_own);
  g_test_add_func ("/daemon/log-limit/begins-anew-and-tells",
                   test_begins_anew_and_tells);
  return g_test_run ();
}
