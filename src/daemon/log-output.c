/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/log-output.h"

#include "daemon/log-filter.h"
#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#define MAX_OUTPUTS 16
/* The longest wait for one that takes nothing; after that, none at all until it
 * takes something again. */
#define PATIENCE_MS 10
/* What is longer is cut. */
#define MAX_TEXT 16384

#define SYSLOG_PATH "/dev/log"
#define JOURNAL_PATH "/run/systemd/journal/socket"

static atomic_uint facility = 3; /* daemons */

typedef enum {
  KIND_STDERR,
  KIND_FILE,
  KIND_SYSLOG,
  KIND_JOURNALD,
} Kind;

struct _ReeveLogOutput {
  Kind kind;
  GLogLevelFlags level;
  char *text; /* (owned): as it was given */
  char *name; /* (owned) (nullable): path, or name for syslog */
  int fd;     /* (owned), but for standard error; -1 if there is none */
  gboolean has_prefix; /* systemd reads the priority of each line */
  unsigned n_lost;     /* since it took something last */
};

/* ---------------------------------------------------------- one output --- */

static void
output_free (gpointer data)
{
  ReeveLogOutput *self = data;

  if (self->kind != KIND_STDERR)
    reeve_fd_clear (&self->fd);
  g_free (self->text);
  g_free (self->name);
  g_free (self);
}

static gboolean
can_write (ReeveLogOutput *self)
{
  struct pollfd file = { .fd = self->fd, .events = POLLOUT };

  return poll (&file, 1, self->n_lost == 0 ? PATIENCE_MS : 0) > 0 &&
         (file.revents & POLLOUT) != 0;
}

/* A pipe that can be written to has room for PIPE_BUF bytes. */
static gboolean
write_all (ReeveLogOutput *self, const GString *line)
{
  size_t done = 0;

  while (done < line->len) {
    ssize_t n_written;

    if (!can_write (self))
      return FALSE;
    n_written = write (self->fd, line->str + done,
                       MIN (line->len - done, (size_t) PIPE_BUF));
    if (n_written < 0 && errno != EINTR)
      return FALSE;
    done += (size_t) MAX (n_written, 0);
  }

  return TRUE;
}

static void
connect_to (ReeveLogOutput *self, const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };

  self->fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  if (self->fd >= 0 &&
      connect (self->fd, (struct sockaddr *) &address, sizeof address) < 0)
    reeve_fd_clear (&self->fd);
}

/* A daemon that was started anew has another socket at the same path. */
static gboolean
send_to (ReeveLogOutput *self, const char *path, const GString *message)
{
  for (int attempt = 0; attempt < 2; attempt++) {
    if (self->fd < 0)
      connect_to (self, path);
    if (self->fd < 0 || !can_write (self))
      return FALSE;
    if (send (self->fd, message->str, message->len, MSG_NOSIGNAL) >= 0)
      return TRUE;
    if (errno == EAGAIN || errno == EMSGSIZE)
      return FALSE;
    reeve_fd_clear (&self->fd);
  }

  return FALSE;
}

/* --------------------------------------------------------------- lines --- */

/* What comes from outside shall not look like a line of its own. */
static void
append_text (GString *line, const char *text)
{
  size_t start = line->len;

  g_string_append_len (line, text, (gssize) strnlen (text, MAX_TEXT));
  for (char *p = line->str + start; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      *p = ' ';
}

static void
append_time (GString *line)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *time = g_date_time_format (now, "%F %T");

  g_string_append_printf (line, "%s.%03d", time,
                          g_date_time_get_microsecond (now) / 1000);
}

static gboolean
write_line (ReeveLogOutput *self, const ReeveLogMessage *message)
{
  g_autoptr (GString) line = g_string_new (NULL);

  if (self->has_prefix) {
    g_string_append_printf (line, "<%d>%s: ", message->priority,
                            message->source);
  } else {
    append_time (line);
    g_string_append_printf (line, " %s: %s: ", message->level_name,
                            message->source);
  }
  append_text (line, message->text);
  g_string_append_c (line, '\n');
  return write_all (self, line);
}

static gboolean
write_syslog (ReeveLogOutput *self, const ReeveLogMessage *message)
{
  static const char *const months[] = { "Jan", "Feb", "Mar", "Apr",
                                        "May", "Jun", "Jul", "Aug",
                                        "Sep", "Oct", "Nov", "Dec" };
  g_autoptr (GString) line = g_string_new (NULL);
  time_t now = time (NULL);
  struct tm local;

  localtime_r (&now, &local);
  g_string_append_printf (
      line, "<%d>%s %2d %02d:%02d:%02d %s[%d]: %s: ",
      (int) atomic_load (&facility) << 3 | message->priority,
      months[local.tm_mon], local.tm_mday, local.tm_hour, local.tm_min,
      local.tm_sec, self->name, (int) getpid (), message->source);
  append_text (line, message->text);
  return send_to (self, SYSLOG_PATH, line);
}

/* ------------------------------------------------------------- journal --- */

static void
append_field (GString *entry, const char *key, const char *value, size_t size)
{
  guint64 size_le = GUINT64_TO_LE ((guint64) size);

  g_string_append (entry, key);
  if (memchr (value, '\n', size) == NULL) {
    g_string_append_c (entry, '=');
  } else {
    g_string_append_c (entry, '\n');
    g_string_append_len (entry, (const char *) &size_le, sizeof size_le);
  }
  g_string_append_len (entry, value, (gssize) size);
  g_string_append_c (entry, '\n');
}

static gboolean
write_journal (ReeveLogOutput *self, const ReeveLogMessage *message)
{
  g_autoptr (GString) entry = g_string_new (NULL);
  char thread[16];

  g_snprintf (thread, sizeof thread, "%d", (int) gettid ());
  append_field (entry, "SYSLOG_IDENTIFIER", program_invocation_short_name,
                strlen (program_invocation_short_name));
  append_field (entry, "TID", thread, strlen (thread));
  for (gsize i = 0; i < message->n_fields; i++) {
    const GLogField *field = &message->fields[i];
    size_t size =
        field->length < 0 ? strlen (field->value) : (size_t) field->length;

    append_field (entry, field->key, field->value, MIN (size, MAX_TEXT));
  }
  return send_to (self, JOURNAL_PATH, entry);
}

/* ------------------------------------------------------------- writing --- */

static gboolean
write_message (ReeveLogOutput *self, const ReeveLogMessage *message)
{
  switch (self->kind) {
  case KIND_SYSLOG:
    return write_syslog (self, message);
  case KIND_JOURNALD:
    return write_journal (self, message);
  case KIND_STDERR:
  case KIND_FILE:
    break;
  }

  return write_line (self, message);
}

static gboolean
report_lost (ReeveLogOutput *self)
{
  g_autofree char *text =
      g_strdup_printf (_ ("%u messages could not be written"), self->n_lost);
  const GLogField fields[] = { { "MESSAGE", text, -1 },
                               { "PRIORITY", "4", -1 } };
  const ReeveLogMessage message = {
    .level = G_LOG_LEVEL_WARNING,
    .level_name = "warning",
    .priority = 4,
    .source = "log",
    .text = text,
    .fields = fields,
    .n_fields = G_N_ELEMENTS (fields),
  };

  return write_message (self, &message);
}

static gboolean
output_write (ReeveLogOutput *self, const ReeveLogMessage *message)
{
  gboolean is_done = (self->n_lost == 0 || report_lost (self)) &&
                     write_message (self, message);

  self->n_lost = is_done ? 0 : self->n_lost + 1;
  return is_done;
}

static int
get_destination (const ReeveLogOutput *self)
{
  switch (self->kind) {
  case KIND_SYSLOG:
    return REEVE_LOG_SYSLOG;
  case KIND_FILE:
    return REEVE_LOG_FILE;
  case KIND_STDERR:
  case KIND_JOURNALD:
    break;
  }

  return REEVE_LOG_CONSOLE;
}

static gboolean
wants (const ReeveLogOutput *self, const ReeveLogMessage *message)
{
  unsigned bit = 1u << get_destination (self);

  if ((self->kind == KIND_FILE && self->fd < 0) || (message->barred & bit) != 0)
    return FALSE;
  return (message->forced & bit) != 0 || message->level <= self->level;
}

void
reeve_log_outputs_write (GPtrArray *outputs, const ReeveLogMessage *message)
{
  unsigned n_wanted = 0, n_written = 0;

  for (unsigned i = 0; i < outputs->len; i++) {
    ReeveLogOutput *output = outputs->pdata[i];

    if (!wants (output, message))
      continue;
    n_wanted++;
    n_written += output_write (output, message);
  }

  if (n_wanted > 0 && n_written == 0) {
    ReeveLogOutput last = { .kind = KIND_STDERR, .fd = STDERR_FILENO };

    write_message (&last, message);
  }
}

/* ------------------------------------------------------------- parsing --- */

static gboolean
refuse (const char *text, const char *why, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("The log output '%1$s' is wrong: %2$s"), text, why);
  return FALSE;
}

static gboolean
open_file (ReeveLogOutput *self, GError **error)
{
  if (!g_path_is_absolute (self->name))
    return refuse (self->text, _ ("the path is not absolute"), error);

  /* O_NONBLOCK: not even for the reader of a pipe do we wait. */
  self->fd = open (
      self->name,
      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
  return self->fd >= 0 || reeve_error_from_errno (
                              error, errno, _ ("Cannot open %s"), self->name);
}

/* Whether systemd reads what is written to standard error: the variable stays
 * where that was directed elsewhere. */
static gboolean
is_read_by_systemd (void)
{
  const char *stream = g_getenv ("JOURNAL_STREAM");
  struct stat file;
  char text[64];

  if (stream == NULL || fstat (STDERR_FILENO, &file) < 0)
    return FALSE;

  g_snprintf (text, sizeof text, "%" PRIuMAX ":%" PRIuMAX,
              (uintmax_t) file.st_dev, (uintmax_t) file.st_ino);
  return g_str_equal (stream, text);
}

static gboolean
open_kind (ReeveLogOutput *self, const char *kind, GError **error)
{
  gboolean has_name = self->name != NULL && self->name[0] != '\0';

  if (g_str_equal (kind, "stderr")) {
    self->kind = KIND_STDERR;
    self->fd = STDERR_FILENO;
    self->has_prefix = is_read_by_systemd ();
  } else if (g_str_equal (kind, "journald")) {
    self->kind = KIND_JOURNALD;
  } else if (g_str_equal (kind, "syslog")) {
    self->kind = KIND_SYSLOG;
    return has_name ||
           refuse (self->text, _ ("it has no name for syslog"), error);
  } else if (g_str_equal (kind, "file")) {
    self->kind = KIND_FILE;
    return has_name ? open_file (self, error)
                    : refuse (self->text, _ ("it has no path"), error);
  } else {
    return refuse (self->text,
                   _ ("it is none of stderr, file, syslog and journald"),
                   error);
  }

  return self->name == NULL ||
         refuse (self->text, _ ("there is something behind it"), error);
}

static ReeveLogOutput *
output_parse (const char *text, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text, ":", 3);
  ReeveLogOutput *self;

  if (g_strv_length (parts) < 2) {
    refuse (text, _ ("it is not LEVEL:KIND"), error);
    return NULL;
  }

  self = g_new (ReeveLogOutput, 1);
  *self = (ReeveLogOutput){
    .kind = KIND_SYSLOG,
    .level = parts[0][0] != '\0' && parts[0][1] == '\0'
                 ? reeve_log_level_from_digit (parts[0][0])
                 : 0,
    .text = g_strdup (text),
    .name = g_strdup (parts[2]),
    .fd = -1,
  };
  if (self->level == 0
          ? !refuse (text, _ ("its level is none of 1 to 4"), error)
          : !open_kind (self, parts[1], error)) {
    output_free (self);
    return NULL;
  }
  return self;
}

GPtrArray *
reeve_log_outputs_parse (const char *text, GError **error)
{
  g_autoptr (GPtrArray) outputs = g_ptr_array_new_with_free_func (output_free);
  g_auto (GStrv) words = g_strsplit_set (text, " \t\n", -1);

  for (char **word = words; *word != NULL; word++) {
    ReeveLogOutput *output;

    if ((*word)[0] == '\0')
      continue;
    if (outputs->len == MAX_OUTPUTS) {
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                   _ ("There are at most %d log outputs"), MAX_OUTPUTS);
      return NULL;
    }
    output = output_parse (*word, error);
    if (output == NULL)
      return NULL;
    g_ptr_array_add (outputs, output);
  }

  return g_steal_pointer (&outputs);
}

char *
reeve_log_outputs_format (GPtrArray *outputs)
{
  GString *text = g_string_new (NULL);

  for (unsigned i = 0; i < outputs->len; i++)
    g_string_append_printf (text, "%s%s", i == 0 ? "" : " ",
                            ((ReeveLogOutput *) outputs->pdata[i])->text);
  return g_string_free (text, FALSE);
}

GLogLevelFlags
reeve_log_outputs_get_widest (GPtrArray *outputs)
{
  GLogLevelFlags widest = 0;

  for (unsigned i = 0; i < outputs->len; i++)
    widest = MAX (widest, ((ReeveLogOutput *) outputs->pdata[i])->level);

  return widest;
}

void
reeve_log_outputs_give (GPtrArray *outputs, uid_t uid, gid_t gid)
{
  for (unsigned i = 0; i < outputs->len; i++) {
    const ReeveLogOutput *output = outputs->pdata[i];

    if (output->kind == KIND_FILE && output->fd >= 0 &&
        fchown (output->fd, uid, gid) < 0)
      g_warning ("%s: %s", output->name, g_strerror (errno));
  }
}

void
reeve_log_outputs_close_files (GPtrArray *outputs)
{
  for (unsigned i = 0; i < outputs->len; i++) {
    ReeveLogOutput *output = outputs->pdata[i];

    if (output->kind == KIND_FILE)
      reeve_fd_clear (&output->fd);
  }
}

GLogLevelFlags
reeve_log_outputs_get_level (GPtrArray *outputs, int destination)
{
  GLogLevelFlags widest = 0;

  for (unsigned i = 0; i < outputs->len; i++) {
    const ReeveLogOutput *output = outputs->pdata[i];

    if (get_destination (output) == destination)
      widest = MAX (widest, output->level);
  }

  return widest;
}

void
reeve_log_outputs_set_level (GPtrArray *outputs, int destination, char digit)
{
  for (unsigned i = 0; i < outputs->len; i++) {
    ReeveLogOutput *output = outputs->pdata[i];

    if (get_destination (output) != destination)
      continue;
    output->level = reeve_log_level_from_digit (digit);
    output->text[0] = digit;
  }
}

const char *
reeve_log_outputs_get_pattern (GPtrArray *outputs, int destination)
{
  for (unsigned i = 0; i < outputs->len; i++) {
    const ReeveLogOutput *output = outputs->pdata[i];

    if (get_destination (output) != destination)
      continue;
    if (output->kind == KIND_JOURNALD)
      return "%m";
    if (output->kind == KIND_SYSLOG)
      return "%c: %m";
    return output->has_prefix ? "<%B>%c: %m"
                              : "%d{%Y-%m-%d %H:%M:%S.###} %p: %c: %m";
  }

  return NULL;
}

void
reeve_log_output_set_facility (unsigned number)
{
  atomic_store (&facility, number);
}

gboolean
reeve_log_output_has_journal (void)
{
  return access (JOURNAL_PATH, W_OK) == 0;
}
