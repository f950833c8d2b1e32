/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"

#include <sys/types.h>

G_BEGIN_DECLS

/**
 * ReeveConsole:
 *
 * One terminal of a machine, for one run. QEMU holds the terminal and writes
 * all that the guest prints into a file as well, the spool: from the first
 * byte on, whether or not anybody reads, and while there is no daemon. The
 * console takes the text from the spool into a ring in memory and into a log,
 * and gives back the spool's disk blocks behind it. So no reader, and no
 * daemon that sleeps or is dead, ever holds up the guest; but without a daemon
 * the spool grows as the guest prints.
 *
 * Many viewers read the ring, each at its own place, from the oldest byte that
 * is kept. One that is slower than the guest finds a mark in the place of what
 * it missed. What viewers type goes to the terminal by a bounded queue; only
 * while there are viewers does the console hold the terminal open, so that a
 * user may have it for himself.
 */
typedef struct _ReeveConsole ReeveConsole;

/* A reader of the text, and a writer of keys. */
typedef struct _ReeveConsoleViewer ReeveConsoleViewer;

#define REEVE_CONSOLE_MAX_VIEWERS 64u
/* What was typed and not yet taken by the guest. */
#define REEVE_CONSOLE_MAX_INPUT 4096u

/**
 * ReeveConsoleLimits:
 * @buffer_bytes: of text that a viewer gets at first
 * @log_bytes: of one file of the log; 0: no log
 * @log_files: how many older files are kept beside it
 */
typedef struct {
  size_t buffer_bytes;
  size_t log_bytes;
  unsigned log_files;
} ReeveConsoleLimits;

/**
 * ReeveConsoleOpen:
 *
 * Opens the terminal for reading and writing, if it is known and QEMU lives.
 * Thread: loop.
 *
 * Returns: (transfer full): a descriptor, non-blocking; -1: not now
 */
typedef int (*ReeveConsoleOpen) (const char *name, gpointer data);

/**
 * reeve_console_new:
 * @name: QEMU's name of the device
 * @spool_path: the file that QEMU writes
 * @log_path: (nullable): the log; none if %NULL
 * @mark_path: as of #ReeveConsoleLog
 * @open, @open_data: valid until reeve_console_shut()
 *
 * Returns: (transfer full)
 */
ReeveConsole *reeve_console_new (ReeveLoop *loop,
                                 const char *name,
                                 const char *spool_path,
                                 const char *log_path,
                                 const char *mark_path,
                                 const ReeveConsoleLimits *limits,
                                 ReeveConsoleOpen open,
                                 gpointer open_data);
ReeveConsole *reeve_console_ref (ReeveConsole *self);
void reeve_console_unref (ReeveConsole *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveConsole, reeve_console_unref)

const char *reeve_console_get_name (ReeveConsole *self);
const char *reeve_console_get_spool_path (ReeveConsole *self);

/* Makes the spool, empty, before QEMU is spawned. Thread: worker. */
gboolean reeve_console_prepare (ReeveConsole *self, GError **error);

/**
 * reeve_console_pump:
 *
 * Takes what the spool has. Of a console that was not prepared, it first takes
 * up what an earlier daemon had read. Thread: worker, one at a time.
 *
 * Returns: whether there may be more: it reads a bounded amount
 */
gboolean reeve_console_pump (ReeveConsole *self);

/* QEMU is gone and the spool was read: viewers see the end. Thread: any. */
void reeve_console_end (ReeveConsole *self);

/* Opens the terminal if that is needed and was not possible before. Thread:
 * loop. */
void reeve_console_retry (ReeveConsole *self);
/* Closes the terminal for good. Thread: loop. */
void reeve_console_shut (ReeveConsole *self);

/**
 * reeve_console_attach:
 * @is_forced: whether all other viewers see the end now
 *
 * Thread: any. Errors: %REEVE_ERROR_LIMIT
 *
 * Returns: (transfer full): for reeve_console_viewer_detach()
 */
ReeveConsoleViewer *
reeve_console_attach (ReeveConsole *self, gboolean is_forced, GError **error);
void reeve_console_viewer_detach (ReeveConsoleViewer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveConsoleViewer, reeve_console_viewer_detach)

/**
 * reeve_console_viewer_set_wake:
 * @wake: called with no lock held, on any thread, when there is something to
 *   read, or room to write after there was none; once too often perhaps
 * @data: (transfer full): freed after the last call
 */
void reeve_console_viewer_set_wake (ReeveConsoleViewer *self,
                                    void (*wake) (gpointer data),
                                    gpointer data,
                                    GDestroyNotify free_func);

/**
 * reeve_console_viewer_read:
 * @size: > 0
 *
 * Never waits. Thread: any, one at a time for each viewer.
 *
 * Returns: how many bytes were read, a mark for missed ones included; 0: none
 * is there; -1: the end
 */
gssize reeve_console_viewer_read (ReeveConsoleViewer *self,
                                  uint8_t *buffer,
                                  size_t size);

/**
 * reeve_console_viewer_write:
 *
 * Never waits. Thread: any, one at a time for each viewer.
 *
 * Returns: how many bytes were taken; 0: there is no room, and the wake
 * function will tell of it. All, for a viewer that is at the end.
 */
size_t reeve_console_viewer_write (ReeveConsoleViewer *self,
                                   const uint8_t *data,
                                   size_t size);

G_END_DECLS
