/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "protocol/remote.h"
#include "shell/command.h"

G_BEGIN_DECLS

/* The key that detaches from a console when nothing else is said: ^]. */
#define REEVE_CONSOLE_ESCAPE '\x1d'

/* The flags of remote's domain_open_console. */
enum {
  REEVE_CONSOLE_FORCE = 1 << 0,
  REEVE_CONSOLE_SAFE = 1 << 1,
};

/* An option of what starts a machine. */
#define REEVE_OPTION_CONSOLE                                                   \
  {                                                                            \
    "console", REEVE_OPTION_FLAG, FALSE, FALSE, REEVE_COMPLETE_NOTHING,        \
        N_ ("use its console then")                                            \
  }

/**
 * reeve_console_run:
 * @device: (nullable): its alias; %NULL for the first console
 *
 * Ties a machine's console to the standard input and output, and says so, on
 * the standard error, where the input is a terminal.
 */
gboolean reeve_console_run (ReeveShell *shell,
                            const remote_domain *domain,
                            const char *device,
                            uint32_t flags,
                            char escape,
                            GError **error);

G_END_DECLS
