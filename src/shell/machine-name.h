/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "protocol/remote.h"
#include "rpc/uuid.h"
#include "shell/command.h"

G_BEGIN_DECLS

/* How a command names the machine it is about. */

/* The option "domain", required. */
#define REEVE_OPTION_MACHINE(completion)                                       \
  {                                                                            \
    "domain", REEVE_OPTION_STRING, TRUE, FALSE, completion,                    \
        N_ ("name, id or uuid of the machine")                                 \
  }

/**
 * reeve_machine_name_resolve:
 * @name: an id (digits), a uuid or a name
 * @domain: (out caller-allocates): zeroed; clear it with
 *   remote_domain_clear()
 */
gboolean reeve_machine_name_resolve (ReeveShell *shell,
                                     const char *name,
                                     remote_domain *domain,
                                     GError **error);

/* The same for the option "domain" of @arguments. */
gboolean reeve_machine_name_get (ReeveShell *shell,
                                 const ReeveArguments *arguments,
                                 remote_domain *domain,
                                 GError **error);

/**
 * reeve_machine_name_list:
 * @flags: libvirt's list filters; 0 for all
 *
 * Returns: (transfer full) (nullable): the names
 */
GStrv
reeve_machine_name_list (ReeveShell *shell, uint32_t flags, GError **error);

G_END_DECLS
