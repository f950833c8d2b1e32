/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/policy.h"
#include "event/thread.h"
#include "machine-fixture.h"
#include "machine/remote.h"
#include "protocol/qemu.h"
#include "protocol/remote.h"
#include "rpc/error.h"
#include "rpc/message.h"
#include "rpc/uuid.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Every procedure there is, called by somebody who lacks what it takes: from
 * the tables alone, so that a new procedure is tested as soon as it is
 * declared. No handler ever runs.
 */

typedef struct {
  Fixture machines;
  ReeveStoragePool *pool;
  ReeveRemote *remote;
  ReeveServer *server;
  ReeveDaemonPolicy *policy;
  char *rules; /* the file's path */
  pthread_t thread;
  int fd;
  uint32_t serial;
  uint8_t uuid[REEVE_UUID_SIZE]; /* of the machine */
} House;

static const ReeveProgram *const programs[] = {
  &remote_program,
  &qemu_program,
  NULL,
};

/* -------------------------------------------------------------- fixture -- */

static void *
run_loop (void *data)
{
  reeve_loop_run (data);
  return NULL;
}

static void
define_machine (House *self)
{
  g_autofree char *xml = g_strdup_printf (
      "<domain type='qemu'><name>m</name><uuid>%s</uuid>"
      "<memory unit='MiB'>32</memory><os><type>hvm</type></os></domain>",
      self->machines.uuid);
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConfig) config = reeve_config_new_from_xml (xml, &error);
  g_autoptr (ReeveMachine) machine = NULL;

  g_assert_no_error (error);
  machine =
      reeve_machine_list_define (self->machines.list, config, NULL, &error);
  g_assert_no_error (error);
  memcpy (self->uuid, reeve_config_get_uuid (config), sizeof self->uuid);
}

/* Lets the caller, who is our own user, do what the rules say. */
static void
set_rules (House *self, const char *rules)
{
  g_autoptr (GError) error = NULL;
  /* GLib's function waits for the disk each time. */
  FILE *file = fopen (self->rules, "we");

  g_assert_nonnull (file);
  fputs (rules, file);
  fclose (file);
  reeve_daemon_policy_reload (self->policy, &error);
  g_assert_no_error (error);
}

static void
make_policy (House *self)
{
  const ReeveDaemonAccessConfig config = { .audit = REEVE_AUDIT_NONE };
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;

  self->rules = g_build_filename (self->machines.root, "access.conf", NULL);
  g_file_set_contents (self->rules, "[rule all]\nwho=any\nmay=all\n", -1, NULL);
  self->policy = reeve_daemon_policy_new (&config, self->rules, TRUE, NULL);
  reeve_daemon_policy_load (self->policy, programs, TRUE, warnings, &error);
  g_assert_no_error (error);
  reeve_daemon_policy_attach (self->policy, self->server);
}

static void
connect_client (House *self)
{
  const struct timeval patience = { .tv_sec = 20 };
  int ends[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  self->fd = ends[0];
  setsockopt (self->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  reeve_server_add_fd_client (self->server, ends[1], NULL);
}

/* -------------------------------------------------------------- calling -- */

static void fill (House *self, const ReeveType *type, void *value);

/* Something valid, and about the machine or the pool where it is about one. */
static void
fill_members (House *self, const ReeveType *type, void *value)
{
  for (size_t i = 0; i < type->n_members; i++)
    fill (self, type->members[i].type,
          (char *) value + type->members[i].offset);
  if (type == &remote_storage_pool_type)
    memcpy (((remote_storage_pool *) value)->uuid,
            reeve_storage_pool_get_uuid (self->pool), REEVE_UUID_SIZE);
}

static void
fill (House *self, const ReeveType *type, void *value)
{
  switch (type->kind) {
  case REEVE_KIND_STRING:
    *(char **) value = g_strdup ("m");
    break;
  case REEVE_KIND_OPAQUE_FIXED:
    if (type->limit == sizeof self->uuid)
      memcpy (value, self->uuid, sizeof self->uuid);
    break;
  case REEVE_KIND_STRUCT:
    fill_members (self, type, value);
    break;
  case REEVE_KIND_OPTIONAL:
    if (type->element->kind == REEVE_KIND_STRUCT) {
      *(void **) value = reeve_type_new (type->element);
      fill (self, type->element, *(void **) value);
    }
    break;
  default:
    break;
  }
}

/* Sets the member of the arguments that a tag asks for: "MEMBER&BITS". */
static void
meet_condition (const ReeveType *type, void *args, const char *condition)
{
  size_t length = strcspn (condition, "&!=");
  uint64_t value = condition[length] == '!'
                       ? 0
                       : g_ascii_strtoull (condition + length + 1, NULL, 0);

  for (size_t i = 0; i < type->n_members; i++) {
    const ReeveMember *member = &type->members[i];
    void *field = (char *) args + member->offset;

    if (strncmp (member->name, condition, length) != 0 ||
        member->name[length] != '\0')
      continue;
    if (member->type->kind == REEVE_KIND_UHYPER)
      *(uint64_t *) field = value;
    else
      *(uint32_t *) field = (uint32_t) value;
    return;
  }

  g_assert_not_reached ();
}

/* (nullable): the error of the reply. */
static GError *
receive_reply (House *self)
{
  uint8_t frame[8192];
  ReeveHeader header;
  uint32_t size;

  g_assert_cmpint (recv (self->fd, frame, 4, MSG_WAITALL), ==, 4);
  size = reeve_length_decode (frame);
  g_assert_cmpuint (size, <=, sizeof frame);
  g_assert_cmpint (recv (self->fd, frame + 4, size - 4, MSG_WAITALL), ==,
                   size - 4);
  reeve_header_decode (&header, frame + REEVE_LENGTH_SIZE);
  g_assert_cmpuint (header.serial, ==, self->serial);
  if (header.status == REEVE_STATUS_OK)
    return NULL;
  return reeve_message_decode_error (frame + REEVE_PAYLOAD_OFFSET,
                                     size - REEVE_PAYLOAD_OFFSET);
}

/* (nullable) @condition: that the arguments meet. */
static GError *
call (House *self,
      const ReeveProgram *program,
      const ReeveProcedure *procedure,
      const char *condition)
{
  const ReeveHeader header = {
    .program = program->number,
    .version = program->version,
    .procedure = procedure->number,
    .serial = ++self->serial,
  };
  void *args = reeve_type_new (procedure->args);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) frame = NULL;
  gsize size;
  const void *data;

  fill (self, procedure->args, args);
  if (condition != NULL)
    meet_condition (procedure->args, args, condition);
  frame = reeve_message_encode (&header, procedure->args, args, &error);
  g_assert_no_error (error);
  reeve_type_free (procedure->args, args);
  data = g_bytes_get_data (frame, &size);
  g_assert_cmpint (send (self->fd, data, size, MSG_NOSIGNAL), ==, size);
  return receive_reply (self);
}

static void
set_up (House *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture_set_up (&self->machines);
  define_machine (self);
  self->pool = reeve_storage_pool_open (self->machines.loop,
                                        self->machines.root, "default", &error);
  g_assert_no_error (error);
  self->remote =
      reeve_remote_new (self->machines.list, self->pool, "qemu:///system");
  self->server = reeve_server_new ("test", self->machines.loop, NULL);
  reeve_remote_register (self->remote, self->server);
  make_policy (self);
  connect_client (self);
  pthread_create (&self->thread, NULL, run_loop, self->machines.loop);
  error = call (self, &remote_program,
                reeve_program_find (&remote_program, REMOTE_PROC_CONNECT_OPEN),
                NULL);
  g_assert_no_error (error);
}

static void
tear_down (House *self, gconstpointer data)
{
  reeve_loop_quit (self->machines.loop);
  pthread_join (self->thread, NULL);
  reeve_server_stop (self->server);
  reeve_server_unref (self->server);
  reeve_daemon_policy_free (self->policy);
  reeve_remote_free (self->remote);
  reeve_storage_pool_unref (self->pool);
  close (self->fd);
  fixture_tear_down (&self->machines);
  g_free (self->rules);
}

/* --------------------------------------------------------------- tests --- */

typedef void (*EachFunc) (House *self,
                          const ReeveProgram *program,
                          const ReeveProcedure *procedure);

/* Each procedure that can be called and takes something. */
static void
foreach_procedure (House *self, EachFunc func)
{
  unsigned n_called = 0;

  for (size_t i = 0; programs[i] != NULL; i++)
    for (size_t j = 0; j < programs[i]->n_procedures; j++) {
      const ReeveProcedure *procedure = &programs[i]->procedures[j];

      if (procedure->dispatch == REEVE_DISPATCH_EVENT ||
          g_str_equal (procedure->access, "none"))
        continue;
      func (self, programs[i], procedure);
      n_called++;
    }

  g_assert_cmpuint (n_called, >, 380);
}

/* Denied, or as if what it is about was not there. */
static gboolean
is_refused (const GError *error, gboolean may_see)
{
  return g_error_matches (error, REEVE_ERROR, REEVE_ERROR_ACCESS_DENIED) ||
         (!may_see &&
          (g_error_matches (error, REEVE_ERROR, REEVE_ERROR_NO_DOMAIN) ||
           g_error_matches (error, REEVE_ERROR, REEVE_ERROR_NO_POOL)));
}

static void
assert_refused (House *self,
                const ReeveProgram *program,
                const ReeveProcedure *procedure,
                const char *condition,
                gboolean may_see)
{
  g_autoptr (GError) error = call (self, program, procedure, condition);

  if (is_refused (error, may_see))
    return;
  g_test_message ("%s.%s without %s: %s", program->name, procedure->name,
                  procedure->access,
                  error == NULL ? "succeeded" : error->message);
  g_test_fail ();
}

static void
without_anything (House *self,
                  const ReeveProgram *program,
                  const ReeveProcedure *procedure)
{
  assert_refused (self, program, procedure, NULL, FALSE);
}

static void
test_nothing (House *self, gconstpointer data)
{
  set_rules (self, "[rule none]\nwho=any\nmay=all\neffect=deny\n");
  foreach_procedure (self, without_anything);
}

/* Everything is allowed but one tag of those that it takes. */
static void
without_one (House *self,
             const ReeveProgram *program,
             const ReeveProcedure *procedure)
{
  g_auto (GStrv) tags = g_strsplit (procedure->access, " ", -1);

  for (char **tag = tags; *tag != NULL; tag++) {
    char *condition = strchr (*tag, '?');
    g_autofree char *rules = NULL;

    if (condition != NULL)
      *condition++ = '\0';
    rules = g_strdup_printf ("[rule one]\nwho=any\nmay=%s\neffect=deny\n"
                             "[rule rest]\nwho=any\nmay=all\n",
                             *tag);
    set_rules (self, rules);
    assert_refused (self, program, procedure, condition,
                    !g_str_has_suffix (*tag, ":getattr"));
  }
}

static void
test_one (House *self, gconstpointer data)
{
  foreach_procedure (self, without_one);
}

/* What is about a machine is refused by rules that are about another. */
static void
of_another (House *self,
            const ReeveProgram *program,
            const ReeveProcedure *procedure)
{
  if (strstr (procedure->access, "domain:") != NULL &&
      !g_str_has_suffix (procedure->name, "_event_register") &&
      !g_str_has_suffix (procedure->name, "_xml") &&
      !g_str_has_suffix (procedure->name, "_xml_flags"))
    assert_refused (self, program, procedure, NULL, FALSE);
}

static void
test_another (House *self, gconstpointer data)
{
  set_rules (self, "[rule other]\nwho=any\nmay=all\non=another\n"
                   "[rule host]\nwho=any\nmay=connect:*\n");
  foreach_procedure (self, of_another);
}

/* The word `read` is what a read-only connection may, but for a few that are
 * more than reading and that libvirt's read-only connections have all the
 * same. */
static void
test_read (House *self, gconstpointer data)
{
  static const char *const more[] = {
    "domain_migrate_get_compression_cache",
    "domain_migrate_get_max_downtime",
    "connect_set_identity",
    "connect_domain_monitor_event_deregister",
    NULL,
  };
  g_autoptr (ReeveAccessRules) rules = NULL;
  const ReeveAccessCaller caller = { 0 };

  set_rules (self, "[rule read]\nwho=any\nmay=read\n");
  rules = reeve_daemon_policy_get_rules (self->policy);
  for (size_t i = 0; programs[i] != NULL; i++)
    for (size_t j = 0; j < programs[i]->n_procedures; j++) {
      const ReeveProcedure *procedure = &programs[i]->procedures[j];
      g_auto (GStrv) tags = g_strsplit (procedure->access, " ", -1);
      gboolean may = TRUE;

      if (procedure->dispatch == REEVE_DISPATCH_EVENT ||
          g_str_equal (procedure->access, "none"))
        continue;
      for (char **tag = tags; *tag != NULL; tag++)
        may = may && (strchr (*tag, '?') != NULL ||
                      reeve_access_rules_decide (rules, &caller, *tag,
                                                 REEVE_ACCESS_EACH, NULL)
                          .is_allowed);
      if (may == ((procedure->flags & REEVE_PROCEDURE_READ_ONLY) != 0) ||
          g_strv_contains (more, procedure->name))
        continue;
      /* Reading that libvirt's read-only connections do not have. */
      if (may && (g_str_has_prefix (procedure->access, "domain:read") ||
                  g_str_has_prefix (procedure->access, "node_device:read") ||
                  g_str_has_prefix (procedure->access, "connect:read")))
        continue;
      g_test_message ("%s: %s", procedure->name, procedure->access);
      g_test_fail ();
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/machine/remote-access/refuses/without-anything", House, NULL,
              set_up, test_nothing, tear_down);
  g_test_add ("/machine/remote-access/refuses/without-one-tag", House, NULL,
              set_up, test_one, tear_down);
  g_test_add ("/machine/remote-access/refuses/with-another-machine", House,
              NULL, set_up, test_another, tear_down);
  g_test_add ("/machine/remote-access/words/read-is-what-read-only-may", House,
              NULL, set_up, test_read, tear_down);
  return g_test_run ();
}
