/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/keepalive.h"

/* One row: an interval of 5 seconds, 2 questions, and what happens at which
 * second: `a` a sign of life, `t` the peer takes something of a backlog, `o`
 * something is sent and taken at once, `.` nothing but a look; of each look the
 * outcome, `-` wait, `?` ask, `x` end. */
typedef struct {
  const char *name;
  const unsigned seconds[8];
  const char *what;
  const char *steps;
} StepCase;

static const StepCase step_cases[] = {
  { "silence-is-asked-twice-then-gone",
    { 4, 5, 9, 10, 14, 15 },
    "......",
    "-?-?-x" },
  { "an-answer-starts-anew", { 5, 6, 10, 11, 16, 21 }, ".a....", "?--??x" },
  { "life-before-the-interval", { 4, 8, 9, 14, 19 }, "a....", "--??x" },
  { "taking-a-backlog-is-life", { 4, 5, 10, 15, 20, 25 }, "ttttt.", "-----?" },
  { "what-is-taken-at-once-is-none", { 4, 5, 10, 15 }, "oooo", "-??x" },
  { "our-own-sleep-is-not-its-silence",
    { 5, 10, 100, 105, 110 },
    ".....",
    "????x" },
};

static char
take_step (ReeveKeepalive *keepalive, char what, unsigned second)
{
  gint64 now_us = second * G_USEC_PER_SEC;
  gint64 due_us;

  if (what == 'a')
    keepalive->alive_us = now_us;
  reeve_keepalive_note_output (
      keepalive, keepalive->n_taken + (what == 't' || what == 'o'), what == 't',
      now_us);
  switch (reeve_keepalive_step (keepalive, 5, 2, now_us, &due_us)) {
  case REEVE_KEEPALIVE_WAIT:
    g_assert_cmpint (due_us, >, now_us);
    return '-';
  case REEVE_KEEPALIVE_ASK:
    g_assert_cmpint (due_us, ==, now_us + 5 * G_USEC_PER_SEC);
    return '?';
  default:
    return 'x';
  }
}

static void
test_step (gconstpointer data)
{
  const StepCase *row = data;
  g_autoptr (GString) steps = g_string_new (NULL);
  ReeveKeepalive keepalive = { 0 };

  for (unsigned i = 0; row->what[i] != '\0'; i++)
    g_string_append_c (steps,
                       take_step (&keepalive, row->what[i], row->seconds[i]));
  g_assert_cmpstr (steps->str, ==, row->steps);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (step_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/keepalive/step/", step_cases[i].name, NULL);

    g_test_add_data_func (path, &step_cases[i], test_step);
  }
  return g_test_run ();
}
