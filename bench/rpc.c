/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench-config.h"
#include "counter.h"
#include "figure.h"
#include "gdbus.h"
#include "grpc.h"
#include "paced.h"
#include "placement.h"
#include "rpc-server.h"
#if REEVE_BENCH_SDBUS
#include "sdbus.h"
#endif

#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * What calls cost: of a libreeve server, of one that sends back what it gets
 * (the floor), of peers; of reeved and a stock libvirtd, where bench/points
 * has started them. Each server is a process of its own, all clients are one
 * thread here. Rounds are interleaved, and printed as JSON. One client that
 * makes one call at a time shares a core with its server: else the figure is
 * that of a core which wakes up, and says little of either. Where calls are
 * paced, who makes them has a core alone, in the run before as well: it never
 * sleeps, and a server behind it would be measured in the kernel's slices.
 */

#define N_CLIENTS 64
/* Of a load that is asked for: what a client sends at once fits a socket. */
#define MAX_CLIENTS 4096
#define MAX_DEPTH 1024
#define CONNECTIONS_AT_ONCE 8
/* As many as there are clients, and as many loops as a server may have. */
#define MAX_THREADS 64
/* How many times as long as others paced calls are made. */
#define PACED_TIMES 4
/* Besides idle clients. */
#define OTHER_FILES 1000

typedef struct {
  Server servers[N_SERVERS];
  Clients *clients[N_SERVERS][N_TRANSPORTS]; /* (owned) (nullable) */
  Clients *sleeper;                          /* (owned) (nullable) */
  GDBusClient *gdbus;                        /* (owned) (nullable) */
  GrpcClient *grpc;                          /* (owned) (nullable) */
#if REEVE_BENCH_SDBUS
  SdBusClient *sdbus; /* (owned) (nullable) */
#endif
  Request requests[N_REQUESTS];
  double idle_heap_bytes[N_SERVERS];
  double idle_private_bytes[N_SERVERS];
  Figure *figures; /* (owned) (array length=n_plans) */
} Bench;

/* ------------------------------------------------------------- options --- */

static char *tls_folder;
static char *reeved_path;
static char *libvirtd_path;
static char *machine_args;
static char *gnutls_serv;
static int n_rounds = 7;
static int duration_ms = 150;
static gboolean is_quick;
static char **only;
static Load asked_load;
static int io_threads;
static int n_threads;

static gboolean
parse_load (const char *name, const char *text, gpointer data, GError **error)
{
  int end = 0;

  if (sscanf (text, "%4ux%4u%n", &asked_load.n_clients, &asked_load.depth,
              &end) == 2 &&
      text[end] == '\0' && asked_load.n_clients >= 1 &&
      asked_load.n_clients <= MAX_CLIENTS && asked_load.depth >= 1 &&
      asked_load.depth <= MAX_DEPTH)
    return TRUE;

  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               "%s: 1x1 to %ux%u", name, MAX_CLIENTS, MAX_DEPTH);
  return FALSE;
}

static const GOptionEntry options[] = {
  { "rounds", 0, 0, G_OPTION_ARG_INT, &n_rounds, "1 to 15", "N" },
  { "duration", 0, 0, G_OPTION_ARG_INT, &duration_ms, "of a measurement",
    "MS" },
  { "quick", 0, 0, G_OPTION_ARG_NONE, &is_quick,
    "with a thousandth of the idle clients, to see whether it works", NULL },
  { "only", 0, 0, G_OPTION_ARG_STRING_ARRAY, &only,
    "figures whose names are so", "PATTERN" },
  { "load", 0, 0, G_OPTION_ARG_CALLBACK, parse_load,
    "clients, and calls in flight of each, of three more figures", "NxDEPTH" },
  { "io-threads", 0, 0, G_OPTION_ARG_INT, &io_threads,
    "loops of the server that has several: 1 to 64", "N" },
  { "threads", 0, 0, G_OPTION_ARG_INT, &n_threads,
    "that call that server: 1 to 64", "N" },
  { "tls", 0, 0, G_OPTION_ARG_FILENAME, &tls_folder,
    "servercert.pem and serverkey.pem", "FOLDER" },
  { "gnutls-serv", 0, 0, G_OPTION_ARG_STRING, &gnutls_serv,
    "with the same certificate", "PORT:PID" },
  { "reeved", 0, 0, G_OPTION_ARG_FILENAME, &reeved_path, "its socket", "PATH" },
  { "libvirtd", 0, 0, G_OPTION_ARG_FILENAME, &libvirtd_path, "its socket",
    "PATH" },
  { "machine", 0, 0, G_OPTION_ARG_STRING, &machine_args,
    "whose XML is asked for: the arguments", "HEX" },
  { NULL },
};

/* ------------------------------------------------------------- servers --- */

/* Files are needed for each client, in each process. */
static rlim_t
raise_file_limit (void)
{
  struct rlimit limit;

  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

static gboolean
matches (const Plan *plan)
{
  for (unsigned i = 0; only != NULL && only[i] != NULL; i++)
    if (g_pattern_match_simple (only[i], plan->name))
      return TRUE;
  return only == NULL;
}

static gboolean
is_paced_next (unsigned index)
{
  return index + 1 < n_plans && plans[index + 1].mode == PACED;
}

static gboolean
is_wanted (unsigned index)
{
  return matches (&plans[index]) ||
         (is_paced_next (index) && matches (&plans[index + 1]));
}

static gboolean
needs_server (ServerId id)
{
  for (unsigned i = 0; i < n_plans; i++)
    if (plans[i].server == id && is_wanted (i))
      return TRUE;
  return FALSE;
}

static void
start_crowded (Bench *self, const char *folder, ServerId id, unsigned n_idle)
{
  g_autofree char *name = g_strdup_printf ("reeve-%u", n_idle);
  Server *server = &self->servers[id];
  g_auto (Usage) before = { 0 };
  g_auto (Usage) after = { 0 };
  double heap;

  if (!needs_server (id) || raise_file_limit () < n_idle + OTHER_FILES)
    return;

  if (is_quick)
    n_idle /= 1000;
  server_start (server, folder, name, NULL, serve_reeve);
  heap = server_get_heap (server);
  before = server_get_usage (server);
  server_add_crowd (server, n_idle);
  after = server_get_usage (server);
  self->idle_heap_bytes[id] = (server_get_heap (server) - heap) / n_idle;
  self->idle_private_bytes[id] =
      (after.private_bytes - before.private_bytes) / n_idle;
}

static void
find_gnutls_serv (Server *self)
{
  char *end;

  self->ports[1] = (uint16_t) g_ascii_strtoull (gnutls_serv, &end, 10);
  self->pid = (pid_t) g_ascii_strtoull (end + 1, NULL, 10);
}

static void
start_peers (Bench *self, const char *folder)
{
  Server *servers = self->servers;

  if (needs_server (GDBUS))
    server_start (&servers[GDBUS], folder, "gdbus", NULL, serve_gdbus);
#if REEVE_BENCH_SDBUS
  if (needs_server (SDBUS))
    server_start (&servers[SDBUS], folder, "sdbus", NULL, serve_sdbus);
#endif
  if (needs_server (GRPC) && grpc_get_program () != NULL)
    server_start (&servers[GRPC], folder, "grpc", NULL, serve_grpc);
  if (reeved_path != NULL)
    server_find (&servers[REEVED], reeved_path);
  if (libvirtd_path != NULL)
    server_find (&servers[LIBVIRTD], libvirtd_path);
  if (gnutls_serv != NULL)
    find_gnutls_serv (&servers[GNUTLS_SERV]);
}

static void
start (Bench *self, const char *folder)
{
  Server *servers = self->servers;

  /* First, as what follows would be inherited by the crowds. */
  start_crowded (self, folder, REEVE_10000, 10000);
  start_crowded (self, folder, REEVE_18000, 18000);
  if (needs_server (FLOOR))
    server_start (&servers[FLOOR], folder, "floor", NULL, serve_echo);
  if (needs_server (REEVE))
    server_start (&servers[REEVE], folder, "reeve",
                  &(ServeOptions){ .tls_folder = tls_folder }, serve_reeve);
  if (needs_server (REEVE_LOOPS))
    server_start (&servers[REEVE_LOOPS], folder, "reeve-loops",
                  &(ServeOptions){ .io_threads = (unsigned) io_threads },
                  serve_reeve);
  start_peers (self, folder);

  /* These have threads, which no server may be forked beside. */
  if (servers[GDBUS].pid != 0)
    self->gdbus = gdbus_client_new (servers[GDBUS].path);
#if REEVE_BENCH_SDBUS
  if (servers[SDBUS].pid != 0)
    self->sdbus = sdbus_client_new (servers[SDBUS].path);
#endif
  if (servers[GRPC].pid != 0)
    self->grpc = grpc_client_new (servers[GRPC].path, &plans[0].load);
}

static Address
get_address (const Server *server, Transport transport)
{
  gboolean is_unix = transport == UNIX || transport == JSON;

  return (Address){
    .path = is_unix ? server->path : NULL,
    .port = is_unix ? 0 : server->ports[transport == TLS],
    .is_tls = transport == TLS,
    .greets = server->is_ours,
  };
}

static const char *
why_no_server (ServerId id)
{
  switch (id) {
  case REEVE_10000:
  case REEVE_18000:
    return "the hard limit of open files is too low";
  case SDBUS:
    return "it was built without sd-bus";
  case GRPC:
    return "it was built without gRPC";
  case REEVED:
  case LIBVIRTD:
  case GNUTLS_SERV:
    return "no such server was started";
  default:
    return "the server does not run";
  }
}

static const Load *
get_load (const Plan *plan)
{
  return plan->load.n_clients == 0 ? &asked_load : &plan->load;
}

/* Returns: (nullable): what is missing */
static const char *
why_not (const Bench *self, unsigned index)
{
  const Plan *plan = &plans[index];
  const Server *server = &self->servers[plan->server];
  Address address = get_address (server, plan->transport);

  if (!is_wanted (index) ||
      (plan->mode == CALLS && get_load (plan)->n_clients == 0))
    return "not asked for";
  if (server->pid == 0)
    return why_no_server (plan->server);
  if (address.path == NULL && address.port == 0)
    return "there is no certificate";
  if (plan->request == XML && machine_args == NULL)
    return "there is no machine";
  return NULL;
}

static Clients *
get_clients (Bench *self, const Plan *plan)
{
  Clients **clients = &self->clients[plan->server][plan->transport];
  Address address = get_address (&self->servers[plan->server], plan->transport);

  if (*clients == NULL)
    *clients = clients_new (&address,
                            plan->request > OPEN ? &self->requests[OPEN] : NULL,
                            MAX (N_CLIENTS, asked_load.n_clients));
  return *clients;
}

static Clients *
get_sleeper (Bench *self, const Plan *plan)
{
  Address address = get_address (&self->servers[plan->server], plan->transport);

  if (self->sleeper == NULL)
    self->sleeper = clients_new (&address, NULL, 1);
  return self->sleeper;
}

static void
stop (Bench *self)
{
  clients_free (self->sleeper);
  for (unsigned i = 0; i < N_SERVERS; i++)
    for (unsigned j = 0; j < N_TRANSPORTS; j++)
      clients_free (self->clients[i][j]);
  if (self->gdbus != NULL)
    gdbus_client_free (self->gdbus);
#if REEVE_BENCH_SDBUS
  if (self->sdbus != NULL)
    sdbus_client_free (self->sdbus);
#endif
  if (self->grpc != NULL)
    grpc_client_free (self->grpc);
  for (unsigned i = 0; i < N_SERVERS; i++)
    if (self->servers[i].pid != 0)
      server_stop (&self->servers[i]);
  requests_clear (self->requests);
  g_free (self->figures);
}

/* ----------------------------------------------------------------- run --- */

static gint64
get_warm_up_us (void)
{
  return MIN (20, duration_ms) * 1000;
}

/* So many calls that fifty or more are beyond p99.9. */
static gint64
get_paced_us (void)
{
  return duration_ms * 1000 * PACED_TIMES;
}

static Run
run_calls (Bench *self, const Plan *plan)
{
  gint64 duration_us = duration_ms * 1000;

  if (plan->server == GDBUS)
    return gdbus_client_run (self->gdbus, PEER_DEPTH, duration_us);
#if REEVE_BENCH_SDBUS
  if (plan->server == SDBUS)
    return sdbus_client_run (self->sdbus, PEER_DEPTH, duration_us);
#endif
  if (plan->server == GRPC)
    return grpc_client_run (self->grpc, duration_us);
  return clients_run (get_clients (self, plan), get_load (plan),
                      plan->server == REEVE_LOOPS ? (unsigned) n_threads : 1,
                      &self->requests[plan->request], get_warm_up_us (),
                      duration_us);
}

static Run
run_beside (Bench *self, const Plan *plan)
{
  Clients *sleeper = get_sleeper (self, plan);
  Run run;

  clients_start_call (sleeper, &self->requests[SLEEP]);
  run = run_calls (self, plan);
  clients_end_call (sleeper);
  return run;
}

static Run
run_connections (Bench *self, const Plan *plan)
{
  const Request requests[] = {
    self->requests[plan->request > OPEN ? OPEN : plan->request],
    self->requests[plan->request],
  };
  Address address = get_address (&self->servers[plan->server], plan->transport);

  return connections_run (&address, requests,
                          plan->mode == HANDSHAKES ? 0
                                                   : G_N_ELEMENTS (requests),
                          CONNECTIONS_AT_ONCE, duration_ms * 1000);
}

static Run
run_plan (Bench *self, unsigned index, unsigned round)
{
  const Plan *plan = &plans[index];

  switch (plan->mode) {
  case CALLS:
    return run_calls (self, plan);
  case BESIDE:
    return run_beside (self, plan);
  case PACED:
    return paced_run (get_clients (self, plan), &self->requests[plan->request],
                      2 * self->figures[index - 1].samples[round].run.us,
                      get_paced_us (), self->servers[plan->server].pid);
  case CONNECTIONS:
  case HANDSHAKES:
    return run_connections (self, plan);
  }
  g_assert_not_reached ();
}

static gboolean
has_own_client (const Plan *plan)
{
  return plan->server == GDBUS || plan->server == SDBUS || plan->server == GRPC;
}

static Placement
choose_placement (unsigned index)
{
  const Plan *plan = &plans[index];

  if (plan->mode == PACED || is_paced_next (index))
    return LAST_CORE;
  return plan->load.n_clients == 1 && plan->load.depth < PEER_DEPTH ? ONE_CORE
                                                                    : ALL_CORES;
}

/* Does before the clock starts what can be done once for all rounds. */
static void
prepare (Bench *self, unsigned index)
{
  const Plan *plan = &plans[index];
  Placement ours = choose_placement (index);

  if ((plan->mode == CALLS || plan->mode == BESIDE) && !has_own_client (plan))
    get_clients (self, plan);
  place_process (getpid (), ours);
  place_process (self->servers[plan->server].pid,
                 ours == LAST_CORE ? ALL_BUT_LAST : ours);
}

static void
measure (Bench *self, unsigned index, unsigned round)
{
  const Server *server = &self->servers[plans[index].server];
  g_auto (Usage) before = { 0 };
  g_auto (Usage) after = { 0 };
  gint64 start_us;
  double stolen_us;
  Run run;

  prepare (self, index);
  start_us = g_get_monotonic_time ();
  stolen_us = get_stolen_us ();
  before = server_get_usage (server);
  run = run_plan (self, index, round);
  after = server_get_usage (server);
  self->figures[index].samples[round] = (Sample){
    .run = run,
    .cpu_us = (after.cpu_us - before.cpu_us) / run.n_runs,
    .n_switches = usage_count_switches (&before, &after) / run.n_runs,
    .steal = (get_stolen_us () - stolen_us) /
             (double) (g_get_monotonic_time () - start_us) / count_cores (),
  };
}

/* After the rounds, as counting takes time. */
static double
count_system_calls (Bench *self, unsigned index)
{
  Counter *counter;
  Run run;

  prepare (self, index);
  counter = counter_new (self->servers[plans[index].server].pid);
  if (counter == NULL)
    return -1;

  run = run_plan (self, index, 0);
  return counter_end (counter) / run.n_runs;
}

static void
init_figure (Bench *self, unsigned index)
{
  ServerId server = plans[index].server;
  gboolean is_crowded = server == REEVE_10000 || server == REEVE_18000;

  self->figures[index] = (Figure){
    .plan = &plans[index],
    .why_not = why_not (self, index),
    .io_threads = server == REEVE_LOOPS ? (unsigned) io_threads : 0,
    .n_system_calls = -1,
    .idle_heap_bytes = is_crowded ? self->idle_heap_bytes[server] : -1,
    .idle_private_bytes = is_crowded ? self->idle_private_bytes[server] : -1,
  };
}

static void
run_all (Bench *self)
{
  self->figures = g_new0 (Figure, n_plans);
  for (unsigned i = 0; i < n_plans; i++)
    init_figure (self, i);
  for (unsigned round = 0; round < (unsigned) n_rounds; round++)
    for (unsigned i = 0; i < n_plans; i++)
      if (self->figures[i].why_not == NULL)
        measure (self, i, round);
  for (unsigned i = 0; i < n_plans; i++)
    if (self->figures[i].why_not == NULL)
      self->figures[i].n_system_calls = count_system_calls (self, i);
}

/* Half of the cores are for the loops, and the rest for those that call. On two
 * cores there are two loops, too: they show what it costs to share a core. */
static gboolean
choose_threads (void)
{
  int n_cores = (int) count_cores ();

  if (io_threads == 0)
    io_threads = CLAMP (n_cores / 2, 2, MAX_THREADS);
  if (n_threads == 0)
    n_threads = CLAMP (n_cores - io_threads, 1, MAX_THREADS);
  return io_threads >= 1 && io_threads <= MAX_THREADS && n_threads >= 1 &&
         n_threads <= MAX_THREADS;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autofree char *folder = NULL;
  g_autoptr (GError) error = NULL;
  Bench bench = { 0 };

  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || n_rounds < 1 ||
      n_rounds > MAX_ROUNDS || duration_ms < 1 || !choose_threads ()) {
    g_printerr ("%s\n", error != NULL ? error->message
                                      : "1 to 15 rounds, 1 to 64 threads");
    return 2;
  }

  folder = g_dir_make_tmp ("reeve-bench-XXXXXX", NULL);
  raise_file_limit ();
  requests_init (bench.requests, machine_args, (unsigned) duration_ms + 100);
  start (&bench, folder);
  run_all (&bench);
  figures_print (stdout, bench.figures, n_plans, (unsigned) n_rounds);
  stop (&bench);
  g_rmdir (folder);
  return 0;
}
