/* stemmactl checkpoint: what its commands take.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-moment.h"
#include "stm-cli-nouns.h"

static const StmCliOption create_options[] = {
  { "description", STM_CLI_TEXT, "TEXT", "A description", "description" },
  { "disk", STM_CLI_LIST, "TARGET", "Only this disk; may be given several times", "disks" },
  { "quiesce", STM_CLI_TEXT, "WORD",
    "Bring the guest's file systems to rest when it runs: no (default) or try", "quiesce",
    "no try" },
  { "parent", STM_CLI_MOMENT, "CHECKPOINT", "The checkpoint that it stands on", "parent" },
  { "durable", STM_CLI_FLAG, NULL, "Keep what it records over a loss of power", "durable" },
  { "xml", STM_CLI_TEXT, "FILE", "Take everything from a libvirt document; - reads stdin", NULL },
  { NULL },
};

static const StmCliOption list_options[] = {
  { "roots", STM_CLI_FLAG, NULL, "Only those without a parent", "roots" },
  { "leaves", STM_CLI_FLAG, NULL, "Only those without children", "leaves" },
  { "from", STM_CLI_MOMENT, "CHECKPOINT", "Only the children of this one", "from" },
  { "descendants", STM_CLI_FLAG, NULL, "With --from: all that stand on it", "descendants" },
  { "topological", STM_CLI_FLAG, NULL, "Each parent before its children", "topological" },
  { "after", STM_CLI_MOMENT, "CHECKPOINT", "Only what follows this one in the order", "after" },
  { "limit", STM_CLI_NUMBER, "N", "At most so many, 1 or more", "limit" },
  { NULL },
};

static const StmCliOption delete_options[] = {
  { "children", STM_CLI_FLAG, NULL, "With all that stand on it", "children" },
  { "children-only", STM_CLI_FLAG, NULL, "All that stand on it, not itself", "children-only" },
  { "metadata-only", STM_CLI_FLAG, NULL, "Forget it, touch no image", "metadata-only" },
  { NULL },
};

static const StmCliOption redefine_options[] = {
  { "validate", STM_CLI_FLAG, NULL, "Look whether the images have what the documents say",
    "validate" },
  { NULL },
};

static const StmCliOption xml_options[] = {
  { "no-domain", STM_CLI_FLAG, NULL, "Without the definition of the machine", "no-domain" },
  { "secure", STM_CLI_FLAG, NULL, "With passwords and secrets", NULL },
  { NULL },
};

const StmCliCommand stm_cli_checkpoint_commands[] = {
  { "checkpoint", "create", "VM [NAME]", "Begin to record what is written", create_options,
    stm_cli_moment_run_create, STEMMA_KIND_CHECKPOINT, TRUE },
  { "checkpoint", "list", "VM", "List checkpoints", list_options, stm_cli_moment_run_list,
    STEMMA_KIND_CHECKPOINT },
  { "checkpoint", "tree", "VM", "Draw the tree of checkpoints", NULL, stm_cli_moment_run_tree,
    STEMMA_KIND_CHECKPOINT },
  { "checkpoint", "delete", "VM CHECKPOINT...", "Delete checkpoints", delete_options,
    stm_cli_moment_run_delete, STEMMA_KIND_CHECKPOINT, TRUE },
  { "checkpoint", "redefine", "VM FILE...", "Take checkpoints over from libvirt documents",
    redefine_options, stm_cli_moment_run_redefine, STEMMA_KIND_CHECKPOINT },
  { "checkpoint", "forget", "VM [CHECKPOINT...]", "Forget checkpoints, or all; touches no image",
    NULL, stm_cli_moment_run_forget, STEMMA_KIND_CHECKPOINT },
  { "checkpoint", "describe", "VM CHECKPOINT TEXT", "Give a checkpoint another description", NULL,
    stm_cli_moment_run_describe, STEMMA_KIND_CHECKPOINT },
  { "checkpoint", "show", "VM CHECKPOINT", "Show a checkpoint", NULL, stm_cli_moment_run_show,
    STEMMA_KIND_CHECKPOINT },
  { "checkpoint", "xml", "VM CHECKPOINT", "Print a checkpoint as a libvirt document", xml_options,
    stm_cli_moment_run_xml, STEMMA_KIND_CHECKPOINT },
  { NULL, NULL },
};
