"""Rules on words that may not stand in the code, or must.

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import re

TOP_LEVEL = {'meson.build', 'meson.options', 'meson_options.txt', 'README.md', 'LICENSE', 'data',
             'introspection', 'polkit', 'src', 'tests'}
SPDX = 'SPDX-License-Identifier: LGPL-2.1-or-later'
HEAD_LINES = 40


def forbid(project, report, prefix, pattern, words):
    for source in project.in_folder(prefix):
        for line, match in source.find(pattern):
            report.problem(source, line, f'{match.group(0).strip()}: {words}')


def no_goto(project, report):
    """No goto: owned things free themselves with g_autoptr, and a jump hides which do not."""
    forbid(project, report, '', r'\bgoto\b', 'return early instead')


def no_shell(project, report):
    """No shell: argument vectors only, or a name becomes a command."""
    forbid(project, report, '',
           r'\b(system|popen|g_spawn_command_line_a?sync|g_shell_parse_argv|wordexp)\s*\(',
           'goes through a shell or its words')
    for source in project.sources:
        if re.search(r'"(/bin/)?(ba)?sh"', source.text):
            report.problem(source, 1, 'names a shell')


def no_sleep(project, report):
    """No sleep: wait for the condition; a pause is too long on a fast machine and too short on a
    slow one. Only main.c may, before its main loop runs."""
    for source in project.sources:
        if source.name == 'src/main.c':
            continue
        for line, match in source.find(
                r'\b(sleep|usleep|nanosleep|g_usleep|clock_nanosleep)\s*\('):
            report.problem(source, line, f'{match.group(1)}: wait for the condition')
    for path in project.files('tests/**/*.py', 'tests/**/*.sh', 'tests/run'):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r'\btime\.sleep\s*\(|^\s*sleep\s+[\d$]', line):
                report.problems.append(f'{path.relative_to(project.top)}:{number}: sleeps')


def no_aborts(project, report):
    """The service never ends itself over what came from outside: g_error, abort and exit are not
    for it (a child after fork has _exit)."""
    for source in project.in_folder('src/'):
        if source.name == 'src/main.c':
            continue
        for line, match in source.find(r'\b(g_error|abort|exit|g_assert\w*)\s*\('):
            report.problem(source, line, f'{match.group(1)} in the service')


def libraries_return(project, report):
    """Library folders return errors, they do not log: else one failure is told twice or to
    nobody."""
    for folder in ('base', 'core', 'store', 'qemu', 'client'):
        for source in project.in_folder(f'src/{folder}/'):
            for line, match in source.find(
                    r'\b(g_(?:message|warning|critical|print|printerr|log\w*)|f?printf|puts)\s*\('):
                report.problem(source, line, f'{match.group(1)} in {folder}/')


def no_open_ends(project, report):
    """No to-do without an issue number, no code in comments' clothes: what is not done is an
    issue."""
    marker = re.compile(r'\b(TO' r'DO|FIX' r'ME|X' r'XX)\b(?!.*#\d)')
    for path in project.files('src/**/*', 'tests/**/*', 'data/**/*', 'introspection/*', 'polkit/*'):
        if path.suffix in ('.db', '.bin', '.qcow2', '.gz') or path.parent.name in ('corpus',):
            continue
        if path.name == 'summarize.py':  # speaks of TAP's directive
            continue
        for number, line in enumerate(path.read_text(errors='replace').splitlines(), 1):
            match = marker.search(line)
            if match:
                report.problems.append(
                    f'{path.relative_to(project.top)}:{number}: {match.group(1)}')


def no_test_hooks(project, report):
    """No #ifdef TEST in production code: fakes implement the real interface and live in
    tests/lib."""
    for source in project.in_folder('src/'):
        for number, line in enumerate(source.lines, 1):
            if re.match(r'\s*#\s*if.*\b\w*TEST\w*\b', line):
                report.problem(source, number, line.strip())


def plain_booleans(project, report):
    """Booleans are never compared with TRUE: any non-zero value is true."""
    forbid(project, report, '', r'[!=]=\s*TRUE\b', 'say the value itself')


def heads(project, report):
    """Each file begins with a paragraph on what it owns, and its licence: a reader decides there
    whether to read on."""
    for source in project.sources:
        head = source.head()
        if len(head.replace(SPDX, '').split()) < 5:
            report.problem(source, 1, 'has no head paragraph')
        if SPDX not in head:
            report.problem(source, 1, 'has no SPDX line in its head')
    for path in project.files('tests/**/*.py', 'tests/**/*.sh', 'tests/run', 'tests/memcheck/stemmad', 'data/demo',
                              'data/install-packages', 'data/**/*.sh', 'data/**/*.py'):
        lines = path.read_text().splitlines()[:HEAD_LINES]
        if not any(SPDX in line for line in lines):
            report.problems.append(f'{path.relative_to(project.top)}:1: has no SPDX line')


def pragma_once(project, report):
    """Headers say #pragma once: one line that cannot clash."""
    for source in project.sources:
        if source.is_header and not re.search(r'^#pragma once$', source.code, re.MULTILINE):
            report.problem(source, 1, 'has no #pragma once')


def test_names(project, report):
    """Tests are named by behaviour, a sentence in path form: the name alone tells what broke."""
    for source in project.in_folder('tests/'):
        for number, line in enumerate(source.lines, 1):
            match = re.search(r'g_test_add\w*\s*\(\s*"([^"]*)"', line)
            if match and not re.fullmatch(r'(/[a-z0-9]+(-[a-z0-9]+)*){2,}/?', match.group(1)):
                report.problem(source, number, f'"{match.group(1)}" is not in path form')


def top_level(project, report):
    """The top level is fixed: one finds one's way in a tree that does not grow at the root."""
    for path in sorted(project.top.iterdir()):
        if (path.name not in TOP_LEVEL and not path.name.startswith('.')
                and not re.match(r'_?build', path.name)):
            report.problems.append(f'{path.name}: does not belong at the top level')


RULES = (no_goto, no_shell, no_sleep, no_aborts, libraries_return, no_open_ends, no_test_hooks,
         plain_booleans, heads, pragma_once, test_names, top_level)
