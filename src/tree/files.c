/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/state-names.h"
#include "rpc/uuid.h"
#include "tree/module.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

/* The files of one machine. */

#define CONSOLE_NAME "console"
#define SCREENSHOT_NAME "screenshot.png"
/* How long a command may take. */
#define COMMAND_TIMEOUT_US (60 * G_USEC_PER_SEC)

typedef struct _File File;

/* Behind a node. */
typedef struct _Source {
  ReeveTreeSource common;
  const File *file;
} Source;

struct _File {
  const char *name;
  mode_t mode;
  void (*show) (const ReeveMachineSnapshot *snapshot, GString *text);
  void (*write) (ReeveResourceRequest *request,
                 const char *text,
                 Source *source);
  ReeveTreeAccess access;
};

/* ------------------------------------------------------------- reading --- */

static ReeveConfig *
get_config (const ReeveMachineSnapshot *snapshot)
{
  return snapshot->live_config != NULL ? snapshot->live_config
                                       : snapshot->config;
}

static void
show_state (const ReeveMachineSnapshot *snapshot, GString *text)
{
  g_string_append_printf (text, "%s\n", reeve_state_name (snapshot->state));
}

static void
show_xml (const ReeveMachineSnapshot *snapshot, GString *text)
{
  g_autofree char *xml = NULL;

  if (snapshot->live_config == NULL) {
    g_string_append (text, reeve_config_get_xml (snapshot->config));
    return;
  }
  xml = reeve_config_dup_live_xml (snapshot->live_config, snapshot->id,
                                   snapshot->chosen);
  g_string_append (text, xml);
}

static void
show_memory (const ReeveMachineSnapshot *snapshot, GString *text)
{
  g_string_append_printf (text, "%" PRIu64 "\n", snapshot->current_memory_kib);
}

static void
show_vcpus (const ReeveMachineSnapshot *snapshot, GString *text)
{
  g_string_append_printf (text, "%u\n",
                          reeve_config_get_vcpus (get_config (snapshot)));
}

static void
show_uuid (const ReeveMachineSnapshot *snapshot, GString *text)
{
  char uuid[REEVE_UUID_TEXT_SIZE];

  reeve_uuid_format (snapshot->uuid, uuid);
  g_string_append_printf (text, "%s\n", uuid);
}

static void
show_pid (const ReeveMachineSnapshot *snapshot, GString *text)
{
  g_string_append_printf (text, "%d\n", (int) snapshot->pid);
}

static void
show_autostart (const ReeveMachineSnapshot *snapshot, GString *text)
{
  g_string_append (text, snapshot->is_autostart ? "1\n" : "0\n");
}

static void
show (ReeveResourceRequest *request, gpointer data)
{
  const Source *self = data;
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };
  GString *text = g_string_new (NULL);

  reeve_machine_get_snapshot (self->common.machine, &snapshot);
  self->file->show (&snapshot, text);
  reeve_resource_request_show_text (request, g_string_free (text, FALSE));
}

/* ------------------------------------------------------------- writing --- */

/* ReeveMachineDone: the end of what was written. */
static void
finish (ReeveMachine *machine, const GError *error, gpointer data)
{
  reeve_tree_write_end (data, error == NULL ? 0 : reeve_tree_get_errno (error));
}

typedef struct {
  const char *name;
  const char *tag;
  ReeveMachineOperation run;
} Command;

static const Command commands[] = {
  { "destroy", "domain:stop", reeve_machine_destroy_plainly },
  { "reboot", "domain:init_control", reeve_machine_reboot },
  { "reset", "domain:reset", reeve_machine_reset },
  { "resume", "domain:suspend", reeve_machine_resume },
  { "shutdown", "domain:init_control", reeve_machine_shutdown },
  { "start", "domain:start", reeve_machine_start_plainly },
  { "suspend", "domain:suspend", reeve_machine_suspend },
};

/* (nullable) */
static const Command *
find_command (const char *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS (commands); i++)
    if (g_str_equal (name, commands[i].name))
      return &commands[i];
  return NULL;
}

static void
run_command (ReeveResourceRequest *request, const char *text, Source *self)
{
  ReeveResourceHandle *handle = reeve_resource_request_get_handle (request);
  const Command *command = find_command (text);
  ReeveTreeAccess access = { 0 };

  if (command == NULL) {
    reeve_resource_request_fail (request, EINVAL);
    return;
  }
  access.read_tag = access.write_tag = command->tag;
  if (reeve_tree_check (self->common.base,
                        reeve_resource_handle_get_node (handle),
                        reeve_resource_handle_get_caller (handle), W_OK,
                        &access, self->common.path, self->common.machine))
    command->run (
        self->common.machine, g_get_monotonic_time () + COMMAND_TIMEOUT_US,
        finish,
        reeve_tree_write_begin (&self->common, request, text, command->tag));
  else
    reeve_resource_request_fail (request, EACCES);
}

static void
set_memory (ReeveResourceRequest *request, const char *text, Source *self)
{
  ReeveTreeWrite *write = reeve_tree_write_begin (
      &self->common, request, text, self->common.access->write_tag);
  guint64 memory_kib;

  if (g_ascii_string_to_unsigned (text, 10, 1, G_MAXINT64, &memory_kib, NULL))
    reeve_machine_set_memory (self->common.machine, memory_kib,
                              g_get_monotonic_time () + COMMAND_TIMEOUT_US,
                              finish, write);
  else
    reeve_tree_write_end (write, EINVAL);
}

/* ReeveTreeWriteFunc */
static gboolean
store_autostart (ReeveTreeBase *base,
                 const char *text,
                 gpointer data,
                 GError **error)
{
  Source *self = data;

  return reeve_machine_list_set_autostart (base->machines, self->common.machine,
                                           g_str_equal (text, "1"), error);
}

static void
set_autostart (ReeveResourceRequest *request, const char *text, Source *self)
{
  ReeveTreeWrite *write = reeve_tree_write_begin (
      &self->common, request, text, self->common.access->write_tag);

  if (g_str_equal (text, "0") || g_str_equal (text, "1"))
    reeve_tree_write_run (write, store_autostart, self);
  else
    reeve_tree_write_end (write, EINVAL);
}

static void
write_file (ReeveResourceRequest *request, const char *text, gpointer data)
{
  Source *self = data;

  self->file->write (request, text, self);
}

/* --------------------------------------------------------------- nodes --- */

static const File files[] = {
  { "autostart",
    0644,
    show_autostart,
    set_autostart,
    { "domain:read", "domain:write", FALSE } },
  { "ctl", 0200, NULL, run_command, { "domain:read", NULL, FALSE } },
  { "memory",
    0644,
    show_memory,
    set_memory,
    { "domain:read", "domain:write", FALSE } },
  { "pid", 0444, show_pid, NULL, { "domain:read", NULL, FALSE } },
  { "state", 0444, show_state, NULL, { "domain:read", NULL, FALSE } },
  { "uuid", 0444, show_uuid, NULL, { "domain:getattr", NULL, FALSE } },
  { "vcpus", 0444, show_vcpus, NULL, { "domain:read", NULL, FALSE } },
  { "xml", 0444, show_xml, NULL, { "domain:read", NULL, FALSE } },
};

/* (transfer full): with the functions that @file has. */
static ReeveResourceNode *
make_node (const File *file, Source *source)
{
  static const ReeveResourceTextFuncs reads = { show, NULL };
  static const ReeveResourceTextFuncs writes = { NULL, write_file };
  static const ReeveResourceTextFuncs both = { show, write_file };
  const ReeveResourceTextFuncs *funcs = file->show == NULL    ? &writes
                                        : file->write == NULL ? &reads
                                                              : &both;

  return reeve_resource_property_new (file->mode, funcs, source,
                                      reeve_tree_source_free);
}

GHashTable *
reeve_tree_make_machine_files (ReeveMachine *machine, ReeveTreeBase *base)
{
  GHashTable *nodes =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                             (GDestroyNotify) reeve_resource_node_unref);

  for (size_t i = 0; i < G_N_ELEMENTS (files); i++) {
    Source *source = reeve_tree_source_new (
        sizeof *source, base, &files[i].access, files[i].name, machine);
    ReeveResourceNode *node = make_node (&files[i], source);

    source->file = &files[i];
    reeve_resource_node_set_guard (node, reeve_tree_guard, source);
    g_hash_table_insert (nodes, (gpointer) files[i].name, node);
  }
  g_hash_table_insert (nodes, (gpointer) CONSOLE_NAME,
                       reeve_tree_console_new (machine, base));
  g_hash_table_insert (nodes, (gpointer) SCREENSHOT_NAME,
                       reeve_tree_screenshot_new (machine, base));
  return nodes;
}

void
reeve_tree_list_machine_files (ReeveResourceListing *listing)
{
  for (size_t i = 0; i < G_N_ELEMENTS (files); i++)
    reeve_resource_listing_add (listing, files[i].name, S_IFREG);
  reeve_resource_listing_add (listing, CONSOLE_NAME, S_IFREG);
  reeve_resource_listing_add (listing, SCREENSHOT_NAME, S_IFREG);
}
