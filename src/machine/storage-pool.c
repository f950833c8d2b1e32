/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/storage-pool.h"

#include "event/fd.h"
#include "event/intl.h"
#include "event/refs.h"
#include "event/thread.h"
#include "machine/durable.h"
#include "machine/xml.h"
#include "rpc/error.h"
#include "rpc/uuid.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* A volume that is being made: hidden, so no volume can have such a name. */
#define NEW_PREFIX ".new-"
#define MAX_DEFINITION_BYTES 65536

struct _ReeveStoragePool {
  ReeveRefs refs;
  ReeveLoop *loop; /* immutable (owned), as what follows */
  char *name;
  char *dir;
  uint8_t uuid[REEVE_UUID_SIZE];

  ReeveMutex lock;
  GHashTable *uses REEVE_GUARDED; /* name (owned) -> readers, -1 for exclusive
                                   */
};

struct _ReeveVolumeUse {
  ReeveStoragePool *pool; /* (owned) */
  char *name;
  char *path;
  char *new_path;
  gboolean is_exclusive;
};

/* ---------------------------------------------------------- definition --- */

static char *
format_definition (ReeveStoragePool *self)
{
  char uuid[REEVE_UUID_TEXT_SIZE];

  reeve_uuid_format (self->uuid, uuid);
  return g_markup_printf_escaped ("<pool type='dir'>\n"
                                  "  <name>%s</name>\n"
                                  "  <uuid>%s</uuid>\n"
                                  "  <target>\n"
                                  "    <path>%s</path>\n"
                                  "  </target>\n"
                                  "</pool>",
                                  self->name, uuid, self->dir);
}

static gboolean
parse_definition (ReeveStoragePool *self, const char *text, GError **error)
{
  g_autoptr (ReeveXmlDoc) doc =
      reeve_xml_parse (text, MAX_DEFINITION_BYTES, error);
  xmlNode *root = doc == NULL ? NULL : xmlDocGetRootElement (doc);
  xmlNode *target = root == NULL ? NULL : reeve_xml_find (root, "target");
  g_autofree char *uuid = NULL;
  g_autofree char *path = NULL;

  if (doc == NULL)
    return FALSE;
  uuid = reeve_xml_dup_child_text (root, "uuid");
  if (!reeve_xml_is (root, "pool") || uuid == NULL ||
      !reeve_uuid_parse (uuid, self->uuid)) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_XML_DETAIL,
                         _ ("it is no definition of a pool with a uuid"));
    return FALSE;
  }

  if (target != NULL)
    path = reeve_xml_dup_child_text (target, "path");
  if (path != NULL && !g_path_is_absolute (path)) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_XML_DETAIL,
                         _ ("the path of its target is not absolute"));
    return FALSE;
  }
  if (path != NULL) {
    g_free (self->dir);
    self->dir = g_canonicalize_filename (path, NULL);
  }
  return TRUE;
}

/* What is there, or a new definition. */
static gboolean
load_definition (ReeveStoragePool *self, const char *path, GError **error)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) why = NULL;

  if (g_file_get_contents (path, &text, NULL, &why)) {
    if (parse_definition (self, text, error))
      return TRUE;
    g_prefix_error (error, "%s: ", path);
    return FALSE;
  }
  if (!g_error_matches (why, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
    g_propagate_error (error, g_steal_pointer (&why));
    return FALSE;
  }

  reeve_uuid_generate (self->uuid);
  text = format_definition (self);
  return reeve_durable_write (path, text, error);
}

static gboolean
make_dir (const char *path, GError **error)
{
  if (g_mkdir_with_parents (path, 0711) < 0)
    return reeve_error_from_errno (error, errno,
                                   _ ("cannot make the directory %s"), path);
  return TRUE;
}

/* Of a daemon that was stopped while it made them: never acknowledged. */
void
reeve_storage_pool_remove_unfinished (ReeveStoragePool *self)
{
  g_autoptr (GDir) entries = g_dir_open (self->dir, 0, NULL);
  const char *name;

  while (entries != NULL && (name = g_dir_read_name (entries)) != NULL) {
    g_autofree char *path = g_build_filename (self->dir, name, NULL);

    if (g_str_has_prefix (name, NEW_PREFIX))
      (void) unlink (path);
  }
}

ReeveStoragePool *
reeve_storage_pool_open (ReeveLoop *loop,
                         const char *state_dir,
                         const char *name,
                         GError **error) REEVE_UNCHECKED
{
  g_autofree char *pools = g_build_filename (state_dir, "pools", NULL);
  g_autofree char *file = g_strconcat (name, ".xml", NULL);
  g_autofree char *path = g_build_filename (pools, file, NULL);
  g_autoptr (ReeveStoragePool) self = g_new0 (ReeveStoragePool, 1);

  reeve_refs_init (&self->refs);
  reeve_mutex_init (&self->lock);
  self->loop = reeve_loop_ref (loop);
  self->name = g_strdup (name);
  self->dir = g_build_filename (state_dir, "images", NULL);
  self->uses = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (!make_dir (pools, error) || !load_definition (self, path, error) ||
      !make_dir (self->dir, error))
    return NULL;

  return g_steal_pointer (&self);
}

ReeveStoragePool *
reeve_storage_pool_ref (ReeveStoragePool *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

void
reeve_storage_pool_unref (ReeveStoragePool *self) REEVE_UNCHECKED
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  g_assert (g_hash_table_size (self->uses) == 0);
  g_hash_table_unref (self->uses);
  reeve_mutex_clear (&self->lock);
  reeve_loop_unref (self->loop);
  g_free (self->name);
  g_free (self->dir);
  g_free (self);
}

ReeveLoop *
reeve_storage_pool_get_loop (ReeveStoragePool *self)
{
  return self->loop;
}

const char *
reeve_storage_pool_get_name (ReeveStoragePool *self)
{
  return self->name;
}

const char *
reeve_storage_pool_get_dir (ReeveStoragePool *self)
{
  return self->dir;
}

const uint8_t *
reeve_storage_pool_get_uuid (ReeveStoragePool *self)
{
  return self->uuid;
}

/* ------------------------------------------------------------ contents --- */

gboolean
reeve_storage_pool_get_space (ReeveStoragePool *self,
                              ReeveStorageSpace *space,
                              GError **error)
{
  struct statvfs info;

  if (statvfs (self->dir, &info) < 0)
    return reeve_error_from_errno (error, errno, "%s", self->dir);

  space->capacity = (uint64_t) info.f_frsize * info.f_blocks;
  space->available = (uint64_t) info.f_frsize * info.f_bfree;
  space->allocation = space->capacity - space->available;
  return TRUE;
}

char *
reeve_storage_pool_to_xml (ReeveStoragePool *self, GError **error)
{
  ReeveStorageSpace space = { 0 };
  char uuid[REEVE_UUID_TEXT_SIZE];
  struct stat info;

  if (!reeve_storage_pool_get_space (self, &space, error))
    return NULL;
  if (stat (self->dir, &info) < 0) {
    reeve_error_from_errno (error, errno, "%s", self->dir);
    return NULL;
  }

  reeve_uuid_format (self->uuid, uuid);
  return g_markup_printf_escaped (
      "<pool type='dir'>\n"
      "  <name>%s</name>\n"
      "  <uuid>%s</uuid>\n"
      "  <capacity unit='bytes'>%" PRIu64 "</capacity>\n"
      "  <allocation unit='bytes'>%" PRIu64 "</allocation>\n"
      "  <available unit='bytes'>%" PRIu64 "</available>\n"
      "  <source>\n"
      "  </source>\n"
      "  <target>\n"
      "    <path>%s</path>\n"
      "    <permissions>\n"
      "      <mode>%04o</mode>\n"
      "      <owner>%u</owner>\n"
      "      <group>%u</group>\n"
      "    </permissions>\n"
      "  </target>\n"
      "</pool>\n",
      self->name, uuid, space.capacity, space.allocation, space.available,
      self->dir, info.st_mode & 07777, info.st_uid, info.st_gid);
}

gboolean
reeve_storage_pool_check_name (const char *name, GError **error)
{
  size_t length = strlen (name);
  gboolean is_good = length > 0 && length <= REEVE_VOLUME_MAX_NAME &&
                     name[0] != '.' && strchr (name, '/') == NULL &&
                     g_utf8_validate (name, -1, NULL);

  for (size_t i = 0; is_good && i < length; i++)
    is_good = !g_ascii_iscntrl (name[i]);
  if (!is_good)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_VOLUME,
                 _ ("A volume's name has 1 to %d bytes, no '/', no control "
                    "character, and does not begin with a dot"),
                 REEVE_VOLUME_MAX_NAME);
  return is_good;
}

char *
reeve_storage_pool_make_path (ReeveStoragePool *self, const char *name)
{
  return g_build_filename (self->dir, name, NULL);
}

static gboolean
is_volume (DIR *dir, const struct dirent *entry)
{
  struct stat info;

  if (!reeve_storage_pool_check_name (entry->d_name, NULL))
    return FALSE;
  if (entry->d_type != DT_UNKNOWN)
    return entry->d_type == DT_REG;
  return fstatat (dirfd (dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) ==
             0 &&
         S_ISREG (info.st_mode);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

GPtrArray *
reeve_storage_pool_list (ReeveStoragePool *self, GError **error)
{
  GPtrArray *names;
  struct dirent *entry;
  DIR *dir = opendir (self->dir);

  if (dir == NULL) {
    reeve_error_from_errno (error, errno, "%s", self->dir);
    return NULL;
  }

  names = g_ptr_array_new_with_free_func (g_free);
  while ((entry = readdir (dir)) != NULL)
    if (is_volume (dir, entry))
      g_ptr_array_add (names, g_strdup (entry->d_name));
  closedir (dir);
  g_ptr_array_sort (names, compare_names);
  return names;
}

/* ----------------------------------------------------------------- use --- */

static gboolean
begin_use (ReeveStoragePool *self, const char *name, gboolean is_exclusive)
{
  int n_readers;

  REEVE_LOCK_SCOPE (&self->lock);

  n_readers = GPOINTER_TO_INT (g_hash_table_lookup (self->uses, name));
  if (n_readers < 0 || (is_exclusive && n_readers > 0))
    return FALSE;

  g_hash_table_insert (self->uses, g_strdup (name),
                       GINT_TO_POINTER (is_exclusive ? -1 : n_readers + 1));
  return TRUE;
}

static void
end_use (ReeveStoragePool *self, const char *name, gboolean is_exclusive)
{
  int n_readers;

  REEVE_LOCK_SCOPE (&self->lock);

  n_readers = GPOINTER_TO_INT (g_hash_table_lookup (self->uses, name));
  if (is_exclusive || n_readers == 1)
    g_hash_table_remove (self->uses, name);
  else
    g_hash_table_insert (self->uses, g_strdup (name),
                         GINT_TO_POINTER (n_readers - 1));
}

ReeveVolumeUse *
reeve_storage_pool_use (ReeveStoragePool *self,
                        const char *name,
                        gboolean is_exclusive,
                        GError **error)
{
  g_autofree char *new_name = NULL;
  ReeveVolumeUse *use;

  if (!reeve_storage_pool_check_name (name, error))
    return NULL;
  if (!begin_use (self, name, is_exclusive)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                 _ ("volume '%s' is still in use"), name);
    return NULL;
  }

  new_name = g_strconcat (NEW_PREFIX, name, NULL);
  use = g_new0 (ReeveVolumeUse, 1);
  use->pool = reeve_storage_pool_ref (self);
  use->name = g_strdup (name);
  use->path = reeve_storage_pool_make_path (self, name);
  use->new_path = reeve_storage_pool_make_path (self, new_name);
  use->is_exclusive = is_exclusive;
  return use;
}

void
reeve_volume_use_free (ReeveVolumeUse *self)
{
  if (self == NULL)
    return;

  end_use (self->pool, self->name, self->is_exclusive);
  reeve_storage_pool_unref (self->pool);
  g_free (self->name);
  g_free (self->path);
  g_free (self->new_path);
  g_free (self);
}

ReeveStoragePool *
reeve_volume_use_get_pool (ReeveVolumeUse *self)
{
  return self->pool;
}

const char *
reeve_volume_use_get_name (ReeveVolumeUse *self)
{
  return self->name;
}

const char *
reeve_volume_use_get_path (ReeveVolumeUse *self)
{
  return self->path;
}

const char *
reeve_volume_use_get_new_path (ReeveVolumeUse *self)
{
  return self->new_path;
}

static gboolean
sync_file (const char *path)
{
  REEVE_AUTOFD int fd = open (path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

  return fd >= 0 && fsync (fd) == 0;
}

gboolean
reeve_volume_use_publish (ReeveVolumeUse *self, GError **error)
{
  if (sync_file (self->new_path) &&
      renameat2 (AT_FDCWD, self->new_path, AT_FDCWD, self->path,
                 RENAME_NOREPLACE) == 0)
    return reeve_durable_sync_dir (self->pool->dir, error);

  if (errno == EEXIST)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_VOLUME_EXISTS,
                 _ ("storage volume '%s' exists already"), self->name);
  else
    reeve_error_from_errno (error, errno, _ ("cannot make %s"), self->path);
  (void) unlink (self->new_path);
  return FALSE;
}
