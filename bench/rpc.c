/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench-config.h"
#include "figure.h"
#include "gdbus.h"
#include "load.h"
#include "nothing.h"
#include "placement.h"
#include "rpc-server.h"
#if REEVE_BENCH_SDBUS
#include "sdbus.h"
#endif

#include <glib/gstdio.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * What calls cost: of a libreeve server, of one that sends back what it gets
 * (the floor), of peers; of reeved and a stock libvirtd, where bench/points
 * has started them. Each server is a process of its own, all clients are one
 * thread here. Rounds are interleaved, and the medians are printed. One client
 * that makes one call at a time shares a core with its server: else the figure
 * is that of a core which wakes up, and says little of either.
 */

#define MAX_CLIENTS 64
#define PEER_DEPTH 64
#define CONNECTIONS_AT_ONCE 8

typedef enum {
  FLOOR,
  REEVE,
  REEVE_10000,
  REEVE_18000,
  GDBUS,
  SDBUS,
  REEVED,
  LIBVIRTD,
  GNUTLS_SERV,
  N_SERVERS
} ServerId;

typedef enum { UNIX, TCP, TLS, N_TRANSPORTS } Transport;

typedef enum {
  CALLS,       /* as many as go */
  PACED,       /* half as many as the figure before */
  CONNECTIONS, /* that open, call, and close */
  HANDSHAKES,
} Mode;

typedef enum {
  ON_LOOP,
  NORMAL,
  PRIORITY,
  OPEN, /* what follows is of libvirt's program */
  VERSION,
  LIST,
  XML,
  N_REQUESTS
} RequestId;

typedef struct {
  const char *name;
  ServerId server;
  Transport transport;
  Mode mode;
  RequestId request;
  Load load;
} Plan;

#define BUSY                                                                   \
  {                                                                            \
    64, 4                                                                      \
  }
#define LONE                                                                   \
  {                                                                            \
    1, 1                                                                       \
  }
#define PIPE                                                                   \
  {                                                                            \
    1, 16                                                                      \
  }
#define PEER                                                                   \
  {                                                                            \
    1, PEER_DEPTH                                                              \
  }

enum {
  FLOOR_BUSY,
  INLINE_BUSY,
  NORMAL_BUSY,
  PRIORITY_BUSY,
  INLINE_10000,
  INLINE_18000,
  NORMAL_10000,
  NORMAL_18000,
  FLOOR_LONE,
  INLINE_LONE,
  NORMAL_LONE,
  FLOOR_PIPE,
  INLINE_PIPE,
  NORMAL_PIPE,
  FLOOR_AGAIN,
  FLOOR_PACED,
  INLINE_AGAIN,
  INLINE_PACED,
  NORMAL_AGAIN,
  NORMAL_PACED,
  FLOOR_OPEN,
  INLINE_OPEN,
  NORMAL_OPEN,
  FLOOR_TCP,
  TCP_BUSY,
  TLS_BUSY,
  TCP_NORMAL,
  TLS_NORMAL,
  TLS_SHAKE,
  GNUTLS_SHAKE,
  GDBUS_PEER,
  SDBUS_PEER,
  REEVED_VERSION,
  LIBVIRTD_VERSION,
  REEVED_OPEN,
  LIBVIRTD_OPEN,
  REEVED_LIST,
  LIBVIRTD_LIST,
  REEVED_XML,
  LIBVIRTD_XML,
  N_FIGURES
};

static const Plan plans[N_FIGURES] = {
  [FLOOR_BUSY] = { "floor, 64 x 4", FLOOR, UNIX, CALLS, ON_LOOP, BUSY },
  [INLINE_BUSY] = { "inline, 64 x 4", REEVE, UNIX, CALLS, ON_LOOP, BUSY },
  [NORMAL_BUSY] = { "normal, 64 x 4", REEVE, UNIX, CALLS, NORMAL, BUSY },
  [PRIORITY_BUSY] = { "priority, 64 x 4", REEVE, UNIX, CALLS, PRIORITY, BUSY },
  [INLINE_10000] = { "inline, 64 x 4, 10 000 idle", REEVE_10000, UNIX, CALLS,
                     ON_LOOP, BUSY },
  [INLINE_18000] = { "inline, 64 x 4, 18 000 idle", REEVE_18000, UNIX, CALLS,
                     ON_LOOP, BUSY },
  [NORMAL_10000] = { "normal, 64 x 4, 10 000 idle", REEVE_10000, UNIX, CALLS,
                     NORMAL, BUSY },
  [NORMAL_18000] = { "normal, 64 x 4, 18 000 idle", REEVE_18000, UNIX, CALLS,
                     NORMAL, BUSY },
  [FLOOR_LONE] = { "floor, 1 x 1", FLOOR, UNIX, CALLS, ON_LOOP, LONE },
  [INLINE_LONE] = { "inline, 1 x 1", REEVE, UNIX, CALLS, ON_LOOP, LONE },
  [NORMAL_LONE] = { "normal, 1 x 1", REEVE, UNIX, CALLS, NORMAL, LONE },
  [FLOOR_PIPE] = { "floor, 1 x 16", FLOOR, UNIX, CALLS, ON_LOOP, PIPE },
  [INLINE_PIPE] = { "inline, 1 x 16", REEVE, UNIX, CALLS, ON_LOOP, PIPE },
  [NORMAL_PIPE] = { "normal, 1 x 16", REEVE, UNIX, CALLS, NORMAL, PIPE },
  [FLOOR_AGAIN] = { "floor, 64 x 1", FLOOR, UNIX, CALLS, ON_LOOP, { 64, 1 } },
  [FLOOR_PACED] = { "floor, at half of that", FLOOR, UNIX, PACED, ON_LOOP },
  [INLINE_AGAIN] = { "inline, 64 x 1", REEVE, UNIX, CALLS, ON_LOOP, { 64, 1 } },
  [INLINE_PACED] = { "inline, at half of that", REEVE, UNIX, PACED, ON_LOOP },
  [NORMAL_AGAIN] = { "normal, 64 x 1", REEVE, UNIX, CALLS, NORMAL, { 64, 1 } },
  [NORMAL_PACED] = { "normal, at half of that", REEVE, UNIX, PACED, NORMAL },
  [FLOOR_OPEN] = { "floor, connections", FLOOR, UNIX, CONNECTIONS, ON_LOOP },
  [INLINE_OPEN] = { "inline, connections", REEVE, UNIX, CONNECTIONS, ON_LOOP },
  [NORMAL_OPEN] = { "normal, connections", REEVE, UNIX, CONNECTIONS, NORMAL },
  [FLOOR_TCP] = { "floor, 64 x 4, TCP", FLOOR, TCP, CALLS, ON_LOOP, BUSY },
  [TCP_BUSY] = { "inline, 64 x 4, TCP", REEVE, TCP, CALLS, ON_LOOP, BUSY },
  [TLS_BUSY] = { "inline, 64 x 4, TLS", REEVE, TLS, CALLS, ON_LOOP, BUSY },
  [TCP_NORMAL] = { "normal, 64 x 4, TCP", REEVE, TCP, CALLS, NORMAL, BUSY },
  [TLS_NORMAL] = { "normal, 64 x 4, TLS", REEVE, TLS, CALLS, NORMAL, BUSY },
  [TLS_SHAKE] = { "TLS handshakes", REEVE, TLS, HANDSHAKES, ON_LOOP },
  [GNUTLS_SHAKE] = { "gnutls-serv, handshakes", GNUTLS_SERV, TLS, HANDSHAKES,
                     ON_LOOP },
  [GDBUS_PEER] = { "GDBus, 64 in flight", GDBUS, UNIX, CALLS, ON_LOOP, PEER },
  [SDBUS_PEER] = { "sd-bus, 64 in flight", SDBUS, UNIX, CALLS, ON_LOOP, PEER },
  [REEVED_VERSION] = { "reeved, version, 64 x 4", REEVED, UNIX, CALLS, VERSION,
                       BUSY },
  [LIBVIRTD_VERSION] = { "libvirtd, version, 64 x 4", LIBVIRTD, UNIX, CALLS,
                         VERSION, BUSY },
  [REEVED_OPEN] = { "reeved, connections", REEVED, UNIX, CONNECTIONS, VERSION },
  [LIBVIRTD_OPEN] = { "libvirtd, connections", LIBVIRTD, UNIX, CONNECTIONS,
                      VERSION },
  [REEVED_LIST] = { "reeved, list of 100, 8 x 1",
                    REEVED,
                    UNIX,
                    CALLS,
                    LIST,
                    { 8, 1 } },
  [LIBVIRTD_LIST] = { "libvirtd, list of 100, 8 x 1",
                      LIBVIRTD,
                      UNIX,
                      CALLS,
                      LIST,
                      { 8, 1 } },
  [REEVED_XML] = { "reeved, XML of 12 KB, 8 x 1",
                   REEVED,
                   UNIX,
                   CALLS,
                   XML,
                   { 8, 1 } },
  [LIBVIRTD_XML] = { "libvirtd, XML of 12 KB, 8 x 1",
                     LIBVIRTD,
                     UNIX,
                     CALLS,
                     XML,
                     { 8, 1 } },
};

static Figure figures[N_FIGURES];
#define F(id) &figures[id]

static const Point points[] = {
  { "inline of the floor, 64 x 4", F (INLINE_BUSY), F (FLOOR_BUSY), RATE,
    0.75 },
  { "normal of the floor, 64 x 4", F (NORMAL_BUSY), F (FLOOR_BUSY), RATE,
    0.45 },
  { "normal, CPU of a call in floors", F (NORMAL_BUSY), F (FLOOR_BUSY), CPU,
    3 },
  { "normal in libvirtd's version", F (NORMAL_BUSY), F (LIBVIRTD_VERSION), RATE,
    25 },
  { "normal in sd-bus's calls", F (NORMAL_BUSY), F (SDBUS_PEER), RATE, 3 },
  { "normal in GDBus's calls", F (NORMAL_BUSY), F (GDBUS_PEER), RATE, 25 },
  { "inline, 1 x 1, time in floors", F (INLINE_LONE), F (FLOOR_LONE), LATENCY,
    1.25 },
  { "normal, 1 x 1, time in floors", F (NORMAL_LONE), F (FLOOR_LONE), LATENCY,
    1.5 },
  { "inline, time with 10 000 idle", F (INLINE_10000), F (INLINE_BUSY), LATENCY,
    1.1 },
  { "inline, CPU with 10 000 idle", F (INLINE_10000), F (INLINE_BUSY), CPU,
    1.1 },
  { "inline, time with 18 000 idle", F (INLINE_18000), F (INLINE_BUSY), LATENCY,
    1.1 },
  { "inline, CPU with 18 000 idle", F (INLINE_18000), F (INLINE_BUSY), CPU,
    1.1 },
  { "normal, time with 10 000 idle", F (NORMAL_10000), F (NORMAL_BUSY), LATENCY,
    1.1 },
  { "normal, CPU with 10 000 idle", F (NORMAL_10000), F (NORMAL_BUSY), CPU,
    1.1 },
  { "normal, time with 18 000 idle", F (NORMAL_18000), F (NORMAL_BUSY), LATENCY,
    1.1 },
  { "normal, CPU with 18 000 idle", F (NORMAL_18000), F (NORMAL_BUSY), CPU,
    1.1 },
  { "KiB of an idle client", F (INLINE_18000), NULL, MEMORY, 1.5 },
  { "connections of the floor, inline", F (INLINE_OPEN), F (FLOOR_OPEN), RATE,
    0.4 },
  { "connections of the floor, normal", F (NORMAL_OPEN), F (FLOOR_OPEN), RATE,
    0.4 },
  { "connections in libvirtd's, reeved", F (REEVED_OPEN), F (LIBVIRTD_OPEN),
    RATE, 5 },
  { "inline, p99.9 in medians", F (INLINE_PACED), NULL, TAIL, 10 },
  { "normal, p99.9 in medians", F (NORMAL_PACED), NULL, TAIL, 10 },
  { "inline of the floor, 64 x 4, TCP", F (TCP_BUSY), F (FLOOR_TCP), RATE,
    0.75 },
  { "TCP of unix, the floor itself", F (FLOOR_TCP), F (FLOOR_BUSY), RATE, 0 },
  { "TCP of unix, inline", F (TCP_BUSY), F (INLINE_BUSY), RATE, 0.8 },
  { "TCP of unix, normal", F (TCP_NORMAL), F (NORMAL_BUSY), RATE, 0.8 },
  { "TLS of TCP, inline", F (TLS_BUSY), F (TCP_BUSY), RATE, 0.5 },
  { "TLS of TCP, normal", F (TLS_NORMAL), F (TCP_NORMAL), RATE, 0.5 },
  { "CPU of a handshake in gnutls-serv's", F (TLS_SHAKE), F (GNUTLS_SHAKE), CPU,
    1 / 0.9 },
  { "list of 100 machines in libvirtd's", F (REEVED_LIST), F (LIBVIRTD_LIST),
    RATE, 5 },
  { "XML of 12 KB in libvirtd's", F (REEVED_XML), F (LIBVIRTD_XML), RATE, 5 },
};

typedef struct {
  Server servers[N_SERVERS];
  Clients *clients[N_SERVERS][N_TRANSPORTS]; /* (owned) (nullable) */
  GDBusClient *gdbus;                        /* (owned) */
#if REEVE_BENCH_SDBUS
  SdBusClient *sdbus; /* (owned) */
#endif
  Request requests[N_REQUESTS];
  double idle_kib; /* of memory, for each idle client */
} Bench;

/* ------------------------------------------------------------- options --- */

static char *tls_folder;
static char *reeved_path;
static char *libvirtd_path;
static char *machine_args;
static char *gnutls_serv;
static char *json_path;
static int n_rounds = 7;
static int duration_ms = 150;
static char **only;

static const GOptionEntry options[] = {
  { "rounds", 0, 0, G_OPTION_ARG_INT, &n_rounds, "5 to 15", "N" },
  { "duration", 0, 0, G_OPTION_ARG_INT, &duration_ms, "of a measurement",
    "MS" },
  { "only", 0, 0, G_OPTION_ARG_STRING_ARRAY, &only,
    "figures whose names begin so", "WORDS" },
  { "json", 0, 0, G_OPTION_ARG_FILENAME, &json_path, "the table as JSON",
    "FILE" },
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

static GBytes *
parse_hex (const char *text)
{
  GByteArray *bytes = g_byte_array_new ();

  for (; text[0] != '\0' && text[1] != '\0'; text += 2) {
    guint8 byte = (guint8) (g_ascii_xdigit_value (text[0]) << 4 |
                            g_ascii_xdigit_value (text[1]));

    g_byte_array_append (bytes, &byte, 1);
  }
  return g_byte_array_free_to_bytes (bytes);
}

/* As an optional string, with flags behind it. */
static GBytes *
pack_uri (const char *uri)
{
  GByteArray *bytes = g_byte_array_new ();
  const uint32_t words[] = { GUINT32_TO_BE (1),
                             GUINT32_TO_BE ((uint32_t) strlen (uri)) };
  static const char zeros[7];

  g_byte_array_append (bytes, (const guint8 *) words, sizeof words);
  g_byte_array_append (bytes, (const guint8 *) uri, (guint) strlen (uri));
  g_byte_array_append (bytes, (const guint8 *) zeros, 4 + (-strlen (uri) & 3));
  return g_byte_array_free_to_bytes (bytes);
}

static void
make_requests (Request *self)
{
  const uint32_t number = 0x20008086; /* libvirt's */

  for (RequestId i = ON_LOOP; i <= PRIORITY; i++)
    self[i] = (Request){ nothing_program.number, nothing_program.version,
                         NOTHING_PROC_ON_LOOP + i, NULL };
  self[OPEN] = (Request){ number, 1, 1, pack_uri ("qemu:///system") };
  self[VERSION] = (Request){ number, 1, 157, NULL };
  self[LIST] = (Request){ number, 1, 273, parse_hex ("0000000100000000") };
  self[XML] =
      (Request){ number, 1, 14,
                 machine_args == NULL ? NULL : parse_hex (machine_args) };
}

/* ------------------------------------------------------------- servers --- */

/* Files are needed for each client, in each process. */
static void
raise_file_limit (void)
{
  struct rlimit limit;

  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
}

static gboolean
may_hold (unsigned n_idle)
{
  struct rlimit limit;

  getrlimit (RLIMIT_NOFILE, &limit);
  return n_idle + 1000 <= limit.rlim_cur;
}

static gboolean
is_wanted (const Plan *plan)
{
  for (unsigned i = 0; only != NULL && only[i] != NULL; i++)
    if (g_str_has_prefix (plan->name, only[i]))
      return TRUE;
  return only == NULL;
}

static gboolean
needs_server (ServerId id)
{
  for (unsigned i = 0; i < N_FIGURES; i++)
    if (plans[i].server == id && is_wanted (&plans[i]))
      return TRUE;
  return FALSE;
}

static void
start_crowded (Bench *self, const char *folder, ServerId id, unsigned n_idle)
{
  g_autofree char *name = g_strdup_printf ("reeve-%u", n_idle);
  Server *server = &self->servers[id];
  double before_kib;

  if (!needs_server (id) || !may_hold (n_idle))
    return;

  server_start (server, folder, name, NULL, serve_reeve);
  before_kib = server_get_usage (server).private_kib;
  server_add_crowd (server, n_idle);
  /* They are connected, and not all accepted. */
  g_usleep (G_USEC_PER_SEC / 2);
  self->idle_kib =
      (server_get_usage (server).private_kib - before_kib) / n_idle;
}

static void
find_gnutls_serv (Server *self)
{
  char *end;

  self->ports[1] = (uint16_t) g_ascii_strtoull (gnutls_serv, &end, 10);
  self->pid = (pid_t) g_ascii_strtoull (end + 1, NULL, 10);
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
    server_start (&servers[REEVE], folder, "reeve", tls_folder, serve_reeve);
  if (needs_server (GDBUS)) {
    server_start (&servers[GDBUS], folder, "gdbus", NULL, serve_gdbus);
    self->gdbus = gdbus_client_new (servers[GDBUS].path);
  }
#if REEVE_BENCH_SDBUS
  if (needs_server (SDBUS)) {
    server_start (&servers[SDBUS], folder, "sdbus", NULL, serve_sdbus);
    self->sdbus = sdbus_client_new (servers[SDBUS].path);
  }
#endif
  if (reeved_path != NULL)
    server_find (&servers[REEVED], reeved_path);
  if (libvirtd_path != NULL)
    server_find (&servers[LIBVIRTD], libvirtd_path);
  if (gnutls_serv != NULL)
    find_gnutls_serv (&servers[GNUTLS_SERV]);
}

static Address
get_address (const Server *server, Transport transport)
{
  return (Address){
    .path = transport == UNIX ? server->path : NULL,
    .port = transport == UNIX ? 0 : server->ports[transport == TLS],
    .is_tls = transport == TLS,
    .greets = server->is_ours,
  };
}

static gboolean
is_there (const Bench *self, const Plan *plan)
{
  const Server *server = &self->servers[plan->server];
  Address address = get_address (server, plan->transport);

  return server->pid != 0 && (address.path != NULL || address.port != 0) &&
         (plan->request != XML || machine_args != NULL) && is_wanted (plan);
}

static Clients *
get_clients (Bench *self, const Plan *plan)
{
  Clients **clients = &self->clients[plan->server][plan->transport];
  Address address = get_address (&self->servers[plan->server], plan->transport);

  if (*clients == NULL)
    *clients = clients_new (&address,
                            plan->request > OPEN ? &self->requests[OPEN] : NULL,
                            MAX_CLIENTS);
  return *clients;
}

static void
stop (Bench *self)
{
  for (unsigned i = 0; i < N_SERVERS; i++)
    for (unsigned j = 0; j < N_TRANSPORTS; j++)
      clients_free (self->clients[i][j]);
  if (self->gdbus != NULL)
    gdbus_client_free (self->gdbus);
#if REEVE_BENCH_SDBUS
  if (self->sdbus != NULL)
    sdbus_client_free (self->sdbus);
#endif
  for (unsigned i = 0; i < N_SERVERS; i++)
    if (self->servers[i].pid != 0)
      server_stop (&self->servers[i]);
  for (unsigned i = 0; i < N_REQUESTS; i++)
    g_clear_pointer (&self->requests[i].args, g_bytes_unref);
}

/* ----------------------------------------------------------------- run --- */

static double
run_peer (Bench *self, ServerId id, gint64 duration_us)
{
#if REEVE_BENCH_SDBUS
  if (id == SDBUS)
    return sdbus_client_run (self->sdbus, PEER_DEPTH, duration_us);
#endif
  return gdbus_client_run (self->gdbus, PEER_DEPTH, duration_us);
}

static void
run_paced (Bench *self, const Plan *plan, Sample *sample, double us)
{
  Latency latency = clients_run_paced (get_clients (self, plan),
                                       &self->requests[plan->request], 2 * us,
                                       duration_ms * 1000);

  sample->us = 2 * us;
  sample->p50_us = latency.p50;
  sample->p99_us = latency.p99;
  sample->p999_us = latency.p999;
}

static double
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

static void
run_plan (Bench *self, unsigned index, unsigned round)
{
  const Plan *plan = &plans[index];
  Sample *sample = &figures[index].samples[round];
  const Request *request = &self->requests[plan->request];

  if (plan->mode == PACED)
    run_paced (self, plan, sample, figures[index - 1].samples[round].us);
  else if (plan->mode != CALLS)
    sample->us = run_connections (self, plan);
  else if (plan->server == GDBUS || plan->server == SDBUS)
    sample->us = run_peer (self, plan->server, duration_ms * 1000);
  else
    sample->us = clients_run (get_clients (self, plan), &plan->load, request,
                              duration_ms * 1000);
}

static void
measure (Bench *self, unsigned index, unsigned round)
{
  const Plan *plan = &plans[index];
  const Server *server = &self->servers[plan->server];
  gboolean is_lone = plan->mode == CALLS && plan->load.n_clients == 1 &&
                     plan->load.depth < PEER_DEPTH;
  Sample *sample = &figures[index].samples[round];
  Usage before, after;
  gint64 start_us;
  double n_runs;

  if (plan->mode == CALLS && plan->server != GDBUS && plan->server != SDBUS)
    get_clients (self, plan);
  place_process (getpid (), is_lone);
  place_process (server->pid, is_lone);
  before = server_get_usage (server);
  start_us = g_get_monotonic_time ();
  run_plan (self, index, round);
  /* With what ran before and after the clock did, as fast. */
  n_runs = (double) (g_get_monotonic_time () - start_us) / sample->us;
  after = server_get_usage (server);
  sample->cpu_us = (after.cpu_us - before.cpu_us) / n_runs;
  sample->n_switches = (after.n_switches - before.n_switches) / n_runs;
  if (plan->server == REEVE_18000)
    sample->idle_kib = self->idle_kib;
}

static void
run_all (Bench *self)
{
  for (unsigned i = 0; i < N_FIGURES; i++) {
    figures[i].name = plans[i].name;
    figures[i].is_there = is_there (self, &plans[i]);
  }
  for (unsigned round = 0; round < (unsigned) n_rounds; round++)
    for (unsigned i = 0; i < N_FIGURES; i++)
      if (figures[i].is_there)
        measure (self, i, round);
}

static gboolean
write_json (const char *path)
{
  FILE *file = fopen (path, "w");

  if (file == NULL) {
    g_printerr ("cannot write %s\n", path);
    return FALSE;
  }
  print_json (file, figures, N_FIGURES, points, G_N_ELEMENTS (points),
              (unsigned) n_rounds);
  return fclose (file) == 0;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autofree char *folder = g_dir_make_tmp ("reeve-bench-XXXXXX", NULL);
  g_autoptr (GError) error = NULL;
  Bench bench = { 0 };

  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || n_rounds < 1 ||
      n_rounds > MAX_ROUNDS) {
    g_printerr ("%s\n", error != NULL ? error->message : "1 to 15 rounds");
    return 2;
  }

  raise_file_limit ();
  make_requests (bench.requests);
  start (&bench, folder);
  run_all (&bench);
  stop (&bench);
  g_rmdir (folder);

  print_text (stdout, figures, N_FIGURES, points, G_N_ELEMENTS (points),
              (unsigned) n_rounds);
  return json_path != NULL && !write_json (json_path);
}
