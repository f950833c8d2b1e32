/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/* What libFuzzer calls, or replay.c for each file of the corpus. Whatever the
 * bytes are, it returns 0; what must not be is an assertion. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* What is wrong with the bytes is not said: it would be most of the time. */
static inline GLogWriterOutput
fuzz_write_log (GLogLevelFlags level,
                const GLogField *fields,
                gsize n_fields,
                gpointer data)
{
  return (level & G_LOG_LEVEL_MASK) <= G_LOG_LEVEL_CRITICAL
             ? g_log_writer_default (level, fields, n_fields, data)
             : G_LOG_WRITER_HANDLED;
}
