/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine-fixture.h"
#include "remove-tree.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define QEMU "/usr/bin/qemu-system-x86_64"
#define IMAGE_SIZE (1024 * 1024)

/* Real mode code; the firmware of the `pc` machine puts the power management
 * ports at 0x600. */
static const uint8_t code_power_off[] = {
  0xba, 0x04, 0x06, /* mov dx, 0x604 */
  0xb8, 0x00, 0x20, /* mov ax, 0x2000 */
  0xef,             /* out dx, ax */
  0xf4, 0xeb, 0xfd, /* hlt; jmp back */
};

static const uint8_t code_button[] = {
  0xba, 0x02, 0x06, /* mov dx, 0x602 */
  0xb8, 0x00, 0x01, /* mov ax, 0x100: enable the power button */
  0xef,             /* out dx, ax */
  0xba, 0x00, 0x06, /* mov dx, 0x600 */
  0xed,             /* in ax, dx */
  0xf6, 0xc4, 0x01, /* test ah, 1 */
  0x74, 0xfa,       /* jz back to the in */
  0xba, 0x04, 0x06, /* mov dx, 0x604 */
  0xb8, 0x00, 0x20, /* mov ax, 0x2000 */
  0xef, 0xeb, 0xfd, /* out dx, ax; jmp back: for as long as it is let */
};

static const uint8_t code_reset[] = {
  0xb0, 0xfe,       /* mov al, 0xfe */
  0xe6, 0x64,       /* out 0x64, al */
  0xf4, 0xeb, 0xfd, /* hlt; jmp back */
};

static const uint8_t code_panic[] = {
  0xba, 0x05, 0x05, /* mov dx, 0x505: pvpanic */
  0xb0, 0x01,       /* mov al, 1 */
  0xee,             /* out dx, al */
  0xf4, 0xeb, 0xfd, /* hlt; jmp back */
};

gboolean
fixture_has_qemu (void)
{
  if (access (QEMU, X_OK) == 0)
    return TRUE;
  g_test_skip ("there is no " QEMU);
  return FALSE;
}

static void
on_event (ReeveMachineEvent *event, gpointer data)
{
  Fixture *self = data;

  switch (event->type) {
  case REEVE_MACHINE_EVENT_LIFECYCLE:
    g_string_append_printf (self->events, "%d/%d ", event->event,
                            event->detail);
    break;
  case REEVE_MACHINE_EVENT_MONITOR:
    break;
  default:
    g_string_append_printf (
        self->events, "%s ",
        event->type == REEVE_MACHINE_EVENT_REBOOT ? "reboot" : "other");
  }
}

void
fixture_open_list (Fixture *self)
{
  ReeveMachinePaths paths = { self->config_dir, self->run_dir, self->log_dir,
                              self->console_log_dir };
  g_autoptr (GError) error = NULL;

  self->loop = reeve_loop_new (NULL);
  self->list = reeve_machine_list_new (self->loop, &paths);
  reeve_machine_list_subscribe (self->list, on_event, self, NULL, NULL);
  reeve_machine_list_load (self->list, &error);
  g_assert_no_error (error);
  reeve_machine_list_add_owner (self->list, self);
}

void
fixture_close_list (Fixture *self)
{
  reeve_machine_list_close (self->list);
  while (g_main_context_iteration (reeve_loop_get_context (self->loop), FALSE))
    ;
  g_clear_pointer (&self->list, reeve_machine_list_unref);
  g_clear_pointer (&self->loop, reeve_loop_unref);
}

void
fixture_set_up (Fixture *self)
{
  *self = (Fixture){ .events = g_string_new (NULL) };
  self->uuid = g_uuid_string_random ();
  self->root = g_dir_make_tmp ("reeve-machine-XXXXXX", NULL);
  g_assert_nonnull (self->root);
  self->config_dir = g_build_filename (self->root, "lib", NULL);
  self->run_dir = g_build_filename (self->root, "run", NULL);
  self->log_dir = g_build_filename (self->root, "log", NULL);
  self->console_log_dir = g_build_filename (self->root, "consoles", NULL);
  fixture_open_list (self);
}

static void
destroy_all (Fixture *self)
{
  g_autoptr (GPtrArray) machines =
      reeve_machine_list_get_machines (self->list, REEVE_MACHINES_ACTIVE, NULL);

  for (guint i = 0; i < machines->len; i++)
    fixture_destroy (self, g_ptr_array_index (machines, i));
}

void
fixture_tear_down (Fixture *self)
{
  destroy_all (self);
  fixture_close_list (self);
  remove_tree (self->root);
  g_free (self->root);
  g_free (self->uuid);
  g_free (self->config_dir);
  g_free (self->run_dir);
  g_free (self->log_dir);
  g_free (self->console_log_dir);
  g_string_free (self->events, TRUE);
}

void
fixture_restart (Fixture *self)
{
  fixture_close_list (self);
  fixture_open_list (self);
}

static void
run_row (gconstpointer data)
{
  const FixtureRow *row = data;
  Fixture self;

  if (row->needs_qemu && !fixture_has_qemu ())
    return;
  fixture_set_up (&self);
  row->func (&self);
  fixture_tear_down (&self);
}

int
fixture_main (int argc,
              char **argv,
              const char *path,
              const FixtureRow *rows,
              size_t n_rows)
{
  g_test_init (&argc, &argv, NULL);
  alarm (240); /* a hang is a failure */
  for (size_t i = 0; i < n_rows; i++) {
    g_autofree char *name = g_strconcat (path, "/", rows[i].name, NULL);

    g_test_add_data_func (name, &rows[i], run_row);
  }
  return g_test_run ();
}

void
fixture_turn (Fixture *self)
{
  g_main_context_iteration (reeve_loop_get_context (self->loop), TRUE);
}

void
fixture_wait (Fixture *self, const unsigned *count)
{
  while (*count == 0)
    fixture_turn (self);
}

void
fixture_wait_for_event (Fixture *self, const char *words)
{
  while (strstr (self->events->str, words) == NULL)
    fixture_turn (self);
}

static char *
make_image (Fixture *self, const char *name, const uint8_t *code, size_t size)
{
  g_autofree uint8_t *image = g_malloc0 (IMAGE_SIZE);
  g_autofree char *file = g_strconcat (name, ".img", NULL);
  char *path = g_build_filename (self->root, file, NULL);

  memcpy (image, code, size);
  image[510] = 0x55;
  image[511] = 0xaa;
  g_assert_true (
      g_file_set_contents (path, (const char *) image, IMAGE_SIZE, NULL));
  return path;
}

static char *
make_guest (Fixture *self, const char *name, Guest guest)
{
  switch (guest) {
  case GUEST_POWER_OFF:
    return make_image (self, name, code_power_off, sizeof code_power_off);
  case GUEST_BUTTON:
    return make_image (self, name, code_button, sizeof code_button);
  case GUEST_RESET:
    return make_image (self, name, code_reset, sizeof code_reset);
  case GUEST_PANIC:
    return make_image (self, name, code_panic, sizeof code_panic);
  case GUEST_IDLE:
  default:
    return NULL;
  }
}

char *
fixture_make_xml (Fixture *self,
                  const char *name,
                  Guest guest,
                  const char *more)
{
  g_autofree char *image = make_guest (self, name, guest);
  g_autofree char *disk = NULL;

  disk = image == NULL
             ? g_strdup ("")
             : g_strdup_printf ("<disk type='file' device='disk'>"
                                "<driver name='qemu' type='raw'/>"
                                "<source file='%s'/>"
                                "<target dev='hda' bus='ide'/></disk>",
                                image);
  return g_strdup_printf ("<domain type='qemu'><name>%s</name><uuid>%s</uuid>"
                          "<memory unit='MiB'>32</memory>"
                          "<os><type arch='x86_64' machine='pc'>hvm</type></os>"
                          "<features><acpi/></features>%s"
                          "<devices>%s<panic model='isa'/></devices></domain>",
                          name, self->uuid, more, disk);
}

ReeveMachine *
fixture_define (Fixture *self, Guest guest, const char *more)
{
  g_autofree char *xml = fixture_make_xml (self, "web", guest, more);
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConfig) config = reeve_config_new_from_xml (xml, &error);
  ReeveMachine *machine;

  g_assert_no_error (error);
  machine = reeve_machine_list_define (self->list, config, NULL, &error);
  g_assert_no_error (error);
  return machine;
}

void
on_ended (ReeveMachine *machine, const GError *error, gpointer data)
{
  Ended *self = data;

  self->n_calls++;
  self->code = error == NULL ? 0 : error->code;
  self->message = error == NULL ? NULL : g_strdup (error->message);
}

void
on_text (ReeveMachine *machine,
         const char *text,
         const GError *error,
         gpointer data)
{
  on_ended (machine, error, data);
  ((Ended *) data)->text = g_strdup (text);
}

void
ended_clear (Ended *self)
{
  g_free (self->message);
  g_free (self->text);
  *self = (Ended){ 0 };
}

gint64
fixture_deadline (unsigned seconds)
{
  return g_get_monotonic_time () + (gint64) seconds * G_USEC_PER_SEC;
}

void
fixture_start (Fixture *self,
               ReeveMachine *machine,
               ReeveMachineStartFlags flags)
{
  Ended ended = { 0 };

  reeve_machine_start (machine, flags, self, fixture_deadline (30), on_ended,
                       &ended);
  fixture_wait (self, &ended.n_calls);
  g_assert_cmpstr (ended.message, ==, NULL);
}

int
fixture_run (Fixture *self,
             ReeveMachine *machine,
             ReeveMachineOperation operation)
{
  Ended ended = { 0 };
  int code;

  operation (machine, fixture_deadline (30), on_ended, &ended);
  fixture_wait (self, &ended.n_calls);
  code = ended.code;
  ended_clear (&ended);
  return code;
}

int
fixture_destroy (Fixture *self, ReeveMachine *machine)
{
  Ended ended = { 0 };
  int code;

  reeve_machine_destroy (machine, REEVE_MACHINE_DESTROY_DEFAULT,
                         fixture_deadline (30), on_ended, &ended);
  fixture_wait (self, &ended.n_calls);
  code = ended.code;
  ended_clear (&ended);
  return code;
}

char *
fixture_get_state (ReeveMachine *machine)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  reeve_machine_get_snapshot (machine, &snapshot);
  return g_strdup_printf ("%d/%d", (int) snapshot.state, snapshot.reason);
}

int
fixture_get_id (ReeveMachine *machine)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  reeve_machine_get_snapshot (machine, &snapshot);
  return snapshot.id;
}

pid_t
fixture_get_pid (ReeveMachine *machine)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  reeve_machine_get_snapshot (machine, &snapshot);
  return snapshot.pid;
}
