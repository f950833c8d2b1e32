/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "protocol/admin.h"
#include "protocol/machine.h"
#include "protocol/monitor.h"
#include "protocol/qemu.h"
#include "protocol/reeve.h"
#include "protocol/remote.h"
#include "protocol/resource.h"
#include "protocol/watch.h"
#include "random-value.h"
#include "rpc/config-value.h"
#include "rpc/error.h"
#include "rpc/json-print.h"
#include "rpc/message.h"
#include "rpc/server.h"
#include "rpc/wire-json.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Random arguments of each procedure, by each wire, to a handler that compares
 * them with what was sent. All in one thread: the loop is turned until the
 * handler has run.
 */

#define N_VALUES 3
#define MAX_TURNS 100000

enum { BY_XDR, BY_JSON, BY_TEXT, N_WIRES };

static const char *const wire_names[N_WIRES] = { "XDR", "JSON", "text" };

typedef struct {
  ReeveLoop *loop;
  ReeveServer *server;
  int fds[N_WIRES];

  /* What the handler waits for. */
  const ReeveType *type;
  gconstpointer args;
  unsigned n_equal;
  unsigned n_different;
} Fixture;

static Fixture fixture;

/* In the place of every handler. */
static gboolean
compare (gconstpointer handlers,
         ReeveCall *call,
         gconstpointer args,
         gpointer ret,
         GError **error)
{
  if (reeve_type_equal (fixture.type, fixture.args, args))
    fixture.n_equal++;
  else
    fixture.n_different++;
  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED,
                       "it was compared");
  return FALSE;
}

/* The program, with handlers of the test's own, which run in the loop's
 * thread. */
static ReeveProgram *
copy_program (const ReeveProgram *program)
{
  ReeveProgram *copy = g_memdup2 (program, sizeof *program);
  ReeveProcedure *procedures = g_memdup2 (
      program->procedures, program->n_procedures * sizeof *program->procedures);

  for (size_t i = 0; i < program->n_procedures; i++) {
    procedures[i].flags = 0;
    if (procedures[i].dispatch != REEVE_DISPATCH_EVENT) {
      procedures[i].dispatch = REEVE_DISPATCH_INLINE;
      procedures[i].stub = compare;
    }
  }
  copy->procedures = procedures;
  return copy;
}

static void
set_up (const ReeveProgram *program)
{
  fixture.loop = reeve_loop_new (NULL);
  fixture.server = reeve_server_new ("test", fixture.loop, NULL);
  reeve_server_add_program (fixture.server, program, NULL, NULL);
  for (int i = 0; i < N_WIRES; i++) {
    int ends[2];

    g_assert_no_errno (
        socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    fixture.fds[i] = ends[0];
    reeve_server_add_fd_client (fixture.server, ends[1], NULL);
  }
}

static void
tear_down (void)
{
  reeve_server_stop (fixture.server);
  reeve_server_unref (fixture.server);
  reeve_loop_unref (fixture.loop);
  for (int i = 0; i < N_WIRES; i++)
    close (fixture.fds[i]);
}

/* (transfer full) */
static GBytes *
make_message (int wire,
              const ReeveProgram *program,
              const ReeveProcedure *procedure,
              gconstpointer args)
{
  const ReeveHeader header = {
    .program = program->number,
    .version = program->version,
    .procedure = procedure->number,
    .type = REEVE_MESSAGE_CALL,
    .serial = 1,
  };
  g_autofree char *name =
      g_strdup_printf ("%s.%s", program->name, procedure->name);
  g_autoptr (GError) error = NULL;
  GString *text = g_string_new (NULL);

  if (wire == BY_XDR) {
    GBytes *frame =
        reeve_message_encode (&header, procedure->args, args, &error);

    g_assert_no_error (error);
    g_string_free (text, TRUE);
    return frame;
  }
  if (wire == BY_JSON) {
    g_autoptr (JsonNode) node = reeve_json_encode (procedure->args, args);

    g_string_append_printf (text,
                            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
                            "\"%s\"",
                            name);
    if (!JSON_NODE_HOLDS_NULL (node)) {
      g_string_append (text, ",\"params\":");
      if (!JSON_NODE_HOLDS_OBJECT (node))
        g_string_append_c (text, '[');
      reeve_json_print (node, text);
      if (!JSON_NODE_HOLDS_OBJECT (node))
        g_string_append_c (text, ']');
    }
    g_string_append_c (text, '}');
  } else {
    g_autoptr (ReeveConfigNode) node = reeve_config_node_new ();

    reeve_config_node_add_string (node, "request", name);
    reeve_config_encode (procedure->args, args, node);
    reeve_config_node_print (node, REEVE_CONFIG_STYLE_EXACT, text);
    g_string_append (text, "\n##\n");
  }
  return g_string_free_to_bytes (text);
}

/* Sends a call, and turns until its reply is there. */
static void
call (int wire,
      const ReeveProgram *program,
      const ReeveProcedure *procedure,
      gconstpointer args)
{
  g_autoptr (GBytes) message = make_message (wire, program, procedure, args);
  gsize size;
  const char *data = g_bytes_get_data (message, &size);
  unsigned n_before = fixture.n_equal;
  char reply[4096] = "";
  gssize n_read = -1;

  fixture.type = procedure->args;
  fixture.args = args;
  g_assert_cmpint (send (fixture.fds[wire], data, size, MSG_DONTWAIT), ==,
                   size);
  for (int i = 0; i < MAX_TURNS && n_read < 0; i++) {
    g_main_context_iteration (reeve_loop_get_context (fixture.loop), FALSE);
    n_read = recv (fixture.fds[wire], reply, sizeof reply - 1, MSG_DONTWAIT);
  }

  if (fixture.n_equal != n_before + 1 || fixture.n_different > 0)
    g_test_message ("%s.%s by %s: %s\n%s", program->name, procedure->name,
                    wire_names[wire], reply, wire == BY_XDR ? "" : data);
  g_assert_cmpuint (fixture.n_different, ==, 0);
  g_assert_cmpuint (fixture.n_equal, ==, n_before + 1);
}

static void
test_procedure (const ReeveProgram *program,
                const ReeveProcedure *procedure,
                GRand *random)
{
  for (int i = 0; i < N_VALUES; i++) {
    gpointer args = procedure->args->kind == REEVE_KIND_VOID
                        ? NULL
                        : reeve_type_new (procedure->args);

    if (args != NULL)
      random_value_fill (procedure->args, args, random);
    for (int wire = 0; wire < N_WIRES; wire++)
      call (wire, program, procedure, args);
    if (args != NULL)
      reeve_type_free (procedure->args, args);
  }
}

static void
test_program (gconstpointer data)
{
  ReeveProgram *program = copy_program (data);
  g_autoptr (GRand) random =
      g_rand_new_with_seed ((guint32) g_test_rand_int ());
  unsigned n_tested = 0;

  set_up (program);
  for (size_t i = 0; i < program->n_procedures; i++) {
    if (program->procedures[i].dispatch == REEVE_DISPATCH_EVENT)
      continue;
    test_procedure (program, &program->procedures[i], random);
    n_tested++;
  }
  tear_down ();
  g_assert_cmpuint (n_tested, >, 0);
  g_free ((gpointer) program->procedures);
  g_free (program);
}

int
main (int argc, char **argv)
{
  static const ReeveProgram *const programs[] = {
    &admin_program, &machine_program, &monitor_program,  &qemu_program,
    &reeve_program, &remote_program,  &resource_program, &watch_program,
  };

  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (programs); i++) {
    g_autofree char *path =
        g_strconcat ("/generator/all-wires/", programs[i]->name, NULL);

    g_test_add_data_func (path, programs[i], test_program);
  }
  return g_test_run ();
}
