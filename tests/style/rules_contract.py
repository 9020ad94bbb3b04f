"""Rules between places that must agree: bus interfaces, polkit actions, errors, environment.

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import re
import xml.etree.ElementTree as ET

AUTHORIZE = 'org.stemma1.Authorize'
MAX_METHODS = 15
MAX_ACTIONS = 14
ENVIRONMENT = re.compile(r'\b(?:g_getenv|getenv|secure_getenv|g_environ_getenv)\s*\('
                         r'(?:[^",()]*,)?\s*"([A-Z0-9_]+)"')
# Of the platform, described in its own manual.
PLATFORM = {'PATH', 'HOME', 'TMPDIR', 'XDG_DATA_HOME', 'XDG_RUNTIME_DIR', 'XDG_CONFIG_HOME'}


def interfaces(project):
    for path in project.files('introspection/*.xml'):
        for interface in ET.parse(path).getroot().iter('interface'):
            yield path.relative_to(project.top), interface


def permission_of(method):
    return next((annotation.get('value') for annotation in method.findall('annotation')
                 if annotation.get('name') == AUTHORIZE), None)


def actions_used(project):
    return {permission_of(method) for _, interface in interfaces(project)
            for method in interface.findall('method')} - {None, 'open'}


def actions_declared(project):
    found = []
    for path in project.files('polkit/*.policy.in', 'polkit/*.policy'):
        found += [action.get('id') for action in ET.parse(path).getroot().iter('action')]
    return found


def methods_annotated(project, report):
    """Each bus method says who may call it: the permission stands beside the method, and what has
    none is denied."""
    for path, interface in interfaces(project):
        for method in interface.findall('method'):
            value = permission_of(method)
            name = f'{path}: {interface.get("name")}.{method.get("name")}'
            if value is None:
                report.problems.append(f'{name} has no {AUTHORIZE}')
            elif value != 'open' and not re.fullmatch(r'org\.stemma1(\.[a-z-]+){2}', value):
                report.problems.append(f'{name}: "{value}" is neither open nor an action')


def methods_grow_by_options(project, report):
    """The last argument of each method is options a{sv}, an interface has at most 15 methods and no
    writable property: growth is by options, and each change has a permission."""
    for path, interface in interfaces(project):
        methods = interface.findall('method')
        if len(methods) > MAX_METHODS:
            report.problems.append(f'{path}: {len(methods)} methods, over {MAX_METHODS}')
        for method in methods:
            inputs = [arg for arg in method.findall('arg') if arg.get('direction', 'in') == 'in']
            if not inputs or (inputs[-1].get('name'), inputs[-1].get('type')) != ('options',
                                                                                  'a{sv}'):
                report.problems.append(f'{path}: {method.get("name")} does not end in '
                                       'options a{sv}')
        for member in interface.findall('property'):
            if member.get('access') != 'read':
                report.problems.append(f'{path}: {member.get("name")} can be written')


def interfaces_documented(project, report):
    """Each interface and member is described by a comment before it that names it: the reference is
    made from it, and nothing is written twice."""
    for path, interface in interfaces(project):
        comments = ' '.join(re.findall(r'<!--(.*?)-->', project.read(path), re.DOTALL))
        names = [interface.get('name')] + [member.get('name') for kind in
                                           ('method', 'signal', 'property')
                                           for member in interface.findall(kind)]
        report.problems += [f'{path}: {name} is not described' for name in names
                            if not re.search(rf'(^|\s){re.escape(name)}:\s+\S', comments)]


def actions_agree(project, report):
    """Every polkit action is used and every used action is declared: else a method can never be
    allowed, or an administrator rules on nothing."""
    used, declared = actions_used(project), actions_declared(project)
    report.problems += [f'polkit/: {name} is declared twice' for name in sorted(set(declared))
                        if declared.count(name) > 1]
    report.problems += [f'introspection/: {name} is not declared' for name in
                        sorted(used - set(declared))]
    report.problems += [f'polkit/: {name} is not used by any method' for name in
                        sorted(set(declared) - used)]
    if len(set(declared)) > MAX_ACTIONS:
        report.problems.append(f'polkit/: {len(set(declared))} actions, over {MAX_ACTIONS}')


def environment_documented(project, report):
    """Every environment variable that the service reads is documented in src/README.md or a man
    page: an unknown one is a trap door."""
    documented = project.read('src/README.md') + ''.join(
        path.read_text() for path in project.files('data/man/*'))
    for source in project.in_folder('src/'):
        for match in ENVIRONMENT.finditer(source.text):
            name = match.group(1)
            if name not in PLATFORM and not re.search(rf'\b{name}\b', documented):
                report.problem(source, source.text.count('\n', 0, match.start()) + 1,
                               f'{name} is documented nowhere')


def error_codes(project):
    text = project.read('src/base/stemma-error.h')
    return re.findall(r'^  STEMMA_ERROR_(\w+),', text, re.MULTILINE)


def bus_name(code):
    return ''.join(word.capitalize() for word in code.split('_'))


def errors_documented(project, report):
    """Every error code is explained in introspection/README.md under its bus name."""
    page = project.read('introspection/README.md')
    codes = error_codes(project)
    if not codes:
        report.problems.append('src/base/stemma-error.h: no code found')
    report.problems += [f'introspection/README.md: {bus_name(code)} is missing' for code in codes
                        if not re.search(rf'\b{bus_name(code)}\b', page)]


def errors_tested(project, report):
    """Every error code that the service raises is produced by at least one test (told, not yet
    demanded)."""
    def codes_in(prefix, *besides):
        text = ''.join(source.text for source in project.in_folder(prefix)
                       if not source.name.startswith('src/base/'))
        text += ''.join(path.read_text(errors='replace') for path in project.files(*besides))
        return text

    raised = codes_in('src/')
    tests = codes_in('tests/', 'tests/**/*.py', 'tests/**/*.sh', 'tests/**/*.json')
    for code in error_codes(project):
        if not re.search(rf'\bSTEMMA_ERROR_{code}\b', raised):
            continue
        if not re.search(rf'\bSTEMMA_ERROR_{code}\b|\bError\.{bus_name(code)}\b', tests):
            report.notes.append(f'STEMMA_ERROR_{code} is raised and no test names it')


def options_in_one_place(project, report):
    """Options are read through stm-options only: an unknown key or a wrong type must be an error
    that names the key, everywhere."""
    for source in project.in_folder('src/daemon/'):
        if source.name.startswith('src/daemon/stm-options'):
            continue
        for line, match in source.find(r'\b(g_variant_lookup\w*|g_variant_dict_\w+)\s*\('):
            report.problem(source, line, f'{match.group(1)} outside stm-options')


RULES = (methods_annotated, methods_grow_by_options, interfaces_documented, actions_agree,
         environment_documented, errors_documented, errors_tested, options_in_one_place)
