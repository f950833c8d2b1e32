/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/resource.h"
#include "event/fd.h"
#include "event/intl.h"
#include "event/thread.h"
#include "rpc/error.h"
#include "shell/command.h"
#include "shell/output.h"

#include "protocol/resource.h"
#include "protocol/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A daemon's resources, as the files they are. */

#define READ_SIZE 65536
/* One call waits so long for a resource that has nothing to read; then there is
 * another one. */
#define WAIT_MS 20000
/* The answer may take so long when the wait is over. */
#define ANSWER_MS 10000

static gboolean
call (ReeveShell *shell,
      int32_t procedure,
      gconstpointer args,
      gpointer ret,
      GError **error)
{
  return reeve_shell_call_program (
      shell, &resource_program, procedure, args, ret,
      shell->timeout_ms < 0 ? WAIT_MS + ANSWER_MS : shell->timeout_ms, error);
}

/* Why a step of a COMBINE failed. Returns: %FALSE */
static gboolean
fail (int errnum, const char *path, GError **error)
{
  int code = errnum == ENOENT                      ? REEVE_ERROR_NO_RESOURCE
             : errnum == EACCES || errnum == EPERM ? REEVE_ERROR_ACCESS_DENIED
                                                   : REEVE_ERROR_SYSTEM;

  g_set_error (error, REEVE_ERROR, code, "%s: %s", path, g_strerror (errnum));
  return FALSE;
}

static const char *
get_path (const ReeveArguments *arguments)
{
  const char *path = reeve_arguments_get (arguments, "path");

  return path == NULL ? "/" : path;
}

/* For programs, too: not translated. */
static const char *
get_type_name (unsigned mode)
{
  return S_ISDIR (mode) ? "directory" : S_ISLNK (mode) ? "link" : "file";
}

/* -------------------------------------------------------------- ls, tree -- */

typedef gboolean (*EntryFunc) (ReeveShell *shell,
                               const char *directory,
                               const resource_entry *entry,
                               unsigned depth,
                               gpointer data,
                               GError **error);

GStrv
reeve_resource_list_paths (ReeveShell *shell, const char *prefix)
{
  const char *slash = strrchr (prefix, '/');
  g_autofree char *folder =
      slash == NULL ? g_strdup ("") : g_strndup (prefix, slash + 1 - prefix);
  const resource_list_args args = { *folder == '\0' ? (char *) "/" : folder,
                                    (char *) "", 0 };
  resource_list_ret ret = { 0 };
  GPtrArray *paths = g_ptr_array_new ();

  call (shell, RESOURCE_PROC_LIST, &args, &ret, NULL);
  for (uint32_t i = 0; i < ret.entries.n_items; i++)
    g_ptr_array_add (
        paths,
        g_strconcat (folder, ret.entries.items[i].name,
                     S_ISDIR (ret.entries.items[i].type) ? "/" : "", NULL));
  resource_list_ret_clear (&ret);
  g_ptr_array_add (paths, NULL);
  return (GStrv) g_ptr_array_free (paths, FALSE);
}

/* Page by page, so that it does not matter how many there are. */
static gboolean
for_each (ReeveShell *shell,
          const char *path,
          unsigned depth,
          EntryFunc func,
          gpointer data,
          GError **error)
{
  g_autofree char *after = g_strdup ("");
  gboolean has_more = TRUE;

  while (has_more) {
    const resource_list_args args = { (char *) path, after, 0 };
    resource_list_ret ret = { 0 };
    gboolean is_done = call (shell, RESOURCE_PROC_LIST, &args, &ret, error);

    has_more = ret.more && ret.entries.n_items > 0;
    for (uint32_t i = 0; is_done && i < ret.entries.n_items; i++)
      is_done = func (shell, path, &ret.entries.items[i], depth, data, error);
    if (has_more) {
      g_free (after);
      after = g_strdup (ret.entries.items[ret.entries.n_items - 1].name);
    }
    resource_list_ret_clear (&ret);
    if (!is_done)
      return FALSE;
  }
  return TRUE;
}

static gboolean
add_entry (ReeveShell *shell,
           const char *directory,
           const resource_entry *entry,
           unsigned depth,
           gpointer data,
           GError **error)
{
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "name", entry->name);
  json_object_set_string_member (object, "type", get_type_name (entry->type));
  json_array_add_object_element (data, object);
  return TRUE;
}

static gboolean
run_ls (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  static const ReeveField columns[] = {
    { "name", N_ ("Name") },
    { "type", N_ ("Type") },
  };
  JsonArray *rows = json_array_new ();

  if (!for_each (shell, get_path (arguments), 0, add_entry, rows, error)) {
    json_array_unref (rows);
    return FALSE;
  }
  reeve_output_table (shell, columns, G_N_ELEMENTS (columns), rows);
  return TRUE;
}

/* What goes away meanwhile, or is not for us, has nothing below it. */
static gboolean
print_branch (ReeveShell *shell,
              const char *directory,
              const resource_entry *entry,
              unsigned depth,
              gpointer data,
              GError **error)
{
  g_autofree char *line =
      g_strdup_printf ("%*s%s%s", (int) (2 * depth), "", entry->name,
                       S_ISDIR (entry->type) ? "/" : "");
  g_autofree char *path = g_build_path ("/", directory, entry->name, NULL);
  g_autoptr (GError) why = NULL;
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "path", path);
  json_object_set_string_member (object, "type", get_type_name (entry->type));
  reeve_output_line (shell, line, object);
  json_object_unref (object);

  if (!S_ISDIR (entry->type) ||
      for_each (shell, path, depth + 1, print_branch, data, &why))
    return TRUE;
  if (g_error_matches (why, REEVE_ERROR, REEVE_ERROR_SYSTEM) ||
      g_error_matches (why, REEVE_ERROR, REEVE_ERROR_NO_RESOURCE) ||
      g_error_matches (why, REEVE_ERROR, REEVE_ERROR_ACCESS_DENIED))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&why));
  return FALSE;
}

static gboolean
run_tree (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  return for_each (shell, get_path (arguments), 0, print_branch, NULL, error);
}

/* ------------------------------------------------------------------ stat -- */

static void
set_time (JsonObject *object, const char *key, int64_t time_us)
{
  g_autoptr (GDateTime) time =
      g_date_time_new_from_unix_local (time_us / G_USEC_PER_SEC);
  g_autofree char *text =
      time == NULL ? NULL : g_date_time_format (time, "%Y-%m-%d %H:%M:%S");

  json_object_set_string_member (object, key, text == NULL ? "" : text);
}

static gboolean
run_stat (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  static const ReeveField fields[] = {
    { "path", N_ ("Path") },        { "type", N_ ("Type") },
    { "target", N_ ("Target") },    { "mode", N_ ("Mode") },
    { "uid", N_ ("User") },         { "gid", N_ ("Group") },
    { "size", N_ ("Size") },        { "accessed", N_ ("Read") },
    { "modified", N_ ("Changed") },
  };
  const char *path = get_path (arguments);
  const resource_resolve_args args = { (char *) path, FALSE };
  resource_attr attr = { 0 };
  JsonObject *object = NULL;
  char mode[8];

  if (!call (shell, RESOURCE_PROC_RESOLVE, &args, &attr, error))
    return FALSE;

  object = json_object_new ();
  g_snprintf (mode, sizeof mode, "%04o", attr.mode & 07777);
  json_object_set_string_member (object, "path", path);
  json_object_set_string_member (object, "type", get_type_name (attr.mode));
  if (*attr.target != '\0')
    json_object_set_string_member (object, "target", attr.target);
  json_object_set_string_member (object, "mode", mode);
  reeve_json_set_uint (object, "uid", attr.uid);
  reeve_json_set_uint (object, "gid", attr.gid);
  reeve_json_set_uint (object, "size", attr.size);
  set_time (object, "accessed", attr.atime);
  set_time (object, "modified", attr.mtime);
  reeve_output_object (shell, fields, G_N_ELEMENTS (fields), object);
  resource_attr_clear (&attr);
  return TRUE;
}

/* ------------------------------------------------------------- cat, watch --
 */

static gboolean
open_path (ReeveShell *shell,
           const char *path,
           unsigned flags,
           uint64_t *handle,
           GError **error)
{
  const resource_open_args args = { (char *) path, flags };
  resource_handle ret = { 0 };

  if (!call (shell, RESOURCE_PROC_OPEN, &args, &ret, error))
    return FALSE;
  *handle = ret.handle;
  return TRUE;
}

/* The shell may go on, when it is interactive. */
static void
close_handle (ReeveShell *shell, uint64_t handle)
{
  const resource_handle args = { handle };

  if (!reeve_connection_is_closed (shell->connection))
    call (shell, RESOURCE_PROC_CLOSE, &args, NULL, NULL);
}

/* Writes what is there. *@errnum: why there was nothing. *@size: how much. */
static gboolean
copy_some (ReeveShell *shell,
           uint64_t handle,
           uint64_t offset,
           size_t *size,
           int *errnum,
           GError **error)
{
  resource_step step = {
    .kind = RESOURCE_STEP_READ,
    .u.read = { handle, offset, READ_SIZE, WAIT_MS },
  };
  const resource_combine_args args = { .steps = { 1, &step } };
  resource_combine_ret ret = { 0 };
  gboolean is_done = TRUE;

  if (shell->timeout_ms >= 0)
    step.u.read.timeout_ms = (uint32_t) MAX (shell->timeout_ms / 2, 1);
  if (!call (shell, RESOURCE_PROC_COMBINE, &args, &ret, error))
    return FALSE;

  *errnum = ret.error;
  *size = 0;
  if (ret.error == 0 && ret.results.n_items == 1) {
    const ReeveBytes *bytes = &ret.results.items[0].u.read.bytes;

    *size = bytes->size;
    if (fwrite (bytes->data, 1, bytes->size, stdout) != bytes->size ||
        fflush (stdout) != 0)
      is_done = reeve_error_from_errno (error, errno, _ ("Cannot write"));
  }
  resource_combine_ret_clear (&ret);
  return is_done;
}

static gboolean
copy_all (ReeveShell *shell, const char *path, uint64_t handle, GError **error)
{
  uint64_t offset = 0;

  for (;;) {
    size_t size;
    int errnum;

    if (!copy_some (shell, handle, offset, &size, &errnum, error))
      return FALSE;
    if (errnum == ETIMEDOUT)
      continue;
    if (errnum != 0)
      return fail (errnum, path, error);
    if (size == 0)
      return TRUE;
    offset += size;
  }
}

static gboolean
run_cat (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  const char *path = get_path (arguments);
  uint64_t handle;
  gboolean is_done;

  if (!open_path (shell, path, RESOURCE_OPEN_READ, &handle, error))
    return FALSE;
  is_done = copy_all (shell, path, handle, error);
  close_handle (shell, handle);
  return is_done;
}

/* What the connection's thread says. */
typedef struct {
  ReeveMutex lock;
  ReeveCond changed;
  gboolean is_told REEVE_GUARDED;
  gboolean is_lost REEVE_GUARDED; /* the handle, with its daemon */
  GError *closed REEVE_GUARDED;   /* (owned) (nullable) */
} Bell;

static void
take_event (ReeveConnection *connection,
            const ReeveProcedure *procedure,
            gconstpointer body,
            gpointer data)
{
  const resource_notified_msg *event = body;
  Bell *self = data;

  REEVE_LOCK_SCOPE (&self->lock);

  if (event->ready == 0)
    self->is_lost = TRUE;
  else
    self->is_told = TRUE;
  reeve_cond_broadcast (&self->changed);
}

static void
take_loss (ReeveConnection *connection,
           const ReeveProcedure *procedure,
           gconstpointer body,
           gpointer data)
{
  Bell *self = data;

  REEVE_LOCK_SCOPE (&self->lock);

  self->is_lost = TRUE;
  reeve_cond_broadcast (&self->changed);
}

static void
take_close (ReeveConnection *connection, const GError *reason, gpointer data)
{
  Bell *self = data;

  REEVE_LOCK_SCOPE (&self->lock);

  g_clear_error (&self->closed);
  self->closed = g_error_copy (reason);
  reeve_cond_broadcast (&self->changed);
}

static gboolean
wait_for_event (Bell *self, GError **error)
{
  REEVE_LOCK_SCOPE (&self->lock);

  while (!self->is_told && !self->is_lost && self->closed == NULL)
    reeve_cond_wait (&self->changed, &self->lock);
  if (self->closed != NULL && !self->is_told) {
    g_propagate_error (error, g_error_copy (self->closed));
    return FALSE;
  }
  self->is_told = FALSE;
  return TRUE;
}

/* Whether the handle was lost, and may be opened again. */
static gboolean
take_lost (Bell *self)
{
  gboolean was_lost;

  REEVE_LOCK_SCOPE (&self->lock);

  was_lost = self->is_lost && self->closed == NULL;
  self->is_lost = FALSE;
  return was_lost;
}

static gboolean
is_lost (Bell *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->is_lost;
}

/* What has a size grows: the rest of it is new. Of others all is, and of a
 * stream what it has: it does not look at the offset. */
static gboolean
copy_news (ReeveShell *shell,
           const char *path,
           uint64_t handle,
           uint64_t *end,
           GError **error)
{
  const resource_handle args = { handle };
  resource_attr attr = { 0 };
  uint64_t offset;
  size_t size;
  int errnum;

  if (!call (shell, RESOURCE_PROC_STAT, &args, &attr, error))
    return FALSE;
  offset = attr.size < *end ? 0 : *end;
  do {
    if (!copy_some (shell, handle, offset, &size, &errnum, error))
      return FALSE;
    offset += size;
  } while (size > 0);
  *end = attr.size == 0 ? 0 : offset;
  resource_attr_clear (&attr);
  return errnum == 0 || errnum == EAGAIN || fail (errnum, path, error);
}

/* What is watched. */
typedef struct {
  const char *path;
  int64_t count;     /* of changes, after which it ends; -1: never */
  int64_t n_printed; /* what it began with, and changes */
  uint64_t handle;
  Bell bell;
} Watch;

/* Asks first and reads then: so no change is missed. Ends, too, when the handle
 * is lost. */
static gboolean
follow (ReeveShell *shell, Watch *self, GError **error)
{
  const resource_notify_args args = {
    .handle = self->handle,
    .action = RESOURCE_NOTIFY_NEXT,
    .events = POLLIN,
  };
  uint64_t end = 0;

  while (!is_lost (&self->bell)) {
    resource_notify_ret ret = { 0 };

    if (!call (shell, RESOURCE_PROC_NOTIFY, &args, &ret, error) ||
        !copy_news (shell, self->path, self->handle, &end, error))
      return FALSE;
    if ((ret.ready & POLLHUP) != 0 || self->n_printed++ == self->count)
      return TRUE;
    if (!wait_for_event (&self->bell, error))
      return FALSE;
  }
  return TRUE;
}

/* Opens it again, when the daemon, or another one, is there. */
static gboolean
open_again (ReeveShell *shell, Watch *self, GError **error)
{
  g_autoptr (GError) why = NULL;

  while (!open_path (shell, self->path,
                     RESOURCE_OPEN_READ | RESOURCE_OPEN_NONBLOCK, &self->handle,
                     &why)) {
    /* It may have been lost once more, while this call ran. */
    if (!g_error_matches (why, REEVE_ERROR, REEVE_ERROR_TIMED_OUT) &&
        !g_error_matches (why, REEVE_ERROR, REEVE_ERROR_OUTCOME_UNKNOWN)) {
      g_propagate_error (error, g_steal_pointer (&why));
      return FALSE;
    }
    g_clear_error (&why);
  }
  fprintf (stderr, _ ("%s: opened again; what came meanwhile may be missed\n"),
           self->path);
  return TRUE;
}

static gboolean
follow_all (ReeveShell *shell, Watch *self, GError **error)
{
  g_autoptr (GError) why = NULL;

  for (;;) {
    gboolean is_done = follow (shell, self, &why);

    /* What failed meanwhile did so as the handle was lost. */
    if (!take_lost (&self->bell)) {
      if (!is_done)
        g_propagate_error (error, g_steal_pointer (&why));
      return is_done;
    }
    g_clear_error (&why);
    if (!open_again (shell, self, error))
      return FALSE;
  }
}

static gboolean
watch (ReeveShell *shell, Watch *self, GError **error)
{
  ReeveConnection *connection = shell->connection;
  unsigned told = reeve_connection_subscribe (
      connection, &resource_program,
      reeve_program_find (&resource_program, RESOURCE_PROC_NOTIFIED),
      take_event, &self->bell, NULL);
  unsigned lost = reeve_connection_subscribe (
      connection, &watch_program,
      reeve_program_find (&watch_program, WATCH_PROC_LOST), take_loss,
      &self->bell, NULL);
  gboolean is_done;

  reeve_connection_set_close_func (connection, take_close, &self->bell, NULL);
  is_done = follow_all (shell, self, error);
  reeve_connection_unsubscribe (connection, told);
  reeve_connection_unsubscribe (connection, lost);
  reeve_connection_set_close_func (connection, NULL, NULL, NULL);
  close_handle (shell, self->handle);
  return is_done;
}

static gboolean
run_watch (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  Watch self = { .path = get_path (arguments), .count = -1 };
  gboolean is_done;

  shell->is_lasting = TRUE;
  if (!reeve_arguments_get_number (arguments, "count", 0, G_MAXINT32,
                                   &self.count, error) ||
      !open_path (shell, self.path, RESOURCE_OPEN_READ | RESOURCE_OPEN_NONBLOCK,
                  &self.handle, error))
    return FALSE;

  reeve_mutex_init (&self.bell.lock);
  reeve_cond_init (&self.bell.changed);
  is_done = watch (shell, &self, error);
  g_clear_error (&self.bell.closed);
  reeve_cond_clear (&self.bell.changed);
  reeve_mutex_clear (&self.bell.lock);
  return is_done;
}

/* ----------------------------------------------------------------- write -- */

/* (transfer full) (nullable): all of stdin. */
static GByteArray *
read_input (GError **error)
{
  g_autoptr (GByteArray) input = g_byte_array_new ();
  uint8_t part[4096];
  size_t size;

  while ((size = fread (part, 1, sizeof part, stdin)) > 0) {
    if (size > RESOURCE_BYTES_MAX - input->len) {
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                   _ ("More than %d bytes cannot be written at once"),
                   RESOURCE_BYTES_MAX);
      return NULL;
    }
    g_byte_array_append (input, part, (unsigned) size);
  }
  return g_steal_pointer (&input);
}

static gboolean
run_write (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  const char *path = get_path (arguments);
  const char *text = reeve_arguments_get (arguments, "text");
  g_autoptr (GByteArray) input = NULL;
  resource_step steps[2] = { 0 };
  const resource_combine_args args = { .steps = { 2, steps }, .closes = TRUE };
  resource_combine_ret ret = { 0 };
  int errnum;

  if (text == NULL && (input = read_input (error)) == NULL)
    return FALSE;

  steps[0].kind = RESOURCE_STEP_OPEN;
  steps[0].u.open.path = (char *) path;
  steps[0].u.open.flags = RESOURCE_OPEN_WRITE;
  steps[1].kind = RESOURCE_STEP_WRITE;
  steps[1].u.write.bytes.data = text == NULL ? input->data : (uint8_t *) text;
  steps[1].u.write.bytes.size =
      text == NULL ? input->len : (uint32_t) strlen (text);
  if (!call (shell, RESOURCE_PROC_COMBINE, &args, &ret, error))
    return FALSE;
  errnum = ret.error;
  resource_combine_ret_clear (&ret);
  return errnum == 0 || fail (errnum, path, error);
}

/* -------------------------------------------------------------- commands -- */

static const ReeveOption directory_options[] = {
  { "path", REEVE_OPTION_STRING, .completion = REEVE_COMPLETE_RESOURCES,
    .help = N_ ("of a directory; / if it is not given") },
};

static const ReeveOption path_options[] = {
  { "path", REEVE_OPTION_STRING, .is_required = TRUE,
    .completion = REEVE_COMPLETE_RESOURCES, .help = N_ ("of the resource") },
};

static const ReeveOption write_options[] = {
  { "path", REEVE_OPTION_STRING, .is_required = TRUE,
    .completion = REEVE_COMPLETE_RESOURCES, .help = N_ ("of the resource") },
  { "text", REEVE_OPTION_STRING,
    .help = N_ ("what to write; the standard input if it is not given") },
};

static const ReeveOption watch_options[] = {
  { "path", REEVE_OPTION_STRING, .is_required = TRUE,
    .completion = REEVE_COMPLETE_RESOURCES, .help = N_ ("of the resource") },
  { "count", REEVE_OPTION_NUMBER, .is_named_only = TRUE,
    .help = N_ ("end after so many changes") },
};

static const ReeveCommand commands[] = {
  { "ls", N_ ("list a directory of the daemon's resources"), directory_options,
    G_N_ELEMENTS (directory_options), run_ls },
  { "tree", N_ ("list resources, and what is below them"), directory_options,
    G_N_ELEMENTS (directory_options), run_tree },
  { "stat", N_ ("show what a resource is"), path_options,
    G_N_ELEMENTS (path_options), run_stat },
  { "cat", N_ ("print a resource to its end, and wait for what is to come"),
    path_options, G_N_ELEMENTS (path_options), run_cat },
  { "watch", N_ ("print a resource, and again when it changes"), watch_options,
    G_N_ELEMENTS (watch_options), run_watch },
  { "write", N_ ("write to a resource"), write_options,
    G_N_ELEMENTS (write_options), run_write },
};

const ReeveCommandGroup reeve_resource_commands = {
  N_ ("Resources"),
  commands,
  G_N_ELEMENTS (commands),
};
