/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/* A message's header in libvirt's framing, which a null call and its reply
 * have nothing but. Of a reply in JSON it is what says whether it is one. */
#define HEADER_SIZE 28

/* A call to be made again and again, in libvirt's framing or in JSON. */
typedef struct {
  uint32_t program;
  uint32_t version;
  uint32_t procedure;
  GBytes *args; /* (owned) (nullable) */
  char *text;   /* (owned) (nullable): all of a call in JSON */
} Request;

/* Frames of calls, one after the other; (element-type guint8) (transfer full)
 */
GByteArray *request_make_frames (const Request *self, unsigned n_calls);

/* What of a reply was read. */
typedef struct {
  uint8_t header[HEADER_SIZE];
  unsigned header_size;
  size_t n_left; /* behind the header, unless it is JSON */
} Replies;

/* Returns how many replies end in @data. One that is an error ends the
 * process. */
unsigned replies_take (Replies *self, const uint8_t *data, size_t size);
