/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/keycodes.h"

#include <linux/input-event-codes.h>

#define KEY(name)                                                              \
  {                                                                            \
#name, name                                                                \
  }

/* The keys of a PC's keyboard. */
static const struct {
  const char *name;
  uint32_t code;
} keys[] = {
  KEY (KEY_ESC),         KEY (KEY_1),
  KEY (KEY_2),           KEY (KEY_3),
  KEY (KEY_4),           KEY (KEY_5),
  KEY (KEY_6),           KEY (KEY_7),
  KEY (KEY_8),           KEY (KEY_9),
  KEY (KEY_0),           KEY (KEY_MINUS),
  KEY (KEY_EQUAL),       KEY (KEY_BACKSPACE),
  KEY (KEY_TAB),         KEY (KEY_Q),
  KEY (KEY_W),           KEY (KEY_E),
  KEY (KEY_R),           KEY (KEY_T),
  KEY (KEY_Y),           KEY (KEY_U),
  KEY (KEY_I),           KEY (KEY_O),
  KEY (KEY_P),           KEY (KEY_LEFTBRACE),
  KEY (KEY_RIGHTBRACE),  KEY (KEY_ENTER),
  KEY (KEY_LEFTCTRL),    KEY (KEY_A),
  KEY (KEY_S),           KEY (KEY_D),
  KEY (KEY_F),           KEY (KEY_G),
  KEY (KEY_H),           KEY (KEY_J),
  KEY (KEY_K),           KEY (KEY_L),
  KEY (KEY_SEMICOLON),   KEY (KEY_APOSTROPHE),
  KEY (KEY_GRAVE),       KEY (KEY_LEFTSHIFT),
  KEY (KEY_BACKSLASH),   KEY (KEY_Z),
  KEY (KEY_X),           KEY (KEY_C),
  KEY (KEY_V),           KEY (KEY_B),
  KEY (KEY_N),           KEY (KEY_M),
  KEY (KEY_COMMA),       KEY (KEY_DOT),
  KEY (KEY_SLASH),       KEY (KEY_RIGHTSHIFT),
  KEY (KEY_KPASTERISK),  KEY (KEY_LEFTALT),
  KEY (KEY_SPACE),       KEY (KEY_CAPSLOCK),
  KEY (KEY_F1),          KEY (KEY_F2),
  KEY (KEY_F3),          KEY (KEY_F4),
  KEY (KEY_F5),          KEY (KEY_F6),
  KEY (KEY_F7),          KEY (KEY_F8),
  KEY (KEY_F9),          KEY (KEY_F10),
  KEY (KEY_NUMLOCK),     KEY (KEY_SCROLLLOCK),
  KEY (KEY_KP7),         KEY (KEY_KP8),
  KEY (KEY_KP9),         KEY (KEY_KPMINUS),
  KEY (KEY_KP4),         KEY (KEY_KP5),
  KEY (KEY_KP6),         KEY (KEY_KPPLUS),
  KEY (KEY_KP1),         KEY (KEY_KP2),
  KEY (KEY_KP3),         KEY (KEY_KP0),
  KEY (KEY_KPDOT),       KEY (KEY_ZENKAKUHANKAKU),
  KEY (KEY_102ND),       KEY (KEY_F11),
  KEY (KEY_F12),         KEY (KEY_RO),
  KEY (KEY_KATAKANA),    KEY (KEY_HIRAGANA),
  KEY (KEY_HENKAN),      KEY (KEY_KATAKANAHIRAGANA),
  KEY (KEY_MUHENKAN),    KEY (KEY_KPJPCOMMA),
  KEY (KEY_KPENTER),     KEY (KEY_RIGHTCTRL),
  KEY (KEY_KPSLASH),     KEY (KEY_SYSRQ),
  KEY (KEY_RIGHTALT),    KEY (KEY_LINEFEED),
  KEY (KEY_HOME),        KEY (KEY_UP),
  KEY (KEY_PAGEUP),      KEY (KEY_LEFT),
  KEY (KEY_RIGHT),       KEY (KEY_END),
  KEY (KEY_DOWN),        KEY (KEY_PAGEDOWN),
  KEY (KEY_INSERT),      KEY (KEY_DELETE),
  KEY (KEY_MACRO),       KEY (KEY_MUTE),
  KEY (KEY_VOLUMEDOWN),  KEY (KEY_VOLUMEUP),
  KEY (KEY_POWER),       KEY (KEY_KPEQUAL),
  KEY (KEY_KPPLUSMINUS), KEY (KEY_PAUSE),
  KEY (KEY_SCALE),       KEY (KEY_KPCOMMA),
  KEY (KEY_HANGEUL),     KEY (KEY_HANJA),
  KEY (KEY_YEN),         KEY (KEY_LEFTMETA),
  KEY (KEY_RIGHTMETA),   KEY (KEY_COMPOSE),
};

gboolean
reeve_keycode_parse (const char *text, uint32_t *code)
{
  gint64 number;

  for (size_t i = 0; i < G_N_ELEMENTS (keys); i++) {
    if (g_str_equal (keys[i].name, text)) {
      *code = keys[i].code;
      return TRUE;
    }
  }

  if (!g_ascii_string_to_signed (text, 10, 1, 0xff, &number, NULL))
    return FALSE;
  *code = (uint32_t) number;
  return TRUE;
}
