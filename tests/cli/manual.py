#!/usr/bin/env -S python3 -B
"""The manual: its pages are laid out without a warning, and say what the programs have.

usage: manual.py TOP STEMMACTL STEMMAD ORG.STEMMA1.5 REFERENCE.MD

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

TOP, STEMMACTL, STEMMAD, BUS_PAGE, REFERENCE = map(pathlib.Path, sys.argv[1:6])
PAGES = sorted((TOP / 'data' / 'man').glob('*.[158]')) + [BUS_PAGE]


class Skipped(Exception):
    """A program is missing."""


def run(*arguments):
    return subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True,
                          timeout=60, env=os.environ | {'LC_ALL': 'C.UTF-8', 'MANWIDTH': '80'})


def page(name):
    """The text of a page without its layout."""
    text = (TOP / 'data' / 'man' / name).read_text()
    return re.sub(r'\\f[A-Z]', '', text).replace('\\-', '-')


def test_layout():
    if shutil.which('man') is None or shutil.which('groff') is None:
        raise Skipped('man or groff is not installed')
    for path in PAGES:
        done = run('man', '--warnings', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', path)
        assert done.returncode == 0 and done.stderr == '', f'{path.name}: {done.stderr}'
        # Some versions install a man that only says so: then nothing was laid out.
        assert len(done.stdout) > 1000, f'{path.name}: nothing was laid out'


def commands():
    text = run(STEMMACTL, '--help').stdout
    found = re.findall(r'^  ([a-z]+(?: [a-z]+)?)(?: [A-Z\[].*?)?  +\S', text.split('Commands:')[1],
                       re.MULTILINE)
    assert len(found) > 30, found
    return [command for command in found if command != 'plan']


def options(*command):
    return re.findall(r'^  (?:-\w, )?--([a-z-]+)', run(STEMMACTL, *command, '--help').stdout,
                      re.MULTILINE)


def test_commands():
    manual = page('stemmactl.1')
    for command in commands():
        assert re.search(rf'^\.(B|BI) "?{command}\b', manual, re.MULTILINE), command
        for option in options(*command.split()):
            assert option.startswith('help') or f'--{option}' in manual, f'{command} --{option}'
    for option in options():
        assert f'--{option}' in manual, option


def test_nothing_else():
    """An option that went from the program went from its page."""
    known = set(options()).union(*(options(*command.split()) for command in commands()))
    told = set(re.findall(r'^\.(?:B|BI) (?:-\w ", " )?--([a-z-]+)', page('stemmactl.1'), re.MULTILINE))
    told |= set(re.findall(r'^\.BR (?:-\w ", " )?--([a-z-]+)', page('stemmactl.1'), re.MULTILINE))
    assert len(told) > 20 and told <= known, told - known


def test_statuses():
    header = (TOP / 'src' / 'cli' / 'stm-cli-exit.h').read_text()
    said = re.findall(r'^\.B (\d+)$', page('stemmactl.1').split('EXIT STATUS')[1], re.MULTILINE)
    assert said == re.findall(r'^  STM_CLI_EXIT_\w+ = (\d+)', header, re.MULTILINE), said


def test_service():
    manual = page('stemmad.8')
    found = re.findall(r'^  (?:-\w, )?--([a-z-]+)', run(STEMMAD, '--help').stdout, re.MULTILINE)
    assert len(found) > 5, found
    for option in found:
        assert f'--{option}' in manual, option


def test_configuration():
    manual = page('stemma.conf.5')
    keys = re.findall(r'^#?([a-z-]+)=', (TOP / 'data' / 'stemma.conf').read_text(), re.MULTILINE)
    assert len(keys) >= 3, keys
    for key in keys:
        assert re.search(rf'^\.B {key}$', manual, re.MULTILINE), key


def test_reference():
    manual = BUS_PAGE.read_text().replace('\\-', '-')
    reference = REFERENCE.read_text()
    for path in (TOP / 'introspection').glob('*.xml'):
        for interface in ET.parse(path).getroot().iter('interface'):
            assert f'## {interface.get("name")}' in reference, path
            assert interface.get('name').upper() in manual, path
            for member in interface:
                if member.tag in ('method', 'signal', 'property'):
                    name = member.get('name')
                    assert re.search(rf'^#### `{name} ', reference, re.MULTILINE), name
                    assert re.search(rf'^\\fB{name} ', manual, re.MULTILINE), name


TESTS = [
    ('/manual/laid-out-without-a-warning', test_layout),
    ('/manual/has-each-command-and-option', test_commands),
    ('/manual/has-no-other-option', test_nothing_else),
    ('/manual/has-each-exit-status', test_statuses),
    ('/manual/has-each-option-of-the-service', test_service),
    ('/manual/has-each-key-of-the-configuration', test_configuration),
    ('/manual/has-each-member-of-the-bus', test_reference),
]


def main():
    print(f'1..{len(TESTS)}')
    failures = 0
    for number, (name, test) in enumerate(TESTS, 1):
        result, more = 'ok', ''
        try:
            test()
        except Skipped as reason:
            more = f' # SKIP {reason}'
        except AssertionError as problem:
            result = 'not ok'
            failures += 1
            print(f'# {problem}')
        print(f'{result} {number} {name}{more}')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
