/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd.h"
#include "tree/module.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a guest shows. QEMU is asked when a reader begins, and the loop goes on
 * meanwhile; the reader has that picture to its end. */

#define TIMEOUT_US (10 * G_USEC_PER_SEC)
#define MAX_BYTES (32 * 1024 * 1024)

/* (transfer full) (nullable): all of a file that is in memory; *@errnum: why
 * there is nothing. */
static GBytes *
read_picture (int fd, int *errnum)
{
  struct stat st;
  g_autofree char *bytes = NULL;
  size_t size = 0;
  gssize part = 0;

  *errnum = EIO;
  if (fstat (fd, &st) < 0)
    return NULL;
  if (st.st_size > MAX_BYTES) {
    *errnum = EFBIG;
    return NULL;
  }
  bytes = g_malloc ((size_t) st.st_size);
  while (size < (size_t) st.st_size &&
         (part = pread (fd, bytes + size, (size_t) st.st_size - size,
                        (off_t) size)) > 0)
    size += (size_t) part;
  return part < 0 || size == 0
             ? NULL
             : g_bytes_new_take (g_steal_pointer (&bytes), size);
}

/* ReeveMachinePictureReply */
static void
take_picture (ReeveMachine *machine,
              int fd,
              const char *type,
              const GError *error,
              gpointer data)
{
  REEVE_AUTOFD int picture = fd;
  g_autoptr (GBytes) bytes = NULL;
  int errnum = 0;

  if (error != NULL)
    errnum = reeve_tree_get_errno (error);
  else if (!g_str_equal (type, "image/png"))
    errnum = EOPNOTSUPP; /* a QEMU that was built without PNG */
  else
    bytes = read_picture (picture, &errnum);

  if (bytes != NULL)
    reeve_resource_request_show (data, bytes);
  else
    reeve_resource_request_fail (data, errnum);
}

static void
show (ReeveResourceRequest *request, gpointer data)
{
  const ReeveTreeSource *self = data;

  reeve_machine_take_screenshot (self->machine, 0,
                                 g_get_monotonic_time () + TIMEOUT_US,
                                 take_picture, request);
}

ReeveResourceNode *
reeve_tree_screenshot_new (ReeveMachine *machine, ReeveTreeBase *base)
{
  static const ReeveResourceTextFuncs funcs = { .read = show };
  static const ReeveTreeAccess access = { .read_tag = "domain:screenshot" };
  ReeveTreeSource *source = reeve_tree_source_new (
      sizeof *source, base, &access, "screenshot.png", machine);
  ReeveResourceNode *node = reeve_resource_property_new (
      0400, &funcs, source, reeve_tree_source_free);

  reeve_resource_node_set_guard (node, reeve_tree_guard, source);
  return node;
}
