/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/emulator.h"

#include "event/intl.h"
#include "event/thread.h"
#include "machine/emulator-cache.h"
#include "machine/probe.h"
#include "rpc/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ASK_TIMEOUT_MS 10000

/* Whoever names more binaries than these has them asked again. */
#define MAX_KNOWN 64

/* What was asked of one binary, as long as it is that. */
typedef struct {
  ReeveEmulator emulator; /* immutable once it was asked */
  char *identity;         /* immutable */

  ReeveMutex lock; /* held while the binary is asked */
  gboolean is_asked REEVE_GUARDED;
  GError *failure REEVE_GUARDED; /* (nullable) */
  gint64 failed_us REEVE_GUARDED;
  gboolean is_kvm_asked REEVE_GUARDED;
  char *kvm_refusal REEVE_GUARDED; /* (nullable) */
  gboolean is_kvm_refusal_final REEVE_GUARDED;
  gint64 kvm_refused_us REEVE_GUARDED;
} Known;

static ReeveMutex known_lock = { PTHREAD_MUTEX_INITIALIZER };
static GHashTable *known_by_path; /* under the lock; path -> (owned) Known */
static ReeveEmulatorCache cache;  /* does not change while there are workers */

/* What `QEMU -option word` prints; NULL with @error. */
static char *
ask (const char *path, const char *option, const char *word, GError **error)
{
  const char *const argv[] = { path, option, word, NULL };
  int status;
  g_autofree char *text =
      reeve_probe_run (argv, ASK_TIMEOUT_MS, &status, error);

  if (text == NULL || !g_spawn_check_wait_status (status, error))
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

void
reeve_emulator_add_type (ReeveEmulator *self,
                         const char *name,
                         const char *alias)
{
  ReeveMachineType *type = g_new0 (ReeveMachineType, 1);

  type->name = g_strdup (name);
  type->alias = g_strdup (alias);
  g_ptr_array_add (self->types, type);
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

      if (find_type (self, real) == NULL)
        reeve_emulator_add_type (self, real, NULL);
      type = find_type (self, real);
      g_free (type->alias);
      type->alias = g_steal_pointer (&name);
    } else if (find_type (self, name) == NULL) {
      reeve_emulator_add_type (self, name, NULL);
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

static gboolean
read_version (ReeveEmulator *self, const char *text, GError **error)
{
  const char *digits = strstr (text, "version ");
  unsigned major = 0, minor = 0, micro = 0;

  if (digits == NULL ||
      sscanf (digits, "version %u.%u.%u", &major, &minor, &micro) < 2) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED,
                         _ ("it does not tell its version"));
    return FALSE;
  }

  self->version = major * 1000000 + minor * 1000 + micro;
  return TRUE;
}

static gboolean
ask_all (ReeveEmulator *self, GError **error)
{
  g_autofree char *version = ask (self->path, "-version", NULL, error);
  g_autofree char *types = NULL;
  g_autofree char *cpus = NULL;

  if (version == NULL || !read_version (self, version, error))
    return FALSE;
  types = ask (self->path, "-machine", "help", error);
  cpus = types == NULL ? NULL : ask (self->path, "-cpu", "help", error);
  if (cpus == NULL)
    return FALSE;

  read_types (self, types);
  read_cpus (self, cpus);
  return TRUE;
}

static Known *
known_new (const char *path, const char *identity)
{
  Known *known = g_new0 (Known, 1);

  reeve_refs_init (&known->emulator.refs);
  reeve_mutex_init (&known->lock);
  known->emulator.path = g_strdup (path);
  known->emulator.types = g_ptr_array_new_with_free_func (machine_type_free);
  known->emulator.cpus = g_ptr_array_new_with_free_func (g_free);
  known->identity = g_strdup (identity);
  return known;
}

static ReeveEmulator *
ref_emulator (Known *known)
{
  reeve_refs_inc (&known->emulator.refs);
  return &known->emulator;
}

REEVE_UNCHECKED void
reeve_emulator_unref (ReeveEmulator *self)
{
  Known *known = (Known *) self; /* its first member */

  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  g_free (self->path);
  g_ptr_array_unref (self->types);
  g_ptr_array_unref (self->cpus);
  g_free (known->identity);
  g_clear_error (&known->failure);
  g_free (known->kvm_refusal);
  reeve_mutex_clear (&known->lock);
  g_free (known);
}

static ReeveEmulator *
find_known (const char *path, const char *identity)
{
  Known *known;

  REEVE_LOCK_SCOPE (&known_lock);

  if (known_by_path == NULL)
    known_by_path = g_hash_table_new_full (
        g_str_hash, g_str_equal, g_free, (GDestroyNotify) reeve_emulator_unref);

  known = g_hash_table_lookup (known_by_path, path);
  if (known != NULL && g_str_equal (known->identity, identity))
    return ref_emulator (known);

  if (g_hash_table_size (known_by_path) >= MAX_KNOWN)
    g_hash_table_remove_all (known_by_path);
  known = known_new (path, identity);
  g_hash_table_replace (known_by_path, g_strdup (path), known);
  return ref_emulator (known);
}

static void
ask_locked (Known *self) REEVE_REQUIRES (self->lock)
{
  ReeveEmulator *emulator = &self->emulator;

  self->is_asked = TRUE;
  g_clear_error (&self->failure);
  if (reeve_emulator_cache_load (&cache, emulator, self->identity,
                                 &self->is_kvm_asked))
    return;

  if (ask_all (emulator, &self->failure)) {
    reeve_emulator_cache_store (&cache, emulator, self->identity, FALSE);
  } else {
    self->failed_us = g_get_monotonic_time ();
    reeve_emulator_cache_remove (&cache, emulator->path);
  }
}

static gboolean
ensure_asked (ReeveEmulator *emulator, gint64 now_us, GError **error)
{
  Known *self = (Known *) emulator; /* its first member */

  REEVE_LOCK_SCOPE (&self->lock);

  if (!self->is_asked ||
      (self->failure != NULL &&
       now_us >= self->failed_us + REEVE_EMULATOR_FAILURE_KEPT_US))
    ask_locked (self);
  if (self->failure == NULL)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED,
               _ ("The emulator %1$s cannot be used: %2$s"),
               self->emulator.path, self->failure->message);
  return FALSE;
}

ReeveEmulator *
reeve_emulator_get_at (const char *path, gint64 now_us, GError **error)
{
  g_autoptr (ReeveEmulator) emulator = NULL;
  g_autofree char *identity = NULL;
  struct stat file;

  if (stat (path, &file) < 0) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED,
                 _ ("The emulator %1$s cannot be used: %2$s"), path,
                 g_strerror (errno));
    reeve_emulator_cache_remove (&cache, path);
    return NULL;
  }

  identity = reeve_emulator_cache_identify (path, &file);
  emulator = find_known (path, identity);
  return ensure_asked (emulator, now_us, error) ? g_steal_pointer (&emulator)
                                                : NULL;
}

ReeveEmulator *
reeve_emulator_get (const char *path, GError **error)
{
  return reeve_emulator_get_at (path, g_get_monotonic_time (), error);
}

static void
ask_kvm_locked (Known *self, ReeveKvmProbe probe) REEVE_REQUIRES (self->lock)
{
  self->is_kvm_asked = TRUE;
  g_free (self->kvm_refusal);
  self->kvm_refusal = probe (self->emulator.path, &self->is_kvm_refusal_final);
  if (self->kvm_refusal == NULL)
    reeve_emulator_cache_store (&cache, &self->emulator, self->identity, TRUE);
  else
    self->kvm_refused_us = g_get_monotonic_time ();
}

char *
reeve_emulator_dup_kvm_refusal_at (ReeveEmulator *emulator,
                                   ReeveKvmProbe probe,
                                   gint64 now_us)
{
  Known *self = (Known *) emulator; /* its first member */

  REEVE_LOCK_SCOPE (&self->lock);

  if (!self->is_kvm_asked ||
      (self->kvm_refusal != NULL && !self->is_kvm_refusal_final &&
       now_us >= self->kvm_refused_us + REEVE_EMULATOR_REFUSAL_KEPT_US))
    ask_kvm_locked (self, probe);
  return g_strdup (self->kvm_refusal);
}

char *
reeve_emulator_dup_kvm_refusal (ReeveEmulator *emulator)
{
  return reeve_emulator_dup_kvm_refusal_at (emulator, reeve_kvm_probe,
                                            g_get_monotonic_time ());
}

void
reeve_emulator_open_cache (const char *dir)
{
  reeve_emulator_cache_init (&cache, dir);
}

static void
forget_all (void)
{
  REEVE_LOCK_SCOPE (&known_lock);

  g_clear_pointer (&known_by_path, g_hash_table_unref);
}

void
reeve_emulator_close_cache (void)
{
  forget_all ();
  reeve_emulator_cache_clear (&cache);
}

ReeveEmulator *
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

ReeveConfig *
reeve_emulator_fit_config (ReeveConfig *config, GError **error)
{
  const char *type = reeve_config_get_machine (config);
  g_autoptr (ReeveEmulator) self =
      reeve_emulator_get (reeve_config_get_emulator (config), error);
  g_autofree char *refusal = NULL;
  const char *real_type;

  if (self == NULL)
    return NULL;
  if (reeve_config_is_kvm (config))
    refusal = reeve_emulator_dup_kvm_refusal (self);
  if (refusal != NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED,
                 _ ("KVM cannot be used: %s"), refusal);
    return NULL;
  }
  real_type = reeve_emulator_resolve_type (self, type);
  if (real_type == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED,
                 _ ("The emulator %1$s has no machine type '%2$s'"), self->path,
                 type);
    return NULL;
  }

  return g_str_equal (real_type, type)
             ? reeve_config_ref (config)
             : reeve_config_with_machine (config, real_type, error);
}
