/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/error.h"
#include "rpc/uuid.h"
#include "tree/module.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

/* The files of one machine. */

#define CONSOLE_NAME "console"
/* How long a command may take. */
#define COMMAND_TIMEOUT_US (60 * G_USEC_PER_SEC)

typedef struct _File File;

/* Behind a node. */
typedef struct {
  ReeveMachine *machine; /* (owned) */
  ReeveDaemon *daemon;   /* (not owned) */
  const File *file;
} Source;

struct _File {
  const char *name;
  mode_t mode;
  void (*show) (const ReeveMachineSnapshot *snapshot, GString *text);
  void (*write) (ReeveResourceRequest *request,
                 const char *text,
                 const Source *source);
  const char *read_tag;  /* what it takes to read it */
  const char *write_tag; /* (nullable): and to write; NULL: write asks */
};

int
reeve_tree_get_errno (const GError *error)
{
  if (!g_error_matches (error, REEVE_ERROR, error->code))
    return EIO;

  switch (error->code) {
  case REEVE_ERROR_OPERATION_INVALID:
    return EBUSY;
  case REEVE_ERROR_NO_DOMAIN:
    return ENOENT;
  case REEVE_ERROR_TIMED_OUT:
    return ETIMEDOUT;
  case REEVE_ERROR_ACCESS_DENIED:
    return EACCES;
  case REEVE_ERROR_INVALID_ARG:
    return EINVAL;
  case REEVE_ERROR_LIMIT:
    return EAGAIN;
  case REEVE_ERROR_ABORTED:
    return ECANCELED;
  default:
    return EIO;
  }
}

/* ------------------------------------------------------------- reading --- */

static const char *const state_names[] = {
  [REEVE_MACHINE_NOSTATE] = "no state",
  [REEVE_MACHINE_RUNNING] = "running",
  [REEVE_MACHINE_BLOCKED] = "idle",
  [REEVE_MACHINE_PAUSED] = "paused",
  [REEVE_MACHINE_SHUTDOWN] = "in shutdown",
  [REEVE_MACHINE_SHUTOFF] = "shut off",
  [REEVE_MACHINE_CRASHED] = "crashed",
  [REEVE_MACHINE_PMSUSPENDED] = "pmsuspended",
};

static ReeveConfig *
get_config (const ReeveMachineSnapshot *snapshot)
{
  return snapshot->live_config != NULL ? snapshot->live_config
                                       : snapshot->config;
}

static void
show_state (const ReeveMachineSnapshot *snapshot, GString *text)
{
  g_string_append_printf (text, "%s\n", state_names[snapshot->state]);
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
  g_string_append (text, snapshot->is_autostart ? "yes\n" : "no\n");
}

static void
show (ReeveResourceRequest *request, gpointer data)
{
  const Source *self = data;
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };
  GString *text = g_string_new (NULL);

  reeve_machine_get_snapshot (self->machine, &snapshot);
  self->file->show (&snapshot, text);
  reeve_resource_request_show_text (request, g_string_free (text, FALSE));
}

/* ------------------------------------------------------------- writing --- */

/* ReeveMachineDone: the end of what was written. */
static void
finish (ReeveMachine *machine, const GError *error, gpointer data)
{
  if (error == NULL)
    reeve_resource_request_take (data);
  else
    reeve_resource_request_fail (data, reeve_tree_get_errno (error));
}

static void
start (ReeveMachine *machine,
       gint64 deadline_us,
       ReeveMachineDone done,
       gpointer data)
{
  reeve_machine_start (machine, REEVE_MACHINE_START_NONE, NULL, deadline_us,
                       done, data);
}

static void
destroy (ReeveMachine *machine,
         gint64 deadline_us,
         ReeveMachineDone done,
         gpointer data)
{
  reeve_machine_destroy (machine, REEVE_MACHINE_DESTROY_DEFAULT, deadline_us,
                         done, data);
}

typedef struct {
  const char *name;
  const char *tag;
  void (*run) (ReeveMachine *machine,
               gint64 deadline_us,
               ReeveMachineDone done,
               gpointer data);
} Command;

static const Command commands[] = {
  { "destroy", "domain:stop", destroy },
  { "reboot", "domain:init_control", reeve_machine_reboot },
  { "reset", "domain:reset", reeve_machine_reset },
  { "resume", "domain:suspend", reeve_machine_resume },
  { "shutdown", "domain:init_control", reeve_machine_shutdown },
  { "start", "domain:start", start },
  { "suspend", "domain:suspend", reeve_machine_suspend },
};

static void
run_command (ReeveResourceRequest *request,
             const char *text,
             const Source *self)
{
  const ReeveResourceCaller *caller = reeve_resource_handle_get_caller (
      reeve_resource_request_get_handle (request));

  for (size_t i = 0; i < G_N_ELEMENTS (commands); i++) {
    if (!g_str_equal (text, commands[i].name))
      continue;
    if (reeve_tree_allows (self->daemon, caller, commands[i].tag,
                           self->machine))
      commands[i].run (self->machine,
                       g_get_monotonic_time () + COMMAND_TIMEOUT_US, finish,
                       request);
    else
      reeve_resource_request_fail (request, EACCES);
    return;
  }
  reeve_resource_request_fail (request, EINVAL);
}

static void
set_memory (ReeveResourceRequest *request, const char *text, const Source *self)
{
  guint64 memory_kib;

  if (g_ascii_string_to_unsigned (text, 10, 1, G_MAXINT64, &memory_kib, NULL))
    reeve_machine_set_memory (self->machine, memory_kib,
                              g_get_monotonic_time () + COMMAND_TIMEOUT_US,
                              finish, request);
  else
    reeve_resource_request_fail (request, EINVAL);
}

static void
write_file (ReeveResourceRequest *request, const char *text, gpointer data)
{
  const Source *self = data;

  self->file->write (request, text, self);
}

/* --------------------------------------------------------------- nodes --- */

static const File files[] = {
  { "autostart", 0444, show_autostart, NULL, "domain:read", NULL },
  { "ctl", 0200, NULL, run_command, "domain:read", NULL },
  { "memory", 0644, show_memory, set_memory, "domain:read", "domain:write" },
  { "pid", 0444, show_pid, NULL, "domain:read", NULL },
  { "state", 0444, show_state, NULL, "domain:read", NULL },
  { "uuid", 0444, show_uuid, NULL, "domain:getattr", NULL },
  { "vcpus", 0444, show_vcpus, NULL, "domain:read", NULL },
  { "xml", 0444, show_xml, NULL, "domain:read", NULL },
};

static gboolean
guard (ReeveResourceNode *node,
       const ReeveResourceCaller *caller,
       int want,
       gpointer data)
{
  const Source *self = data;

  if ((want & R_OK) != 0 &&
      !reeve_tree_allows (self->daemon, caller, self->file->read_tag,
                          self->machine))
    return FALSE;
  return (want & W_OK) == 0 || self->file->write_tag == NULL ||
         reeve_tree_allows (self->daemon, caller, self->file->write_tag,
                            self->machine);
}

static void
source_free (gpointer data)
{
  Source *self = data;

  reeve_machine_unref (self->machine);
  g_free (self);
}

static Source *
source_new (ReeveMachine *machine, ReeveDaemon *daemon, const File *file)
{
  Source *self = g_new0 (Source, 1);

  self->machine = reeve_machine_ref (machine);
  self->daemon = daemon;
  self->file = file;
  return self;
}

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

  return reeve_resource_property_new (file->mode, funcs, source, source_free);
}

GHashTable *
reeve_tree_make_machine_files (ReeveMachine *machine, ReeveDaemon *daemon)
{
  GHashTable *nodes =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                             (GDestroyNotify) reeve_resource_node_unref);

  for (size_t i = 0; i < G_N_ELEMENTS (files); i++) {
    Source *source = source_new (machine, daemon, &files[i]);
    ReeveResourceNode *node = make_node (&files[i], source);

    reeve_resource_node_set_guard (node, guard, source);
    g_hash_table_insert (nodes, (gpointer) files[i].name, node);
  }
  g_hash_table_insert (nodes, (gpointer) CONSOLE_NAME,
                       reeve_tree_console_new (machine, daemon));
  return nodes;
}

void
reeve_tree_list_machine_files (ReeveResourceListing *listing)
{
  for (size_t i = 0; i < G_N_ELEMENTS (files); i++)
    reeve_resource_listing_add (listing, files[i].name, S_IFREG);
  reeve_resource_listing_add (listing, CONSOLE_NAME, S_IFREG);
}
