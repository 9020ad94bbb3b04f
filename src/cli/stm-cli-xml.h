/* Documents of the service, printed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-cli-call.h"

/* The document that the object has at this interface; with secrets when the command has the option
 * `secure` and it was given. `options` may be floating. */
gboolean stm_cli_xml_print (StmCliCall *call, const char *path, const char *interface,
                            GVariant *options, GError **error);
