/* Takes out of a domain document what an ordinary user must not see.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <libxml/tree.h>

/* Edits the document in place; see the table at the head of stm-xml-secrets.c. */
void stm_xml_strip_secrets (xmlDoc *doc);
