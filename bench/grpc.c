/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "grpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct _GrpcClient {
  FILE *in;  /* (owned): of the process */
  FILE *out; /* (owned) */
};

const char *
grpc_get_program (void)
{
  return g_getenv ("REEVE_BENCH_GRPC");
}

void
serve_grpc (const ServeOptions *options)
{
  dup2 (options->ready_fd, STDOUT_FILENO);
  execl (grpc_get_program (), "grpc", "serve", options->path, NULL);
  _exit (1);
}

GrpcClient *
grpc_client_new (const char *path, const Load *load)
{
  GrpcClient *self = g_new (GrpcClient, 1);
  g_autofree char *n_clients = g_strdup_printf ("%u", load->n_clients);
  g_autofree char *depth = g_strdup_printf ("%u", load->depth);
  const char *words[] = { grpc_get_program (), "call", path,
                          n_clients,           depth,  NULL };
  g_autoptr (GError) error = NULL;
  int in, out;

  if (!g_spawn_async_with_pipes (NULL, (char **) words, NULL, G_SPAWN_DEFAULT,
                                 NULL, NULL, NULL, &in, &out, NULL, &error)) {
    g_printerr ("%s\n", error->message);
    exit (1);
  }
  self->in = fdopen (in, "w");
  self->out = fdopen (out, "r");
  return self;
}

void
grpc_client_free (GrpcClient *self)
{
  /* At the end of its input it ends. */
  fclose (self->in);
  fclose (self->out);
  g_free (self);
}

Run
grpc_client_run (GrpcClient *self, gint64 duration_us)
{
  Run run = { 0 };

  fprintf (self->in, "%" G_GINT64_FORMAT "\n", MAX (duration_us / 1000, 1));
  fflush (self->in);
  if (fscanf (self->out, "%lf %lf", &run.us, &run.n_runs) != 2) {
    g_printerr ("gRPC's client does not answer\n");
    exit (1);
  }
  return run;
}
