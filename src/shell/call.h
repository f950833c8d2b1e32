/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/description.h"
#include "shell/command.h"

G_BEGIN_DECLS

/* (transfer full): "program.procedure" of those that are compiled in. */
GStrv reeve_call_list_procedures (void);

/**
 * reeve_call_find_program:
 * @description: (out): what the program is a part of, if the server has
 *   described it
 *
 * A program that the shell's connection can call, as the server describes it;
 * for a server that describes nothing, as we know it.
 */
const ReeveProgram *reeve_call_find_program (ReeveShell *shell,
                                             const char *name,
                                             ReeveDescription **description,
                                             GError **error);

/* ------------------------------------------------------- introspect.c --- */

gboolean reeve_introspect_run (ReeveShell *shell,
                               const ReeveArguments *arguments,
                               GError **error);

G_END_DECLS
