/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Reads a Linux key's name ("KEY_LEFTCTRL") or its number. */
gboolean reeve_keycode_parse (const char *text, uint32_t *code);

G_END_DECLS
