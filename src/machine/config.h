/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/**
 * ReeveConfig:
 *
 * A machine's definition, made from libvirt's domain XML. It never changes:
 * a changed definition is a new one. What it does not understand it keeps in
 * its XML, and tells of by a warning.
 *
 * Thread: any. The strings it gives out are its own.
 */
typedef struct _ReeveConfig ReeveConfig;

#define REEVE_CONFIG_MAX_BYTES (4u * 1024 * 1024)
#define REEVE_CONFIG_MAX_DEVICES 256u
#define REEVE_CONFIG_MAX_VCPUS 255u
#define REEVE_CONFIG_MAX_NAME 200u

/* Numbers that libvirt's clients know. */
typedef enum {
  REEVE_ACTION_DESTROY = 0,
  REEVE_ACTION_RESTART = 1,
  REEVE_ACTION_RESTART_RENAME = 2,
  REEVE_ACTION_PRESERVE = 3,
  REEVE_ACTION_COREDUMP_DESTROY = 4,
  REEVE_ACTION_COREDUMP_RESTART = 5,
} ReeveAction;

/**
 * ReeveConfigDisk:
 * @type: "file" or "block"
 * @device: "disk", "cdrom" or "floppy"
 * @path: (nullable): none in an empty drive
 * @format: driver's type, "raw" when not given
 * @target: "vda"
 * @bus: "virtio", "ide", "sata", "scsi", "usb" or "fdc"
 * @cache, @io, @discard, @error_policy, @serial: (nullable)
 * @boot_order: 0: none
 * @alias: QEMU's id of the device
 * @index: n of the block nodes "libvirt-n-format" and "libvirt-n-storage"
 */
typedef struct {
  char *type;
  char *device;
  char *path;
  char *format;
  char *target;
  char *bus;
  char *cache;
  char *io;
  char *discard;
  char *error_policy;
  char *serial;
  gboolean is_readonly;
  gboolean is_shareable;
  unsigned boot_order;
  char *alias;
  unsigned index;
} ReeveConfigDisk;

/* @source: (nullable): network or bridge; @target: (nullable): host's name */
typedef struct {
  char *type;
  char *mac;
  char *model;
  char *source;
  char *target;
  gboolean is_link_down;
  unsigned boot_order;
  char *alias;
} ReeveConfigInterface;

/**
 * ReeveConfigChardev:
 * @kind: "serial", "console", "channel" or "parallel"
 * @type: "pty", "unix", "file", "null", "stdio", "tcp", "dev", …
 * @target_type, @target_name: (nullable)
 * @path: (nullable)
 */
typedef struct {
  char *kind;
  char *type;
  char *target_type;
  char *target_name;
  char *path;
  gboolean is_listening;
  unsigned port;
  char *alias;
} ReeveConfigChardev;

/* @port: -1: automatic */
typedef struct {
  char *type;
  char *listen;
  char *socket;
  int port;
} ReeveConfigGraphics;

/* @kind: "controller", "video", "input", "memballoon", "rng", "watchdog",
 * "panic"; @type, @model, @action, @bus: (nullable); @n_heads: of a video */
typedef struct {
  char *kind;
  char *type;
  char *model;
  char *action;
  char *bus;
  unsigned n_heads;
  int index;
  char *alias;
} ReeveConfigDevice;

/**
 * reeve_config_new_from_xml:
 *
 * Fills in what is not given: uuid, current memory, emulator, hardware
 * addresses, actions, balloon.
 *
 * Errors: %REEVE_ERROR_XML for text that is not XML, %REEVE_ERROR_XML_DETAIL
 * for XML that is no definition, %REEVE_ERROR_CONFIG_UNSUPPORTED; each with the
 * element and, where known, the line.
 */
ReeveConfig *reeve_config_new_from_xml (const char *xml, GError **error);
ReeveConfig *reeve_config_ref (ReeveConfig *self);
void reeve_config_unref (ReeveConfig *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveConfig, reeve_config_unref)

const char *reeve_config_get_name (ReeveConfig *self);
const uint8_t *reeve_config_get_uuid (ReeveConfig *self);
/* (nullable) */
const char *reeve_config_get_title (ReeveConfig *self);
/* (nullable) */
const char *reeve_config_get_description (ReeveConfig *self);
uint64_t reeve_config_get_memory_kib (ReeveConfig *self);
uint64_t reeve_config_get_current_memory_kib (ReeveConfig *self);
unsigned reeve_config_get_vcpus (ReeveConfig *self);
unsigned reeve_config_get_max_vcpus (ReeveConfig *self);
gboolean reeve_config_is_kvm (ReeveConfig *self);
const char *reeve_config_get_os_type (ReeveConfig *self);
const char *reeve_config_get_arch (ReeveConfig *self);
const char *reeve_config_get_machine (ReeveConfig *self);
const char *reeve_config_get_emulator (ReeveConfig *self);
/* (nullable) each */
const char *reeve_config_get_kernel (ReeveConfig *self);
const char *reeve_config_get_initrd (ReeveConfig *self);
const char *reeve_config_get_kernel_arguments (ReeveConfig *self);
const char *reeve_config_get_loader (ReeveConfig *self);
const char *reeve_config_get_cpu_mode (ReeveConfig *self);
const char *reeve_config_get_cpu_model (ReeveConfig *self);
/* "utc", "localtime", "variable", "timezone" */
const char *reeve_config_get_clock (ReeveConfig *self);
gint64 reeve_config_get_clock_adjustment (ReeveConfig *self);
gboolean reeve_config_has_acpi (ReeveConfig *self);
/* Whether boot devices of a kind come before those with no order: "hd",
 * "cdrom", "network", "fd"; %NULL-terminated. */
const char *const *reeve_config_get_boot_devices (ReeveConfig *self);
ReeveAction reeve_config_get_on_poweroff (ReeveConfig *self);
ReeveAction reeve_config_get_on_reboot (ReeveConfig *self);
ReeveAction reeve_config_get_on_crash (ReeveConfig *self);

/* (element-type ...) (transfer none): in the order of the XML */
GPtrArray *reeve_config_get_disks (ReeveConfig *self);
GPtrArray *reeve_config_get_interfaces (ReeveConfig *self);
GPtrArray *reeve_config_get_chardevs (ReeveConfig *self);
GPtrArray *reeve_config_get_graphics (ReeveConfig *self);
GPtrArray *reeve_config_get_devices (ReeveConfig *self);
/* (nullable): the serial port that a console is another name of */
const ReeveConfigChardev *
reeve_config_get_mirrored (ReeveConfig *self,
                           const ReeveConfigChardev *console);
/* (element-type utf8): whole sentences on what is not supported */
GPtrArray *reeve_config_get_warnings (ReeveConfig *self);

/* The disk with that block node, or that target or path; %NULL: none. */
const ReeveConfigDisk *
reeve_config_find_node (ReeveConfig *self, const char *node);
const ReeveConfigDisk *
reeve_config_find_disk (ReeveConfig *self, const char *name);

/* (transfer none): the definition, with two blanks for each level. */
const char *reeve_config_get_xml (ReeveConfig *self);

/**
 * reeve_config_dup_live_xml:
 * @id: of the run; -1 of one that does not run
 * @chosen: (nullable) (element-type utf8 utf8): what QEMU chose: by the alias
 *   of a pty its path, by "vnc" the port
 *
 * Returns: (transfer full): the definition of a machine that runs, with its
 * id, the names that QEMU has for its devices, and what it chose. All this is
 * left out again when it is read as a definition.
 */
char *reeve_config_dup_live_xml (ReeveConfig *self, int id, GHashTable *chosen);

/*
 * Changed definitions, all (transfer full). Errors: as
 * reeve_config_new_from_xml(), and REEVE_ERROR_INVALID_ARG.
 */
ReeveConfig *
reeve_config_with_name (ReeveConfig *self, const char *name, GError **error);
ReeveConfig *
reeve_config_with_machine (ReeveConfig *self, const char *type, GError **error);
ReeveConfig *reeve_config_with_memory (ReeveConfig *self,
                                       uint64_t memory_kib,
                                       GError **error);
ReeveConfig *reeve_config_with_current_memory (ReeveConfig *self,
                                               uint64_t memory_kib,
                                               GError **error);
ReeveConfig *reeve_config_with_vcpus (ReeveConfig *self,
                                      unsigned n_vcpus,
                                      gboolean is_maximum,
                                      GError **error);
/* @text: (nullable): %NULL removes it */
ReeveConfig *
reeve_config_with_title (ReeveConfig *self, const char *text, GError **error);
ReeveConfig *reeve_config_with_description (ReeveConfig *self,
                                            const char *text,
                                            GError **error);

/**
 * reeve_config_with_metadata:
 * @uri: namespace of the element
 * @key: (nullable): prefix for it; needed with @xml
 * @xml: (nullable): the element; %NULL removes it
 */
ReeveConfig *reeve_config_with_metadata (ReeveConfig *self,
                                         const char *uri,
                                         const char *key,
                                         const char *xml,
                                         GError **error);
/* (transfer full): the element; NULL with %REEVE_ERROR_NO_METADATA. */
char *
reeve_config_dup_metadata (ReeveConfig *self, const char *uri, GError **error);

G_END_DECLS
