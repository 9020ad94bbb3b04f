#!/usr/bin/env python3
"""Proves that each style rule finds what it is there to find: a small tree that breaks one rule is
laid out, and that rule, and no other but those named, must fail. Speaks TAP.

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import pathlib
import sys
import tempfile

import check
import rules_shape
from csource import CSource
from project import Project

HEAD = '''/* Owns nothing, for a test of the style rules.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
'''
HEADER = HEAD + '#pragma once\n'


def function(body, name='frob'):
    return f'{HEAD}\nstatic void\n{name} (void)\n{{\n{body}}}\n'


def deep(levels):
    lines = [f'{"  " * (n + 1)}if (a{n})' for n in range(levels)]
    return function('\n'.join(lines) + '\n' + '  ' * (levels + 1) + 'go ();\n')


def interface(members):
    return ('<node><!-- org.stemma1.X: what it is. M: does. N: does. P: is. -->'
            f'<interface name="org.stemma1.X">{members}</interface></node>')


OPTIONS = '<arg name="options" type="a{sv}" direction="in"/>'
ALLOWED = '<annotation name="org.stemma1.Authorize" value="%s"/>'
POLICY = '<policyconfig><action id="org.stemma1.x.read"/></policyconfig>'
ENUM = 'typedef enum\n{\n  STEMMA_ERROR_NOT_FOUND,\n} StemmaError;\n'

# rule, {file: content}: a tree in which the rule must find a problem.
BROKEN = (
    ('function_sizes', {'src/core/a.c': function('  go ();\n' * 61)}),
    ('nesting', {'src/core/a.c': deep(5)}),
    ('file_sizes', {'src/core/a.c': HEAD + '\n' * 800}),
    ('one_class', {'src/core/stm-a.c': HEAD + 'G_DEFINE_FINAL_TYPE (StmB, stm_b, G_TYPE_OBJECT)\n'}),
    ('one_class', {'src/core/stm-a.c': HEAD + 'G_DEFINE_TYPE (StmA, stm_a, X)\n'
                                              'G_DEFINE_TYPE (StmB, stm_b, X)\n'}),
    ('no_forward_declarations', {'src/core/a.c': HEAD + 'static void later (int x);\n'}),
    ('no_module_state', {'src/core/a.c': HEAD + 'static int counter;\n'}),
    ('no_module_state', {'src/core/a.c': HEAD + 'static const char *names[] = { "a" };\n'}),
    ('no_function_state', {'src/core/a.c': function('  static int calls;\n')}),
    ('borders', {'src/core/a.c': HEAD + '#include "stm-store.h"\n',
                 'src/store/stm-store.h': HEADER}),
    ('borders', {'src/ops/a.c': HEAD + '#include <sqlite3.h>\n'}),
    ('borders', {'src/core/a.c': HEAD + '#include <unistd.h>\n'}),
    ('borders', {'src/client/a.c': HEAD + '#include "stm-id.h"\n',
                 'src/base/stm-id.h': HEADER}),
    ('borders', {'src/cli/a.c': HEAD + '#include "stm-call.h"\n',
                 'src/daemon/stm-call.h': HEADER}),
    ('borders', {'src/client/a.c': HEAD + '#include <json-glib/json-glib.h>\n'}),
    ('include_order', {'src/core/a.c': HEAD + '#include <glib.h>\n#include "a.h"\n'}),
    ('mutexes', {'src/ops/stm-registry.c': function('  g_mutex_lock (x);\n')}),
    ('formatted', {'src/core/a.c': HEAD + 'int  f(void){return 1;}\n'}),
    ('no_goto', {'src/core/a.c': function('  goto out;\n')}),
    ('no_shell', {'src/core/a.c': function('  system (x);\n')}),
    ('no_shell', {'src/core/a.c': function('  run ("/bin/sh");\n')}),
    ('no_sleep', {'tests/core/a.c': function('  g_usleep (10);\n')}),
    ('no_aborts', {'src/ops/a.c': function('  g_assert (x);\n')}),
    ('libraries_return', {'src/store/a.c': function('  g_warning (x);\n')}),
    ('no_open_ends', {'src/core/a.c': HEAD + '/* TO' 'DO: later */\n'}),
    ('no_test_hooks', {'src/core/a.c': HEAD + '#ifdef STM_TEST\n#endif\n'}),
    ('plain_booleans', {'src/core/a.c': function('  if (x == TRUE)\n    go ();\n')}),
    ('heads', {'src/core/a.c': '#include <glib.h>\n'}),
    ('heads', {'data/demo': '#!/bin/bash\n'}),
    ('pragma_once', {'src/core/a.h': HEAD}),
    ('test_names', {'tests/core/a.c': function('  g_test_add_func ("/core/Test1", f);\n')}),
    ('top_level', {'doc/x': ''}),
    ('methods_annotated', {'introspection/a.xml': interface(f'<method name="M">{OPTIONS}</method>')}),
    ('methods_grow_by_options', {'introspection/a.xml': interface('<method name="M"/>')}),
    ('methods_grow_by_options',
     {'introspection/a.xml': interface('<property name="P" type="s" access="readwrite"/>')}),
    ('interfaces_documented', {'introspection/a.xml': interface('<signal name="Q"/>')}),
    ('actions_agree', {'polkit/a.policy.in': POLICY}),
    ('actions_agree', {'introspection/a.xml': interface(
        f'<method name="M">{OPTIONS}{ALLOWED % "org.stemma1.x.read"}</method>')}),
    ('environment_documented', {'src/a.c': function('  x = g_getenv ("STEMMA_X");\n')}),
    ('errors_documented', {'src/base/stemma-error.h': HEADER + ENUM}),
    ('options_in_one_place', {'src/daemon/a.c': function('  g_variant_lookup (v);\n')}),
)

SOUND = {
    'LICENSE': '', 'README.md': '', 'meson.build': '',
    'src/README.md': 'STEMMA_X stops the service.\n',
    'src/base/stemma-error.h': HEADER + '\n' + ENUM,
    'introspection/README.md': 'NotFound: nothing has this name.\n',
    'introspection/a.xml': interface(f'<method name="M">{OPTIONS}{ALLOWED % "org.stemma1.x.read"}'
                                     f'</method><method name="N">{OPTIONS}{ALLOWED % "open"}'
                                     '</method><property name="P" type="s" access="read"/>'),
    'polkit/a.policy.in': POLICY,
    'src/core/stm-a.h': HEADER,
    'src/core/stm-a.c': HEAD + '''#include "stm-a.h"

#include "stemma-error.h"

#include <gio/gio.h>

#include <string.h>

static const char *const names[] = { "a", "goto" };

struct _StmA
{
  int x; /* what a goto was for */
};

static void stm_a_iface_init (StmAInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (StmA, stm_a, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (X, stm_a_iface_init))

static void
stm_a_iface_init (StmAInterface *iface)
{
  if (names[0] == NULL)
    for (int i = 0; i < 3; i++)
      while (TRUE)
        if (i == 2)
          return;
        else if (i == 1)
          go ();
}
''',
}


def lay_out(folder, files):
    for name, content in files.items():
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return Project(folder)


def expect_broken(rule, files):
    with tempfile.TemporaryDirectory() as folder:
        report = check.run(rule, lay_out(folder, files))
        if report.skipped:
            return f'SKIP {report.skipped}'
        return None if report.problems else 'the rule found nothing'


def expect_sound():
    with tempfile.TemporaryDirectory() as folder:
        project = lay_out(folder, SOUND)
        problems = []
        for rule in check.RULES:
            if rule is not rules_shape.formatted:
                problems += check.run(rule, project).problems
        return '; '.join(problems) or None


def expect_measures():
    """The scanner's numbers on a function whose size is known."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, 'a.c')
        path.write_text(deep(3))
        found = CSource(path, 'a.c').functions()
        if [(f.name, f.length, f.depth()) for f in found] != [('frob', 4, 3)]:
            return f'measured {[(f.name, f.length, f.depth()) for f in found]}'
        return None


def main():
    rules = {rule.__name__: rule for rule in check.RULES}
    untested = set(rules) - {name for name, _ in BROKEN} - {'errors_tested'}
    cases = [('each-rule-has-a-broken-tree', lambda: ', '.join(sorted(untested)) or None),
             ('a-sound-tree-passes', expect_sound),
             ('functions-are-measured', expect_measures)]
    cases += [(f'{name.replace("_", "-")}-finds-case-{number}',
               lambda name=name, files=files: expect_broken(rules[name], files))
              for number, (name, files) in enumerate(BROKEN)]
    print(f'1..{len(cases)}')
    failed = 0
    for number, (title, expect) in enumerate(cases, 1):
        words = expect()
        if words and words.startswith('SKIP '):
            print(f'ok {number} /style/self/{title} # {words}')
            continue
        print(f'{"not " if words else ""}ok {number} /style/self/{title}')
        if words:
            print(f'#   {words}')
            failed += 1
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
