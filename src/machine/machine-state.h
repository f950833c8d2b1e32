/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/console.h"
#include "machine/machine-list.h"
#include "protocol/machine-state.h"

G_BEGIN_DECLS

/*
 * What goes along when another daemon takes over, in the files of the parts:
 * machine-state.c has the machines, console-state.c their consoles,
 * session-state.c what is kept for clients. Thread: loop.
 */

/* (transfer full) (element-type ReeveMachine): that are destroyed when @owner
 * goes. */
GPtrArray *
reeve_machine_list_get_owned (ReeveMachineList *self, gconstpointer owner);
void reeve_machine_set_owner (ReeveMachine *self, gconstpointer owner);

/* Closes the terminal, and leaves it as it is. */
void reeve_console_leave (ReeveConsole *self);
void reeve_console_save (ReeveConsole *self,
                         ReeveSavedState *state,
                         machine_state_console *saved);
gboolean reeve_console_restore (ReeveConsole *self,
                                ReeveSavedState *state,
                                const machine_state_console *saved,
                                GError **error);

/* All but which machine it is of. */
void reeve_console_viewer_save (ReeveConsoleViewer *self,
                                machine_state_viewer *saved);
/* Errors: REEVE_ERROR_LIMIT. */
ReeveConsoleViewer *
reeve_console_viewer_restore (ReeveConsole *self,
                              const machine_state_viewer *saved,
                              GError **error);

G_END_DECLS
