/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan.h"

#include "nothing.h"

#include <string.h>

/* clang-format off */
#define ASKED { 0, 0 }
#define BUSY { 64, 4 }
#define DEEP { 64, 16 }
#define LONE { 1, 1 }
#define LONG { 1, 64 }
#define PIPE { 1, 16 }
#define FULL { 16, 4 }
#define PEER { 1, PEER_DEPTH }

const Plan plans[] = {
  { "floor, 64 x 4", FLOOR, UNIX, CALLS, ON_LOOP, BUSY },
  { "inline, 64 x 4", REEVE, UNIX, CALLS, ON_LOOP, BUSY },
  { "normal, 64 x 4", REEVE, UNIX, CALLS, NORMAL, BUSY },
  { "priority, 64 x 4", REEVE, UNIX, CALLS, PRIORITY, BUSY },
  { "inline, 64 x 4, 10 000 idle", REEVE_10000, UNIX, CALLS, ON_LOOP, BUSY },
  { "inline, 64 x 4, 18 000 idle", REEVE_18000, UNIX, CALLS, ON_LOOP, BUSY },
  { "normal, 64 x 4, 10 000 idle", REEVE_10000, UNIX, CALLS, NORMAL, BUSY },
  { "normal, 64 x 4, 18 000 idle", REEVE_18000, UNIX, CALLS, NORMAL, BUSY },

  { "inline, 64 x 4, loops", REEVE_LOOPS, UNIX, CALLS, ON_LOOP, BUSY },
  { "normal, 64 x 4, loops", REEVE_LOOPS, UNIX, CALLS, NORMAL, BUSY },

  { "floor, 1 x 1", FLOOR, UNIX, CALLS, ON_LOOP, LONE },
  { "inline, 1 x 1", REEVE, UNIX, CALLS, ON_LOOP, LONE },
  { "normal, 1 x 1", REEVE, UNIX, CALLS, NORMAL, LONE },
  { "inline, 1 x 1, a call sleeps", REEVE, UNIX, BESIDE, ON_LOOP, LONE },
  { "normal, 1 x 1, a call sleeps", REEVE, UNIX, BESIDE, NORMAL, LONE },
  { "floor, 1 x 16", FLOOR, UNIX, CALLS, ON_LOOP, PIPE },
  { "inline, 1 x 16", REEVE, UNIX, CALLS, ON_LOOP, PIPE },
  { "normal, 1 x 16", REEVE, UNIX, CALLS, NORMAL, PIPE },

  { "floor, 64 x 1", FLOOR, UNIX, CALLS, ON_LOOP, { 64, 1 } },
  { "floor, at half of that", FLOOR, UNIX, PACED, ON_LOOP, { 0 } },
  { "inline, 64 x 1", REEVE, UNIX, CALLS, ON_LOOP, { 64, 1 } },
  { "inline, at half of that", REEVE, UNIX, PACED, ON_LOOP, { 0 } },
  { "normal, 64 x 1", REEVE, UNIX, CALLS, NORMAL, { 64, 1 } },
  { "normal, at half of that", REEVE, UNIX, PACED, NORMAL, { 0 } },

  { "floor, echo of 64 B", FLOOR, UNIX, CALLS, ECHO_64, FULL },
  { "normal, echo of 64 B", REEVE, UNIX, CALLS, ECHO_64, FULL },
  { "floor, echo of 1 KiB", FLOOR, UNIX, CALLS, ECHO_1024, FULL },
  { "normal, echo of 1 KiB", REEVE, UNIX, CALLS, ECHO_1024, FULL },
  { "floor, echo of 12 KiB", FLOOR, UNIX, CALLS, ECHO_12288, FULL },
  { "normal, echo of 12 KiB", REEVE, UNIX, CALLS, ECHO_12288, FULL },
  { "normal, list of 100", REEVE, UNIX, CALLS, ROWS, FULL },
  { "normal, JSON", REEVE, JSON, CALLS, JSON_NULL, FULL },
  { "normal, JSON, echo of 1 KiB", REEVE, JSON, CALLS, JSON_ECHO, FULL },
  { "normal, JSON, list of 100", REEVE, JSON, CALLS, JSON_ROWS, FULL },

  { "floor, --load", FLOOR, UNIX, CALLS, ON_LOOP, ASKED },
  { "inline, --load", REEVE, UNIX, CALLS, ON_LOOP, ASKED },
  { "normal, --load", REEVE, UNIX, CALLS, NORMAL, ASKED },

  { "floor, connections", FLOOR, UNIX, CONNECTIONS, ON_LOOP, { 0 } },
  { "inline, connections", REEVE, UNIX, CONNECTIONS, ON_LOOP, { 0 } },
  { "normal, connections", REEVE, UNIX, CONNECTIONS, NORMAL, { 0 } },
  { "floor, 64 x 4, TCP", FLOOR, TCP, CALLS, ON_LOOP, BUSY },
  { "inline, 64 x 4, TCP", REEVE, TCP, CALLS, ON_LOOP, BUSY },
  { "inline, 64 x 4, TLS", REEVE, TLS, CALLS, ON_LOOP, BUSY },
  { "normal, 64 x 4, TCP", REEVE, TCP, CALLS, NORMAL, BUSY },
  { "normal, 64 x 4, TLS", REEVE, TLS, CALLS, NORMAL, BUSY },
  { "floor, 64 x 16", FLOOR, UNIX, CALLS, ON_LOOP, DEEP },
  { "floor, 64 x 16, TCP", FLOOR, TCP, CALLS, ON_LOOP, DEEP },
  { "inline, 64 x 16", REEVE, UNIX, CALLS, ON_LOOP, DEEP },
  { "inline, 64 x 16, TCP", REEVE, TCP, CALLS, ON_LOOP, DEEP },
  { "inline, 64 x 16, TLS", REEVE, TLS, CALLS, ON_LOOP, DEEP },
  { "normal, 64 x 16", REEVE, UNIX, CALLS, NORMAL, DEEP },
  { "normal, 64 x 16, TCP", REEVE, TCP, CALLS, NORMAL, DEEP },
  { "normal, 64 x 16, TLS", REEVE, TLS, CALLS, NORMAL, DEEP },
  { "floor, 1 x 64", FLOOR, UNIX, CALLS, ON_LOOP, LONG },
  { "floor, 1 x 64, TCP", FLOOR, TCP, CALLS, ON_LOOP, LONG },
  { "inline, 1 x 64", REEVE, UNIX, CALLS, ON_LOOP, LONG },
  { "inline, 1 x 64, TCP", REEVE, TCP, CALLS, ON_LOOP, LONG },
  { "normal, 1 x 64", REEVE, UNIX, CALLS, NORMAL, LONG },
  { "normal, 1 x 64, TCP", REEVE, TCP, CALLS, NORMAL, LONG },
  { "floor, echo of 1 KiB, TCP", FLOOR, TCP, CALLS, ECHO_1024, FULL },
  { "normal, echo of 1 KiB, TCP", REEVE, TCP, CALLS, ECHO_1024, FULL },
  { "normal, list of 100, TCP", REEVE, TCP, CALLS, ROWS, FULL },
  { "TLS handshakes", REEVE, TLS, HANDSHAKES, ON_LOOP, { 0 } },
  { "gnutls-serv, handshakes", GNUTLS_SERV, TLS, HANDSHAKES, ON_LOOP, { 0 } },

  { "GDBus, 64 in flight", GDBUS, UNIX, CALLS, ON_LOOP, PEER },
  { "sd-bus, 64 in flight", SDBUS, UNIX, CALLS, ON_LOOP, PEER },
  { "gRPC, 64 x 4", GRPC, UNIX, CALLS, ON_LOOP, BUSY },
  { "reeved, version, 64 x 4", REEVED, UNIX, CALLS, VERSION, BUSY },
  { "libvirtd, version, 64 x 4", LIBVIRTD, UNIX, CALLS, VERSION, BUSY },
  { "reeved, connections", REEVED, UNIX, CONNECTIONS, VERSION, { 0 } },
  { "libvirtd, connections", LIBVIRTD, UNIX, CONNECTIONS, VERSION, { 0 } },
  { "reeved, list of 100, 8 x 1", REEVED, UNIX, CALLS, LIST, { 8, 1 } },
  { "libvirtd, list of 100, 8 x 1", LIBVIRTD, UNIX, CALLS, LIST, { 8, 1 } },
  { "reeved, XML of 12 KB, 8 x 1", REEVED, UNIX, CALLS, XML, { 8, 1 } },
  { "libvirtd, XML of 12 KB, 8 x 1", LIBVIRTD, UNIX, CALLS, XML, { 8, 1 } },
};
/* clang-format on */

const unsigned n_plans = G_N_ELEMENTS (plans);

/* ------------------------------------------------------------ requests --- */

static void
append_word (GByteArray *bytes, uint32_t word)
{
  word = GUINT32_TO_BE (word);
  g_byte_array_append (bytes, (const guint8 *) &word, sizeof word);
}

static GBytes *
parse_hex (const char *text)
{
  GByteArray *bytes = g_byte_array_new ();

  for (; text[0] != '\0' && text[1] != '\0'; text += 2) {
    guint8 byte = (guint8) (g_ascii_xdigit_value (text[0]) << 4 |
                            g_ascii_xdigit_value (text[1]));

    g_byte_array_append (bytes, &byte, 1);
  }
  return g_byte_array_free_to_bytes (bytes);
}

/* As an optional string, with flags behind it. */
static GBytes *
pack_uri (const char *uri)
{
  GByteArray *bytes = g_byte_array_new ();
  static const char zeros[7];

  append_word (bytes, 1);
  append_word (bytes, (uint32_t) strlen (uri));
  g_byte_array_append (bytes, (const guint8 *) uri, (guint) strlen (uri));
  g_byte_array_append (bytes, (const guint8 *) zeros, 4 + (-strlen (uri) & 3));
  return g_byte_array_free_to_bytes (bytes);
}

static GBytes *
pack_word (uint32_t word)
{
  GByteArray *bytes = g_byte_array_new ();

  append_word (bytes, word);
  return g_byte_array_free_to_bytes (bytes);
}

/* @size zeros, a multiple of four, behind their number. */
static GBytes *
pack_zeros (uint32_t size)
{
  GByteArray *bytes = g_byte_array_new ();

  append_word (bytes, size);
  g_byte_array_set_size (bytes, bytes->len + size);
  memset (bytes->data + bytes->len - size, 0, size);
  return g_byte_array_free_to_bytes (bytes);
}

static Request
ask_nothing (uint32_t procedure, GBytes *args)
{
  return (Request){ .program = nothing_program.number,
                    .version = nothing_program.version,
                    .procedure = procedure,
                    .args = args };
}

static Request
ask_json (const char *method, const char *params)
{
  return (Request){ .text = g_strdup_printf (
                        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
                        "\"nothing.%s\",\"params\":{%s}}\n",
                        method, params) };
}

static Request
ask_json_echo (gsize size)
{
  g_autofree guchar *zeros = g_malloc0 (size);
  g_autofree char *text = g_base64_encode (zeros, size);
  g_autofree char *params = g_strdup_printf ("\"bytes\":\"%s\"", text);

  return ask_json ("echo", params);
}

static Request
ask_libvirt (uint32_t procedure, GBytes *args)
{
  return (Request){
    .program = 0x20008086, .version = 1, .procedure = procedure, .args = args
  };
}

void
requests_init (Request *self, const char *machine_args, unsigned sleep_ms)
{
  self[ON_LOOP] = ask_nothing (NOTHING_PROC_ON_LOOP, NULL);
  self[NORMAL] = ask_nothing (NOTHING_PROC_NORMAL, NULL);
  self[PRIORITY] = ask_nothing (NOTHING_PROC_PRIORITY, NULL);
  self[ROWS] = ask_nothing (NOTHING_PROC_LIST, NULL);
  self[ECHO_64] = ask_nothing (NOTHING_PROC_ECHO, pack_zeros (64));
  self[ECHO_1024] = ask_nothing (NOTHING_PROC_ECHO, pack_zeros (1024));
  self[ECHO_12288] = ask_nothing (NOTHING_PROC_ECHO, pack_zeros (12288));
  self[SLEEP] = ask_nothing (NOTHING_PROC_SLEEP, pack_word (sleep_ms));
  self[JSON_NULL] = ask_json ("normal", "");
  self[JSON_ROWS] = ask_json ("list", "");
  self[JSON_ECHO] = ask_json_echo (1024);
  self[OPEN] = ask_libvirt (1, pack_uri ("qemu:///system"));
  self[VERSION] = ask_libvirt (157, NULL);
  self[LIST] = ask_libvirt (273, parse_hex ("0000000100000000"));
  self[XML] =
      ask_libvirt (14, machine_args == NULL ? NULL : parse_hex (machine_args));
}

void
requests_clear (Request *self)
{
  for (unsigned i = 0; i < N_REQUESTS; i++) {
    g_clear_pointer (&self[i].args, g_bytes_unref);
    g_clear_pointer (&self[i].text, g_free);
  }
}
