/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/successor.h"
#include "daemon/takeover.h"
#include "event/thread.h"
#include "rpc/error.h"

#include <glib/gstdio.h>
#include <stdatomic.h>
#include <unistd.h>

/* A daemon that has nothing but what is told here, with its loop in a thread,
 * and this thread as the one that takes over. */
typedef struct {
  ReeveLoop *loop;
  pthread_t thread;
  char *dir;
  char *path;
  ReeveTakeover *takeover;
  int pipe[2]; /* what is passed on */

  /* of the loop's thread, until that has ended */
  unsigned n_looks;     /* until all is quiet */
  unsigned n_obstacles; /* until it may be frozen */
  gboolean cannot_save;
  gboolean is_frozen;
  unsigned n_freezes;
  unsigned n_thaws;
  atomic_int successor; /* its pid, once it was handed over */
} Fixture;

static gboolean
can_freeze (gpointer data, char **why)
{
  Fixture *self = data;

  if (self->n_obstacles == 0)
    return TRUE;
  self->n_obstacles--;
  *why = g_strdup ("an obstacle");
  return FALSE;
}

static void
freeze (gpointer data)
{
  Fixture *self = data;

  g_assert_false (self->is_frozen);
  self->is_frozen = TRUE;
  self->n_freezes++;
}

static void
thaw (gpointer data)
{
  Fixture *self = data;

  g_assert_true (self->is_frozen);
  self->is_frozen = FALSE;
  self->n_thaws++;
}

static gboolean
is_quiet (gpointer data, char **why)
{
  Fixture *self = data;

  g_assert_true (self->is_frozen);
  if (self->n_looks == 0)
    return TRUE;
  self->n_looks--;
  *why = g_strdup ("something that runs");
  return FALSE;
}

static gboolean
save (gpointer data, ReeveSavedState *state, GError **error)
{
  Fixture *self = data;
  GByteArray *text;

  if (self->cannot_save) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_RPC, "no ink");
    return FALSE;
  }

  text = g_byte_array_new ();
  g_byte_array_append (text, (const uint8_t *) "hello", 5);
  reeve_saved_state_add (state, "greeting", 1, 1, text);
  /* More than one message takes. */
  for (unsigned i = 0; i < 300; i++)
    reeve_saved_state_add_fd (state, self->pipe[i % 2]);
  return TRUE;
}

static void
handed_over (gpointer data, pid_t pid)
{
  Fixture *self = data;

  atomic_store (&self->successor, pid);
}

static const ReeveTakeoverFuncs funcs = {
  .can_freeze = can_freeze,
  .freeze = freeze,
  .thaw = thaw,
  .is_quiet = is_quiet,
  .save = save,
  .handed_over = handed_over,
};

/* ------------------------------------------------------------- fixture --- */

static void *
run_loop (void *data)
{
  reeve_loop_run (data);
  return NULL;
}

static void
set_up (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  self->dir = g_dir_make_tmp ("reeve-takeover-XXXXXX", &error);
  g_assert_no_error (error);
  self->path = g_build_filename (self->dir, "socket", NULL);
  g_assert_no_errno (pipe (self->pipe));
  self->loop = reeve_loop_new (NULL);
  self->takeover = reeve_takeover_new (self->loop, "testd", "1.0", self->path,
                                       &funcs, self, &error);
  g_assert_no_error (error);
}

static void
start (Fixture *self)
{
  pthread_create (&self->thread, NULL, run_loop, self->loop);
}

static void
end (Fixture *self)
{
  reeve_loop_quit (self->loop);
  pthread_join (self->thread, NULL);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  reeve_takeover_free (self->takeover);
  reeve_loop_unref (self->loop);
  g_assert_cmpint (g_access (self->path, F_OK), ==, -1);
  close (self->pipe[0]);
  close (self->pipe[1]);
  g_rmdir (self->dir);
  g_free (self->dir);
  g_free (self->path);
}

static ReeveSuccessor *
ask (Fixture *self)
{
  g_autoptr (GError) error = NULL;
  ReeveSuccessor *successor =
      reeve_successor_new ("testd", "2.0", self->path, &error);

  g_assert_no_error (error);
  return successor;
}

/* Until the other side is done with it. */
static void
wait_for_end (Fixture *self)
{
  g_autoptr (ReeveSuccessor) next = NULL;

  while ((next = reeve_successor_new ("testd", "3.0", self->path, NULL)) ==
         NULL)
    g_usleep (1000);
}

/* --------------------------------------------------------------- tests --- */

typedef struct {
  const char *name;
  unsigned n_obstacles;
  unsigned n_looks;
  gboolean is_paused_again; /* it is frozen more than once */
} DrainCase;

static const DrainCase drain_cases[] = {
  { "at-once-if-nothing-runs", 0, 0, FALSE },
  { "in-one-pause-for-what-ends-soon", 0, 10, FALSE },
  { "in-several-for-what-takes-longer", 0, 120, TRUE },
  { "without-a-pause-for-what-cannot-end-in-one", 3, 0, FALSE },
};

static void
test_drain (Fixture *self, gconstpointer data)
{
  const DrainCase *row = data;
  g_autoptr (ReeveSuccessor) successor = NULL;
  g_autoptr (ReeveSavedState) state = NULL;
  g_autoptr (GError) error = NULL;
  ReeveStateReader reader;

  self->n_looks = row->n_looks;
  self->n_obstacles = row->n_obstacles;
  start (self);
  successor = ask (self);
  state = reeve_successor_take (successor, &error);
  g_assert_no_error (error);
  g_assert_true (
      reeve_saved_state_find (state, "greeting", 1, &reader, &error));
  g_assert_cmpmem (reader.data, reader.size, "hello", 5);
  g_assert_cmpuint (reeve_saved_state_get_fds (state)->len, ==, 300);
  g_assert_true (reeve_successor_commit (successor, &error));
  g_assert_no_error (error);
  while (atomic_load (&self->successor) == 0)
    g_usleep (1000);
  end (self);
  g_assert_cmpint (atomic_load (&self->successor), ==, getpid ());
  g_assert_true (self->is_frozen);
  g_assert_cmpuint (self->n_thaws, ==, self->n_freezes - 1);
  if (row->is_paused_again)
    g_assert_cmpuint (self->n_freezes, >, 1);
  /* What is frozen for longer than it should be tells more of this machine. */
  else if (row->n_looks == 0)
    g_assert_cmpuint (self->n_freezes, ==, 1);
}

static void
test_gives_up (Fixture *self, gconstpointer data)
{
  const gboolean *says_why = data;
  g_autoptr (ReeveSuccessor) successor = NULL;
  g_autoptr (ReeveSavedState) state = NULL;
  g_autoptr (GError) why = g_error_new (REEVE_ERROR, 1, "no room\xc3");

  start (self);
  successor = ask (self);
  state = reeve_successor_take (successor, NULL);
  g_assert_nonnull (state);
  if (*says_why)
    reeve_successor_give_up (successor, why);
  g_clear_pointer (&successor, reeve_successor_free);
  wait_for_end (self);
  end (self);
  g_assert_false (self->is_frozen);
  g_assert_cmpint (atomic_load (&self->successor), ==, 0);
}

static void
test_cannot_save (Fixture *self, gconstpointer data)
{
  g_autoptr (ReeveSuccessor) successor = NULL;
  g_autoptr (GError) error = NULL;

  self->cannot_save = TRUE;
  start (self);
  successor = ask (self);
  g_assert_null (reeve_successor_take (successor, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_DENIED);
  g_assert_nonnull (g_strstr_len (error->message, -1, "no ink"));
  wait_for_end (self);
  end (self);
  g_assert_false (self->is_frozen);
}

/* The old one's patience is over: it goes on, and this one must not. */
static void
test_commit_comes_too_late (Fixture *self, gconstpointer data)
{
  g_autoptr (ReeveSuccessor) successor = NULL;
  g_autoptr (ReeveSavedState) state = NULL;
  g_autoptr (GError) error = NULL;

  start (self);
  successor = ask (self);
  state = reeve_successor_take (successor, NULL);
  g_assert_nonnull (state);
  wait_for_end (self);
  g_assert_false (reeve_successor_commit (successor, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_CLOSED);
  end (self);
  g_assert_false (self->is_frozen);
  g_assert_cmpint (atomic_load (&self->successor), ==, 0);
}

#define add(name, data, func)                                                  \
  g_test_add ("/daemon/takeover/" name, Fixture, data, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  static const gboolean yes = TRUE, no = FALSE;

  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (drain_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/daemon/takeover/drains/", drain_cases[i].name, NULL);

    g_test_add (path, Fixture, &drain_cases[i], set_up, test_drain, tear_down);
  }
  add ("goes-on/when-the-successor-gives-up", &yes, test_gives_up);
  add ("goes-on/when-the-successor-vanishes", &no, test_gives_up);
  add ("goes-on/when-it-cannot-save", NULL, test_cannot_save);
  if (g_test_slow ())
    add ("goes-on/when-the-commit-comes-late", NULL,
         test_commit_comes_too_late);
  return g_test_run ();
}
