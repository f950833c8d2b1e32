/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/*
 * What each message is about that data/systemd/reeve.catalog explains; its
 * MESSAGE_ID in the journal. An id never changes its meaning.
 */
#define REEVE_MESSAGE_READY "e243cd781c134694a00222635ebcfe3b"
#define REEVE_MESSAGE_STOPPING "249b8a6adfc940fd9fd0959ddf39fc3d"
#define REEVE_MESSAGE_STOPPING_IDLE "5906369851a848a6996b8a6a8169aeee"
#define REEVE_MESSAGE_RELOADED "a30e49afd33b4fcfa011995454c44f6b"
#define REEVE_MESSAGE_NOT_RELOADED "683a4b6f4c27474ebe18d44bdd381949"
#define REEVE_MESSAGE_START_FAILED "6e809eb03689472ead1a22224cbd0bb1"
#define REEVE_MESSAGE_OVERDUE "0ae296ab45bc4ea49959fb5b8ade90ef"
#define REEVE_MESSAGE_STUCK_STOP "0ba4d4ee1de9464fbe9cb463dbaf57f0"
#define REEVE_MESSAGE_CRASHED "c76f34728a5445e388bf31910230553e"

/* As g_log(), with the id of the message. */
#define reeve_log_message(level, id, ...)                                      \
  g_log_structured (G_LOG_DOMAIN, (level), "MESSAGE_ID", (id), "CODE_FILE",    \
                    __FILE__, "CODE_LINE", G_STRINGIFY (__LINE__),             \
                    "CODE_FUNC", G_STRFUNC, "MESSAGE", __VA_ARGS__)
