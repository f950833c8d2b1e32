/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/storage-volume.h"

#include "rpc/error.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  char *state_dir; /* (owned) */
  ReeveLoop *loop;
  ReeveStoragePool *pool;
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  self->state_dir = g_dir_make_tmp ("reeve-test-XXXXXX", NULL);
  self->loop = reeve_loop_new (NULL);
  self->pool =
      reeve_storage_pool_open (self->loop, self->state_dir, "default", &error);
  g_assert_no_error (error);
}

static void
remove_all (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *child = g_build_filename (path, name, NULL);

    remove_all (child);
  }
  g_remove (path);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  reeve_storage_pool_unref (self->pool);
  reeve_loop_unref (self->loop);
  remove_all (self->state_dir);
  g_free (self->state_dir);
}

static void
write_volume (Fixture *self, const char *name, const void *data, size_t size)
{
  g_autofree char *path = reeve_storage_pool_make_path (self->pool, name);
  g_autoptr (GError) error = NULL;

  g_file_set_contents (path, data, (gssize) size, &error);
  g_assert_no_error (error);
}

/* -------------------------------------------------------------- header --- */

#define QCOW2(version, backing_offset, backing_size, capacity)                 \
  "QFI\xfb\0\0\0" version "\0\0\0\0" backing_offset backing_size               \
  "\0\0\0\x10" capacity
#define FIVE_MIB "\0\0\0\0\0\x50\0\0"

typedef struct {
  const char *name;
  const char *header;
  size_t size;
  ReeveVolumeFormat format;
  uint64_t capacity;
  const char *backing; /* (nullable) */
} HeaderCase;

#define HEADER(text) text, sizeof (text) - 1

static const HeaderCase header_cases[] = {
  { "nothing", HEADER (""), REEVE_VOLUME_RAW, 0, NULL },
  { "raw", HEADER ("some data"), REEVE_VOLUME_RAW, 9, NULL },
  { "magic-alone", HEADER ("QFI\xfb"), REEVE_VOLUME_RAW, 4, NULL },
  { "qcow2", HEADER (QCOW2 ("\2", "\0\0\0\0", "\0\0\0\0", FIVE_MIB)),
    REEVE_VOLUME_QCOW2, 5 << 20, NULL },
  { "qcow2-of-version-3",
    HEADER (QCOW2 ("\3", "\0\0\0\0", "\0\0\0\0", FIVE_MIB)), REEVE_VOLUME_QCOW2,
    5 << 20, NULL },
  { "old-version", HEADER (QCOW2 ("\1", "\0\0\0\0", "\0\0\0\0", FIVE_MIB)),
    REEVE_VOLUME_RAW, 32, NULL },
  { "backing", HEADER (QCOW2 ("\3", "\0\0\0\x20", "\0\0\0\2", FIVE_MIB) "/a"),
    REEVE_VOLUME_QCOW2, 5 << 20, "/a" },
  { "backing-behind-the-end",
    HEADER (QCOW2 ("\3", "\0\0\0\x20", "\0\0\0\3", FIVE_MIB) "/a"),
    REEVE_VOLUME_QCOW2, 5 << 20, NULL },
  { "backing-far-away",
    HEADER (QCOW2 ("\3", "\xff\xff\xff\xff", "\0\0\0\2", FIVE_MIB) "/a"),
    REEVE_VOLUME_QCOW2, 5 << 20, NULL },
  { "backing-too-long",
    HEADER (QCOW2 ("\3", "\0\0\0\x20", "\xff\xff\xff\xff", FIVE_MIB) "/a"),
    REEVE_VOLUME_QCOW2, 5 << 20, NULL },
  { "backing-that-is-no-text",
    HEADER (QCOW2 ("\3", "\0\0\0\x20", "\0\0\0\2", FIVE_MIB) "\xff\xfe"),
    REEVE_VOLUME_QCOW2, 5 << 20, NULL },
};

static void
test_header (Fixture *self, gconstpointer data)
{
  const HeaderCase *row = data;
  g_auto (ReeveVolume) volume = { 0 };
  g_autoptr (GError) error = NULL;

  write_volume (self, "v", row->header, row->size);
  g_assert_true (reeve_volume_read (self->pool, "v", &volume, &error));
  g_assert_no_error (error);
  g_assert_cmpint (volume.format, ==, row->format);
  g_assert_cmpuint (volume.capacity, ==, row->capacity);
  g_assert_cmpstr (volume.backing_path, ==, row->backing);
}

/* ---------------------------------------------------------------- plan --- */

typedef struct {
  const char *name;
  const char *xml; /* %s: the pool's directory */
  int code;        /* 0: it is good */
  ReeveVolumeFormat format;
  uint64_t capacity;
  uint64_t allocation;
} PlanCase;

#define NAMED(text) "<volume><name>new</name>" text "</volume>"
#define BACKED(path)                                                           \
  "<target><format type='qcow2'/></target><backingStore><path>" path           \
  "</path><format type='raw'/></backingStore>"

static const PlanCase plan_cases[] = {
  { "raw", NAMED ("<capacity>7</capacity>"), 0, REEVE_VOLUME_RAW, 7, 0 },
  { "units",
    NAMED ("<capacity unit='MiB'>2</capacity>"
           "<allocation unit='KB'>3</allocation>"),
    0, REEVE_VOLUME_RAW, 2 << 20, 3000 },
  { "qcow2",
    NAMED ("<capacity>7</capacity><target><format type='qcow2'/></target>"), 0,
    REEVE_VOLUME_QCOW2, 7, 0 },
  { "capacity-of-the-backing", NAMED (BACKED ("%s/old")), 0, REEVE_VOLUME_QCOW2,
    3, 0 },
  { "backing-elsewhere", NAMED (BACKED ("/etc/passwd")), REEVE_ERROR_NO_VOLUME,
    0, 0, 0 },
  { "backing-by-a-detour", NAMED (BACKED ("%s/../images/old")),
    REEVE_ERROR_NO_VOLUME, 0, 0, 0 },
  { "backing-of-raw",
    NAMED ("<capacity>7</capacity><backingStore><path>%s/old</path>"
           "</backingStore>"),
    REEVE_ERROR_XML_DETAIL, 0, 0, 0 },
  { "no-capacity", NAMED (""), REEVE_ERROR_XML_DETAIL, 0, 0, 0 },
  { "no-name", "<volume><capacity>1</capacity></volume>",
    REEVE_ERROR_XML_DETAIL, 0, 0, 0 },
  { "path-as-name", "<volume><name>../x</name><capacity>1</capacity></volume>",
    REEVE_ERROR_NO_VOLUME, 0, 0, 0 },
  { "too-large", NAMED ("<capacity unit='TiB'>8388608</capacity>"),
    REEVE_ERROR_XML_DETAIL, 0, 0, 0 },
  { "no-number", NAMED ("<capacity>-1</capacity>"), REEVE_ERROR_XML_DETAIL, 0,
    0, 0 },
  { "encrypted", NAMED ("<capacity>1</capacity><target><encryption/></target>"),
    REEVE_ERROR_CONFIG_UNSUPPORTED, 0, 0, 0 },
  { "unknown-format",
    NAMED ("<capacity>1</capacity><target><format type='vdi'/></target>"),
    REEVE_ERROR_CONFIG_UNSUPPORTED, 0, 0, 0 },
  { "other-root", "<pool/>", REEVE_ERROR_XML_DETAIL, 0, 0, 0 },
  { "no-xml", "x", REEVE_ERROR_XML, 0, 0, 0 },
};

static void
test_plan (Fixture *self, gconstpointer data)
{
  const PlanCase *row = data;
  g_auto (GStrv) parts = g_strsplit (row->xml, "%s", 2);
  g_autofree char *xml =
      g_strjoinv (reeve_storage_pool_get_dir (self->pool), parts);
  g_auto (ReeveVolumePlan) plan = { 0 };
  g_autoptr (GError) error = NULL;

  write_volume (self, "old", "raw", 3);
  if (row->code != 0) {
    g_assert_false (reeve_volume_plan_parse (&plan, self->pool, xml, &error));
    g_assert_error (error, REEVE_ERROR, row->code);
    return;
  }
  g_assert_true (reeve_volume_plan_parse (&plan, self->pool, xml, &error));
  g_assert_no_error (error);
  g_assert_cmpint (plan.format, ==, row->format);
  g_assert_cmpuint (plan.capacity, ==, row->capacity);
  g_assert_cmpuint (plan.allocation, ==, row->allocation);
}

/* ----------------------------------------------------------------- use --- */

static void
test_use (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  ReeveVolumeUse *readers[2];
  ReeveVolumeUse *writer;

  for (unsigned i = 0; i < G_N_ELEMENTS (readers); i++)
    readers[i] = reeve_storage_pool_use (self->pool, "v", FALSE, NULL);
  g_assert_null (reeve_storage_pool_use (self->pool, "v", TRUE, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID);
  reeve_volume_use_free (readers[0]);
  g_assert_null (reeve_storage_pool_use (self->pool, "v", TRUE, NULL));
  reeve_volume_use_free (readers[1]);

  writer = reeve_storage_pool_use (self->pool, "v", TRUE, NULL);
  g_assert_nonnull (writer);
  g_assert_null (reeve_storage_pool_use (self->pool, "v", FALSE, NULL));
  reeve_volume_use_free (reeve_storage_pool_use (self->pool, "w", TRUE, NULL));
  reeve_volume_use_free (writer);
}

/* A definition that was there is kept, and can name another directory. */
static void
test_definition (Fixture *self, gconstpointer data)
{
  g_autofree char *path =
      g_build_filename (self->state_dir, "pools", "default.xml", NULL);
  g_autofree char *dir = g_build_filename (self->state_dir, "other", NULL);
  g_autofree char *text = g_strdup_printf (
      "<pool type='dir'><uuid>00000000-0000-4000-8000-000000000001</uuid>"
      "<target><path>%s</path></target></pool>",
      dir);
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveStoragePool) again =
      reeve_storage_pool_open (self->loop, self->state_dir, "default", NULL);

  g_assert_cmpmem (reeve_storage_pool_get_uuid (again), 16,
                   reeve_storage_pool_get_uuid (self->pool), 16);
  reeve_storage_pool_unref (again);

  g_file_set_contents (path, text, -1, NULL);
  again =
      reeve_storage_pool_open (self->loop, self->state_dir, "default", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (reeve_storage_pool_get_dir (again), ==, dir);
  g_clear_pointer (&again, reeve_storage_pool_unref);

  g_file_set_contents (path, "<pool/>", -1, NULL);
  again =
      reeve_storage_pool_open (self->loop, self->state_dir, "default", &error);
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_XML_DETAIL);
  g_assert_nonnull (strstr (error->message, "default.xml"));
}

#define ADD(group, row, test)                                                  \
  G_STMT_START                                                                 \
  {                                                                            \
    g_autofree char *path =                                                    \
        g_strconcat ("/machine/storage-volume/" group "/", (row)->name, NULL); \
                                                                               \
    g_test_add (path, Fixture, row, set_up, test, tear_down);                  \
  }                                                                            \
  G_STMT_END

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (header_cases); i++)
    ADD ("header", &header_cases[i], test_header);
  for (unsigned i = 0; i < G_N_ELEMENTS (plan_cases); i++)
    ADD ("plan", &plan_cases[i], test_plan);
  g_test_add ("/machine/storage-volume/use/one-writer-or-many-readers", Fixture,
              NULL, set_up, test_use, tear_down);
  g_test_add ("/machine/storage-volume/pool/definition-is-kept", Fixture, NULL,
              set_up, test_definition, tear_down);
  return g_test_run ();
}
