/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/daemon.h"
#include "machine/machine-list.h"

G_BEGIN_DECLS

/* Machines, as a part of a daemon. */
extern const ReeveDaemonModule reeve_machine_module;

/* (transfer none): of what reeve_daemon_get_state() has for the module. */
ReeveMachineList *reeve_machine_module_get_machines (gpointer state);

G_END_DECLS
