"""Rules on the shape of the code: sizes, order, state, borders.

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import re
import shutil
import subprocess

MAX_FUNCTION = 60
GOOD_FUNCTION = 40
MAX_NESTING = 4
MAX_FILE = 800
GOOD_FILE = 500

# Who may include whom: the table of the floors. A folder may always include itself.
BORDERS = {
    'base': (),
    'core': ('base',),
    'store': ('core', 'base'),
    'qemu': ('core', 'base'),
    'sim': ('core', 'base'),
    'ops': ('core', 'store', 'base'),
    'dbus': (),
    'daemon': ('ops', 'core', 'base', 'dbus'),
    'client': ('dbus',),
    'cli': ('client', 'dbus'),
}
# What stands beside the floors: clients know the errors by their codes, and nothing else of base/.
PUBLIC_HEADERS = {
    'stemma-error.h': ('client', 'cli'),
}
# Libraries by the beginning of the include; GLib itself is everybody's.
LIBRARIES = {
    'libxml/': ('core',),
    'sqlite3': ('store',),
    'json-glib/': ('qemu', 'cli'),
    'polkit/': ('daemon',),
    'gio/gunix': ('qemu', 'daemon', 'sim', 'client'),
}
LIBRARY = re.compile(r'^(glib|gio|gmodule|gobject|libxml|sqlite3|json-glib|polkit)')
# core/ is pure: no files, no sockets, no clock.
CORE_SYSTEM = ('errno.h', 'limits.h', 'stdint.h', 'string.h', 'stddef.h', 'ctype.h', 'math.h',
               'stdatomic.h')
# What sets a static of a function once, safely among threads.
ONCE = r'\b(g_once_init_enter|g_dbus_error_register_error_domain)\b'
# Where threads meet.
MUTEX_FILES = ('src/ops/stm-job-runner', 'src/qemu/stm-qmp', 'src/store/stm-store',
               'src/qemu/stm-endpoint-keeper', 'src/sim/stm-sim-world')


def function_sizes(project, report):
    """Functions have at most 60 lines, and 40 is the aim: what is longer does two things."""
    for source in project.sources:
        for function in source.functions():
            if function.length > MAX_FUNCTION:
                report.problem(source, function.line,
                               f'{function.name} has {function.length} lines, over {MAX_FUNCTION}')
            elif function.length > GOOD_FUNCTION:
                report.note(source, function.line,
                            f'{function.name} has {function.length} lines, over {GOOD_FUNCTION}')


def nesting(project, report):
    """Conditions and loops nest at most 4 deep: a reader holds no more; return early or split."""
    for source in project.sources:
        for function in source.functions():
            depth = function.depth()
            if depth > MAX_NESTING:
                report.problem(source, function.line, f'{function.name} nests {depth} deep')


def file_sizes(project, report):
    """Files have at most 800 lines, and 500 is the aim: what is longer owns two things."""
    for source in project.sources:
        count = len(source.lines)
        if count > MAX_FILE:
            report.problem(source, 1, f'{count} lines, over {MAX_FILE}')
        elif count > GOOD_FILE:
            report.note(source, 1, f'{count} lines, over {GOOD_FILE}')


def one_class(project, report):
    """One class per file pair, named after it: a reader finds it by its name."""
    define = r'^G_DEFINE_(?:FINAL_|ABSTRACT_)?(?:TYPE|INTERFACE)\w*\s*\(\s*\w+,\s*(\w+)'
    for source in project.in_folder('src/'):
        if source.is_header:
            continue
        found = source.find(define)
        for line, match in found[1:]:
            report.problem(source, line, f'a second class, {match.group(1)}')
        for line, match in found[:1]:
            if match.group(1).replace('_', '-') != source.path.stem:
                report.problem(source, line, f'class {match.group(1)} is not what the file is '
                               'named after')


def reaches_itself(name, bodies):
    seen, queue = set(), [name]
    while queue:
        for token in set(re.findall(r'\w+', bodies.get(queue.pop(), ''))):
            if token == name:
                return True
            if token in bodies and token not in seen:
                seen.add(token)
                queue.append(token)
    return False


def no_forward_declarations(project, report):
    """No forward declarations but for interface tables and mutual recursion: the order of a file
    is from helpers to what uses them, and a declaration would hide that it is not."""
    for source in project.in_folder('src/'):
        if source.is_header:
            continue
        bodies = {function.name: function.body for function in source.functions()}
        tables = ' '.join(re.findall(r'^G_DEFINE_\w+\s*\(.*?\)\s*\n\n', source.code + '\n\n',
                                     re.MULTILINE | re.DOTALL))
        for line, text in source.top_level():
            match = re.match(r'static\s[^={]*?(\w+)\s*\([^{]*\)[^{=]*;$', text, re.DOTALL)
            if (match and not re.search(rf'\b{match.group(1)}\b', tables)
                    and not reaches_itself(match.group(1), bodies)):
                report.problem(source, line, f'forward declaration of {match.group(1)}')


def is_constant(text):
    if re.match(r'(static\s+)?const\s+struct\s*\{', text):
        return True
    declarator = re.split(r'=', text, maxsplit=1)[0]
    if '*' in declarator:
        return re.search(r'\*\s*const\s+\w+\s*(\[[^]]*\]\s*)*$', declarator) is not None
    return re.search(r'\bconst\b', declarator) is not None


def no_module_state(project, report):
    """No mutable state at file level: what a class needs comes through its constructor. GObject's
    tables of signals and properties are written once, by class_init."""
    for source in project.in_folder('src/'):
        for line, text in source.top_level():
            if not re.match(r'(static|extern)\s', text) and not re.match(r'\w+\s+\**\w+\s*=', text):
                continue
            declarator = text.split('=', 1)[0]
            if '(' in declarator or re.search(r'\b(signals|properties|n_properties)\[', declarator):
                continue
            if re.match(r'(static\s+)?(const\s+)?(struct|enum|union)\s*\w*\s*\{', text):
                continue
            if not is_constant(text.rstrip(';').rstrip()):
                report.problem(source, line, f'mutable: {" ".join(declarator.split())}')


def no_function_state(project, report):
    """No mutable static in a function either, but what GLib sets once, behind a guard."""
    for source in project.in_folder('src/'):
        for function in source.functions():
            for match in re.finditer(r'^\s+static\s+([^;]*);', function.body, re.MULTILINE):
                text = match.group(1).rstrip()
                if is_constant(text) or re.search(ONCE, function.body):
                    continue
                report.problem(source, function.line,
                               f'mutable static in {function.name}: {text.splitlines()[0]}')


def folder_of(name):
    parts = name.split('/')
    return parts[1] if len(parts) > 2 else None


def borders(project, report):
    """Includes go down the floors only, as the table in src/README.md says; libraries stay in the
    folders that own them, and core/ stays pure."""
    owner = {source.path.name: folder_of(source.name) for source in project.in_folder('src/')
             if source.is_header}
    for source in project.in_folder('src/'):
        folder = folder_of(source.name)
        if folder is None:
            continue
        for line, name, is_project in source.includes():
            other = owner.get(name)
            if folder in PUBLIC_HEADERS.get(name, ()):
                continue
            if is_project and other and other != folder and other not in BORDERS.get(folder, ()):
                report.problem(source, line, f'{folder}/ may not know {other}/ ({name})')
            for library, owners in LIBRARIES.items():
                if name.startswith(library) and folder not in owners:
                    report.problem(source, line, f'{folder}/ may not use {name}')
            if (folder == 'core' and not is_project and not LIBRARY.match(name)
                    and name not in CORE_SYSTEM):
                report.problem(source, line, f'core/ is pure and may not use {name}')


def include_order(project, report):
    """Own header first (so that it proves to be complete), then the project's, then libraries, then
    the system's; each block sorted."""
    for source in project.in_folder('src/'):
        ranks = []
        stem = source.path.stem
        for line, name, is_project in source.includes():
            own = is_project and (name == f'{stem}.h' or (name == f'{stem}-private.h' and not ranks))
            rank = 0 if own else 1 if is_project else 2 if LIBRARY.match(name) else 3
            if ranks and rank < ranks[-1]:
                report.problem(source, line, f'{name} stands too low')
            ranks.append(rank)
        if not source.is_header and 0 not in ranks[:1] and \
                source.path.with_suffix('.h').exists():
            report.problem(source, 1, 'own header is not the first include')


def mutexes(project, report):
    """Locks only where threads meet (job runner, QMP, the store's thread, the
    keeper of the spare endpoint, the simulated images that all workers see): elsewhere the main loop
    owns all state, and a worker sees immutable values."""
    for source in project.in_folder('src/'):
        if source.name.startswith(MUTEX_FILES):
            continue
        for line, match in source.find(
                r'\b(GMutex|GRecMutex|GRWLock|GCond|g_mutex_\w+|g_rec_mutex_\w+|g_rw_lock_\w+|'
                r'g_cond_\w+|pthread_(?:mutex|cond|rwlock)\w+|G_LOCK\w*)\b'):
            report.problem(source, line, f'{match.group(1)} outside the files that may lock')


def formatted(project, report):
    """Text is laid out by clang-format 14, by nobody's taste."""
    tool = shutil.which('clang-format-14') or shutil.which('clang-format')
    version = subprocess.run([tool, '--version'], capture_output=True, text=True,
                             check=False).stdout if tool else ''
    if ' 14.' not in version:
        report.skipped = 'clang-format 14 is not installed'
        return
    names = [str(source.path) for source in project.sources]
    for start in range(0, len(names), 40):
        result = subprocess.run([tool, '--dry-run', '-Werror', *names[start:start + 40]],
                                capture_output=True, text=True, check=False, cwd=project.top)
        places = re.findall(r'^(\S+?):(\d+):\d+: error', result.stderr, re.MULTILINE)
        first = {}
        for name, line in places:
            first.setdefault(name, line)
        report.problems += [f'{name.removeprefix(str(project.top) + "/")}:{line}: not as '
                            'clang-format lays it out' for name, line in first.items()]


RULES = (function_sizes, nesting, file_sizes, one_class, no_forward_declarations, no_module_state,
         no_function_state, borders, include_order, mutexes, formatted)
