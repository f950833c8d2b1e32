/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gdbus.h"
#include "load.h"
#include "nothing.h"
#include "placement.h"
#include "rpc-server.h"

#include <glib/gstdio.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * What a null call costs: of a libreeve server, of one that sends back what it
 * gets (the floor), and of GDBus without a bus. Each server is a process of its
 * own, the clients are one thread here. The rounds are interleaved, and the
 * medians are printed. One client and its server share a core: else the figure
 * is that of a core which wakes up, and says little of either.
 */

#define MAX_ROUNDS 15
#define GDBUS_DEPTH 64

typedef enum { ECHO, GDBUS, REEVE } Kind;

typedef struct {
  char *path; /* (owned) */
  pid_t pid;
  clockid_t clock; /* of the process */
  Clients *clients;
} Server;

/* One line of the table. */
typedef struct {
  Kind kind;
  const char *name;
  int procedure;
  unsigned idle; /* index of idle_counts */
  Load load;
  double us[MAX_ROUNDS];     /* of a call */
  double cpu_us[MAX_ROUNDS]; /* of a call, in the server */
} Row;

static const unsigned idle_counts[] = { 0, 1000, 10000 };
#define N_IDLE G_N_ELEMENTS (idle_counts)

static const Load loads[] = { { 1, 1 }, { 1, 16 }, { 64, 4 } };
#define N_LOADS G_N_ELEMENTS (loads)
#define MAX_CLIENTS 64

static const struct {
  const char *name;
  int procedure;
} classes[] = {
  { "inline", NOTHING_PROC_ON_LOOP },
  { "normal", NOTHING_PROC_NORMAL },
  { "priority", NOTHING_PROC_PRIORITY },
};
#define N_CLASSES G_N_ELEMENTS (classes)

/* ------------------------------------------------------------- servers --- */

/* Files are needed for both ends of each client, in two processes. */
static void
raise_file_limit (void)
{
  struct rlimit limit;

  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
}

static unsigned
count_idle (unsigned n_wanted)
{
  struct rlimit limit;

  getrlimit (RLIMIT_NOFILE, &limit);
  if (n_wanted + 2000 <= limit.rlim_cur)
    return n_wanted;

  printf ("%u idle clients cannot be held: a process may open %lu files\n",
          n_wanted, (unsigned long) limit.rlim_cur);
  return (unsigned) limit.rlim_cur / 2;
}

static void
start_server (Server *self,
              const char *folder,
              const char *name,
              void (*serve) (const char *path, int ready_fd))
{
  int ends[2];
  char ready;

  self->path = g_build_filename (folder, name, NULL);
  if (pipe (ends) < 0)
    exit (1);
  self->pid = fork ();
  if (self->pid == 0) {
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    serve (self->path, ends[1]);
  }
  close (ends[1]);
  if (self->pid < 0 || read (ends[0], &ready, 1) != 1) {
    g_printerr ("cannot start a server\n");
    exit (1);
  }
  close (ends[0]);
  clock_getcpuclockid (self->pid, &self->clock);
}

static void
stop_server (Server *self)
{
  g_clear_pointer (&self->clients, clients_free);
  kill (self->pid, SIGKILL);
  waitpid (self->pid, NULL, 0);
  g_unlink (self->path);
  g_free (self->path);
}

static double
get_cpu_us (const Server *self)
{
  struct timespec time = { 0 };

  clock_gettime (self->clock, &time);
  return (double) time.tv_sec * 1e6 + (double) time.tv_nsec / 1e3;
}

/* ---------------------------------------------------------------- rows --- */

static GArray *
make_rows (void)
{
  GArray *rows = g_array_new (FALSE, TRUE, sizeof (Row));
  const Row gdbus = { .kind = GDBUS,
                      .name = "GDBus",
                      .load = { 1, GDBUS_DEPTH } };

  g_array_append_val (rows, gdbus);
  for (unsigned i = 0; i < N_LOADS; i++) {
    const Row floor = { .kind = ECHO, .name = "raw echo", .load = loads[i] };

    g_array_append_val (rows, floor);
    for (unsigned j = 0; j < N_CLASSES * N_IDLE; j++) {
      const Row row = {
        .kind = REEVE,
        .name = classes[j / N_IDLE].name,
        .procedure = classes[j / N_IDLE].procedure,
        .idle = j % N_IDLE,
        .load = loads[i],
      };

      g_array_append_val (rows, row);
    }
  }
  return rows;
}

static Row *
find_row (GArray *rows, Kind kind, int procedure, unsigned idle, Load load)
{
  for (unsigned i = 0; i < rows->len; i++) {
    Row *row = &g_array_index (rows, Row, i);

    if (row->kind == kind && row->procedure == procedure && row->idle == idle &&
        row->load.n_clients == load.n_clients && row->load.depth == load.depth)
      return row;
  }

  g_assert_not_reached ();
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const double *x = a, *y = b;

  return (*x > *y) - (*x < *y);
}

static double
get_median (const double *values, unsigned n_values)
{
  double sorted[MAX_ROUNDS];

  memcpy (sorted, values, n_values * sizeof *values);
  qsort (sorted, n_values, sizeof *sorted, compare);
  return n_values % 2 == 1
             ? sorted[n_values / 2]
             : (sorted[n_values / 2 - 1] + sorted[n_values / 2]) / 2;
}

/* How many times faster @row is than @other, round by round. */
static double
compare_rows (const Row *row, const Row *other, unsigned n_rounds)
{
  double ratios[MAX_ROUNDS];

  for (unsigned i = 0; i < n_rounds; i++)
    ratios[i] = other->us[i] / row->us[i];
  return get_median (ratios, n_rounds);
}

static void
print_table (GArray *rows, const unsigned *n_idle, unsigned n_rounds)
{
  const Row *gdbus = &g_array_index (rows, Row, 0);

  printf ("\n%-9s %7s %6s %9s %11s %7s %7s %11s\n", "server", "load", "idle",
          "us/call", "calls/s", "x echo", "x GDBus", "server CPU");
  for (unsigned i = 0; i < rows->len; i++) {
    const Row *row = &g_array_index (rows, Row, i);
    double us = get_median (row->us, n_rounds);

    printf ("%-9s %3u x %-2u %6u %9.2f %11.0f", row->name, row->load.n_clients,
            row->load.depth, n_idle[row->idle], us, 1e6 / us);
    if (row->kind == GDBUS)
      printf (" %7s", "-");
    else
      printf (
          " %7.2f",
          compare_rows (row, find_row (rows, ECHO, 0, 0, row->load), n_rounds));
    printf (" %7.1f %8.2f us\n", compare_rows (row, gdbus, n_rounds),
            get_median (row->cpu_us, n_rounds));
  }
}

static void
print_verdict (GArray *rows, unsigned n_rounds)
{
  const Load most = loads[N_LOADS - 1];
  const Row *normal = find_row (rows, REEVE, NOTHING_PROC_NORMAL, 0, most);
  const Row *gdbus = &g_array_index (rows, Row, 0);

  printf ("\nnormal, %u x %u: %.1f times GDBus (wanted: 25)\n", most.n_clients,
          most.depth, compare_rows (normal, gdbus, n_rounds));
  for (unsigned i = 0; i < N_CLASSES; i++) {
    int procedure = classes[i].procedure;
    const Row *alone = find_row (rows, REEVE, procedure, 0, most);
    const Row *crowded = find_row (rows, REEVE, procedure, N_IDLE - 1, most);

    printf ("%s, %u x %u: with most idle clients a call costs %.2f of that "
            "with none (wanted: 1.10)\n",
            classes[i].name, most.n_clients, most.depth,
            compare_rows (alone, crowded, n_rounds));
  }
}

/* ----------------------------------------------------------------- run --- */

typedef struct {
  Server echo;
  Server gdbus;
  Server reeve[N_IDLE];
  GDBusClient *gdbus_client;
} Bench;

static void
measure (Bench *self, Row *row, unsigned round, gint64 duration_us)
{
  Server *server = row->kind == REEVE  ? &self->reeve[row->idle]
                   : row->kind == ECHO ? &self->echo
                                       : &self->gdbus;
  gboolean is_on_one_core = row->load.n_clients == 1 && row->kind != GDBUS;
  double cpu_us;
  gint64 start_us;
  double took_us;

  place_process (getpid (), is_on_one_core);
  place_process (server->pid, is_on_one_core);
  cpu_us = get_cpu_us (server);
  start_us = g_get_monotonic_time ();
  row->us[round] =
      row->kind == GDBUS
          ? gdbus_client_run (self->gdbus_client, GDBUS_DEPTH, duration_us)
          : clients_run (server->clients, &row->load, row->procedure,
                         duration_us);
  /* With what ran before and after the clock did, as fast. */
  took_us = (double) (g_get_monotonic_time () - start_us);
  row->cpu_us[round] =
      (get_cpu_us (server) - cpu_us) / took_us * row->us[round];
}

static void
start (Bench *self, const char *folder, unsigned *n_idle)
{
  start_server (&self->echo, folder, "echo", serve_echo);
  start_server (&self->gdbus, folder, "gdbus", serve_gdbus);
  for (unsigned i = 0; i < N_IDLE; i++) {
    g_autofree char *name = g_strdup_printf ("reeve-%u", i);

    start_server (&self->reeve[i], folder, name, serve_reeve);
  }

  self->gdbus_client = gdbus_client_new (self->gdbus.path);
  self->echo.clients = clients_new (self->echo.path, MAX_CLIENTS, 0);
  for (unsigned i = 0; i < N_IDLE; i++) {
    n_idle[i] = count_idle (idle_counts[i]);
    self->reeve[i].clients =
        clients_new (self->reeve[i].path, MAX_CLIENTS, n_idle[i]);
  }
}

static void
stop (Bench *self)
{
  gdbus_client_free (self->gdbus_client);
  stop_server (&self->echo);
  stop_server (&self->gdbus);
  for (unsigned i = 0; i < N_IDLE; i++)
    stop_server (&self->reeve[i]);
}

int
main (int argc, char **argv)
{
  gboolean is_quick = argc == 2 && g_strcmp0 (argv[1], "--quick") == 0;
  unsigned n_rounds = is_quick ? 3 : 9;
  gint64 duration_us = is_quick ? 50000 : 200000;
  g_autofree char *folder = g_dir_make_tmp ("reeve-bench-XXXXXX", NULL);
  g_autoptr (GArray) rows = make_rows ();
  unsigned n_idle[N_IDLE];
  Bench bench = { 0 };

  if (argc > 1 && !is_quick) {
    g_printerr ("usage: %s [--quick]\n", argv[0]);
    return 2;
  }

  raise_file_limit ();
  start (&bench, folder, n_idle);
  for (unsigned round = 0; round < n_rounds; round++)
    for (unsigned i = 0; i < rows->len; i++)
      measure (&bench, &g_array_index (rows, Row, i), round, duration_us);
  stop (&bench);
  g_rmdir (folder);

  print_table (rows, n_idle, n_rounds);
  print_verdict (rows, n_rounds);
  return 0;
}
