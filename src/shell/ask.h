/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/connection.h"

G_BEGIN_DECLS

/* A ReeveAskFunc: asks at the terminal, where nobody sees a password being
 * typed. NULL without a terminal, and at its end. */
char *reeve_ask (ReeveCredential which, const char *host, gpointer data);

G_END_DECLS
