/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/config.h"

#include "event/refs.h"
#include "machine/config-private.h"
#include "machine/xml.h"

static void
disk_free (gpointer data)
{
  ReeveConfigDisk *disk = data;

  g_free (disk->type);
  g_free (disk->device);
  g_free (disk->path);
  g_free (disk->format);
  g_free (disk->target);
  g_free (disk->bus);
  g_free (disk->cache);
  g_free (disk->io);
  g_free (disk->discard);
  g_free (disk->error_policy);
  g_free (disk->serial);
  g_free (disk->alias);
  g_free (disk);
}

static void
interface_free (gpointer data)
{
  ReeveConfigInterface *interface = data;

  g_free (interface->type);
  g_free (interface->mac);
  g_free (interface->model);
  g_free (interface->source);
  g_free (interface->target);
  g_free (interface->alias);
  g_free (interface);
}

static void
chardev_free (gpointer data)
{
  ReeveConfigChardev *chardev = data;

  g_free (chardev->kind);
  g_free (chardev->type);
  g_free (chardev->target_type);
  g_free (chardev->target_name);
  g_free (chardev->path);
  g_free (chardev->alias);
  g_free (chardev);
}

static void
graphics_free (gpointer data)
{
  ReeveConfigGraphics *graphics = data;

  g_free (graphics->type);
  g_free (graphics->listen);
  g_free (graphics->socket);
  g_free (graphics);
}

static void
device_free (gpointer data)
{
  ReeveConfigDevice *device = data;

  g_free (device->kind);
  g_free (device->type);
  g_free (device->model);
  g_free (device->action);
  g_free (device->bus);
  g_free (device->alias);
  g_free (device);
}

ReeveConfig *
reeve_config_new (void)
{
  ReeveConfig *self = g_new0 (ReeveConfig, 1);

  reeve_refs_init (&self->refs);
  self->boot_devices = g_ptr_array_new_with_free_func (g_free);
  self->disks = g_ptr_array_new_with_free_func (disk_free);
  self->interfaces = g_ptr_array_new_with_free_func (interface_free);
  self->chardevs = g_ptr_array_new_with_free_func (chardev_free);
  self->graphics = g_ptr_array_new_with_free_func (graphics_free);
  self->devices = g_ptr_array_new_with_free_func (device_free);
  self->warnings = g_ptr_array_new_with_free_func (g_free);
  return self;
}

ReeveConfig *
reeve_config_ref (ReeveConfig *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

static void
free_strings (ReeveConfig *self)
{
  g_free (self->xml);
  g_free (self->name);
  g_free (self->title);
  g_free (self->description);
  g_free (self->os_type);
  g_free (self->arch);
  g_free (self->machine);
  g_free (self->emulator);
  g_free (self->kernel);
  g_free (self->initrd);
  g_free (self->kernel_arguments);
  g_free (self->loader);
  g_free (self->cpu_mode);
  g_free (self->cpu_model);
  g_free (self->clock);
}

void
reeve_config_unref (ReeveConfig *self)
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  free_strings (self);
  g_ptr_array_unref (self->boot_devices);
  g_ptr_array_unref (self->disks);
  g_ptr_array_unref (self->interfaces);
  g_ptr_array_unref (self->chardevs);
  g_ptr_array_unref (self->graphics);
  g_ptr_array_unref (self->devices);
  g_ptr_array_unref (self->warnings);
  g_free (self);
}

ReeveConfig *
reeve_config_new_from_xml (const char *xml, GError **error)
{
  g_autoptr (ReeveXmlDoc) doc =
      reeve_xml_parse (xml, REEVE_CONFIG_MAX_BYTES, error);

  return doc == NULL ? NULL : reeve_config_new_from_doc (doc, error);
}

/* clang-format off */
#define GETTER(type, name, field)                                              \
  type reeve_config_##name (ReeveConfig *self) { return self->field; }

GETTER (const char *, get_name, name)
GETTER (const uint8_t *, get_uuid, uuid)
GETTER (const char *, get_title, title)
GETTER (const char *, get_description, description)
GETTER (uint64_t, get_memory_kib, memory_kib)
GETTER (uint64_t, get_current_memory_kib, current_memory_kib)
GETTER (unsigned, get_vcpus, n_vcpus)
GETTER (unsigned, get_max_vcpus, max_vcpus)
GETTER (gboolean, is_kvm, is_kvm)
GETTER (const char *, get_os_type, os_type)
GETTER (const char *, get_arch, arch)
GETTER (const char *, get_machine, machine)
GETTER (const char *, get_emulator, emulator)
GETTER (const char *, get_kernel, kernel)
GETTER (const char *, get_initrd, initrd)
GETTER (const char *, get_kernel_arguments, kernel_arguments)
GETTER (const char *, get_loader, loader)
GETTER (const char *, get_cpu_mode, cpu_mode)
GETTER (const char *, get_cpu_model, cpu_model)
GETTER (const char *, get_clock, clock)
GETTER (gint64, get_clock_adjustment, clock_adjustment)
GETTER (gboolean, has_acpi, has_acpi)
GETTER (ReeveAction, get_on_poweroff, on_poweroff)
GETTER (ReeveAction, get_on_reboot, on_reboot)
GETTER (ReeveAction, get_on_crash, on_crash)
GETTER (GPtrArray *, get_disks, disks)
GETTER (GPtrArray *, get_interfaces, interfaces)
GETTER (GPtrArray *, get_chardevs, chardevs)
GETTER (GPtrArray *, get_graphics, graphics)
GETTER (GPtrArray *, get_devices, devices)
GETTER (GPtrArray *, get_warnings, warnings)
GETTER (const char *, get_xml, xml)
/* clang-format on */

const char *const *
reeve_config_get_boot_devices (ReeveConfig *self)
{
  return (const char *const *) self->boot_devices->pdata;
}

const ReeveConfigDisk *
reeve_config_find_node (ReeveConfig *self, const char *node)
{
  for (guint i = 0; i < self->disks->len; i++) {
    const ReeveConfigDisk *disk = g_ptr_array_index (self->disks, i);
    g_autofree char *prefix = g_strdup_printf ("libvirt-%u-", disk->index);

    if (g_str_has_prefix (node, prefix))
      return disk;
  }
  return NULL;
}

const ReeveConfigDisk *
reeve_config_find_disk (ReeveConfig *self, const char *name)
{
  for (guint i = 0; i < self->disks->len; i++) {
    const ReeveConfigDisk *disk = g_ptr_array_index (self->disks, i);

    if (g_strcmp0 (disk->target, name) == 0 ||
        g_strcmp0 (disk->path, name) == 0)
      return disk;
  }
  return NULL;
}

/* A console that is not of type virtio is the first serial port. */
const ReeveConfigChardev *
reeve_config_get_mirrored (ReeveConfig *self, const ReeveConfigChardev *console)
{
  if (!g_str_equal (console->kind, "console") ||
      g_strcmp0 (console->target_type, "virtio") == 0)
    return NULL;

  for (guint i = 0; i < self->chardevs->len; i++) {
    const ReeveConfigChardev *chardev = self->chardevs->pdata[i];

    if (g_str_equal (chardev->kind, "serial"))
      return chardev;
  }
  return NULL;
}
