/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"
#include "machine/config.h"
#include "machine/machine-list.h"

/*
 * A list of machines in a fresh directory, with a loop that the test turns,
 * and guests of a few bytes that power off, reset or panic. The fixture itself
 * is an owner of machines that end with it.
 */

typedef struct {
  ReeveLoop *loop;
  ReeveMachineList *list;
  char *root;
  char *uuid; /* of the one machine; another one in each test */
  char *config_dir;
  char *run_dir;
  char *log_dir;
  char *console_log_dir;
  GString *events; /* "5/1 reboot ": lifecycle events and others */
} Fixture;

/* The end of an operation, or the answer to a question. */
typedef struct {
  unsigned n_calls;
  int code;
  char *message;
  char *text;
} Ended;

typedef enum {
  GUEST_IDLE,      /* no disk: the firmware finds nothing to boot */
  GUEST_POWER_OFF, /* at once */
  GUEST_BUTTON,    /* when its power button is pressed */
  GUEST_RESET,     /* again and again */
  GUEST_PANIC,
} Guest;

/* Whether there is a QEMU; skips the test if not. */
gboolean fixture_has_qemu (void);

void fixture_set_up (Fixture *self);
void fixture_tear_down (Fixture *self);
/* Lets the list go, as the end of a daemon does, and loads a new one. */
void fixture_restart (Fixture *self);
void fixture_close_list (Fixture *self);
void fixture_open_list (Fixture *self);

typedef struct {
  const char *name;
  void (*func) (Fixture *self);
  gboolean needs_qemu;
} FixtureRow;

/* main(): each row has a fixture of its own, and is named @path/NAME. */
int fixture_main (int argc,
                  char **argv,
                  const char *path,
                  const FixtureRow *rows,
                  size_t n_rows);

/* One turn of the loop, waiting for something to happen. */
void fixture_turn (Fixture *self);
/* Turns it until *@count is not 0. */
void fixture_wait (Fixture *self, const unsigned *count);
/* Turns it until the events so far contain @words. */
void fixture_wait_for_event (Fixture *self, const char *words);

/* (transfer full): the machine's XML; @more goes into it. */
char *fixture_make_xml (Fixture *self,
                        const char *name,
                        Guest guest,
                        const char *more);
ReeveMachine *fixture_define (Fixture *self, Guest guest, const char *more);

void on_ended (ReeveMachine *machine, const GError *error, gpointer data);
void on_text (ReeveMachine *machine,
              const char *text,
              const GError *error,
              gpointer data);
void ended_clear (Ended *self);

gint64 fixture_deadline (unsigned seconds);
/* Starts it, which has to succeed. */
void fixture_start (Fixture *self,
                    ReeveMachine *machine,
                    ReeveMachineStartFlags flags);
/* Returns the error's code. */
int fixture_run (Fixture *self,
                 ReeveMachine *machine,
                 ReeveMachineOperation operation);
int fixture_destroy (Fixture *self, ReeveMachine *machine);

/* "3/1": state and reason. */
char *fixture_get_state (ReeveMachine *machine);
#define assert_state(machine, expected)                                        \
  G_STMT_START                                                                 \
  {                                                                            \
    g_autofree char *state_ = fixture_get_state (machine);                     \
    g_assert_cmpstr (state_, ==, expected);                                    \
  }                                                                            \
  G_STMT_END
int fixture_get_id (ReeveMachine *machine);
pid_t fixture_get_pid (ReeveMachine *machine);
