/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/daemon-private.h"
#include "machine/machine-table.h"
#include "resource/stream.h"
#include "rpc/uuid.h"
#include "tree/module.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_EVENTS 256 /* that are kept for slow readers of one machine */
#define MAX_ALL_EVENTS 4096

/* A machine that somebody has looked for. */
typedef struct {
  ReeveMachine *machine;        /* (owned) */
  ReeveTreeBase *base;          /* (not owned) */
  ReeveResourceNode *directory; /* (owned) */
  ReeveResourceNode *link;      /* (owned) (nullable): in by-uuid */
  ReeveResourceNode *events;    /* (owned) */
  ReeveTreeStats *stats;        /* (owned) */
  GHashTable *files;            /* (element-type utf8 ReeveResourceNode) */
} Entry;

struct _ReeveTreeMachines {
  ReeveMachineList *machines; /* (owned) */
  ReeveTreeBase *base;        /* (not owned) */
  ReeveResourceNode *events;  /* (owned): of all machines */
  GHashTable *entries;        /* (element-type uuid Entry) (owned) */
  unsigned subscription;
};

static unsigned
hash_uuid (gconstpointer key)
{
  unsigned hash;

  memcpy (&hash, key, sizeof hash);
  return hash;
}

static gboolean
is_same_uuid (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, REEVE_UUID_SIZE) == 0;
}

static gboolean
guard_events (ReeveResourceNode *node,
              const ReeveResourceCaller *caller,
              int want,
              gpointer data)
{
  static const ReeveTreeAccess access = { .read_tag = "domain:read" };
  const Entry *self = data;

  return reeve_tree_check (self->base, node, caller, want, &access, "events",
                           self->machine);
}

/* Whether somebody may know of the machine. */
static gboolean
show_entry (ReeveResourceNode *node,
            const ReeveResourceCaller *caller,
            gpointer data)
{
  const Entry *self = data;

  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  reeve_machine_get_snapshot (self->machine, &snapshot);
  return reeve_tree_shows (self->base, caller, snapshot.name);
}

/* Of a machine that is gone. */
static gboolean
hide (ReeveResourceNode *node, const ReeveResourceCaller *caller, gpointer data)
{
  return FALSE;
}

static gboolean
deny (ReeveResourceNode *node,
      const ReeveResourceCaller *caller,
      int want,
      gpointer data)
{
  return FALSE;
}

/* It may lead to another name from now on. */
static void
drop_link (Entry *entry)
{
  if (entry->link != NULL)
    reeve_resource_node_set_sight (entry->link, hide, NULL);
  g_clear_pointer (&entry->link, reeve_resource_node_unref);
}

static void
entry_free (gpointer data)
{
  Entry *self = data;

  reeve_resource_stream_end (self->events);
  reeve_resource_node_set_guard (self->events, deny, NULL);
  reeve_resource_node_set_sight (self->directory, hide, NULL);
  drop_link (self);
  reeve_tree_stats_free (self->stats);
  g_hash_table_unref (self->files);
  reeve_resource_node_unref (self->events);
  reeve_resource_node_unref (self->directory);
  reeve_machine_unref (self->machine);
  g_free (self);
}

/* (transfer none): made when there is none yet. That of another machine, which
 * had the same uuid, goes. */
static Entry *
get_entry (ReeveTreeMachines *self, ReeveMachine *machine)
{
  Entry *entry =
      g_hash_table_lookup (self->entries, reeve_machine_get_uuid (machine));

  if (entry != NULL && entry->machine == machine)
    return entry;
  if (entry != NULL)
    g_hash_table_remove (self->entries, reeve_machine_get_uuid (machine));

  entry = g_new0 (Entry, 1);
  entry->machine = reeve_machine_ref (machine);
  entry->base = self->base;
  entry->directory = reeve_resource_node_new_directory (0755);
  reeve_resource_node_set_sight (entry->directory, show_entry, entry);
  entry->stats = reeve_tree_stats_new (machine, self->base);
  entry->files = reeve_tree_make_machine_files (machine, self->base);
  entry->events = reeve_resource_stream_new (0444, MAX_EVENTS);
  reeve_resource_node_set_guard (entry->events, guard_events, entry);
  g_hash_table_insert (self->entries,
                       (gpointer) reeve_machine_get_uuid (machine), entry);
  return entry;
}

/* ------------------------------------------------------------- looking --- */

/* (transfer full) (nullable): @names: of a file of it, NULL at the end */
static ReeveResourceNode *
find_file (Entry *entry, char **names)
{
  ReeveResourceNode *file = NULL;

  if (g_str_equal (names[0], "stats"))
    return reeve_tree_stats_find (entry->stats, names[1]);
  if (names[1] != NULL)
    return NULL;
  file = g_str_equal (names[0], "events")
             ? entry->events
             : g_hash_table_lookup (entry->files, names[0]);
  return file == NULL ? NULL : reeve_resource_node_ref (file);
}

/* @rest: NAME, NAME/FILE or NAME/stats/FIELD. */
static ReeveResourceNode *
find (ReeveResourceNode *node, const char *rest, gpointer data)
{
  ReeveTreeMachines *self = data;
  g_auto (GStrv) names = g_strsplit (rest, "/", 3);
  g_autoptr (ReeveMachine) machine =
      reeve_machine_list_lookup_name (self->machines, names[0], NULL);
  Entry *entry = NULL;

  if (machine == NULL)
    return NULL;
  entry = get_entry (self, machine);
  return names[1] == NULL ? reeve_resource_node_ref (entry->directory)
                          : find_file (entry, names + 1);
}

/* Whether somebody lists names, and may not know of this one. */
static gboolean
is_hidden (ReeveTreeMachines *self,
           ReeveResourceListing *listing,
           const char *name)
{
  const ReeveResourceCaller *caller =
      reeve_resource_listing_get_caller (listing);

  return caller != NULL && !reeve_tree_shows (self->base, caller, name);
}

/* What the directory of a machine has, or one in it. */
static void
list_files (ReeveTreeMachines *self,
            const char *rest,
            ReeveResourceListing *listing)
{
  g_auto (GStrv) names = g_strsplit (rest, "/", 2);
  g_autoptr (ReeveMachine) machine =
      reeve_machine_list_lookup_name (self->machines, names[0], NULL);

  if (machine == NULL)
    return;
  if (names[1] != NULL) {
    reeve_tree_stats_list (get_entry (self, machine)->stats, listing);
    return;
  }
  reeve_tree_list_machine_files (listing);
  reeve_resource_listing_add (listing, "events", S_IFREG);
  reeve_resource_listing_add (listing, "stats", S_IFDIR);
}

/* Names, or their uuids, of those that may be listed. No machine is asked: a
 * list waits for none of them. */
static void
list_rows (ReeveTreeMachines *self,
           ReeveResourceListing *listing,
           gboolean by_uuid)
{
  g_autoptr (ReeveMachineTable) table =
      reeve_machine_list_get_table (self->machines, NULL);
  unsigned n_rows;
  const ReeveMachineRow *rows = reeve_machine_table_get_rows (table, &n_rows);

  for (unsigned i = 0; i < n_rows; i++) {
    char uuid[REEVE_UUID_TEXT_SIZE];

    if (is_hidden (self, listing, rows[i].name))
      continue;
    reeve_uuid_format (rows[i].uuid, uuid);
    reeve_resource_listing_add (listing, by_uuid ? uuid : rows[i].name,
                                by_uuid ? S_IFLNK : S_IFDIR);
  }
}

static void
list (ReeveResourceNode *node,
      const char *rest,
      ReeveResourceListing *listing,
      gpointer data)
{
  if (*rest == '\0')
    list_rows (data, listing, FALSE);
  else
    list_files (data, rest, listing);
}

static ReeveResourceNode *
find_by_uuid (ReeveResourceNode *node, const char *rest, gpointer data)
{
  ReeveTreeMachines *self = data;
  uint8_t uuid[REEVE_UUID_SIZE];
  char text[REEVE_UUID_TEXT_SIZE];
  g_autoptr (ReeveMachine) machine = NULL;
  Entry *entry = NULL;

  if (!reeve_uuid_parse (rest, uuid))
    return NULL;
  /* There is one name for each. */
  reeve_uuid_format (uuid, text);
  if (g_str_equal (rest, text))
    machine = reeve_machine_list_lookup_uuid (self->machines, uuid, NULL);
  if (machine == NULL)
    return NULL;

  entry = get_entry (self, machine);
  if (entry->link == NULL) {
    g_auto (ReeveMachineSnapshot) snapshot = { 0 };
    g_autofree char *target = NULL;

    reeve_machine_get_snapshot (machine, &snapshot);
    target = g_strconcat ("../", snapshot.name, NULL);
    entry->link = reeve_resource_node_new_symlink (target);
    reeve_resource_node_set_sight (entry->link, show_entry, entry);
  }
  return reeve_resource_node_ref (entry->link);
}

static void
list_by_uuid (ReeveResourceNode *node,
              const char *rest,
              ReeveResourceListing *listing,
              gpointer data)
{
  list_rows (data, listing, TRUE);
}

/* -------------------------------------------------------------- events --- */

static const char *const lifecycle_names[] = {
  [REEVE_LIFECYCLE_DEFINED] = "defined",
  [REEVE_LIFECYCLE_UNDEFINED] = "undefined",
  [REEVE_LIFECYCLE_STARTED] = "started",
  [REEVE_LIFECYCLE_SUSPENDED] = "suspended",
  [REEVE_LIFECYCLE_RESUMED] = "resumed",
  [REEVE_LIFECYCLE_STOPPED] = "stopped",
  [REEVE_LIFECYCLE_SHUTDOWN] = "shutdown",
  [REEVE_LIFECYCLE_PMSUSPENDED] = "pmsuspended",
  [REEVE_LIFECYCLE_CRASHED] = "crashed",
};

static const char *
name_event (const ReeveMachineEvent *event)
{
  switch (event->type) {
  case REEVE_MACHINE_EVENT_LIFECYCLE:
    return event->event >= 0 &&
                   (size_t) event->event < G_N_ELEMENTS (lifecycle_names)
               ? lifecycle_names[event->event]
               : "lifecycle";
  case REEVE_MACHINE_EVENT_REBOOT:
    return "reboot";
  case REEVE_MACHINE_EVENT_RTC_CHANGE:
    return "rtc-change";
  case REEVE_MACHINE_EVENT_WATCHDOG:
    return "watchdog";
  case REEVE_MACHINE_EVENT_IO_ERROR:
    return "io-error";
  case REEVE_MACHINE_EVENT_TRAY_CHANGE:
    return "tray-change";
  case REEVE_MACHINE_EVENT_PMWAKEUP:
    return "pmwakeup";
  case REEVE_MACHINE_EVENT_PMSUSPEND:
    return "pmsuspend";
  case REEVE_MACHINE_EVENT_BALLOON_CHANGE:
    return "balloon-change";
  case REEVE_MACHINE_EVENT_PMSUSPEND_DISK:
    return "pmsuspend-disk";
  case REEVE_MACHINE_EVENT_DEVICE_REMOVED:
    return "device-removed";
  case REEVE_MACHINE_EVENT_AGENT_LIFECYCLE:
    return "agent-lifecycle";
  case REEVE_MACHINE_EVENT_DEVICE_REMOVAL_FAILED:
    return "device-removal-failed";
  case REEVE_MACHINE_EVENT_METADATA_CHANGE:
    return "metadata-change";
  case REEVE_MACHINE_EVENT_AUTOSTART:
    return "autostart";
  default:
    return NULL;
  }
}

static void
notify_files (Entry *entry)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, entry->files);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    reeve_resource_node_notify (value);
}

static void
take_event (ReeveMachineEvent *event, gpointer data)
{
  ReeveTreeMachines *self = data;
  Entry *entry = g_hash_table_lookup (self->entries, event->uuid);
  const char *name = name_event (event);
  g_autoptr (ReeveMachine) machine = NULL;

  /* Those of the monitor are QEMU's. */
  if (name == NULL)
    return;
  if (entry != NULL) {
    g_autofree char *record =
        g_strdup_printf ("%" PRIu64 " %s\n", event->sequence, name);

    reeve_resource_stream_push (entry->events, record);
    drop_link (entry);
    notify_files (entry);
    machine =
        reeve_machine_list_lookup_uuid (self->machines, event->uuid, NULL);
    if (machine != entry->machine)
      g_hash_table_remove (self->entries, event->uuid);
  }
  if (reeve_resource_name_is_valid (event->name)) {
    g_autofree char *record = g_strdup_printf (
        "%" PRIu64 " %s %s\n", event->sequence, event->name, name);

    reeve_resource_stream_push (self->events, record);
  }
}

/* ReeveMachineGoneFunc: after its last event, if there was one. */
static void
forget_machine (ReeveMachine *machine, gpointer data)
{
  ReeveTreeMachines *self = data;
  const uint8_t *uuid = reeve_machine_get_uuid (machine);
  const Entry *entry = g_hash_table_lookup (self->entries, uuid);

  if (entry != NULL && entry->machine == machine)
    g_hash_table_remove (self->entries, uuid);
}

/* ReeveResourceStreamFilter: of NUMBER NAME EVENT, where a name may have spaces
 * in it. What happened to one that is gone is told as if it were there. */
static gboolean
show_record (const char *record,
             const ReeveResourceCaller *caller,
             gpointer data)
{
  const ReeveTreeMachines *self = data;
  const char *start = strchr (record, ' ') + 1;
  const char *end = strrchr (record, ' ');
  g_autofree char *name = g_strndup (start, (size_t) (end - start));

  return reeve_tree_shows (self->base, caller, name);
}

/* ---------------------------------------------------------------- rules -- */

/* Names, and what happens to whom. */
static gboolean
guard (ReeveResourceNode *node,
       const ReeveResourceCaller *caller,
       int want,
       gpointer data)
{
  static const ReeveTreeAccess access = {
    .read_tag = "connect:search_domains",
  };
  const ReeveTreeMachines *self = data;

  return want == X_OK || reeve_tree_check (self->base, node, caller, want,
                                           &access, "/machines", NULL);
}

static void
attach (ReeveTreeMachines *self,
        ReeveResourceTree *tree,
        const char *path,
        ReeveResourceAttachFlags flags,
        ReeveResourceNode *node)
{
  reeve_resource_node_set_guard (node, guard, self);
  reeve_resource_tree_attach (tree, path, flags, node, NULL);
  reeve_resource_node_unref (node);
}

ReeveTreeMachines *
reeve_tree_machines_new (ReeveResourceTree *tree, ReeveTreeBase *base)
{
  static const ReeveResourceOps ops = { .find = find, .list = list };
  static const ReeveResourceOps uuid_ops = {
    .find = find_by_uuid,
    .list = list_by_uuid,
  };
  ReeveTreeMachines *self = g_new0 (ReeveTreeMachines, 1);

  self->machines = reeve_machine_list_ref (base->machines);
  self->base = base;
  self->events = reeve_resource_stream_new (0444, MAX_ALL_EVENTS);
  reeve_resource_stream_set_filter (self->events, show_record, self);
  self->entries =
      g_hash_table_new_full (hash_uuid, is_same_uuid, NULL, entry_free);
  attach (self, tree, "/machines", REEVE_RESOURCE_ATTACH_DIRECTORY,
          reeve_resource_node_new (S_IFDIR | 0755, &ops, self, NULL));
  attach (self, tree, "/machines/by-uuid",
          REEVE_RESOURCE_ATTACH_DIRECTORY | REEVE_RESOURCE_ATTACH_OPAQUE,
          reeve_resource_node_new (S_IFDIR | 0755, &uuid_ops, self, NULL));
  attach (self, tree, "/machines/events", REEVE_RESOURCE_ATTACH_DEFAULT,
          reeve_resource_node_ref (self->events));
  self->subscription = reeve_machine_list_subscribe (self->machines, take_event,
                                                     self, NULL, NULL);
  reeve_machine_list_set_gone_func (self->machines, forget_machine, self);
  return self;
}

void
reeve_tree_machines_free (ReeveTreeMachines *self)
{
  if (self == NULL)
    return;

  reeve_machine_list_set_gone_func (self->machines, NULL, NULL);
  reeve_machine_list_unsubscribe (self->machines, self->subscription);
  reeve_resource_stream_end (self->events);
  reeve_resource_stream_set_filter (self->events, NULL, NULL);
  g_hash_table_unref (self->entries);
  reeve_resource_node_unref (self->events);
  reeve_machine_list_unref (self->machines);
  g_free (self);
}
