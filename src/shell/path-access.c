/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/path-access.h"

#include "event/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child finds out: the number of the part that is the reason, and
 * why. */
typedef struct {
  unsigned part;
  int reason; /* 0: there is none */
} Finding;

/* The effective ids are the second of four numbers. */
static id_t
read_effective (const char *line)
{
  g_auto (GStrv) words = g_strsplit_set (line, "\t ", -1);

  return g_strv_length (words) < 3
             ? (id_t) -1
             : (id_t) g_ascii_strtoull (words[2], NULL, 10);
}

static void
read_groups (ReeveIdentity *self, const char *line)
{
  g_auto (GStrv) words = g_strsplit_set (line, "\t ", -1);

  for (char **word = words + 1; words[0] != NULL && *word != NULL; word++) {
    gid_t group = (gid_t) g_ascii_strtoull (*word, NULL, 10);

    if (**word != '\0')
      g_array_append_val (self->groups, group);
  }
}

gboolean
reeve_identity_read (ReeveIdentity *self, pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%ld/status", (long) pid);
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;

  self->groups = g_array_new (FALSE, FALSE, sizeof (gid_t));
  lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; *line != NULL; line++)
    if (g_str_has_prefix (*line, "Uid:"))
      self->uid = read_effective (*line);
    else if (g_str_has_prefix (*line, "Gid:"))
      self->gid = read_effective (*line);
    else if (g_str_has_prefix (*line, "Groups:"))
      read_groups (self, *line);
  return TRUE;
}

void
reeve_identity_clear (ReeveIdentity *self)
{
  g_clear_pointer (&self->groups, g_array_unref);
}

/* (element-type utf8): each folder that is on the way, and @path. */
static GPtrArray *
split_path (const char *path)
{
  GPtrArray *parts = g_ptr_array_new_with_free_func (g_free);

  g_ptr_array_add (parts, g_strdup ("/"));
  for (const char *p = path + 1; *p != '\0'; p++)
    if (*p == '/' && p[-1] != '/')
      g_ptr_array_add (parts, g_strndup (path, p - path));
  g_ptr_array_add (parts, g_strdup (path));
  return parts;
}

/* Nothing that a child of a process with threads must not do. */
static Finding
look (GPtrArray *parts, int mode)
{
  for (unsigned i = 0; i < parts->len; i++)
    if (faccessat (AT_FDCWD, parts->pdata[i], i == parts->len - 1 ? mode : X_OK,
                   AT_EACCESS) < 0)
      return (Finding){ i, errno };

  return (Finding){ 0, 0 };
}

static void
become_and_look (const ReeveIdentity *identity,
                 GPtrArray *parts,
                 int mode,
                 int fd)
{
  Finding finding = { 0, EPERM };

  if (setgroups (identity->groups->len,
                 (const gid_t *) (void *) identity->groups->data) == 0 &&
      setresgid (identity->gid, identity->gid, identity->gid) == 0 &&
      setresuid (identity->uid, identity->uid, identity->uid) == 0)
    finding = look (parts, mode);
  _exit (write (fd, &finding, sizeof finding) == sizeof finding ? 0 : 1);
}

static gboolean
look_as (const ReeveIdentity *identity,
         GPtrArray *parts,
         int mode,
         Finding *finding)
{
  int ends[2];
  gboolean is_told;
  pid_t pid;

  if (pipe2 (ends, O_CLOEXEC) < 0)
    return FALSE;
  pid = fork ();
  if (pid == 0)
    become_and_look (identity, parts, mode, ends[1]);
  close (ends[1]);
  is_told =
      pid > 0 && read (ends[0], finding, sizeof *finding) == sizeof *finding;
  close (ends[0]);
  if (pid > 0)
    waitpid (pid, NULL, 0);
  return is_told;
}

ReevePathAccess
reeve_path_check (const char *path,
                  const ReeveIdentity *identity,
                  int mode,
                  char **where,
                  int *reason)
{
  g_autoptr (GPtrArray) parts = split_path (path);
  Finding finding;

  if (identity->uid == geteuid ())
    finding = look (parts, mode);
  else if (geteuid () != 0 || !look_as (identity, parts, mode, &finding))
    return REEVE_PATH_UNKNOWN;
  if (finding.reason == 0)
    return REEVE_PATH_REACHED;

  *where = g_strdup (parts->pdata[finding.part]);
  *reason = finding.reason;
  return REEVE_PATH_REFUSED;
}
