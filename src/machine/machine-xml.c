/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/config.h"
#include "machine/machine-private.h"

/* The XML of a machine that runs is made when somebody asks for it, and told
 * to whoever asks until something that it was made of is another. */

struct _ReeveMachineXml {
  ReeveRefs refs;
  ReeveConfig *config; /* (owned) */
  GHashTable *chosen;  /* (owned) (nullable) */
  int id;
  char *text; /* (owned) (nullable): not yet made */
};

static ReeveMachineXml *
xml_ref (ReeveMachineXml *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

void
reeve_machine_xml_unref (ReeveMachineXml *self)
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  reeve_config_unref (self->config);
  g_clear_pointer (&self->chosen, g_hash_table_unref);
  g_free (self->text);
  g_free (self);
}

const char *
reeve_machine_xml_get_text (ReeveMachineXml *self)
{
  return self->text;
}

static gboolean
is_fresh_locked (ReeveMachine *self, const ReeveMachineXml *xml)
    REEVE_REQUIRES (self->lock)
{
  return xml != NULL &&
         xml->config == reeve_machine_get_live_config_locked (self) &&
         xml->chosen == self->chosen && xml->id == self->id;
}

/* (nullable): the one that is there; else one without a text, if there is a
 * definition for it */
static ReeveMachineXml *
find_xml (ReeveMachine *self)
{
  ReeveConfig *config;
  ReeveMachineXml *xml;

  REEVE_LOCK_SCOPE (&self->lock);

  config = reeve_machine_get_live_config_locked (self);
  if (config == NULL)
    return NULL;
  if (is_fresh_locked (self, self->live_xml))
    return xml_ref (self->live_xml);

  xml = g_new0 (ReeveMachineXml, 1);
  reeve_refs_init (&xml->refs);
  xml->config = reeve_config_ref (config);
  xml->chosen = self->chosen == NULL ? NULL : g_hash_table_ref (self->chosen);
  xml->id = self->id;
  return xml;
}

static void
keep_xml (ReeveMachine *self, ReeveMachineXml *xml)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (!is_fresh_locked (self, xml))
    return;
  reeve_machine_xml_unref (self->live_xml);
  self->live_xml = xml_ref (xml);
}

gboolean
reeve_machine_has_live_xml (ReeveMachine *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return reeve_machine_get_live_config_locked (self) == NULL ||
         is_fresh_locked (self, self->live_xml);
}

ReeveMachineXml *
reeve_machine_get_live_xml (ReeveMachine *self)
{
  ReeveMachineXml *xml = find_xml (self);

  if (xml != NULL && xml->text == NULL) {
    xml->text = reeve_config_dup_live_xml (xml->config, xml->id, xml->chosen);
    keep_xml (self, xml);
  }
  return xml;
}
