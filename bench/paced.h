/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "load.h"

/* Makes calls at a steady pace to the process @server; see docs/speed.md for
 * what is counted how. */
Run paced_run (Clients *clients,
               const Request *request,
               double interval_us,
               gint64 duration_us,
               pid_t server);
