/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/emulator-cache.h"

#include "event/fd.h"
#include "event/intl.h" /* for the version */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/*
 * A file is the SHA-256 of what follows, and a key file. A damaged one is
 * found out by the first; all else has to be as it was written.
 */

#define FORMAT "1"
#define GROUP "emulator"
#define MAX_BYTES (1024 * 1024)
#define MAX_NAMES 8192
#define MAX_NAME 256
/* SHA-256 in hexadecimal. */
#define SUM_LENGTH 64

/* Where distributions have what QEMU loads at run time, below its prefix. */
static const char *const module_dirs[] = {
  "lib/qemu",
  "lib64/qemu",
  "lib/x86_64-linux-gnu/qemu",
};

void
reeve_emulator_cache_init (ReeveEmulatorCache *self, const char *dir)
{
  self->dir = g_build_filename (dir, "emulators", NULL);
}

void
reeve_emulator_cache_clear (ReeveEmulatorCache *self)
{
  g_clear_pointer (&self->dir, g_free);
}

/* ------------------------------------------------------------- identity --- */

static void
add_file (GString *text, const struct stat *file)
{
  g_string_append_printf (
      text, " %ju:%ju:%jd:%jd.%09ld:%jd.%09ld", (uintmax_t) file->st_dev,
      (uintmax_t) file->st_ino, (intmax_t) file->st_size,
      (intmax_t) file->st_mtim.tv_sec, file->st_mtim.tv_nsec,
      (intmax_t) file->st_ctim.tv_sec, file->st_ctim.tv_nsec);
}

static void
add_dir (GString *text, const char *path)
{
  struct stat dir;

  if (stat (path, &dir) == 0)
    add_file (text, &dir);
}

/* A package with devices or an accelerator is a new file there. */
static void
add_modules (GString *text, const char *path)
{
  g_autofree char *real = realpath (path, NULL);
  g_autofree char *bin = g_path_get_dirname (real != NULL ? real : path);
  g_autofree char *prefix = g_path_get_dirname (bin);
  const char *chosen = g_getenv ("QEMU_MODULE_DIR");

  g_string_append (text, " modules");
  if (chosen != NULL)
    add_dir (text, chosen);
  for (size_t i = 0; i < G_N_ELEMENTS (module_dirs); i++) {
    g_autofree char *dir = g_build_filename (prefix, module_dirs[i], NULL);

    add_dir (text, dir);
  }
}

char *
reeve_emulator_cache_identify (const char *path, const struct stat *binary)
{
  GString *text = g_string_new (FORMAT " " REEVE_VERSION);

  add_file (text, binary);
  add_modules (text, path);
  g_string_append (text,
                   access ("/dev/kvm", R_OK | W_OK) == 0 ? " kvm" : " no-kvm");
  return g_string_free (text, FALSE);
}

/* (transfer full) (nullable): KVM is the running kernel's. */
static char *
read_boot_id (void)
{
  char *text = NULL;

  if (!g_file_get_contents ("/proc/sys/kernel/random/boot_id", &text, NULL,
                            NULL))
    return NULL;
  return g_strchomp (text);
}

/* -------------------------------------------------------------- reading --- */

static char *
make_path (const ReeveEmulatorCache *self, const char *binary)
{
  g_autofree char *sum =
      g_compute_checksum_for_string (G_CHECKSUM_SHA256, binary, -1);
  g_autofree char *name = g_strconcat (sum, ".emulator", NULL);

  return g_build_filename (self->dir, name, NULL);
}

static gboolean
is_trusted (int fd, size_t *size)
{
  struct stat file;

  if (fstat (fd, &file) < 0 || !S_ISREG (file.st_mode) ||
      file.st_uid != geteuid () || (file.st_mode & 022) != 0 ||
      file.st_size <= SUM_LENGTH || file.st_size > MAX_BYTES)
    return FALSE;
  *size = (size_t) file.st_size;
  return TRUE;
}

/* (transfer full) (nullable): without its sum, which is right. */
static char *
read_text (const char *path, const char **why)
{
  REEVE_AUTOFD int fd =
      open (path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  g_autofree char *text = NULL;
  g_autofree char *sum = NULL;
  size_t size;

  if (fd < 0) {
    *why = errno == ENOENT ? NULL : g_strerror (errno);
    return NULL;
  }
  *why = "it is not a file of ours";
  if (!is_trusted (fd, &size))
    return NULL;

  *why = "it is damaged";
  text = g_malloc (size + 1);
  if (read (fd, text, size) != (ssize_t) size)
    return NULL;
  text[size] = '\0';
  sum = g_compute_checksum_for_data (
      G_CHECKSUM_SHA256, (const guchar *) text + SUM_LENGTH, size - SUM_LENGTH);
  if (memcmp (text, sum, SUM_LENGTH) != 0)
    return NULL;
  return g_strdup (text + SUM_LENGTH);
}

/* (nullable): all of them are short, and none is empty unless it may be. */
static char **
get_names (GKeyFile *file, const char *key, gboolean may_be_empty)
{
  gsize n_names = 0;
  g_auto (GStrv) names =
      g_key_file_get_string_list (file, GROUP, key, &n_names, NULL);

  if (names == NULL || n_names > MAX_NAMES)
    return NULL;
  for (gsize i = 0; i < n_names; i++) {
    size_t length = strlen (names[i]);

    if (length > MAX_NAME || (length == 0 && !may_be_empty))
      return NULL;
  }
  return g_steal_pointer (&names);
}

static gboolean
take_names (ReeveEmulator *emulator, GKeyFile *file)
{
  g_auto (GStrv) types = get_names (file, "types", FALSE);
  g_auto (GStrv) aliases = get_names (file, "aliases", TRUE);
  g_auto (GStrv) cpus = get_names (file, "cpus", FALSE);

  if (types == NULL || aliases == NULL || cpus == NULL ||
      g_strv_length (types) != g_strv_length (aliases))
    return FALSE;

  for (size_t i = 0; types[i] != NULL; i++)
    reeve_emulator_add_type (emulator, types[i],
                             aliases[i][0] == '\0' ? NULL : aliases[i]);
  for (size_t i = 0; cpus[i] != NULL; i++)
    g_ptr_array_add (emulator->cpus, g_strdup (cpus[i]));
  return TRUE;
}

static gboolean
has_value (GKeyFile *file, const char *key, const char *expected)
{
  g_autofree char *value = g_key_file_get_string (file, GROUP, key, NULL);

  return expected != NULL && g_strcmp0 (value, expected) == 0;
}

static gboolean
take (ReeveEmulator *emulator,
      const char *text,
      const char *identity,
      const char **why)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  uint64_t version;

  *why = "it is damaged";
  if (!g_key_file_load_from_data (file, text, strlen (text), G_KEY_FILE_NONE,
                                  NULL))
    return FALSE;
  *why = "it is of another binary";
  if (!has_value (file, "path", emulator->path) ||
      !has_value (file, "identity", identity))
    return FALSE;
  *why = "it lacks something";
  version = g_key_file_get_uint64 (file, GROUP, "version", NULL);
  if (version == 0 || !take_names (emulator, file))
    return FALSE;

  emulator->version = version;
  return TRUE;
}

static gboolean
is_kvm_proven_in (const char *text)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autofree char *boot_id = read_boot_id ();

  return g_key_file_load_from_data (file, text, strlen (text), G_KEY_FILE_NONE,
                                    NULL) &&
         has_value (file, "kvm-ran-in", boot_id);
}

gboolean
reeve_emulator_cache_load (const ReeveEmulatorCache *self,
                           ReeveEmulator *emulator,
                           const char *identity,
                           gboolean *is_kvm_proven)
{
  g_autofree char *path = NULL;
  g_autofree char *text = NULL;
  const char *why = NULL;

  *is_kvm_proven = FALSE;
  if (self->dir == NULL)
    return FALSE;

  path = make_path (self, emulator->path);
  text = read_text (path, &why);
  if (text != NULL && take (emulator, text, identity, &why)) {
    *is_kvm_proven = is_kvm_proven_in (text);
    return TRUE;
  }
  if (why != NULL)
    g_debug ("%s is not used for %s: %s", path, emulator->path, why);
  return FALSE;
}

/* -------------------------------------------------------------- writing --- */

static const char *
get_name (gconstpointer type)
{
  return ((const ReeveMachineType *) type)->name;
}

static const char *
get_alias (gconstpointer type)
{
  const char *alias = ((const ReeveMachineType *) type)->alias;

  return alias == NULL ? "" : alias;
}

static const char *
get_itself (gconstpointer name)
{
  return name;
}

static void
set_names (GKeyFile *file,
           const char *key,
           const GPtrArray *things,
           const char *(*get) (gconstpointer thing))
{
  g_autofree const char **names = g_new0 (const char *, things->len + 1);

  for (guint i = 0; i < things->len; i++)
    names[i] = get (things->pdata[i]);
  g_key_file_set_string_list (file, GROUP, key, names, things->len);
}

static char *
format (const ReeveEmulator *emulator,
        const char *identity,
        gboolean is_kvm_proven)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autofree char *boot_id = read_boot_id ();
  g_autofree char *text = NULL;
  g_autofree char *sum = NULL;

  g_key_file_set_string (file, GROUP, "path", emulator->path);
  g_key_file_set_string (file, GROUP, "identity", identity);
  g_key_file_set_uint64 (file, GROUP, "version", emulator->version);
  set_names (file, "types", emulator->types, get_name);
  set_names (file, "aliases", emulator->types, get_alias);
  set_names (file, "cpus", emulator->cpus, get_itself);
  if (is_kvm_proven && boot_id != NULL)
    g_key_file_set_string (file, GROUP, "kvm-ran-in", boot_id);
  text = g_key_file_to_data (file, NULL, NULL);
  sum = g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, -1);
  return g_strconcat (sum, text, NULL);
}

void
reeve_emulator_cache_store (const ReeveEmulatorCache *self,
                            const ReeveEmulator *emulator,
                            const char *identity,
                            gboolean is_kvm_proven)
{
  g_autofree char *path = NULL;
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  if (self->dir == NULL)
    return;

  path = make_path (self, emulator->path);
  text = format (emulator, identity, is_kvm_proven);
  (void) g_mkdir_with_parents (self->dir, 0700);
  if (!g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT,
                                 0600, &error))
    g_debug ("what %s can do is not kept: %s", emulator->path, error->message);
}

void
reeve_emulator_cache_remove (const ReeveEmulatorCache *self, const char *path)
{
  g_autofree char *file = NULL;

  if (self->dir == NULL)
    return;

  file = make_path (self, path);
  (void) g_unlink (file);
}
