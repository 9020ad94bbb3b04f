/* Draws a tree on stdout.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

/* Nodes are StemmaNode in the order of stemma_tree_get_nodes(). `head_word` marks the one that
 * things go on from. */
void stm_cli_tree_print (GPtrArray *nodes, const char *head_word);
