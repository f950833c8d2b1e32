/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/reconnect.h"

#include <stdlib.h>
#include <string.h>

/*
 * Each row is a script that starts at 1000 ms: `@N` goes to that time, `+N`
 * on by so much; a word is an event or, with `:N`, a setting; `WORD=VALUE` is
 * what must hold (`run` lets the machine run first). With `look`, the default,
 * something of the peer is looked for whenever time passes; `blind` ends that.
 */
typedef struct {
  const char *name;
  const char *script;
} ScriptCase;

static const ScriptCase script_cases[] = {
  { "nothing-if-not-enabled", "run=none timeout=-1 state=void @9000 run=none" },
  { "quick-connect-idle-disconnect",
    "enable run=connect state=backoff timeout=0 connected state=active att=1 "
    "ok=1 seq=1 timeout=5000 blind @6000 run=none timeout=1 @6001 run=none "
    "timeout=1 @6002 run=none timeout=1 state=active look timeout=0 run=probe "
    "state=idle timeout=5000 @11002 run=disconnect state=idle disconnected "
    "state=backoff backoff=1000 seq=2 total=10002 timeout=1000" },
  { "slow-connect-idle-disconnect",
    "enable run=connect connecting timeout=1000 run=none +500 connected "
    "state=active att=1 ok=1 +5000 run=probe +5000 run=disconnect "
    "disconnected backoff=1000 seq=2 total=10000" },
  { "connect-backs-off",
    "enable run=connect connecting +999 run=none +1 run=disconnect failed "
    "backoff=1000 "
    "+1000 run=connect connecting +1000 run=disconnect failed backoff=2000 "
    "+2000 run=connect connecting +2000 run=disconnect failed backoff=4000 "
    "+4000 run=connect connecting +4000 run=disconnect failed backoff=8000 "
    "+8000 run=connect connecting +8000 run=disconnect failed backoff=8000 "
    "+8000 run=connect connecting +8000 run=disconnect failed backoff=8000 "
    "att=6 ok=0 seq=0" },
  { "connections-with-no-data-preserve-backoff",
    "enable connected +5000 run=probe +5000 run=disconnect disconnected "
    "backoff=1000 total=10000 seq=2 "
    "+1000 run=connect connected +5000 run=probe +5000 disconnected "
    "backoff=2000 total=20000 seq=4 "
    "+2000 run=connect connected +5000 run=probe +5000 disconnected "
    "backoff=4000 total=30000 seq=6" },
  { "brief-connection-preserves-backoff",
    "enable failed +1000 failed backoff=2000 +2000 run=connect connecting +500 "
    "connected +250 disconnected backoff=4000 total=250" },
  { "brief-connection-with-data-preserves-backoff",
    "enable failed +1000 failed +2000 connecting +500 connected +250 activity "
    "+250 activity +250 activity +250 disconnected backoff=4000 total=1000" },
  { "long-connection-resets-backoff",
    "enable failed +1000 failed +2000 connecting +500 connected +2000 activity "
    "+2000 activity +2000 activity +250 disconnected backoff=1000 total=6250" },
  { "attempt-fails-quickly",
    "enable connecting failed backoff=1000 +1000 run=connect connecting failed "
    "backoff=2000" },
  { "backoff-free-tries",
    "free:2 enable connecting failed backoff=0 run=connect connecting failed "
    "backoff=1000 run=none" },
  { "three-free-tries-are-two-pauses-of-nothing",
    "free:3 enable connecting failed backoff=0 connecting failed backoff=0 "
    "connecting failed backoff=1000" },
  { "max-tries-1",
    "tries:1 enable left=0 run=connect connecting connected state=active "
    "disconnected state=void seq=2 timeout=-1" },
  { "max-tries-0", "tries:0 enable state=void run=none" },
  { "max-tries-3",
    "tries:3 enable run=connect connecting failed backoff=1000 +1000 "
    "connecting failed backoff=2000 +2000 connecting failed state=void att=3 "
    "failed state=void att=4" },
  { "passive-mode",
    "passive enable run=connect listening state=listening timeout=-1 run=none "
    "listen-failed state=backoff backoff=1000 +1000 run=connect listening "
    "connected state=active seq=1 +1000 activity timeout=5000 +5000 run=probe "
    "state=idle +5000 run=disconnect disconnected backoff=0 run=connect "
    "seq=2" },
  { "listen-failed-elsewhere-is-nothing",
    "enable listen-failed state=backoff connected listen-failed state=active" },
  { "passive-while-connecting",
    "enable connecting +100 passive state=backoff backoff=0 att=1 ok=0" },
  { "active-while-listening",
    "passive enable listening active state=backoff backoff=0 run=connect" },
  { "force-when-not-connected",
    "force state=void enable force state=backoff passive listening force "
    "state=listening" },
  { "force-while-connecting",
    "enable connecting force state=reconnect timeout=0 run=disconnect "
    "disconnected state=backoff backoff=1000 att=1 ok=0 seq=0 lost=-1" },
  { "force-of-a-healthy-connection-resets-backoff",
    "enable failed +1000 failed backoff=2000 +2000 connected +3000 activity "
    "force state=reconnect seq=2 total=3000 run=disconnect disconnected "
    "backoff=1000 lost=7000" },
  { "force-while-idle",
    "enable connected +5000 run=probe force state=reconnect run=disconnect "
    "disconnected backoff=1000" },
  { "activity-while-forced-changes-nothing",
    "enable connected force activity state=reconnect run=disconnect" },
  { "disable-while-active",
    "enable connected +300 disable state=void total=300 seq=2 +100 activity "
    "disconnected state=void total=300 run=none" },
  { "connected-while-void", "connected state=active att=1 ok=1 seq=1" },
  { "connecting-while-active",
    "enable connected att=1 connecting state=connecting seq=2 att=1" },
  { "failed-while-void-stays-there", "failed state=void att=1 run=none" },
  { "no-probe",
    "probe:0 enable connected timeout=-1 @999999 run=none state=active" },
  { "activity-while-idle-moves-the-schedule",
    "enable connected +5000 run=probe +1000 activity state=active "
    "timeout=5000 @12000 run=probe @17000 run=disconnect" },
  { "looking-just-before-is-not-enough",
    "enable connected @5999 blind @6000 run=none timeout=1 look run=probe" },
  { "late-looking-in-idle",
    "enable connected +5000 run=probe blind +9000 run=none look "
    "run=disconnect" },
  { "long-connection-without-activity-doubles",
    "probe:0 enable failed +1000 connected +100000 disconnected backoff=2000" },
  { "disconnected-while-waiting-is-nothing",
    "enable failed +10 disconnected backoff=1000 timeout=990" },
  { "backoff-1000-3000",
    "min:1000 max:3000 enable failed backoff=1000 connecting failed "
    "backoff=2000 connecting failed backoff=3000 connecting failed "
    "backoff=3000" },
  { "backoff-1000-5000",
    "max:5000 enable failed backoff=1000 connecting failed backoff=2000 "
    "connecting failed backoff=4000 connecting failed backoff=5000" },
  { "backoff-3000-10000",
    "min:3000 max:10000 enable failed backoff=3000 connecting failed "
    "backoff=6000 connecting failed backoff=10000" },
  { "a-maximum-below-the-minimum",
    "min:2000 max:1000 enable failed backoff=2000 connecting failed "
    "backoff=2000" },
  { "limits-of-the-settings",
    "min:1 max:1 probe:1 enable failed backoff=100 connected timeout=1000" },
  { "a-wait-is-cut-short",
    "enable failed connecting failed backoff=2000 max:1500 backoff=1500" },
};

typedef struct {
  ReeveReconnect machine;
  gint64 now_ms;
  gboolean looks;
  int min_ms, max_ms;
  const char *word; /* for messages */
} Run;

static const struct {
  const char *name;
  void (*func) (ReeveReconnect *self, gint64 now_ms);
} events[] = {
  { "enable", reeve_reconnect_enable },
  { "disable", reeve_reconnect_disable },
  { "force", reeve_reconnect_force },
  { "connecting", reeve_reconnect_connecting },
  { "listening", reeve_reconnect_listening },
  { "listen-failed", reeve_reconnect_listen_failed },
  { "connected", reeve_reconnect_connected },
  { "failed", reeve_reconnect_connect_failed },
  { "disconnected", reeve_reconnect_disconnected },
  { "activity", reeve_reconnect_activity },
};

static void
look (Run *self)
{
  if (self->looks)
    reeve_reconnect_receive_attempted (&self->machine, self->now_ms);
}

static void
set (Run *self, const char *what, int value)
{
  if (g_str_equal (what, "tries")) {
    reeve_reconnect_set_max_tries (&self->machine, (unsigned) value);
  } else if (g_str_equal (what, "free")) {
    reeve_reconnect_set_free_tries (&self->machine, (unsigned) value);
  } else if (g_str_equal (what, "probe")) {
    reeve_reconnect_set_probe_interval (&self->machine, value);
  } else {
    g_assert_true (g_str_equal (what, "min") || g_str_equal (what, "max"));
    *(g_str_equal (what, "min") ? &self->min_ms : &self->max_ms) = value;
    reeve_reconnect_set_backoff (&self->machine, self->min_ms, self->max_ms);
  }
}

static char *
get (Run *self, const char *what)
{
  static const char *const steps[] = { "none", "connect", "disconnect",
                                       "probe" };
  ReeveReconnect *machine = &self->machine;
  const struct {
    const char *name;
    gint64 value;
  } numbers[] = {
    { "timeout", reeve_reconnect_get_timeout (machine, self->now_ms) },
    { "backoff", machine->backoff_ms },
    { "att", machine->n_attempted },
    { "ok", machine->n_successful },
    { "seq", machine->sequence },
    { "total", machine->total_connected_ms },
    { "left", machine->tries_left },
    { "lost", machine->disconnected_ms },
  };

  if (g_str_equal (what, "run"))
    return g_strdup (steps[reeve_reconnect_run (machine, self->now_ms)]);
  if (g_str_equal (what, "state"))
    return g_strdup (reeve_reconnect_get_state_name (machine));
  for (size_t i = 0; i < G_N_ELEMENTS (numbers); i++)
    if (g_str_equal (numbers[i].name, what))
      return g_strdup_printf ("%" G_GINT64_FORMAT, numbers[i].value);
  g_assert_not_reached ();
}

static void
take_event (Run *self, const char *word)
{
  for (size_t i = 0; i < G_N_ELEMENTS (events); i++)
    if (g_str_equal (events[i].name, word)) {
      events[i].func (&self->machine, self->now_ms);
      return;
    }
  g_assert_not_reached ();
}

static void
take_word (Run *self, const char *word)
{
  const char *equals = strchr (word, '=');
  const char *colon = strchr (word, ':');

  if (word[0] == '@' || word[0] == '+') {
    gint64 number = g_ascii_strtoll (word + 1, NULL, 10);

    self->now_ms = word[0] == '@' ? number : self->now_ms + number;
    look (self);
  } else if (equals != NULL) {
    g_autofree char *what = g_strndup (word, equals - word);
    g_autofree char *value = get (self, what);

    if (!g_str_equal (value, equals + 1))
      g_test_message ("at %" G_GINT64_FORMAT ": %s", self->now_ms, word);
    g_assert_cmpstr (value, ==, equals + 1);
  } else if (colon != NULL) {
    g_autofree char *what = g_strndup (word, colon - word);

    set (self, what, atoi (colon + 1));
  } else if (g_str_equal (word, "look") || g_str_equal (word, "blind")) {
    self->looks = word[0] == 'l';
    look (self);
  } else if (g_str_equal (word, "passive") || g_str_equal (word, "active")) {
    reeve_reconnect_set_passive (&self->machine, word[0] == 'p', self->now_ms);
  } else {
    take_event (self, word);
  }
}

static void
test_script (gconstpointer data)
{
  const ScriptCase *row = data;
  g_auto (GStrv) words = g_strsplit (row->script, " ", -1);
  Run run = { .now_ms = 1000, .looks = TRUE };

  reeve_reconnect_init (&run.machine, run.now_ms);
  for (char **word = words; *word != NULL; word++)
    take_word (&run, *word);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (script_cases); i++) {
    g_autofree char *path =
        g_strdup_printf ("/rpc/reconnect/%s", script_cases[i].name);

    g_test_add_data_func (path, &script_cases[i], test_script);
  }
  return g_test_run ();
}
