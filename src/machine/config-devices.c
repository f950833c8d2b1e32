/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/config-devices.h"

#include "event/intl.h"
#include "machine/xml.h"
#include "rpc/error.h"

#include <string.h>

typedef gboolean (*DeviceFunc) (ReeveConfig *self,
                                xmlNode *node,
                                GError **error);

typedef struct {
  const char *name;
  DeviceFunc parse;
} DeviceRow;

static gboolean
fail (GError **error, const xmlNode *node, const char *reason)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_XML_DETAIL,
               _ ("the device <%1$s> in line %2$ld is wrong: %3$s"),
               (const char *) node->name, xmlGetLineNo (node), reason);
  return FALSE;
}

static char *
or_default (char *text, const char *fallback)
{
  return text != NULL ? text : g_strdup (fallback);
}

static gboolean
parse_boot_order (xmlNode *node, unsigned *order, GError **error)
{
  g_autofree char *text = reeve_xml_dup_child_attribute (node, "boot", "order");
  uint64_t number = 0;

  if (text != NULL && !reeve_xml_get_number (text, 1, 1000, &number))
    return fail (error, node, _ ("its boot order is not a number"));
  *order = (unsigned) number;
  return TRUE;
}

static const char *
guess_bus (const char *target)
{
  if (g_str_has_prefix (target, "vd"))
    return "virtio";
  if (g_str_has_prefix (target, "sd"))
    return "scsi";
  if (g_str_has_prefix (target, "fd"))
    return "fdc";
  return "ide";
}

/* "sdc" and "vdc" are 2; -1 for what is no such name. */
static int
get_disk_place (const char *target)
{
  int place = 0;
  const char *letters = target + 2;

  if (strlen (target) < 3 || strlen (target) > 5)
    return -1;
  for (const char *c = letters; *c != '\0'; c++) {
    if (*c < 'a' || *c > 'z')
      return -1;
    place = place * 26 + (*c - 'a' + 1);
  }
  return place - 1;
}

static char *
make_disk_alias (const ReeveConfigDisk *disk, int place)
{
  if (g_str_equal (disk->bus, "virtio"))
    return g_strdup_printf ("virtio-disk%d", place);
  if (g_str_equal (disk->bus, "ide"))
    return g_strdup_printf ("ide0-%d-%d", place / 2, place % 2);
  if (g_str_equal (disk->bus, "sata"))
    return g_strdup_printf ("sata0-0-%d", place);
  if (g_str_equal (disk->bus, "scsi"))
    return g_strdup_printf ("scsi0-0-0-%d", place);
  return g_strdup_printf ("%s-disk%d", disk->bus, place);
}

static void
parse_disk_driver (ReeveConfigDisk *disk, xmlNode *node)
{
  xmlNode *driver = reeve_xml_find (node, "driver");

  disk->format = or_default (reeve_xml_dup_attribute (driver, "type"), "raw");
  disk->cache = reeve_xml_dup_attribute (driver, "cache");
  disk->io = reeve_xml_dup_attribute (driver, "io");
  disk->discard = reeve_xml_dup_attribute (driver, "discard");
  disk->error_policy = reeve_xml_dup_attribute (driver, "error_policy");
  disk->serial = reeve_xml_dup_child_text (node, "serial");
}

static gboolean
parse_disk_source (ReeveConfigDisk *disk, xmlNode *node, GError **error)
{
  xmlNode *source = reeve_xml_find (node, "source");

  if (g_str_equal (disk->type, "file"))
    disk->path = reeve_xml_dup_attribute (source, "file");
  else if (g_str_equal (disk->type, "block"))
    disk->path = reeve_xml_dup_attribute (source, "dev");
  else {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED,
                 _ ("disks of type '%1$s' are not supported (line %2$ld)"),
                 disk->type, xmlGetLineNo (node));
    return FALSE;
  }

  if (disk->path != NULL && disk->path[0] != '/')
    return fail (error, node, _ ("its source is not an absolute path"));
  if (disk->path == NULL && g_str_equal (disk->device, "disk"))
    return fail (error, node, _ ("it has no source"));
  return TRUE;
}

static gboolean
is_target_taken (ReeveConfig *self, const char *target)
{
  for (guint i = 0; i < self->disks->len; i++) {
    ReeveConfigDisk *disk = g_ptr_array_index (self->disks, i);

    if (g_strcmp0 (disk->target, target) == 0)
      return TRUE;
  }
  return FALSE;
}

static gboolean
parse_disk_target (ReeveConfig *self,
                   ReeveConfigDisk *disk,
                   xmlNode *node,
                   GError **error)
{
  static const char *const buses[] = {
    "virtio", "ide", "sata", "scsi", "usb", "fdc", NULL,
  };
  xmlNode *target = reeve_xml_find (node, "target");
  g_autofree char *name = reeve_xml_dup_attribute (target, "dev");
  int place = name == NULL ? -1 : get_disk_place (name);

  if (place < 0)
    return fail (error, node, _ ("its target is not a name like 'vda'"));
  if (is_target_taken (self, name))
    return fail (error, node, _ ("another disk has this target"));

  disk->bus =
      or_default (reeve_xml_dup_attribute (target, "bus"), guess_bus (name));
  if (!g_strv_contains (buses, disk->bus))
    return fail (error, node, _ ("its bus is not supported"));
  reeve_xml_set_attribute (target, "bus", disk->bus);
  disk->alias = make_disk_alias (disk, place);
  disk->target = g_steal_pointer (&name);
  return TRUE;
}

static gboolean
parse_disk (ReeveConfig *self, xmlNode *node, GError **error)
{
  ReeveConfigDisk *disk = g_new0 (ReeveConfigDisk, 1);
  gboolean is_good;

  disk->index = self->disks->len + 1;
  disk->type = or_default (reeve_xml_dup_attribute (node, "type"), "file");
  disk->device = or_default (reeve_xml_dup_attribute (node, "device"), "disk");
  disk->is_shareable = reeve_xml_find (node, "shareable") != NULL;
  disk->is_readonly = reeve_xml_find (node, "readonly") != NULL ||
                      g_str_equal (disk->device, "cdrom");
  if (disk->is_readonly)
    reeve_xml_ensure (node, "readonly");
  parse_disk_driver (disk, node);
  is_good = parse_disk_source (disk, node, error) &&
            parse_disk_target (self, disk, node, error) &&
            parse_boot_order (node, &disk->boot_order, error);
  g_ptr_array_add (self->disks, disk);
  return is_good;
}

static gboolean
is_mac (const char *text)
{
  unsigned bytes[6];
  char rest;

  return strlen (text) == 17 &&
         sscanf (text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &bytes[0], &bytes[1],
                 &bytes[2], &bytes[3], &bytes[4], &bytes[5], &rest) == 6 &&
         (bytes[0] & 1) == 0;
}

static gboolean
parse_mac (ReeveConfigInterface *interface, xmlNode *node, GError **error)
{
  interface->mac = reeve_xml_dup_child_attribute (node, "mac", "address");
  if (interface->mac == NULL) {
    guint32 random = g_random_int ();

    interface->mac = g_strdup_printf ("52:54:00:%02x:%02x:%02x", random & 0xff,
                                      random >> 8 & 0xff, random >> 16 & 0xff);
    reeve_xml_set_attribute (reeve_xml_ensure (node, "mac"), "address",
                             interface->mac);
  }
  if (!is_mac (interface->mac))
    return fail (error, node, _ ("its hardware address is wrong"));
  return TRUE;
}

static gboolean
is_model (const char *text)
{
  return text[0] != '\0' &&
         text[strspn (text, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static gboolean
parse_interface (ReeveConfig *self, xmlNode *node, GError **error)
{
  ReeveConfigInterface *interface = g_new0 (ReeveConfigInterface, 1);
  xmlNode *source = reeve_xml_find (node, "source");
  g_autofree char *link = reeve_xml_dup_child_attribute (node, "link", "state");

  interface->alias = g_strdup_printf ("net%u", self->interfaces->len);
  g_ptr_array_add (self->interfaces, interface);
  interface->type = or_default (reeve_xml_dup_attribute (node, "type"), "user");
  interface->model = or_default (
      reeve_xml_dup_child_attribute (node, "model", "type"), "rtl8139");
  interface->source = reeve_xml_dup_attribute (source, interface->type);
  interface->target = reeve_xml_dup_child_attribute (node, "target", "dev");
  interface->is_link_down = g_strcmp0 (link, "down") == 0;
  if (!is_model (interface->model))
    return fail (error, node, _ ("its model is not a model's name"));
  return parse_mac (interface, node, error) &&
         parse_boot_order (node, &interface->boot_order, error);
}

static unsigned
count_chardevs (ReeveConfig *self, const char *kind)
{
  unsigned n = 0;

  for (guint i = 0; i < self->chardevs->len; i++) {
    ReeveConfigChardev *chardev = g_ptr_array_index (self->chardevs, i);

    n += g_str_equal (chardev->kind, kind);
  }
  return n;
}

static gboolean
parse_chardev (ReeveConfig *self, xmlNode *node, GError **error)
{
  ReeveConfigChardev *chardev = g_new0 (ReeveConfigChardev, 1);
  xmlNode *source = reeve_xml_find (node, "source");
  xmlNode *target = reeve_xml_find (node, "target");
  g_autofree char *mode = reeve_xml_dup_attribute (source, "mode");
  g_autofree char *port = reeve_xml_dup_attribute (source, "service");
  uint64_t number = 0;

  chardev->kind = g_strdup ((const char *) node->name);
  chardev->alias = g_strdup_printf ("%s%u", chardev->kind,
                                    count_chardevs (self, chardev->kind));
  g_ptr_array_add (self->chardevs, chardev);
  chardev->type = or_default (reeve_xml_dup_attribute (node, "type"), "pty");
  chardev->target_type = reeve_xml_dup_attribute (target, "type");
  chardev->target_name = reeve_xml_dup_attribute (target, "name");
  chardev->path = reeve_xml_dup_attribute (source, "path");
  chardev->is_listening = g_strcmp0 (mode, "connect") != 0;
  if (port != NULL && !reeve_xml_get_number (port, 1, 65535, &number))
    return fail (error, node, _ ("its service is not a port"));
  chardev->port = (unsigned) number;
  return TRUE;
}

static gboolean
parse_graphics (ReeveConfig *self, xmlNode *node, GError **error)
{
  ReeveConfigGraphics *graphics = g_new0 (ReeveConfigGraphics, 1);
  g_autofree char *port = reeve_xml_dup_attribute (node, "port");
  g_autofree char *automatic = reeve_xml_dup_attribute (node, "autoport");
  uint64_t number;

  g_ptr_array_add (self->graphics, graphics);
  graphics->type = or_default (reeve_xml_dup_attribute (node, "type"), "vnc");
  graphics->listen = reeve_xml_dup_attribute (node, "listen");
  if (graphics->listen == NULL)
    graphics->listen = or_default (
        reeve_xml_dup_child_attribute (node, "listen", "address"), "127.0.0.1");
  graphics->socket = reeve_xml_dup_attribute (node, "socket");
  if (graphics->socket == NULL)
    graphics->socket = reeve_xml_dup_child_attribute (node, "listen", "socket");
  graphics->port = -1;
  if (port == NULL || g_str_equal (port, "-1") ||
      g_strcmp0 (automatic, "yes") == 0) {
    reeve_xml_set_attribute (node, "autoport", "yes");
    return TRUE;
  }
  if (!reeve_xml_get_number (port, 5900, 65535, &number))
    return fail (error, node, _ ("its port is not one from 5900 on"));
  graphics->port = (int) number;
  return TRUE;
}

static unsigned
count_devices (ReeveConfig *self, const char *kind)
{
  unsigned n = 0;

  for (guint i = 0; i < self->devices->len; i++) {
    ReeveConfigDevice *device = g_ptr_array_index (self->devices, i);

    n += g_str_equal (device->kind, kind);
  }
  return n;
}

static char *
make_alias (const ReeveConfigDevice *device, unsigned n)
{
  if (g_str_equal (device->kind, "memballoon"))
    return g_strdup_printf ("balloon%u", n);
  if (!g_str_equal (device->kind, "controller"))
    return g_strdup_printf ("%s%u", device->kind, n);
  if (g_strcmp0 (device->type, "usb") == 0 && device->index <= 0)
    return g_strdup ("usb");
  if (g_strcmp0 (device->model, "pcie-root") == 0)
    return g_strdup ("pcie.0");
  if (g_strcmp0 (device->type, "pci") == 0)
    return g_strdup_printf ("pci.%d", MAX (device->index, 0));
  return g_strdup_printf ("%s%d", device->type, MAX (device->index, 0));
}

/* One more than the highest of the controllers of its type. */
static int
next_index (ReeveConfig *self, const char *type)
{
  int next = 0;

  for (guint i = 0; i < self->devices->len; i++) {
    const ReeveConfigDevice *device = g_ptr_array_index (self->devices, i);

    if (g_str_equal (device->kind, "controller") &&
        g_strcmp0 (device->type, type) == 0)
      next = MAX (next, device->index + 1);
  }
  return next;
}

static gboolean
parse_index (ReeveConfig *self,
             ReeveConfigDevice *device,
             xmlNode *node,
             GError **error)
{
  g_autofree char *given = reeve_xml_dup_attribute (node, "index");
  g_autofree char *text = NULL;
  uint64_t number;

  if (device->type == NULL)
    return fail (error, node, _ ("it has no type"));
  if (given == NULL) {
    device->index = next_index (self, device->type);
    text = g_strdup_printf ("%d", device->index);
    reeve_xml_set_attribute (node, "index", text);
    return TRUE;
  }
  if (!reeve_xml_get_number (given, 0, 1000, &number))
    return fail (error, node, _ ("its index is not a number"));
  device->index = (int) number;
  return TRUE;
}

static gboolean
parse_heads (ReeveConfigDevice *device, xmlNode *node, GError **error)
{
  g_autofree char *text =
      reeve_xml_dup_child_attribute (node, "model", "heads");
  uint64_t number = 1;

  if (text != NULL && !reeve_xml_get_number (text, 1, 16, &number))
    return fail (error, node, _ ("its heads are not a number from 1 to 16"));
  device->n_heads = (unsigned) number;
  return TRUE;
}

static gboolean
parse_device (ReeveConfig *self, xmlNode *node, GError **error)
{
  ReeveConfigDevice *device = g_new0 (ReeveConfigDevice, 1);
  gboolean is_video = reeve_xml_is (node, "video");
  unsigned n;

  device->kind = g_strdup ((const char *) node->name);
  n = count_devices (self, device->kind);
  g_ptr_array_add (self->devices, device);
  device->type = reeve_xml_dup_attribute (node, "type");
  device->model = is_video
                      ? reeve_xml_dup_child_attribute (node, "model", "type")
                      : reeve_xml_dup_attribute (node, "model");
  device->action = reeve_xml_dup_attribute (node, "action");
  device->bus = reeve_xml_dup_attribute (node, "bus");
  device->index = -1;
  if ((is_video && !parse_heads (device, node, error)) ||
      (reeve_xml_is (node, "controller") &&
       !parse_index (self, device, node, error)))
    return FALSE;
  device->alias = make_alias (device, n);
  return TRUE;
}

static gboolean
parse_nothing (ReeveConfig *self, xmlNode *node, GError **error)
{
  return TRUE;
}

static const DeviceRow rows[] = {
  { "audio", parse_nothing },       { "channel", parse_chardev },
  { "console", parse_chardev },     { "controller", parse_device },
  { "disk", parse_disk },           { "emulator", parse_nothing },
  { "graphics", parse_graphics },   { "input", parse_device },
  { "interface", parse_interface }, { "memballoon", parse_device },
  { "panic", parse_device },        { "parallel", parse_chardev },
  { "rng", parse_device },          { "serial", parse_chardev },
  { "sound", parse_nothing },       { "video", parse_device },
  { "watchdog", parse_device },
};

static gboolean
parse_node (ReeveConfig *self, xmlNode *node, GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    if (reeve_xml_is (node, rows[i].name))
      return rows[i].parse (self, node, error);
  }

  g_ptr_array_add (
      self->warnings,
      g_strdup_printf (_ ("the device <%1$s> in line %2$ld is not supported"),
                       (const char *) node->name, xmlGetLineNo (node)));
  return TRUE;
}

/* A copy of a character device as another kind of it. */
static xmlNode *
copy_chardev (xmlNode *node, const char *kind)
{
  xmlNode *copy = xmlCopyNode (node, 1);
  xmlNode *alias = reeve_xml_find (copy, "alias");

  xmlNodeSetName (copy, (const xmlChar *) kind);
  if (alias != NULL)
    reeve_xml_remove (alias);
  return copy;
}

/* The first serial port is a console, and the first console, unless it is one
 * of virtio, is a serial port: whichever is not given is added. */
static void
ensure_console (xmlNode *devices)
{
  xmlNode *serial = reeve_xml_find (devices, "serial");
  xmlNode *console = reeve_xml_find (devices, "console");
  g_autofree char *type =
      reeve_xml_dup_child_attribute (console, "target", "type");
  xmlNode *target;

  if ((serial == NULL && console == NULL) ||
      (type != NULL && !g_str_equal (type, "serial")))
    return;

  if (serial == NULL) {
    serial = copy_chardev (console, "serial");
    xmlAddPrevSibling (console, serial);
    target = reeve_xml_ensure (serial, "target");
    xmlUnsetProp (target, (const xmlChar *) "type");
    reeve_xml_set_attribute (target, "port", "0");
  }
  if (console == NULL) {
    console = copy_chardev (serial, "console");
    xmlAddNextSibling (serial, console);
  }
  target = reeve_xml_ensure (console, "target");
  reeve_xml_set_attribute (target, "type", "serial");
  reeve_xml_set_attribute (target, "port", "0");
}

/* A machine has a balloon unless it says that it has none. */
static void
ensure_balloon (xmlNode *devices)
{
  if (reeve_xml_find (devices, "memballoon") == NULL)
    reeve_xml_set_attribute (reeve_xml_ensure (devices, "memballoon"), "model",
                             "virtio");
}

gboolean
reeve_config_parse_devices (ReeveConfig *self, xmlNode *devices, GError **error)
{
  unsigned n = 0;

  ensure_balloon (devices);
  ensure_console (devices);
  for (xmlNode *node = devices->children; node != NULL; node = node->next) {
    if (node->type != XML_ELEMENT_NODE)
      continue;
    if (++n > REEVE_CONFIG_MAX_DEVICES)
      return fail (error, node, _ ("a machine has 256 devices at most"));
    if (!parse_node (self, node, error))
      return FALSE;
  }
  return TRUE;
}
