/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/emulator.h"

#include "event/intl.h"
#include "event/thread.h"
#include "machine/kvm.h"
#include "rpc/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What was asked of one binary, and when it had which shape. */
typedef struct {
  struct timespec changed;
  off_t size;
  ReeveEmulator *emulator; /* (nullable) */
  GError *failure;         /* (nullable) */
} Known;

static ReeveMutex lock = { PTHREAD_MUTEX_INITIALIZER };
static GHashTable *known_by_path; /* under the lock; path -> Known */

/* What `QEMU -option word` prints; NULL with @error. */
static char *
ask (const char *path, const char *option, const char *word, GError **error)
{
  const char *const argv[] = { path, option, word, NULL };
  g_autofree char *text = NULL;
  int status;

  if (!g_spawn_sync (NULL, (char **) argv, NULL,
                     G_SPAWN_STDERR_TO_DEV_NULL | G_SPAWN_DEFAULT, NULL, NULL,
                     &text, NULL, &status, error) ||
      !g_spawn_check_wait_status (status, error))
    return NULL;

  return g_steal_pointer (&text);
}

static void
machine_type_free (gpointer data)
{
  ReeveMachineType *self = data;

  g_free (self->name);
  g_free (self->alias);
  g_free (self);
}

static ReeveMachineType *
find_type (const ReeveEmulator *self, const char *name)
{
  for (unsigned i = 0; i < self->types->len; i++) {
    ReeveMachineType *type = self->types->pdata[i];

    if (g_str_equal (type->name, name))
      return type;
  }

  return NULL;
}

/* "NAME  DESCRIPTION (alias of OTHER)" or "NAME  DESCRIPTION". */
static void
read_types (ReeveEmulator *self, const char *text)
{
  static const char mark[] = "(alias of ";
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (char **line = lines; *line != NULL; line++) {
    size_t length = strcspn (*line, " \t");
    g_autofree char *name = g_strndup (*line, length);
    const char *alias_of = strstr (*line, mark);
    ReeveMachineType *type;

    if (length == 0 || (*line)[length] == '\0' ||
        g_str_has_prefix (*line, "Supported"))
      continue;
    if (alias_of != NULL) {
      size_t skip = strlen (mark);
      g_autofree char *real =
          g_strndup (alias_of + skip, strcspn (alias_of + skip, ")"));

      type = find_type (self, real);
      if (type == NULL) {
        type = g_new0 (ReeveMachineType, 1);
        type->name = g_steal_pointer (&real);
        g_ptr_array_add (self->types, type);
      }
      g_free (type->alias);
      type->alias = g_steal_pointer (&name);
    } else if (find_type (self, name) == NULL) {
      type = g_new0 (ReeveMachineType, 1);
      type->name = g_steal_pointer (&name);
      g_ptr_array_add (self->types, type);
    }
  }
}

/* "x86 NAME  DESCRIPTION". */
static void
read_cpus (ReeveEmulator *self, const char *text)
{
  static const char mark[] = "x86 ";
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (char **line = lines; *line != NULL; line++) {
    const char *name = *line + strlen (mark);

    if (g_str_has_prefix (*line, mark))
      g_ptr_array_add (self->cpus, g_strndup (name, strcspn (name, " ")));
  }
}

static void
emulator_free (ReeveEmulator *self)
{
  g_free (self->path);
  g_ptr_array_unref (self->types);
  g_ptr_array_unref (self->cpus);
  g_free (self->kvm_refusal);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveEmulator, emulator_free)

static ReeveEmulator *
probe (const char *path, GError **error)
{
  g_autoptr (ReeveEmulator) self = g_new0 (ReeveEmulator, 1);
  g_autofree char *version = ask (path, "-version", NULL, error);
  g_autofree char *types = NULL;
  g_autofree char *cpus = NULL;
  unsigned major = 0, minor = 0, micro = 0;
  const char *digits;

  self->path = g_strdup (path);
  self->types = g_ptr_array_new_with_free_func (machine_type_free);
  self->cpus = g_ptr_array_new_with_free_func (g_free);
  if (version == NULL)
    return NULL;
  digits = strstr (version, "version ");
  if (digits == NULL ||
      sscanf (digits, "version %u.%u.%u", &major, &minor, &micro) < 2) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED,
                         _ ("it does not tell its version"));
    return NULL;
  }

  self->version = major * 1000000 + minor * 1000 + micro;
  types = ask (path, "-machine", "help", error);
  cpus = types == NULL ? NULL : ask (path, "-cpu", "help", error);
  if (cpus == NULL)
    return NULL;
  read_types (self, types);
  read_cpus (self, cpus);
  self->kvm_refusal = reeve_kvm_probe (path);
  return g_steal_pointer (&self);
}

static Known *
get_known_locked (const char *path, const struct stat *file)
    REEVE_REQUIRES (lock)
{
  Known *known;

  if (known_by_path == NULL)
    known_by_path =
        g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  known = g_hash_table_lookup (known_by_path, path);
  if (known != NULL && known->size == file->st_size &&
      known->changed.tv_sec == file->st_ctim.tv_sec &&
      known->changed.tv_nsec == file->st_ctim.tv_nsec)
    return known;

  /* The old one stays: somebody may be looking at it. */
  known = g_new0 (Known, 1);
  known->size = file->st_size;
  known->changed = file->st_ctim;
  known->emulator = probe (path, &known->failure);
  g_hash_table_replace (known_by_path, g_strdup (path), known);
  return known;
}

const ReeveEmulator *
reeve_emulator_get (const char *path, GError **error)
{
  struct stat file;
  Known *known;

  if (stat (path, &file) < 0) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED,
                 _ ("The emulator %1$s cannot be used: %2$s"), path,
                 g_strerror (errno));
    return NULL;
  }

  REEVE_LOCK_SCOPE (&lock);

  known = get_known_locked (path, &file);
  if (known->emulator == NULL)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED,
                 _ ("The emulator %1$s cannot be used: %2$s"), path,
                 known->failure->message);
  return known->emulator;
}

const ReeveEmulator *
reeve_emulator_get_default (GError **error)
{
  return reeve_emulator_get (REEVE_EMULATOR_DEFAULT, error);
}

const char *
reeve_emulator_resolve_type (const ReeveEmulator *self, const char *name)
{
  for (unsigned i = 0; i < self->types->len; i++) {
    const ReeveMachineType *type = self->types->pdata[i];

    if (g_str_equal (type->name, name) || g_strcmp0 (type->alias, name) == 0)
      return type->name;
  }

  return NULL;
}
