/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/refs.h"
#include "event/thread.h"
#include "machine/console-log.h"
#include "machine/console-ring.h"
#include "machine/console.h"
#include "machine/paced-watch.h"

G_BEGIN_DECLS

/* The inside of a console: its viewers (console.c), how the text comes in
 * (console-pump.c), how keys go out (console-port.c). */
struct _ReeveConsole {
  ReeveRefs refs;
  char *name;          /* immutable */
  char *spool_path;    /* immutable */
  size_t buffer_bytes; /* immutable */
  ReeveLoop *loop;     /* immutable (owned) */

  /* the pump's */
  ReeveConsoleLog log;
  gboolean has_begun;
  uint64_t position; /* up to which the spool was read */
  uint64_t freed;    /* up to which its blocks were given back */
  gboolean is_warned;

  /* loop's */
  ReeveConsoleOpen open;
  gpointer open_data;
  gboolean is_shut;
  int port; /* (owned): the terminal, -1: not open */
  ReevePacedWatch watch;

  ReeveMutex lock;
  ReeveConsoleRing ring REEVE_GUARDED;
  gboolean is_loaded REEVE_GUARDED; /* the ring has what it should begin with */
  gboolean is_ended REEVE_GUARDED;
  GPtrArray *viewers REEVE_GUARDED; /* (element-type ReeveConsoleViewer) */
  uint8_t input[REEVE_CONSOLE_MAX_INPUT] REEVE_GUARDED;
  size_t n_input REEVE_GUARDED;
};

struct _ReeveConsoleViewer {
  ReeveRefs refs;
  ReeveConsole *console; /* immutable (owned) */

  /* the reader's */
  gboolean has_begun;
  uint64_t position;
  char *mark; /* (owned) (nullable): what is missing, in words */
  size_t mark_offset;

  /* under the console's lock */
  gboolean is_evicted REEVE_GUARDED;
  gboolean is_short_of_room REEVE_GUARDED;
  void (*wake) (gpointer data) REEVE_GUARDED;
  gpointer wake_data REEVE_GUARDED; /* (owned) */
  GDestroyNotify wake_free REEVE_GUARDED;
};

/* (transfer full) (nullable): one more, and the terminal is not looked at. */
ReeveConsoleViewer *reeve_console_add_viewer (ReeveConsole *self,
                                              gboolean is_forced,
                                              GError **error);

/* Wakes all viewers, or those alone that wait for room. No lock is held. */
void reeve_console_wake (ReeveConsole *self, gboolean for_room);

/* A #ReeveLoopFunc: opens or closes the terminal as there are viewers, and
 * writes what was typed. @data: (transfer full): the console. */
void reeve_console_sync_port (ReeveLoop *loop, gpointer data);

/* The same, by way of the loop. */
void reeve_console_retry_later (ReeveConsole *self);

/* @fd: (transfer full): the terminal, which is open already. */
void reeve_console_adopt_port (ReeveConsole *self, int fd);

G_END_DECLS
