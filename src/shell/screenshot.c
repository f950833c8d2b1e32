/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/screenshot.h"

#include "client/connection-stream.h"
#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"
#include "shell/machine-name.h"
#include "shell/output.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* A picture is taken whole before a file is made: no more than a screen of
 * 8192 × 8192 points has, in the largest form there is. */
#define MAX_PICTURE ((guint) 256 * 1024 * 1024)

/* (transfer full) (nullable) */
static GByteArray *
receive (ReeveShell *shell, ReeveConnectionStream *stream, GError **error)
{
  g_autoptr (GByteArray) picture = g_byte_array_new ();

  for (;;) {
    g_autoptr (GBytes) part = reeve_connection_stream_read (
        stream, NULL, shell->timeout_ms, NULL, error);
    const guint8 *data;
    gsize size;

    if (part == NULL)
      return NULL;
    data = g_bytes_get_data (part, &size);
    if (size == 0)
      break;
    if (size > MAX_PICTURE - picture->len) {
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                   _ ("The picture has more than %u bytes"), MAX_PICTURE);
      return NULL;
    }
    g_byte_array_append (picture, data, (guint) size);
  }

  return reeve_connection_stream_finish (stream, shell->timeout_ms, NULL, error)
             ? g_steal_pointer (&picture)
             : NULL;
}

/* (transfer full) (nullable): the picture, and in @type its kind. */
static GByteArray *
take (ReeveShell *shell,
      const remote_domain *domain,
      uint32_t screen,
      char **type,
      GError **error)
{
  const remote_domain_screenshot_args args = { .dom = *domain,
                                               .screen = screen };
  remote_domain_screenshot_ret ret = { 0 };
  ReeveConnection *connection = reeve_shell_connect (shell, error);
  g_autoptr (ReeveConnectionStream) stream = NULL;

  if (connection != NULL)
    stream = reeve_connection_open_stream (
        connection, &remote_program,
        reeve_program_find (&remote_program, REMOTE_PROC_DOMAIN_SCREENSHOT),
        &args, &ret, shell->timeout_ms, NULL, error);
  if (stream == NULL)
    return NULL;

  *type = g_strdup (ret.mime == NULL ? "" : ret.mime);
  remote_domain_screenshot_ret_clear (&ret);
  return receive (shell, stream, error);
}

/* As virsh has it. A server that names a machine does not name our folders. */
static char *
make_path (const char *machine, const char *type)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *time = g_date_time_format (now, "%Y-%m-%d-%H:%M:%S");
  const char *suffix = "";

  if (g_str_equal (type, "image/png"))
    suffix = ".png";
  else if (g_str_equal (type, "image/x-portable-pixmap"))
    suffix = ".ppm";
  return g_strdelimit (g_strdup_printf ("%s-%s%s", machine, time, suffix), "/",
                       '_');
}

static gboolean
write_all (int fd, const char *path, const GByteArray *picture, GError **error)
{
  for (size_t done = 0; done < picture->len;) {
    ssize_t n = write (fd, picture->data + done, picture->len - done);

    if (n < 0 && errno != EINTR)
      return reeve_error_from_errno (error, errno, "%s", path);
    done += n < 0 ? 0 : (size_t) n;
  }
  return TRUE;
}

/* A file is there whole, or as it was; what is no file is written to. */
static gboolean
store (const char *path, const GByteArray *picture, GError **error)
{
  REEVE_AUTOFD int fd = -1;
  struct stat info;

  if (g_str_equal (path, "-"))
    return write_all (STDOUT_FILENO, path, picture, error);
  if (stat (path, &info) < 0 || S_ISREG (info.st_mode))
    return g_file_set_contents_full (
        path, (const char *) picture->data, picture->len,
        G_FILE_SET_CONTENTS_CONSISTENT, 0666, error);

  fd = open (path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0)
    return reeve_error_from_errno (error, errno, "%s", path);
  return write_all (fd, path, picture, error);
}

static void
print_done (ReeveShell *shell,
            const char *machine,
            const char *path,
            const char *type)
{
  g_autoptr (JsonObject) object = NULL;

  if (g_str_equal (path, "-"))
    return;
  if (shell->format == REEVE_OUTPUT_TEXT) {
    reeve_output_done (shell, machine,
                       _ ("Picture of '%1$s' saved to %2$s, as %3$s"), machine,
                       path, type);
    return;
  }

  object = json_object_new ();
  json_object_set_string_member (object, "name", machine);
  json_object_set_string_member (object, "file", path);
  json_object_set_string_member (object, "type", type);
  reeve_output_object (shell, NULL, 0, g_steal_pointer (&object));
}

gboolean
reeve_screenshot_run (ReeveShell *shell,
                      const ReeveArguments *arguments,
                      GError **error)
{
  const char *file = reeve_arguments_get (arguments, "file");
  remote_domain domain = { 0 };
  int64_t screen = 0;
  g_autofree char *type = NULL;
  g_autofree char *path = NULL;
  g_autoptr (GByteArray) picture = NULL;

  if (!reeve_arguments_get_number (arguments, "screen", 0, G_MAXUINT32, &screen,
                                   error) ||
      !reeve_machine_name_get (shell, arguments, &domain, error))
    return FALSE;

  picture = take (shell, &domain, (uint32_t) screen, &type, error);
  if (picture != NULL)
    path = file == NULL ? make_path (domain.name, type) : g_strdup (file);
  if (path != NULL && store (path, picture, error))
    print_done (shell, domain.name, path, type);
  else
    g_clear_pointer (&picture, g_byte_array_unref);
  remote_domain_clear (&domain);
  return picture != NULL;
}
