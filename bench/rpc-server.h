/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "server.h"

/* Each serves on a unix socket; that of libreeve on ports of TCP and, with a
 * certificate, TLS as well. The floor sends back what comes. */
void serve_reeve (const ServeOptions *options);
void serve_echo (const ServeOptions *options);
