/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/daemon-private.h"

#include "daemon/log.h"
#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* ---------------------------------------------------------------- limits -- */

static gboolean
set_oom_score (int score, GError **error)
{
  REEVE_AUTOFD int fd = open ("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  char text[16];
  int length = snprintf (text, sizeof text, "%d", score);

  return (fd >= 0 && write (fd, text, (size_t) length) == length) ||
         reeve_error_from_errno (error, errno, "[daemon] oom_score_adjust");
}

/* Only root may go beyond the hard limit. */
static gboolean
set_max_files (unsigned max_files, GError **error)
{
  struct rlimit limit;

  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = max_files;
  limit.rlim_max = MAX (limit.rlim_max, max_files);
  return setrlimit (RLIMIT_NOFILE, &limit) == 0 ||
         reeve_error_from_errno (error, errno, "[daemon] max_files");
}

/* ------------------------------------------------------------------ user -- */

typedef struct {
  char *name; /* (owned) */
  char *home; /* (owned) */
  uid_t uid;
  gid_t gid;
} User;

static void
user_clear (User *self)
{
  g_free (self->name);
  g_free (self->home);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (User, user_clear)

/* "USER" or "USER:GROUP". There is one thread. */
static gboolean
find_user (const char *text, User *user, GError **error)
{
  g_auto (GStrv) names = g_strsplit (text, ":", 2);
  const struct passwd *entry = names[0] != NULL ? getpwnam (names[0]) : NULL;
  const struct group *group;

  if (entry == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("there is no user “%s”"), names[0] != NULL ? names[0] : "");
    return FALSE;
  }
  *user = (User){ g_strdup (entry->pw_name), g_strdup (entry->pw_dir),
                  entry->pw_uid, entry->pw_gid };
  if (names[1] == NULL)
    return TRUE;

  group = getgrnam (names[1]);
  if (group == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("there is no group “%s”"), names[1]);
    return FALSE;
  }
  user->gid = group->gr_gid;
  return TRUE;
}

/* What root made for us so far. */
static gboolean
give_directories (const ReevePlaces *places, const User *user, GError **error)
{
  const char *const paths[] = { places->state_dir, places->run_dir,
                                places->cache_dir, places->log_dir };

  for (size_t i = 0; i < G_N_ELEMENTS (paths); i++) {
    struct stat file;

    if (stat (paths[i], &file) < 0 ||
        (file.st_uid == 0 && chown (paths[i], user->uid, user->gid) < 0))
      return reeve_error_from_errno (error, errno, "%s", paths[i]);
  }

  return TRUE;
}

/* Neither this process nor one that it starts gets privileges back. */
static gboolean
become (const User *user)
{
  int capability = 0;

  while (prctl (PR_CAPBSET_READ, capability, 0, 0, 0) >= 0)
    if (prctl (PR_CAPBSET_DROP, capability++, 0, 0, 0) < 0)
      return FALSE;

  return initgroups (user->name, user->gid) == 0 &&
         setresgid (user->gid, user->gid, user->gid) == 0 &&
         setresuid (user->uid, user->uid, user->uid) == 0 &&
         prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl (PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

static gboolean
drop_privileges (ReeveDaemon *self, const char *text, GError **error)
{
  g_auto (User) user = { 0 };

  if (!find_user (text, &user, error))
    return FALSE;
  if (geteuid () == user.uid)
    return TRUE;
  if (geteuid () != 0) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_ACCESS_DENIED,
                 _ ("only root can become “%s”"), user.name);
    return FALSE;
  }

  if (!give_directories (self->places, &user, error))
    return FALSE;
  reeve_log_give (user.uid, user.gid);
  if (!become (&user))
    return reeve_error_from_errno (error, errno, _ ("cannot become “%s”"),
                                   user.name);

  g_setenv ("HOME", user.home, TRUE);
  g_setenv ("USER", user.name, TRUE);
  g_setenv ("LOGNAME", user.name, TRUE);
  return TRUE;
}

gboolean
reeve_daemon_set_up_process (ReeveDaemon *self, GError **error)
{
  const ReeveDaemonConfig *config = self->config;
  const char *user =
      self->options->user != NULL ? self->options->user : config->user;

  if (config->umask >= 0)
    umask ((mode_t) config->umask);
  if (config->oom_score_adjust != REEVE_OOM_SCORE_NONE &&
      !set_oom_score (config->oom_score_adjust, error))
    return FALSE;
  if (config->max_files > 0 && !set_max_files (config->max_files, error))
    return FALSE;
  return user == NULL || drop_privileges (self, user, error);
}
