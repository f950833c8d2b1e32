/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/refs.h"
#include "machine/config.h"

#include <libxml/tree.h>

G_BEGIN_DECLS

/* The inside of a definition, for config*.c. Immutable once it was made. */
struct _ReeveConfig {
  ReeveRefs refs;
  char *xml;
  char *name;
  uint8_t uuid[16];
  char *title;
  char *description;
  uint64_t memory_kib;
  uint64_t current_memory_kib;
  unsigned n_vcpus;
  unsigned max_vcpus;
  gboolean is_kvm;
  char *os_type;
  char *arch;
  char *machine;
  char *emulator;
  char *kernel;
  char *initrd;
  char *kernel_arguments;
  char *loader;
  char *cpu_mode;
  char *cpu_model;
  char *clock;
  gint64 clock_adjustment;
  gboolean has_acpi;
  GPtrArray *boot_devices; /* (element-type utf8), NULL-terminated */
  ReeveAction on_poweroff;
  ReeveAction on_reboot;
  ReeveAction on_crash;
  GPtrArray *disks;
  GPtrArray *interfaces;
  GPtrArray *chardevs;
  GPtrArray *graphics;
  GPtrArray *devices;
  GPtrArray *warnings;
};

/* An empty one, to be filled by the parser. */
ReeveConfig *reeve_config_new (void);

/* Reads a definition, fills in what is not given, in @doc too, and keeps its
 * text. @doc stays the caller's. */
ReeveConfig *reeve_config_new_from_doc (xmlDoc *doc, GError **error);

/* config-live.c: takes out of a definition what only a run has. */
void reeve_config_strip_live (xmlNode *root);

G_END_DECLS
