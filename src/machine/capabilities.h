/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/emulator.h"

G_BEGIN_DECLS

/* What host and emulator can do, in libvirt's XML. Both ask the emulator:
 * call them from a worker. */

/* (transfer full): <capabilities>. */
char *reeve_capabilities_format (GError **error);

/**
 * reeve_domain_capabilities_format:
 * @emulator, @arch, @type, @virt_type: (nullable): the default
 *
 * Errors: %REEVE_ERROR_INVALID_ARG for an architecture, a machine type or a
 * kind of virtualization that is not there.
 *
 * Returns: (transfer full): <domainCapabilities>
 */
char *reeve_domain_capabilities_format (const char *emulator,
                                        const char *arch,
                                        const char *type,
                                        const char *virt_type,
                                        GError **error);

G_END_DECLS
