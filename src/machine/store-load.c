/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/store.h"

#include "event/intl.h"
#include "machine/durable.h"
#include "rpc/error.h"

#include <errno.h>
#include <libxml/parser.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The store as a whole, when a daemon starts. */

/* A thread costs about as much as reading one definition, and pays for many. */
#define FILES_PER_THREAD 64
#define MAX_THREADS 8

typedef struct {
  char *file;          /* (owned): its name in the directory */
  ReeveConfig *config; /* (owned) (nullable) */
  GError *error;       /* (owned): why there is none */
} Entry;

typedef struct {
  const char *dir;
  GArray *entries; /* (element-type Entry) */
  gint next;       /* atomic: the first that nobody has taken */
} Reading;

static void
entry_clear (gpointer data)
{
  Entry *self = data;

  g_free (self->file);
  g_clear_pointer (&self->config, reeve_config_unref);
  g_clear_error (&self->error);
}

static ReeveConfig *
load_one (const char *path, const char *name, GError **error)
{
  g_autofree char *text = NULL;
  g_autoptr (ReeveConfig) config = NULL;
  struct stat info;

  if (stat (path, &info) < 0 || !S_ISREG (info.st_mode) ||
      info.st_size > REEVE_CONFIG_MAX_BYTES) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
                 _ ("it is no definition"));
    return NULL;
  }
  if (!g_file_get_contents (path, &text, NULL, error))
    return NULL;
  config = reeve_config_new_from_xml (text, error);
  if (config == NULL)
    return NULL;
  if (!g_str_equal (reeve_config_get_name (config), name)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
                 _ ("it defines a machine of another name, '%s'"),
                 reeve_config_get_name (config));
    return NULL;
  }
  return g_steal_pointer (&config);
}

static void
read_entry (const char *dir, Entry *self)
{
  g_autofree char *path = g_build_filename (dir, self->file, NULL);
  g_autofree char *name =
      g_strndup (self->file, strlen (self->file) - strlen (REEVE_STORE_SUFFIX));

  self->config = load_one (path, name, &self->error);
}

static void *
read_entries (void *data)
{
  Reading *self = data;
  guint i;

  while ((i = (guint) g_atomic_int_add (&self->next, 1)) < self->entries->len)
    read_entry (self->dir, &g_array_index (self->entries, Entry, i));
  return NULL;
}

/* Parsing is most of it, and all that may be done side by side. */
static void
read_all (const char *dir, GArray *entries)
{
  Reading reading = { dir, entries, 0 };
  pthread_t threads[MAX_THREADS];
  guint n_wanted = MIN (MIN (entries->len / FILES_PER_THREAD, MAX_THREADS),
                        g_get_num_processors () - 1);
  guint n_threads = 0;

  xmlInitParser ();
  while (n_threads < n_wanted && pthread_create (&threads[n_threads], NULL,
                                                 read_entries, &reading) == 0)
    n_threads++;
  read_entries (&reading);
  while (n_threads > 0)
    pthread_join (threads[--n_threads], NULL);
}

static int
compare_entries (gconstpointer a, gconstpointer b)
{
  return strcmp (((const Entry *) a)->file, ((const Entry *) b)->file);
}

/* In the order of their names: of two machines with one uuid, it is always the
 * same that is there. */
static GArray *
list_entries (const char *dir, GError **error)
{
  g_autoptr (GDir) names = g_dir_open (dir, 0, error);
  const char *file;
  GArray *entries;

  if (names == NULL)
    return NULL;
  entries = g_array_new (FALSE, FALSE, sizeof (Entry));
  g_array_set_clear_func (entries, entry_clear);
  while ((file = g_dir_read_name (names)) != NULL) {
    if (g_str_has_suffix (file, REEVE_STORE_SUFFIX REEVE_DURABLE_SUFFIX)) {
      /* left by one that was stopped while it wrote: never acknowledged */
      g_autofree char *path = g_build_filename (dir, file, NULL);

      (void) unlink (path);
    } else if (g_str_has_suffix (file, REEVE_STORE_SUFFIX)) {
      const Entry entry = { .file = g_strdup (file) };

      g_array_append_val (entries, entry);
    }
  }
  g_array_sort (entries, compare_entries);
  return entries;
}

static gboolean
is_missing (const char *dir, const char *file)
{
  g_autofree char *path = g_build_filename (dir, file, NULL);
  struct stat info;

  return lstat (path, &info) < 0 && errno == ENOENT;
}

/* (element-type utf8): the names of the files that are marked. */
static GHashTable *
list_marks (const char *dir)
{
  GHashTable *marks =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *path = g_build_filename (dir, REEVE_STORE_MARKS, NULL);
  g_autoptr (GDir) names = g_dir_open (path, 0, NULL);
  const char *file;

  while (names != NULL && (file = g_dir_read_name (names)) != NULL) {
    if (g_str_has_suffix (file, REEVE_STORE_SUFFIX) && is_missing (dir, file)) {
      /* left by one that was stopped before it wrote a definition: it would
       * mark whatever gets the name */
      g_autofree char *mark = g_build_filename (path, file, NULL);

      (void) unlink (mark);
    } else
      g_hash_table_add (marks, g_strdup (file));
  }
  return marks;
}

gboolean
reeve_store_load (const char *dir,
                  ReeveStoreFunc func,
                  gpointer data,
                  GError **error)
{
  g_autoptr (GArray) entries = list_entries (dir, error);
  g_autoptr (GHashTable) marks = NULL;

  if (entries == NULL)
    return FALSE;
  marks = list_marks (dir);
  read_all (dir, entries);
  for (guint i = 0; i < entries->len; i++) {
    const Entry *entry = &g_array_index (entries, Entry, i);

    if (entry->config == NULL)
      g_warning (_ ("Cannot read %1$s/%2$s: %3$s"), dir, entry->file,
                 entry->error->message);
    else
      func (entry->config, g_hash_table_contains (marks, entry->file), data);
  }
  return TRUE;
}
