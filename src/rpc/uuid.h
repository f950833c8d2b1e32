/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

#define REEVE_UUID_SIZE 16
#define REEVE_UUID_TEXT_SIZE 37 /* with the NUL */

/* Reads 32 hexadecimal digits, with dashes anywhere between bytes. */
gboolean reeve_uuid_parse (const char *text, uint8_t *uuid);

/* Writes REEVE_UUID_TEXT_SIZE bytes, in the usual form. */
void reeve_uuid_format (const uint8_t *uuid, char *text);

/* Makes a random one (version 4). */
void reeve_uuid_generate (uint8_t *uuid);

G_END_DECLS
