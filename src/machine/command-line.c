/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/command-line.h"

#include "event/intl.h"
#include "machine/qmp-parser.h"
#include "rpc/error.h"
#include "rpc/uuid.h"

#include <stdarg.h>
#include <string.h>

/* Devices and block nodes are given as JSON, in which nothing has to be
 * escaped by hand; in the few `key=value` arguments commas are doubled. */

typedef struct {
  ReeveConfig *config;
  const char *console_dir;
  GPtrArray *argv; /* (element-type utf8) (owned) */
  gboolean is_q35;
  gboolean has_scsi;
  gboolean has_serial_bus; /* virtio-serial */
} Builder;

static void
add (Builder *self, const char *word)
{
  g_ptr_array_add (self->argv, g_strdup (word));
}

static void
add_pair (Builder *self, const char *option, const char *value)
{
  add (self, option);
  add (self, value);
}

G_GNUC_PRINTF (3, 4)
static void
add_format (Builder *self, const char *option, const char *format, ...)
{
  va_list arguments;

  add (self, option);
  va_start (arguments, format);
  g_ptr_array_add (self->argv, g_strdup_vprintf (format, arguments));
  va_end (arguments);
}

/* @object: (transfer full) */
static void
add_json (Builder *self, const char *option, JsonObject *object)
{
  add (self, option);
  g_ptr_array_add (self->argv, reeve_qmp_object_to_text (object));
  json_object_unref (object);
}

static JsonObject *
make_device (const char *driver, const char *alias)
{
  JsonObject *device = json_object_new ();

  json_object_set_string_member (device, "driver", driver);
  if (alias != NULL)
    json_object_set_string_member (device, "id", alias);
  return device;
}

static char *
double_commas (const char *text)
{
  GString *result = g_string_new (text);

  g_string_replace (result, ",", ",,", 0);
  return g_string_free (result, FALSE);
}

static gboolean
refuse (GError **error, const char *what, const char *name)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED,
               _ ("%1$s '%2$s' is not supported"), what, name);
  return FALSE;
}

/* The memory backend's name is part of QEMU's migration stream. */
static void
add_memory (Builder *self)
{
  uint64_t kib = reeve_config_get_memory_kib (self->config);
  JsonObject *backend = json_object_new ();

  json_object_set_string_member (backend, "qom-type", "memory-backend-ram");
  json_object_set_string_member (backend, "id", "pc.ram");
  json_object_set_int_member (backend, "size", (gint64) kib * 1024);
  add_json (self, "-object", backend);
  add_format (self, "-m", "size=%" G_GUINT64_FORMAT "k", kib);
}

static void
add_machine (Builder *self)
{
  const char *machine = reeve_config_get_machine (self->config);

  add_format (self, "-machine",
              "%s,usb=off,dump-guest-core=off,memory-backend=pc.ram", machine);
  add_pair (self, "-accel", reeve_config_is_kvm (self->config) ? "kvm" : "tcg");
  if (!reeve_config_has_acpi (self->config))
    add (self, "-no-acpi");
}

static gboolean
add_cpu (Builder *self, GError **error)
{
  const char *mode = reeve_config_get_cpu_mode (self->config);
  const char *model = reeve_config_get_cpu_model (self->config);
  gboolean is_kvm = reeve_config_is_kvm (self->config);

  if (mode == NULL)
    return TRUE;
  if (g_str_equal (mode, "host-passthrough") && !is_kvm) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED,
                 _ ("a processor passed through needs a machine of type "
                    "'kvm'"));
    return FALSE;
  }

  if (g_str_equal (mode, "host-passthrough"))
    add_pair (self, "-cpu", "host,migratable=on");
  else if (g_str_equal (mode, "host-model"))
    add_pair (self, "-cpu", is_kvm ? "host" : "max");
  else if (g_str_equal (mode, "maximum"))
    add_pair (self, "-cpu", "max");
  else if (model != NULL && strpbrk (model, ",=") != NULL)
    return refuse (error, _ ("the processor"), model);
  else if (model != NULL)
    add_pair (self, "-cpu", model);
  return TRUE;
}

static void
add_vcpus (Builder *self)
{
  unsigned maximum = reeve_config_get_max_vcpus (self->config);

  add_format (self, "-smp", "%u,maxcpus=%u,sockets=%u,cores=1,threads=1",
              reeve_config_get_vcpus (self->config), maximum, maximum);
}

static void
add_clock (Builder *self)
{
  const char *clock = reeve_config_get_clock (self->config);
  gint64 adjustment = reeve_config_get_clock_adjustment (self->config);
  g_autoptr (GDateTime) now = NULL;
  g_autofree char *text = NULL;

  if (g_str_equal (clock, "localtime")) {
    add_pair (self, "-rtc", "base=localtime");
  } else if (g_str_equal (clock, "variable") && adjustment != 0) {
    now =
        g_date_time_new_from_unix_utc (g_get_real_time () / G_USEC_PER_SEC +
                                       CLAMP (adjustment, -G_MAXINT, G_MAXINT));
    text = g_date_time_format (now, "%Y-%m-%dT%H:%M:%S");
    add_format (self, "-rtc", "base=%s", text);
  } else {
    add_pair (self, "-rtc", "base=utc");
  }
}

static void
add_kernel (Builder *self)
{
  const char *kernel = reeve_config_get_kernel (self->config);
  const char *initrd = reeve_config_get_initrd (self->config);
  const char *words = reeve_config_get_kernel_arguments (self->config);
  const char *loader = reeve_config_get_loader (self->config);

  if (loader != NULL)
    add_pair (self, "-bios", loader);
  if (kernel == NULL)
    return;
  add_pair (self, "-kernel", kernel);
  if (initrd != NULL)
    add_pair (self, "-initrd", initrd);
  if (words != NULL)
    add_pair (self, "-append", words);
}

/* What the guest does to itself is for us to answer: see machine-monitor.c. */
static void
add_actions (Builder *self)
{
  ReeveAction action = reeve_config_get_on_reboot (self->config);
  gboolean is_restart = action == REEVE_ACTION_RESTART ||
                        action == REEVE_ACTION_RESTART_RENAME ||
                        action == REEVE_ACTION_COREDUMP_RESTART;
  const char *watchdog = NULL;
  GPtrArray *devices = reeve_config_get_devices (self->config);

  for (guint i = 0; i < devices->len; i++) {
    ReeveConfigDevice *device = g_ptr_array_index (devices, i);

    if (g_str_equal (device->kind, "watchdog"))
      watchdog = device->action != NULL ? device->action : "reset";
  }
  add (self, "-no-shutdown");
  add_format (self, "-action", "panic=pause,reboot=%s",
              is_restart ? "reset" : "shutdown");
  if (watchdog != NULL && strpbrk (watchdog, ",=") == NULL)
    add_format (self, "-action", "watchdog=%s", watchdog);
}

/* Boot devices by kind become an order of the devices: those of the first
 * kind come first. */
static unsigned
get_boot_index (Builder *self, const char *kind, unsigned order, unsigned n)
{
  const char *const *devices = reeve_config_get_boot_devices (self->config);

  if (order != 0)
    return order;
  for (unsigned i = 0; devices[i] != NULL; i++) {
    if (g_str_equal (devices[i], kind))
      return (i + 1) * 1000 + n;
  }
  if (devices[0] == NULL && g_str_equal (kind, "hd"))
    return 1000 + n;
  return 0;
}

static void
set_cache (JsonObject *node, const char *cache)
{
  JsonObject *object;

  if (cache == NULL)
    return;
  object = json_object_new ();
  json_object_set_boolean_member (object, "direct",
                                  g_str_equal (cache, "none") ||
                                      g_str_equal (cache, "directsync"));
  json_object_set_boolean_member (object, "no-flush",
                                  g_str_equal (cache, "unsafe"));
  json_object_set_object_member (node, "cache", object);
}

static void
add_blockdevs (Builder *self, const ReeveConfigDisk *disk)
{
  g_autofree char *storage =
      g_strdup_printf ("libvirt-%u-storage", disk->index);
  g_autofree char *format = g_strdup_printf ("libvirt-%u-format", disk->index);
  JsonObject *node = json_object_new ();

  json_object_set_string_member (
      node, "driver",
      g_str_equal (disk->type, "block") ? "host_device" : "file");
  json_object_set_string_member (node, "filename", disk->path);
  json_object_set_string_member (node, "node-name", storage);
  json_object_set_boolean_member (node, "auto-read-only", TRUE);
  json_object_set_string_member (node, "discard", "unmap");
  if (disk->io != NULL)
    json_object_set_string_member (node, "aio", disk->io);
  set_cache (node, disk->cache);
  add_json (self, "-blockdev", node);

  node = json_object_new ();
  json_object_set_string_member (node, "node-name", format);
  json_object_set_boolean_member (node, "read-only", disk->is_readonly);
  json_object_set_string_member (node, "driver", disk->format);
  json_object_set_string_member (node, "file", storage);
  if (disk->discard != NULL)
    json_object_set_string_member (node, "discard", disk->discard);
  set_cache (node, disk->cache);
  add_json (self, "-blockdev", node);
}

static void
set_ide_place (Builder *self, JsonObject *device, unsigned place)
{
  g_autofree char *bus =
      g_strdup_printf ("ide.%u", self->is_q35 ? place : place / 2 % 2);

  json_object_set_string_member (device, "bus", bus);
  if (!self->is_q35)
    json_object_set_int_member (device, "unit", place % 2);
}

static unsigned
get_place (const ReeveConfigDisk *disk)
{
  return (unsigned) (disk->target[2] - 'a');
}

static JsonObject *
make_disk_device (Builder *self, const ReeveConfigDisk *disk)
{
  gboolean is_cdrom = g_str_equal (disk->device, "cdrom");
  JsonObject *device;

  if (g_str_equal (disk->bus, "virtio"))
    return make_device ("virtio-blk-pci", disk->alias);
  if (g_str_equal (disk->bus, "usb")) {
    device = make_device ("usb-storage", disk->alias);
    json_object_set_string_member (device, "bus", "usb.0");
    return device;
  }
  if (g_str_equal (disk->bus, "scsi")) {
    device = make_device (is_cdrom ? "scsi-cd" : "scsi-hd", disk->alias);
    json_object_set_string_member (device, "bus", "scsi0.0");
    json_object_set_int_member (device, "scsi-id", 0);
    json_object_set_int_member (device, "lun", get_place (disk));
    return device;
  }

  /* A q35 machine has no IDE, only SATA, whose ports QEMU calls so too. */
  device = make_device (is_cdrom ? "ide-cd" : "ide-hd", disk->alias);
  set_ide_place (self, device, get_place (disk));
  return device;
}

static gboolean
is_placed_well (Builder *self, const ReeveConfigDisk *disk)
{
  unsigned place = get_place (disk);

  if (g_str_equal (disk->bus, "ide"))
    return strlen (disk->target) == 3 && place < (self->is_q35 ? 6 : 4);
  if (g_str_equal (disk->bus, "sata"))
    return strlen (disk->target) == 3 && place < (self->is_q35 ? 6 : 4);
  return TRUE;
}

static void
ensure_scsi (Builder *self)
{
  if (!self->has_scsi)
    add_json (self, "-device", make_device ("virtio-scsi-pci", "scsi0"));
  self->has_scsi = TRUE;
}

static gboolean
add_disk (Builder *self, const ReeveConfigDisk *disk, GError **error)
{
  gboolean is_cdrom = g_str_equal (disk->device, "cdrom");
  g_autofree char *node = g_strdup_printf ("libvirt-%u-format", disk->index);
  unsigned boot = get_boot_index (self, is_cdrom ? "cdrom" : "hd",
                                  disk->boot_order, disk->index);
  JsonObject *device;

  if (g_str_equal (disk->bus, "fdc"))
    return refuse (error, _ ("a disk on the bus"), disk->bus);
  if (!is_placed_well (self, disk))
    return refuse (error, _ ("the disk target"), disk->target);
  if (g_str_equal (disk->bus, "scsi"))
    ensure_scsi (self);
  if (disk->path != NULL)
    add_blockdevs (self, disk);

  device = make_disk_device (self, disk);
  if (disk->path != NULL)
    json_object_set_string_member (device, "drive", node);
  if (boot != 0)
    json_object_set_int_member (device, "bootindex", boot);
  if (disk->serial != NULL)
    json_object_set_string_member (device, "serial", disk->serial);
  if (disk->is_shareable)
    json_object_set_boolean_member (device, "share-rw", TRUE);
  if (disk->cache != NULL)
    json_object_set_string_member (
        device, "write-cache",
        g_str_equal (disk->cache, "writethrough") ||
                g_str_equal (disk->cache, "directsync")
            ? "off"
            : "on");
  add_json (self, "-device", device);
  return TRUE;
}

static const char *
get_nic_driver (const char *model)
{
  return g_str_equal (model, "virtio") ? "virtio-net-pci" : model;
}

static gboolean
add_interface (Builder *self,
               const ReeveConfigInterface *interface,
               unsigned n,
               GError **error)
{
  g_autofree char *netdev = g_strdup_printf ("host%s", interface->alias);
  unsigned boot = get_boot_index (self, "network", interface->boot_order, n);
  JsonObject *object;

  /* A network of the host's needs privileges and a bridge; until there is
   * one, its guests reach the world by QEMU's own network. */
  if (!g_str_equal (interface->type, "user") &&
      !g_str_equal (interface->type, "network"))
    return refuse (error, _ ("a network interface of type"), interface->type);

  object = json_object_new ();
  json_object_set_string_member (object, "type", "user");
  json_object_set_string_member (object, "id", netdev);
  add_json (self, "-netdev", object);

  object = make_device (get_nic_driver (interface->model), interface->alias);
  json_object_set_string_member (object, "netdev", netdev);
  json_object_set_string_member (object, "mac", interface->mac);
  if (boot != 0)
    json_object_set_int_member (object, "bootindex", boot);
  add_json (self, "-device", object);
  return TRUE;
}

/* What a terminal prints goes to its spool, too (console.h). */
static char *
make_pty (Builder *self, const ReeveConfigChardev *chardev)
{
  g_autofree char *dir = double_commas (self->console_dir);

  return g_strdup_printf ("pty,id=char%1$s,logfile=%2$s/%1$s,logappend=on",
                          chardev->alias, dir);
}

/* The part after `-chardev`; (transfer full) */
static char *
make_chardev (Builder *self, const ReeveConfigChardev *chardev, GError **error)
{
  g_autofree char *path =
      chardev->path == NULL ? NULL : double_commas (chardev->path);

  if (g_str_equal (chardev->type, "pty"))
    return make_pty (self, chardev);
  if (g_str_equal (chardev->type, "null"))
    return g_strdup_printf ("null,id=char%s", chardev->alias);
  if (g_str_equal (chardev->type, "unix") && path != NULL)
    return g_strdup_printf ("socket,id=char%s,path=%s%s", chardev->alias, path,
                            chardev->is_listening ? ",server=on,wait=off" : "");
  if (g_str_equal (chardev->type, "file") && path != NULL)
    return g_strdup_printf ("file,id=char%s,path=%s,append=on", chardev->alias,
                            path);
  if (g_str_equal (chardev->type, "tcp") && chardev->port != 0)
    return g_strdup_printf (
        "socket,id=char%s,host=127.0.0.1,port=%u,telnet=off%s", chardev->alias,
        chardev->port, chardev->is_listening ? ",server=on,wait=off" : "");
  if (g_str_equal (chardev->type, "unix"))
    return g_strdup_printf ("null,id=char%s", chardev->alias);

  (void) refuse (error, _ ("a character device of type"), chardev->type);
  return NULL;
}

static void
ensure_serial_bus (Builder *self)
{
  if (!self->has_serial_bus)
    add_json (self, "-device",
              make_device ("virtio-serial-pci", "virtio-serial0"));
  self->has_serial_bus = TRUE;
}

static gboolean
add_chardev (Builder *self, const ReeveConfigChardev *chardev, GError **error)
{
  gboolean is_virtio = g_str_equal (chardev->kind, "channel") ||
                       g_strcmp0 (chardev->target_type, "virtio") == 0;
  g_autofree char *backend = NULL;
  g_autofree char *id = g_strconcat ("char", chardev->alias, NULL);
  JsonObject *device;

  if (reeve_config_get_mirrored (self->config, chardev) != NULL ||
      g_str_equal (chardev->type, "spicevmc"))
    return TRUE;
  if (g_str_equal (chardev->kind, "parallel"))
    return refuse (error, _ ("the device"), chardev->kind);
  backend = make_chardev (self, chardev, error);
  if (backend == NULL)
    return FALSE;
  add_pair (self, "-chardev", backend);

  if (is_virtio)
    ensure_serial_bus (self);
  device =
      make_device (!is_virtio                               ? "isa-serial"
                   : g_str_equal (chardev->kind, "channel") ? "virtserialport"
                                                            : "virtconsole",
                   chardev->alias);
  json_object_set_string_member (device, "chardev", id);
  if (g_str_equal (chardev->kind, "channel") && chardev->target_name != NULL)
    json_object_set_string_member (device, "name", chardev->target_name);
  add_json (self, "-device", device);
  return TRUE;
}

static gboolean
add_graphics (Builder *self,
              const ReeveConfigGraphics *graphics,
              GError **error)
{
  g_autofree char *listen = double_commas (graphics->listen);

  if (!g_str_equal (graphics->type, "vnc"))
    return g_str_equal (graphics->type, "spice") ||
           refuse (error, _ ("graphics of type"), graphics->type);

  if (graphics->socket != NULL) {
    g_autofree char *path = double_commas (graphics->socket);

    add_format (self, "-vnc", "unix:%s", path);
  } else if (graphics->port < 0) {
    add_format (self, "-vnc", "%s:0,to=99", listen);
  } else {
    add_format (self, "-vnc", "%s:%d", listen, graphics->port - 5900);
  }
  return TRUE;
}

static const char *
get_video_driver (const char *model)
{
  if (g_str_equal (model, "cirrus"))
    return "cirrus-vga";
  if (g_str_equal (model, "virtio"))
    return "virtio-vga";
  if (g_str_equal (model, "qxl"))
    return "qxl-vga";
  if (g_str_equal (model, "bochs"))
    return "bochs-display";
  return "VGA";
}

static gboolean
is_on_usb (const ReeveConfigDevice *device)
{
  return g_str_equal (device->kind, "input") &&
         (g_strcmp0 (device->bus, "usb") == 0 ||
          (device->bus == NULL && g_strcmp0 (device->type, "tablet") == 0));
}

static void
add_input (Builder *self, const ReeveConfigDevice *device)
{
  gboolean is_virtio = g_strcmp0 (device->bus, "virtio") == 0;
  const char *type = device->type == NULL ? "" : device->type;
  const char *prefix = is_virtio ? "virtio-" : "usb-";
  g_autofree char *driver = NULL;
  JsonObject *object;

  if (!is_virtio && !is_on_usb (device))
    return; /* ps2, which is built in */
  if (!g_str_equal (type, "tablet") && !g_str_equal (type, "mouse") &&
      !g_str_equal (type, "keyboard"))
    return;

  driver = is_virtio ? g_strconcat (prefix, type, "-pci", NULL)
           : g_str_equal (type, "keyboard") ? g_strdup ("usb-kbd")
                                            : g_strconcat (prefix, type, NULL);
  object = make_device (driver, device->alias);
  if (!is_virtio)
    json_object_set_string_member (object, "bus", "usb.0");
  add_json (self, "-device", object);
}

static void
add_rng (Builder *self, const ReeveConfigDevice *device)
{
  g_autofree char *id = g_strconcat ("obj", device->alias, NULL);
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "qom-type", "rng-builtin");
  json_object_set_string_member (object, "id", id);
  add_json (self, "-object", object);
  object = make_device ("virtio-rng-pci", device->alias);
  json_object_set_string_member (object, "rng", id);
  add_json (self, "-device", object);
}

static void
add_device (Builder *self, const ReeveConfigDevice *device)
{
  const char *model = device->model == NULL ? "" : device->model;

  if (g_str_equal (device->kind, "input"))
    add_input (self, device);
  else if (g_str_equal (device->kind, "rng"))
    add_rng (self, device);
  else if (g_str_equal (device->kind, "panic"))
    add_json (self, "-device", make_device ("pvpanic", device->alias));
  else if (g_str_equal (device->kind, "memballoon") &&
           !g_str_equal (model, "none"))
    add_json (self, "-device",
              make_device ("virtio-balloon-pci", device->alias));
  else if (g_str_equal (device->kind, "video") && !g_str_equal (model, "none"))
    add_json (self, "-device",
              make_device (get_video_driver (model), device->alias));
  else if (g_str_equal (device->kind, "watchdog") &&
           !g_str_equal (model, "itco"))
    add_json (self, "-device", make_device ("i6300esb", device->alias));
}

/* One USB controller carries all that asks for the bus. */
static void
add_usb (Builder *self)
{
  GPtrArray *disks = reeve_config_get_disks (self->config);
  GPtrArray *devices = reeve_config_get_devices (self->config);
  gboolean is_needed = FALSE;

  for (guint i = 0; i < disks->len; i++) {
    const ReeveConfigDisk *disk = g_ptr_array_index (disks, i);

    is_needed |= g_str_equal (disk->bus, "usb");
  }
  for (guint i = 0; i < devices->len; i++) {
    const ReeveConfigDevice *device = g_ptr_array_index (devices, i);

    is_needed |= is_on_usb (device);
  }
  if (is_needed)
    add_json (self, "-device", make_device ("qemu-xhci", "usb"));
}

static gboolean
add_devices (Builder *self, GError **error)
{
  GPtrArray *disks = reeve_config_get_disks (self->config);
  GPtrArray *interfaces = reeve_config_get_interfaces (self->config);
  GPtrArray *chardevs = reeve_config_get_chardevs (self->config);
  GPtrArray *graphics = reeve_config_get_graphics (self->config);
  GPtrArray *devices = reeve_config_get_devices (self->config);

  add_usb (self);
  for (guint i = 0; i < disks->len; i++) {
    if (!add_disk (self, g_ptr_array_index (disks, i), error))
      return FALSE;
  }
  for (guint i = 0; i < interfaces->len; i++) {
    if (!add_interface (self, g_ptr_array_index (interfaces, i), i + 1, error))
      return FALSE;
  }
  for (guint i = 0; i < chardevs->len; i++) {
    if (!add_chardev (self, g_ptr_array_index (chardevs, i), error))
      return FALSE;
  }
  for (guint i = 0; i < graphics->len; i++) {
    if (!add_graphics (self, g_ptr_array_index (graphics, i), error))
      return FALSE;
  }
  for (guint i = 0; i < devices->len; i++)
    add_device (self, g_ptr_array_index (devices, i));
  return TRUE;
}

static void
add_head (Builder *self, int monitor_fd)
{
  g_autofree char *name = double_commas (reeve_config_get_name (self->config));
  char uuid[REEVE_UUID_TEXT_SIZE];

  reeve_uuid_format (reeve_config_get_uuid (self->config), uuid);
  add (self, reeve_config_get_emulator (self->config));
  add_format (self, "-name", "guest=%s,debug-threads=on", name);
  add_pair (self, "-uuid", uuid);
  add (self, "-S");
  add (self, "-no-user-config");
  add (self, "-nodefaults");
  add_pair (self, "-display", "none");
  add_pair (self, "-sandbox",
            "on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
            "resourcecontrol=deny");
  add_pair (self, "-msg", "timestamp=on");
  add_format (self, "-chardev", "socket,id=monitor,fd=%d,server=on,wait=off",
              monitor_fd);
  add_pair (self, "-mon", "chardev=monitor,id=mon,mode=control");
  add_pair (self, "-boot", "strict=on");
}

char **
reeve_command_line_build (ReeveConfig *config,
                          int monitor_fd,
                          const char *console_dir,
                          GError **error)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);
  const char *machine = reeve_config_get_machine (config);
  Builder self = {
    .config = config,
    .console_dir = console_dir,
    .argv = argv,
    .is_q35 = strstr (machine, "q35") != NULL,
  };

  add_head (&self, monitor_fd);
  add_machine (&self);
  add_memory (&self);
  add_vcpus (&self);
  if (!add_cpu (&self, error))
    return NULL;
  add_clock (&self);
  add_kernel (&self);
  add_actions (&self);
  if (!add_devices (&self, error))
    return NULL;

  g_ptr_array_add (argv, NULL);
  return (char **) g_ptr_array_steal (argv, NULL);
}
