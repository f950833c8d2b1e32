/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/refs.h"
#include "rpc/event-frames.h"

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Numbers that libvirt's clients know; ours are from 1000 on. */
typedef enum {
  REEVE_MACHINE_EVENT_LIFECYCLE = 0,
  REEVE_MACHINE_EVENT_REBOOT = 1,
  REEVE_MACHINE_EVENT_RTC_CHANGE = 2,
  REEVE_MACHINE_EVENT_WATCHDOG = 3,
  REEVE_MACHINE_EVENT_IO_ERROR = 6, /* with a reason; id 4 is made from it */
  REEVE_MACHINE_EVENT_TRAY_CHANGE = 10,
  REEVE_MACHINE_EVENT_PMWAKEUP = 11,
  REEVE_MACHINE_EVENT_PMSUSPEND = 12,
  REEVE_MACHINE_EVENT_BALLOON_CHANGE = 13,
  REEVE_MACHINE_EVENT_PMSUSPEND_DISK = 14,
  REEVE_MACHINE_EVENT_DEVICE_REMOVED = 15,
  REEVE_MACHINE_EVENT_AGENT_LIFECYCLE = 18,
  REEVE_MACHINE_EVENT_DEVICE_REMOVAL_FAILED = 22,
  REEVE_MACHINE_EVENT_METADATA_CHANGE = 23,
  REEVE_MACHINE_EVENT_MONITOR = 1000, /* any event of QEMU, as it came */
  REEVE_MACHINE_EVENT_AUTOSTART = 1001,
} ReeveMachineEventType;

/* The lifecycle events and their details. */
enum {
  REEVE_LIFECYCLE_DEFINED = 0,
  REEVE_LIFECYCLE_UNDEFINED = 1,
  REEVE_LIFECYCLE_STARTED = 2,
  REEVE_LIFECYCLE_SUSPENDED = 3,
  REEVE_LIFECYCLE_RESUMED = 4,
  REEVE_LIFECYCLE_STOPPED = 5,
  REEVE_LIFECYCLE_SHUTDOWN = 6,
  REEVE_LIFECYCLE_PMSUSPENDED = 7,
  REEVE_LIFECYCLE_CRASHED = 8,
};

enum {
  REEVE_DEFINED_ADDED = 0,
  REEVE_DEFINED_UPDATED = 1,
  REEVE_DEFINED_RENAMED = 2,

  REEVE_UNDEFINED_REMOVED = 0,
  REEVE_UNDEFINED_RENAMED = 1,

  REEVE_STARTED_BOOTED = 0,
  REEVE_STARTED_WAKEUP = 4,

  REEVE_SUSPENDED_PAUSED = 0,
  REEVE_SUSPENDED_IOERROR = 2,
  REEVE_SUSPENDED_WATCHDOG = 3,

  REEVE_RESUMED_UNPAUSED = 0,

  REEVE_STOPPED_SHUTDOWN = 0,
  REEVE_STOPPED_DESTROYED = 1,
  REEVE_STOPPED_CRASHED = 2,
  REEVE_STOPPED_FAILED = 5,

  REEVE_SHUTDOWN_FINISHED = 0,
  REEVE_SHUTDOWN_GUEST = 1,
  REEVE_SHUTDOWN_HOST = 2,

  REEVE_CRASHED_PANICKED = 0,
  REEVE_CRASHED_CRASHLOADED = 1,
};

/**
 * ReeveMachineEvent:
 *
 * One change of one machine; immutable, shared by all subscribers.
 * @sequence: grows by one with each event of a list
 * @name, @uuid, @id: the machine as it was then; @id is -1 when it is off,
 *   with STOPPED too
 * @event, @detail: of a lifecycle event
 * @value: RTC_CHANGE: offset in seconds; BALLOON_CHANGE: KiB; WATCHDOG,
 *   IO_ERROR: libvirt's action number; TRAY_CHANGE: 0 open, 1 closed;
 *   AGENT_LIFECYCLE: 1 connected, 2 disconnected; METADATA_CHANGE: which (0
 *   description, 1 title, 2 element); AUTOSTART: on or off
 * @device: (nullable): alias of the device it is about
 * @path: (nullable): IO_ERROR: file behind the device
 * @reason: (nullable): IO_ERROR: "enospc" or ""; METADATA_CHANGE: namespace;
 *   MONITOR: the name of QEMU's event
 * @details: (nullable): MONITOR: its data as JSON text
 * @seconds, @microseconds: MONITOR: QEMU's wall clock
 * @frames: (owned) (nullable): while it is delivered, what was encoded of it;
 *   loop's
 */
typedef struct {
  ReeveRefs refs;
  uint64_t sequence;
  ReeveMachineEventType type;
  char *name;
  uint8_t uuid[16];
  int id;
  int event;
  int detail;
  int64_t value;
  char *device;
  char *path;
  char *reason;
  char *details;
  int64_t seconds;
  unsigned microseconds;
  ReeveEventFrames *frames;
} ReeveMachineEvent;

/**
 * ReeveMachineRevision:
 * @epoch: of a list, never 0; other lists, as after a start of the daemon, have
 *   another one
 * @sequence: of an event
 *
 * How much somebody knows.
 */
typedef struct {
  uint64_t epoch;
  uint64_t sequence;
} ReeveMachineRevision;

ReeveMachineEvent *reeve_machine_event_new (ReeveMachineEventType type);
ReeveMachineEvent *reeve_machine_event_ref (ReeveMachineEvent *self);
void reeve_machine_event_unref (ReeveMachineEvent *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveMachineEvent, reeve_machine_event_unref)

G_END_DECLS
