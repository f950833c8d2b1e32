/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/autostart.h"
#include "client/uri.h"
#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/socket-name.h"
#include "shell/machine-name.h"
#include "shell/machine-xml.h"
#include "shell/output.h"
#include "shell/path-access.h"
#include "shell/pki-check.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The command "doctor": why a connection, or the start of a machine, fails. */

typedef struct {
  ReeveShell *shell;
  ReeveUri *uri;    /* (owned) */
  const char *path; /* (nullable): of its unix socket */
  JsonArray *rows;  /* (owned) */
  gboolean has_problem;
  pid_t listener; /* 0: not known */
} Doctor;

/* ---------------------------------------------------------------- rows --- */

/* @advice: what to do; "" for nothing. */
static void
add_row (Doctor *self,
         const char *check,
         const char *result,
         const char *detail,
         const char *advice)
{
  JsonObject *row = json_object_new ();

  json_object_set_string_member (row, "check", check);
  json_object_set_string_member (row, "result", result);
  json_object_set_string_member (row, "detail", detail);
  json_object_set_string_member (row, "advice", advice);
  json_array_add_object_element (self->rows, row);
}

static void
add_ok (Doctor *self, const char *check, const char *detail)
{
  add_row (self, check, "ok", detail, "");
}

static void
add_problem (Doctor *self,
             const char *check,
             const char *detail,
             const char *advice)
{
  add_row (self, check, "problem", detail, advice);
  self->has_problem = TRUE;
}

/* -------------------------------------------------------------- socket --- */

static gboolean
is_own_place (const Doctor *self)
{
  return g_str_has_prefix (self->path, REEVE_RUNDIR "/");
}

static gboolean
has_systemd (void)
{
  return access ("/run/systemd/system", F_OK) == 0;
}

static const char *
get_start_advice (const Doctor *self)
{
  if (is_own_place (self) && has_systemd ())
    return "systemctl enable --now reeved.socket";
  if (is_own_place (self))
    return _ ("start reeved as root");
  return _ ("start the daemon, or name the socket that it listens at");
}

/* Whether @group is one of this process's. */
static gboolean
has_group (gid_t group)
{
  int n_groups = getgroups (0, NULL);
  g_autofree gid_t *groups = g_new0 (gid_t, MAX (n_groups, 1));

  n_groups = getgroups (n_groups, groups);
  for (int i = 0; i < n_groups; i++)
    if (groups[i] == group)
      return TRUE;

  return group == getegid ();
}

static gboolean
is_member (const struct group *group, const char *user)
{
  for (char **member = group->gr_mem; *member != NULL; member++)
    if (g_str_equal (*member, user))
      return TRUE;

  return FALSE;
}

/* The socket is there, and its permissions keep this user out. */
static void
explain_permissions (Doctor *self, const struct stat *file)
{
  const struct group *group = getgrgid (file->st_gid);
  const char *group_name = group != NULL ? group->gr_name : "?";
  const char *user = g_get_user_name ();
  g_autofree char *mode = g_strdup_printf ("%04o", file->st_mode & 07777);
  g_autofree char *detail = NULL;
  g_autofree char *advice = NULL;

  if ((file->st_mode & S_IWGRP) == 0 || has_group (file->st_gid)) {
    detail = g_strdup_printf (_ ("%1$s is not for this user (mode %2$s)"),
                              self->path, mode);
    add_problem (self, "access", detail,
                 _ ("become its owner, or see [listen] in reeved.conf(5)"));
    return;
  }
  if (group != NULL && is_member (group, user)) {
    detail = g_strdup_printf (
        _ ("%1$s is a member of the group %2$s, but this login is older"), user,
        group_name);
    advice =
        g_strdup_printf (_ ("log in again, or use “newgrp %s”"), group_name);
    add_problem (self, "group", detail, advice);
    return;
  }

  detail = g_strdup_printf (_ ("%1$s is for the group %2$s (mode %3$s)"),
                            self->path, group_name, mode);
  advice = g_strdup_printf ("usermod -aG %1$s %2$s", group_name, user);
  add_problem (self, "group", detail, advice);
}

/* FALSE: there is nothing to connect to. */
static gboolean
check_file (Doctor *self, struct stat *file)
{
  ReeveIdentity me = { .uid = geteuid () };
  g_autofree char *where = NULL;
  g_autofree char *detail = NULL;
  int reason;

  if (reeve_path_check (self->path, &me, F_OK, &where, &reason) !=
      REEVE_PATH_REACHED) {
    detail = g_strdup_printf ("%1$s: %2$s", where, g_strerror (reason));
    if (reason == ENOENT && reeve_autostart_is_for (self->uri->stream))
      add_ok (self, "socket",
              _ ("there is none yet: the daemon is started by its clients"));
    else
      add_problem (self, "socket", detail,
                   reason == ENOENT ? get_start_advice (self)
                                    : _ ("let this user enter the folder"));
    return FALSE;
  }

  if (stat (self->path, file) == 0 && S_ISSOCK (file->st_mode)) {
    add_ok (self, "socket", self->path);
    return TRUE;
  }
  detail = g_strdup_printf (_ ("%s is not a socket"), self->path);
  add_problem (self, "socket", detail, _ ("name another one, or remove it"));
  return FALSE;
}

static char *
get_program (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%ld/comm", (long) pid);
  g_autofree char *name = NULL;

  if (!g_file_get_contents (path, &name, NULL, NULL))
    return g_strdup ("?");
  return g_strdup (g_strchomp (name));
}

static gboolean
is_libvirts (const char *program)
{
  return g_str_equal (program, "libvirtd") ||
         (g_str_has_prefix (program, "virt") &&
          g_str_has_suffix (program, "d"));
}

/* Root may look at the daemons of users. */
static gboolean
is_stranger (const Doctor *self, uid_t uid)
{
  return uid != 0 && uid != geteuid () &&
         (geteuid () != 0 || is_own_place (self));
}

/* Who accepted: by what the kernel knows of him. */
static void
check_peer (Doctor *self, int fd)
{
  g_autofree char *base = g_path_get_basename (self->path);
  struct ucred peer = { 0 };
  socklen_t size = sizeof peer;
  const struct passwd *user;
  g_autofree char *program = NULL;
  g_autofree char *detail = NULL;

  if (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
    return;

  self->listener = peer.pid;
  program = get_program (peer.pid);
  user = getpwuid (peer.uid);
  detail = g_strdup_printf (_ ("%1$s, process %2$d of the user %3$s"), program,
                            (int) peer.pid, user != NULL ? user->pw_name : "?");
  if (is_libvirts (program) && g_str_has_prefix (base, "reeve"))
    add_problem (self, "listener", detail,
                 _ ("stop libvirt's daemon there, and start reeved"));
  else if (is_stranger (self, peer.uid))
    add_problem (self, "listener", detail,
                 _ ("this is neither the host's daemon nor your own: do not "
                    "trust it"));
  else
    add_ok (self, "listener", detail);
}

static void
check_listener (Doctor *self, const struct stat *file)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  REEVE_AUTOFD int fd =
      socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  g_autofree char *detail = NULL;

  if (fd < 0 || strlen (self->path) >= sizeof address.sun_path) {
    add_problem (self, "listener", _ ("the path of the socket is too long"),
                 "");
    return;
  }

  strcpy (address.sun_path, self->path);
  if (connect (fd, (struct sockaddr *) &address, sizeof address) == 0) {
    check_peer (self, fd);
  } else if (errno == EACCES) {
    explain_permissions (self, file);
  } else if (errno == ECONNREFUSED &&
             reeve_autostart_is_for (self->uri->stream)) {
    add_ok (self, "listener", _ ("nobody any more: it will be started anew"));
  } else {
    detail = g_strdup_printf ("%1$s: %2$s", self->path, g_strerror (errno));
    add_problem (self, "listener", detail, get_start_advice (self));
  }
}

static void
check_unit (Doctor *self)
{
  const char *const argv[] = { "systemctl", "is-active", "reeved.socket",
                               "reeved.service", NULL };
  g_autofree char *output = NULL;
  g_auto (GStrv) states = NULL;

  if (!is_own_place (self))
    return;
  if (!has_systemd () ||
      !g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL,
                     NULL, &output, NULL, NULL, NULL)) {
    add_row (self, "unit", "skipped", _ ("there is no systemd"), "");
    return;
  }

  states = g_strsplit (g_strchomp (output), "\n", -1);
  g_free (output);
  output = g_strjoinv (", ", states);
  if (g_strv_contains ((const char *const *) states, "active"))
    add_ok (self, "unit", output);
  else
    add_problem (self, "unit", output, get_start_advice (self));
}

static void
check_socket (Doctor *self)
{
  struct stat file;

  if (check_file (self, &file))
    check_listener (self, &file);
  check_unit (self);
}

/* ---------------------------------------------------------- connection --- */

static void
check_certificates (Doctor *self)
{
  g_autoptr (JsonArray) rows = json_array_new ();

  reeve_pki_check_uri (self->shell, self->uri, rows);
  for (unsigned i = 0; i < json_array_get_length (rows); i++) {
    JsonObject *row = json_array_get_object_element (rows, i);
    const char *result = json_object_get_string_member (row, "result");
    const char *check = json_object_get_string_member (row, "check");
    const char *detail = json_object_get_string_member (row, "detail");

    if (g_str_equal (result, "failed"))
      add_problem (self, check, detail, _ ("see “reeve pki”"));
    else
      add_row (self, check, result, detail, "");
  }
}

static const char *
get_connect_advice (const GError *error)
{
  if (error->domain != REEVE_ERROR)
    return "";

  switch (error->code) {
  case REEVE_ERROR_AUTH_FAILED:
  case REEVE_ERROR_AUTH_CANCELLED:
    return _ ("look at name and password, and at [auth] in reeved.conf(5)");
  case REEVE_ERROR_AUTH_UNAVAILABLE:
    return _ ("start an agent of polkit in this session");
  case REEVE_ERROR_ACCESS_DENIED:
  case REEVE_ERROR_OPERATION_DENIED:
    return _ ("ask for it in the rules of access: “reeve acl explain”");
  case REEVE_ERROR_TIMED_OUT:
    return _ ("look at the log of the daemon: it accepts and does not answer");
  default:
    return _ ("look at the log of the daemon");
  }
}

static gboolean
check_connection (Doctor *self)
{
  g_autoptr (GError) error = NULL;

  if (reeve_shell_connect (self->shell, &error) != NULL) {
    add_ok (self, "connection",
            reeve_connection_get_uri (self->shell->connection));
    return TRUE;
  }

  add_problem (self, "connection", error->message, get_connect_advice (error));
  return FALSE;
}

static void
check_kvm (Doctor *self)
{
  const remote_connect_get_domain_capabilities_args args = {
    .virttype = (char *) "kvm",
  };
  remote_connect_get_domain_capabilities_ret ret = { 0 };
  g_autoptr (GError) error = NULL;

  if (reeve_shell_call (self->shell,
                        REMOTE_PROC_CONNECT_GET_DOMAIN_CAPABILITIES, &args,
                        &ret, &error))
    add_ok (self, "kvm", _ ("a guest runs in it"));
  else
    add_problem (self, "kvm", error->message,
                 _ ("without it machines of type 'qemu' run, slowly; turn on "
                    "virtualization, and let the daemon open /dev/kvm"));
  remote_connect_get_domain_capabilities_ret_clear (&ret);
}

/* -------------------------------------------------------------- machine -- */

static void
check_path (Doctor *self, const ReeveIdentity *identity, const char *path)
{
  const struct passwd *user = getpwuid (identity->uid);
  const char *name = user != NULL ? user->pw_name : "?";
  g_autofree char *where = NULL;
  g_autofree char *detail = NULL;
  g_autofree char *advice = NULL;
  int reason;

  switch (reeve_path_check (path, identity, R_OK, &where, &reason)) {
  case REEVE_PATH_REACHED:
    add_ok (self, "disk", path);
    return;
  case REEVE_PATH_UNKNOWN:
    add_row (self, "disk", "skipped", path,
             _ ("as another user only root can tell"));
    return;
  default:
    break;
  }

  detail = g_strdup_printf (_ ("%1$s cannot be opened by QEMU (%2$s): %3$s: "
                               "%4$s"),
                            path, name, where, g_strerror (reason));
  if (reason == EACCES)
    advice =
        g_strdup_printf (g_str_equal (where, path) ? "setfacl -m u:%1$s:rw %2$s"
                                                   : "setfacl -m u:%1$s:x %2$s",
                         name, where);
  add_problem (self, "disk", detail,
               advice != NULL ? advice : _ ("make it, or correct the path"));
}

static void
check_disks (Doctor *self, const ReeveIdentity *identity, JsonArray *disks)
{
  unsigned n_checked = 0;

  for (unsigned i = 0; i < json_array_get_length (disks); i++) {
    JsonObject *disk = json_array_get_object_element (disks, i);
    const char *source =
        json_object_get_string_member_with_default (disk, "source", NULL);

    if (source == NULL || source[0] != '/')
      continue;
    check_path (self, identity, source);
    n_checked++;
  }
  if (n_checked == 0)
    add_ok (self, "disk", _ ("the machine has no files"));
}

static gboolean
check_machine (Doctor *self, const char *name, GError **error)
{
  remote_domain_get_xml_desc_args args = { 0 };
  remote_domain_get_xml_desc_ret ret = { 0 };
  g_auto (ReeveIdentity) identity = { 0 };
  g_autoptr (JsonArray) disks = NULL;

  if (!reeve_machine_name_resolve (self->shell, name, &args.dom, error))
    return FALSE;
  if (reeve_shell_call (self->shell, REMOTE_PROC_DOMAIN_GET_XML_DESC, &args,
                        &ret, error))
    disks = reeve_machine_xml_disks (ret.xml, error);
  remote_domain_get_xml_desc_ret_clear (&ret);
  remote_domain_clear (&args.dom);
  if (disks == NULL)
    return FALSE;

  /* QEMU is of the daemon's user. */
  if (self->listener != 0 && reeve_identity_read (&identity, self->listener))
    check_disks (self, &identity, disks);
  else
    add_row (self, "disk", "skipped", name,
             _ ("ask on the host of the machine, by its unix socket"));
  return TRUE;
}

/* ------------------------------------------------------------- command --- */

/* (nullable): of the file of a unix socket. */
static const char *
get_path (const char *stream)
{
  const char *path = strchr (stream, ':') + 1;

  return reeve_socket_name_is (stream, FALSE, REEVE_SOCKET_UNIX) &&
                 path[0] != '@'
             ? path
             : NULL;
}

static gboolean
examine (Doctor *self, const char *machine, GError **error)
{
  gboolean is_connected;

  add_ok (self, "uri", self->uri->stream);
  self->path = get_path (self->uri->stream);
  if (self->path != NULL)
    check_socket (self);
  else if (reeve_socket_name_is (self->uri->stream, FALSE, REEVE_SOCKET_TLS))
    check_certificates (self);

  /* What is known to fail need not fail twice. */
  is_connected = !self->has_problem && check_connection (self);
  if (is_connected && self->path != NULL && self->listener == 0) {
    struct stat file;

    if (check_file (self, &file))
      check_listener (self, &file);
  }
  if (is_connected)
    check_kvm (self);
  return !is_connected || machine == NULL ||
         check_machine (self, machine, error);
}

static gboolean
run_doctor (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  static const ReeveField columns[] = {
    { "check", N_ ("Check") },
    { "result", N_ ("Result") },
    { "detail", N_ ("Detail") },
    { "advice", N_ ("What to do") },
  };
  const char *given = reeve_arguments_get (arguments, "uri");
  Doctor self = { .shell = shell };
  g_autofree char *fallback = NULL;
  gboolean is_done;

  if (given != NULL) {
    g_free (shell->uri);
    shell->uri = g_strdup (given);
    g_clear_pointer (&shell->connection, reeve_connection_unref);
  }
  fallback = shell->uri != NULL ? g_strdup (shell->uri)
                                : reeve_uri_get_default (shell->is_read_only);
  self.uri = reeve_uri_parse (fallback, shell->is_read_only, error);
  if (self.uri == NULL)
    return FALSE;

  self.rows = json_array_new ();
  is_done = examine (&self, reeve_arguments_get (arguments, "machine"), error);
  reeve_output_table (shell, columns, G_N_ELEMENTS (columns), self.rows);
  reeve_uri_free (self.uri);
  if (is_done && self.has_problem)
    shell->status = REEVE_EXIT_FAILED;
  return is_done;
}

static const ReeveOption doctor_options[] = {
  { "uri", REEVE_OPTION_STRING, .help = N_ ("the connection to examine") },
  { "machine", REEVE_OPTION_STRING, .is_named_only = TRUE,
    .completion = REEVE_COMPLETE_MACHINES,
    .help = N_ ("and whether QEMU reaches the disks of this machine") },
};

static const ReeveCommand commands[] = {
  { "doctor", N_ ("say why a connection, or the start of a machine, fails"),
    doctor_options, G_N_ELEMENTS (doctor_options), run_doctor,
    .is_local = TRUE },
};

const ReeveCommandGroup reeve_doctor_commands = {
  N_ ("Trouble"),
  commands,
  G_N_ELEMENTS (commands),
};
