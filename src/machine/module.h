/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/daemon.h"

G_BEGIN_DECLS

/* Machines, as a part of a daemon. */
extern const ReeveDaemonModule reeve_machine_module;

G_END_DECLS
