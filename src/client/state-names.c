/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/state-names.h"

#include "event/intl.h"

/* One row of names: what a number says, and what the second number says that
 * comes with it. */
typedef struct {
  const char *name;
  const char *const *details;
  size_t n_details;
} Row;

#define DETAILS(...)                                                           \
  (const char *const[]){ __VA_ARGS__ },                                        \
      G_N_ELEMENTS (((const char *const[]){ __VA_ARGS__ }))

static const Row states[] = {
  { N_ ("no state"), DETAILS (N_ ("unknown")) },
  { N_ ("running"), DETAILS (N_ ("unknown"),
                             N_ ("booted"),
                             N_ ("migrated"),
                             N_ ("restored"),
                             N_ ("from snapshot"),
                             N_ ("unpaused"),
                             N_ ("migration canceled"),
                             N_ ("save canceled"),
                             N_ ("event wakeup"),
                             N_ ("crashed"),
                             N_ ("post-copy"),
                             N_ ("post-copy failed")) },
  { N_ ("idle"), DETAILS (N_ ("unknown")) },
  { N_ ("paused"), DETAILS (N_ ("unknown"),
                            N_ ("user"),
                            N_ ("migrating"),
                            N_ ("saving"),
                            N_ ("dumping"),
                            N_ ("I/O error"),
                            N_ ("watchdog"),
                            N_ ("from snapshot"),
                            N_ ("shutting down"),
                            N_ ("creating snapshot"),
                            N_ ("crashed"),
                            N_ ("starting up"),
                            N_ ("post-copy"),
                            N_ ("post-copy failed")) },
  { N_ ("in shutdown"), DETAILS (N_ ("unknown"), N_ ("user")) },
  { N_ ("shut off"), DETAILS (N_ ("unknown"),
                              N_ ("shutdown"),
                              N_ ("destroyed"),
                              N_ ("crashed"),
                              N_ ("migrated"),
                              N_ ("saved"),
                              N_ ("failed"),
                              N_ ("from snapshot"),
                              N_ ("daemon")) },
  { N_ ("crashed"), DETAILS (N_ ("unknown"), N_ ("panicked")) },
  { N_ ("pmsuspended"), DETAILS (N_ ("unknown")) },
};

static const Row events[] = {
  { N_ ("Defined"),
    DETAILS (N_ ("Added"), N_ ("Updated"), N_ ("Renamed"), N_ ("Snapshot")) },
  { N_ ("Undefined"), DETAILS (N_ ("Removed"), N_ ("Renamed")) },
  { N_ ("Started"), DETAILS (N_ ("Booted"),
                             N_ ("Migrated"),
                             N_ ("Restored"),
                             N_ ("Snapshot"),
                             N_ ("Event wakeup")) },
  { N_ ("Suspended"), DETAILS (N_ ("Paused"),
                               N_ ("Migrated"),
                               N_ ("I/O Error"),
                               N_ ("Watchdog"),
                               N_ ("Restored"),
                               N_ ("Snapshot"),
                               N_ ("API error"),
                               N_ ("Post-copy"),
                               N_ ("Post-copy Error")) },
  { N_ ("Resumed"), DETAILS (N_ ("Unpaused"),
                             N_ ("Migrated"),
                             N_ ("Snapshot"),
                             N_ ("Post-copy"),
                             N_ ("Post-copy Error")) },
  { N_ ("Stopped"), DETAILS (N_ ("Shutdown"),
                             N_ ("Destroyed"),
                             N_ ("Crashed"),
                             N_ ("Migrated"),
                             N_ ("Saved"),
                             N_ ("Failed"),
                             N_ ("Snapshot")) },
  { N_ ("Shutdown"), DETAILS (N_ ("Finished"),
                              N_ ("Finished after guest request"),
                              N_ ("Finished after host request")) },
  { N_ ("PMSuspended"), DETAILS (N_ ("Memory"), N_ ("Disk")) },
  { N_ ("Crashed"), DETAILS (N_ ("Panicked"), N_ ("Crashloaded")) },
};

static const char *const memory_stats[] = {
  "swap_in",        "swap_out",    "major_fault", "minor_fault",
  "unused",         "available",   "actual",      "rss",
  "usable",         "last_update", "disk_caches", "hugetlb_pgalloc",
  "hugetlb_pgfail",
};

static const char *
get_name (const Row *rows, size_t n_rows, int32_t number)
{
  if (number < 0 || (size_t) number >= n_rows)
    return N_ ("unknown");

  return rows[number].name;
}

static const char *
get_detail (const Row *rows, size_t n_rows, int32_t number, int32_t detail)
{
  if (number < 0 || (size_t) number >= n_rows || detail < 0 ||
      (size_t) detail >= rows[number].n_details)
    return N_ ("unknown");

  return rows[number].details[detail];
}

const char *
reeve_state_name (int32_t state)
{
  return get_name (states, G_N_ELEMENTS (states), state);
}

const char *
reeve_state_reason_name (int32_t state, int32_t reason)
{
  return get_detail (states, G_N_ELEMENTS (states), state, reason);
}

const char *
reeve_lifecycle_name (int32_t event)
{
  return get_name (events, G_N_ELEMENTS (events), event);
}

const char *
reeve_lifecycle_detail_name (int32_t event, int32_t detail)
{
  return get_detail (events, G_N_ELEMENTS (events), event, detail);
}

const char *
reeve_memory_stat_name (int32_t tag)
{
  if (tag < 0 || (size_t) tag >= G_N_ELEMENTS (memory_stats))
    return NULL;

  return memory_stats[tag];
}
