/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "protocol/auth.h"
#include "protocol/qemu.h"
#include "protocol/remote.h"
#include "rpc/wire-json.h"
#include "rpc/wire-xdr.h"

#include <string.h>

/*
 * What a stock client and a stock server send for some procedures, byte for
 * byte: a number, an order or a type that changes here breaks them.
 */

#define UUID "\"00010203-0405-0607-0809-0a0b0c0d0e0f\""
#define UUID_HEX " 00010203 04050607 08090a0b 0c0d0e0f"
#define DOMAIN "{\"name\": \"web\", \"uuid\": " UUID ", \"id\": 5}"
#define DOMAIN_HEX " 00000003 77656200" UUID_HEX " 00000005"
#define OFF "{\"name\": \"w\", \"uuid\": " UUID ", \"id\": -1}"
#define OFF_HEX " 00000001 77000000" UUID_HEX " ffffffff"

typedef struct {
  const char *name;
  const ReeveProgram *program;
  int32_t number;
  gboolean is_ret;
  const char *json;
  const char *hex; /* blanks do not count */
} BytesCase;

static const BytesCase bytes_cases[] = {
  { "connect_open", &remote_program, 1, FALSE,
    "{\"name\": \"qemu:///system\", \"flags\": 1}",
    "00000001 0000000e 71656d75 3a2f2f2f 73797374 656d0000 00000001" },
  { "connect_open/no-name", &remote_program, 1, FALSE, "{}",
    "00000000 00000000" },
  { "connect_get_version", &remote_program, 4, TRUE, "{\"hv_ver\": 7002000}",
    "00000000 006ad790" },
  { "node_get_info", &remote_program, 6, TRUE,
    "{\"model\": [120, 56, 54, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,"
    " 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],"
    " \"memory\": 4294967296, \"cpus\": 2, \"mhz\": 3, \"nodes\": 4,"
    " \"sockets\": 5, \"cores\": 6, \"threads\": 7}",
    "00000078 00000038 00000036 00000000 00000000 00000000 00000000 00000000"
    "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000"
    "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000"
    "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000"
    "00000001 00000000 00000002 00000003 00000004 00000005 00000006 00000007" },
  { "domain_create", &remote_program, 9, FALSE, "{\"dom\": " DOMAIN "}",
    DOMAIN_HEX },
  { "domain_get_info", &remote_program, 16, TRUE,
    "{\"state\": 1, \"max_mem\": 1048576, \"memory\": 524288,"
    " \"nr_virt_cpu\": 2, \"cpu_time\": 1000000000}",
    "00000001 00000000 00100000 00000000 00080000 00000002"
    "00000000 3b9aca00" },
  { "domain_lookup_by_name", &remote_program, 23, FALSE, "{\"name\": \"web\"}",
    "00000003 77656200" },
  { "domain_lookup_by_name/ret", &remote_program, 23, TRUE,
    "{\"dom\": " OFF "}", OFF_HEX },
  { "connect_supports_feature", &remote_program, 60, FALSE, "{\"feature\": 14}",
    "0000000e" },
  { "auth_list", &auth_program, 66, TRUE, "{\"types\": [0]}",
    "00000001 00000000" },
  { "connect_list_all_domains", &remote_program, 273, FALSE,
    "{\"need_results\": 1, \"flags\": 3}", "00000001 00000003" },
  { "connect_list_all_domains/ret", &remote_program, 273, TRUE,
    "{\"domains\": [" DOMAIN ", " OFF "], \"ret\": 2}",
    "00000002" DOMAIN_HEX OFF_HEX "00000002" },
  { "connect_domain_event_callback_register_any", &remote_program, 316, FALSE,
    "{\"event_id\": 0, \"dom\": " OFF "}", "00000000 00000001" OFF_HEX },
  { "domain_event_callback_lifecycle", &remote_program, 318, FALSE,
    "{\"callback_id\": 7, \"msg\": {\"dom\": " DOMAIN
    ", \"event\": 2, \"detail\": 0}}",
    "00000007" DOMAIN_HEX "00000002 00000000" },
  { "domain_get_scheduler_parameters", &remote_program, 57, TRUE,
    "{\"params\": ["
    "{\"field\": \"a\", \"value\": {\"type\": 1, \"i\": -2}},"
    "{\"field\": \"b\", \"value\": {\"type\": 3, \"l\": -2}},"
    "{\"field\": \"c\", \"value\": {\"type\": 5, \"d\": 1.5}},"
    "{\"field\": \"d\", \"value\": {\"type\": 6, \"b\": 1}},"
    "{\"field\": \"e\", \"value\": {\"type\": 7, \"s\": \"xyz\"}}]}",
    "00000005"
    "00000001 61000000 00000001 fffffffe"
    "00000001 62000000 00000003 ffffffff fffffffe"
    "00000001 63000000 00000005 3ff80000 00000000"
    "00000001 64000000 00000006 00000001"
    "00000001 65000000 00000007 00000003 78797a00" },
  { "qemu/domain_monitor_command", &qemu_program, 1, FALSE,
    "{\"dom\": " DOMAIN ", \"cmd\": \"info\", \"flags\": 1}",
    DOMAIN_HEX "00000004 696e666f 00000001" },
};

static GByteArray *
parse_hex (const char *hex)
{
  GByteArray *bytes = g_byte_array_new ();

  for (; *hex != '\0'; hex++) {
    if (*hex != ' ') {
      uint8_t byte = (uint8_t) (g_ascii_xdigit_value (hex[0]) * 16 +
                                g_ascii_xdigit_value (hex[1]));

      g_byte_array_append (bytes, &byte, 1);
      hex++;
    }
  }

  return bytes;
}

static void
test_bytes (gconstpointer data)
{
  const BytesCase *row = data;
  const ReeveProcedure *procedure =
      reeve_program_find (row->program, row->number);
  const ReeveType *type = row->is_ret ? procedure->ret : procedure->args;
  g_autoptr (GByteArray) expected = parse_hex (row->hex);
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) node = json_from_string (row->json, &error);
  g_autofree uint8_t *actual = NULL;
  gpointer value = reeve_type_new (type);
  gssize size;

  g_assert_no_error (error);
  g_assert_true (g_strrstr (row->name, procedure->name) != NULL);
  reeve_json_decode (type, node, value, &error);
  g_assert_no_error (error);
  size = reeve_xdr_measure (type, value, &error);
  g_assert_no_error (error);
  actual = g_malloc ((size_t) size + 1);
  reeve_xdr_encode (type, value, actual, (size_t) size);
  g_assert_cmpmem (actual, (size_t) size, expected->data, expected->len);
  reeve_type_free (type, value);
}

static void
test_numbers (void)
{
  g_assert_cmphex (remote_program.number, ==, 0x20008086);
  g_assert_cmphex (qemu_program.number, ==, 0x20008087);
  g_assert_cmpuint (remote_program.version, ==, 1);
  g_assert_cmphex (auth_program.number, ==, remote_program.number);
  g_assert_cmpuint (auth_program.n_procedures + remote_program.n_procedures, ==,
                    443);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/generator/wire-bytes/numbers", test_numbers);
  for (size_t i = 0; i < G_N_ELEMENTS (bytes_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/generator/wire-bytes/", bytes_cases[i].name, NULL);

    g_test_add_data_func (path, &bytes_cases[i], test_bytes);
  }
  return g_test_run ();
}
