/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/emulator.h"
#include "machine/probe.h"
#include "rpc/error.h"

#include <string.h>
#include <sys/wait.h>

#define TIMEOUT_MS 30000

static const char *
find_qemu (void)
{
  if (g_file_test (REEVE_EMULATOR_DEFAULT, G_FILE_TEST_IS_EXECUTABLE))
    return REEVE_EMULATOR_DEFAULT;
  g_test_skip (REEVE_EMULATOR_DEFAULT " is not installed");
  return NULL;
}

static void
test_probe_tells_output_and_status (void)
{
  const char *const argv[] = { "/bin/sh", "-c", "echo words; exit 3", NULL };
  g_autoptr (GError) error = NULL;
  int status = 0;
  g_autofree char *text = reeve_probe_run (argv, TIMEOUT_MS, &status, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (text, ==, "words\n");
  g_assert_cmpint (WEXITSTATUS (status), ==, 3);
}

static void
test_probe_kills_what_does_not_end (void)
{
  const char *const argv[] = { "/bin/sleep", "1000", NULL };
  g_autoptr (GError) error = NULL;

  g_assert_null (reeve_probe_run (argv, 50, NULL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT);
}

static void
test_probe_bounds_output (void)
{
  const char *const argv[] = { "/usr/bin/yes", NULL };
  g_autoptr (GError) error = NULL;

  g_assert_null (reeve_probe_run (argv, TIMEOUT_MS, NULL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT);
}

static void
test_knows_qemu (void)
{
  const char *path = find_qemu ();
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveEmulator) emulator = NULL;
  g_autoptr (ReeveEmulator) again = NULL;
  const char *real;

  if (path == NULL)
    return;
  emulator = reeve_emulator_get (path, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (emulator->version, >=, 5000000);
  real = reeve_emulator_resolve_type (emulator, "pc");
  g_assert_true (g_str_has_prefix (real, "pc-i440fx-"));
  g_assert_cmpstr (reeve_emulator_resolve_type (emulator, real), ==, real);
  g_assert_null (reeve_emulator_resolve_type (emulator, "moon"));
  again = reeve_emulator_get (path, NULL);
  g_assert_true (again == emulator);
}

typedef struct {
  const char *name;
  const char *path;
  const char *part;
} BadEmulator;

static const BadEmulator bad_emulators[] = {
  { "missing", "/no/such/qemu", "/no/such/qemu" },
  { "that-says-nothing", "/bin/true", "version" },
  { "that-fails", "/bin/false", "/bin/false" },
  { "that-never-stops", "/usr/bin/yes", "/usr/bin/yes" },
};

static void
test_bad (gconstpointer data)
{
  const BadEmulator *row = data;
  g_autoptr (GError) error = NULL;

  g_assert_null (reeve_emulator_get (row->path, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, row->part));
}

#define DEFINITION(type, machine)                                              \
  "<domain type='" type "'><name>m</name><memory>1024</memory><os>"            \
  "<type arch='x86_64' machine='" machine "'>hvm</type></os></domain>"

static ReeveConfig *
fit (const char *xml, GError **error)
{
  g_autoptr (ReeveConfig) config = reeve_config_new_from_xml (xml, NULL);

  g_assert_nonnull (config);
  return reeve_emulator_fit_config (config, error);
}

static void
test_fits_machine_type (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConfig) config = NULL;
  g_autoptr (ReeveConfig) wrong = NULL;

  if (find_qemu () == NULL)
    return;
  config = fit (DEFINITION ("qemu", "q35"), &error);
  g_assert_no_error (error);
  g_assert_true (
      g_str_has_prefix (reeve_config_get_machine (config), "pc-q35-"));

  wrong = fit (DEFINITION ("qemu", "moon"), &error);
  g_assert_null (wrong);
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "moon"));
}

static void
test_fits_kvm_where_it_is (void)
{
  const char *path = find_qemu ();
  g_autofree char *refusal = NULL;
  g_autoptr (ReeveEmulator) emulator = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConfig) config = NULL;

  if (path == NULL)
    return;
  emulator = reeve_emulator_get (path, NULL);
  refusal = reeve_emulator_dup_kvm_refusal (emulator);
  config = fit (DEFINITION ("kvm", "pc"), &error);
  if (refusal == NULL) {
    g_assert_no_error (error);
    g_assert_true (reeve_config_is_kvm (config));
  } else {
    g_assert_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED);
    g_assert_nonnull (strstr (error->message, refusal));
  }
}

#define ADD(name, func) g_test_add_func ("/machine/emulator/" name, func)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("probe-tells-output-and-status", test_probe_tells_output_and_status);
  ADD ("probe-kills-what-does-not-end", test_probe_kills_what_does_not_end);
  ADD ("probe-bounds-output", test_probe_bounds_output);
  ADD ("knows-qemu", test_knows_qemu);
  ADD ("fits-machine-type", test_fits_machine_type);
  ADD ("fits-kvm-where-it-is", test_fits_kvm_where_it_is);
  for (size_t i = 0; i < G_N_ELEMENTS (bad_emulators); i++) {
    g_autofree char *name =
        g_strconcat ("/machine/emulator/bad/", bad_emulators[i].name, NULL);

    g_test_add_data_func (name, &bad_emulators[i], test_bad);
  }
  return g_test_run ();
}
