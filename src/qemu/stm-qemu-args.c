/* Builds argument vectors for QEMU. Pure, any thread; never a shell, never an image path.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qemu-args.h"

GStrv
stm_qemu_args_new (const char *binary, int qmp_fd)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  /* A socket that is connected already cannot be taken by another client. */
  g_autofree char *monitor = g_strdup_printf ("socket,id=qmp,fd=%d,server=off", qmp_fd);

  g_strv_builder_add_many (builder, binary, "-machine", "none", "-nodefaults", "-no-user-config",
                           "-display", "none", "-S", NULL);
  /* With spawn=deny an image cannot be a program, whatever its header says. */
  g_strv_builder_add_many (
      builder, "-sandbox",
      "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny", NULL);
  g_strv_builder_add_many (builder, "-chardev", monitor, "-mon", "chardev=qmp,mode=control", NULL);

  return g_strv_builder_end (builder);
}
