#!/usr/bin/env python3
"""Gives the files that a host gets to the programs that read them there: the unit to systemd, the
bus policy to a bus, the user and the directories to sysusers and tmpfiles. Speaks TAP.

usage: hostfiles.py DATA BUILT-DATA

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import configparser
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# Out of 100; raise it only with a reason in the unit.
MAX_EXPOSURE = 26
BUS = '''<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:dir={folder}</listen>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <allow send_destination="org.freedesktop.DBus"/>
    <allow receive_sender="*"/>
  </policy>
  <include>{policy}</include>
</busconfig>
'''


class Skip(Exception):
    pass


def run(*command, **options):
    if shutil.which(command[0]) is None:
        raise Skip(f'{command[0]} is not installed')
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          check=False, **options)


def expect(condition, words):
    if not condition:
        raise AssertionError(words)


def unit_is_understood(data, built, folder):
    unit = (built / 'stemma.service').read_text()
    program = folder / 'stemmad'
    program.write_text('#!/bin/true\n')
    program.chmod(0o755)
    copy = folder / 'stemma.service'
    copy.write_text(re.sub(r'^ExecStart=\S+', f'ExecStart={program}', unit, flags=re.MULTILINE))
    result = run('systemd-analyze', 'verify', '--man=no', str(copy))
    words = [line for line in (result.stdout + result.stderr).splitlines() if 'stemma' in line]
    expect(not words, '; '.join(words))


def unit_is_confined(data, built, folder):
    result = run('systemd-analyze', 'security', '--offline=yes', '--no-pager',
                 f'--threshold={MAX_EXPOSURE}', str(built / 'stemma.service'))
    last = (result.stdout.strip().splitlines() or [result.stderr])[-1]
    expect(result.returncode == 0, f'{last} (allowed: {MAX_EXPOSURE / 10})')
    print(f'# {last}')


def activation_names_the_unit(data, built, folder):
    unit = (built / 'stemma.service').read_text()
    program = re.search(r'^ExecStart=(\S+)$', unit, re.MULTILINE).group(1)
    parsers = []
    for name in 'org.stemma1.system.service', 'org.stemma1.session.service':
        parser = configparser.ConfigParser(interpolation=None)
        parser.optionxform = str
        parser.read(built / name)
        parsers.append(parser['D-BUS Service'])
    system, session = parsers
    expect(system['SystemdService'] == 'stemma.service', 'the system bus starts another unit')
    expect('BusName=org.stemma1\n' in unit, 'the unit waits for another name')
    expect(system['Exec'] == program, f'{system["Exec"]} is not {program}')
    expect(session['Exec'] == f'{program} --session', f'{session["Exec"]} is not for a session')
    expect(system['Name'] == session['Name'] == 'org.stemma1', 'another name')


def bus_takes_the_policy(data, built, folder):
    config = folder / 'bus.conf'
    config.write_text(BUS.format(folder=folder, policy=data / 'org.stemma1.conf'))
    if shutil.which('dbus-daemon') is None:
        raise Skip('dbus-daemon is not installed')
    with subprocess.Popen(['dbus-daemon', f'--config-file={config}', '--nofork', '--print-address'],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as bus:
        address = bus.stdout.readline().strip()
        bus.terminate()
        words = bus.stderr.read()
    expect(address.startswith('unix:'), f'the bus did not start: {words}')
    expect('org.stemma1.conf' not in words, words)


def user_is_made(data, built, folder):
    (folder / 'etc').mkdir()
    result = run('systemd-sysusers', f'--root={folder}', str(data / 'stemma.sysusers.conf'))
    expect(result.returncode == 0, result.stderr)
    line = next((line for line in (folder / 'etc/passwd').read_text().splitlines()
                 if line.startswith('stemma-qemu:')), '')
    expect(line.endswith('/nologin'), f'"{line}" may log in')


def directories_are_made(data, built, folder):
    wanted = [line.split()[1:5] for line in
              (data / 'stemma.tmpfiles.conf').read_text().splitlines() if line.startswith('d ')]
    expect(wanted == [[path, '0700', 'root', 'root'] for path in
                      ('/var/lib/stemma', '/run/stemma')], f'{wanted}')
    (folder / 'etc').mkdir()
    (folder / 'etc/passwd').write_text('root:x:0:0::/:/bin/sh\n')
    (folder / 'etc/group').write_text('root:x:0:\n')
    result = run('systemd-tmpfiles', '--create', f'--root={folder}',
                 str(data / 'stemma.tmpfiles.conf'))
    if result.returncode != 0 and 'not permitted' in result.stderr:
        raise Skip('only root can make directories of root')
    expect(result.returncode == 0, result.stderr)
    expect((folder / 'var/lib/stemma').stat().st_mode & 0o777 == 0o700, 'open to others')


def configuration_is_a_key_file(data, built, folder):
    text = (data / 'stemma.conf').read_text()
    for shown in text, re.sub(r'^#([a-z-]+=)', r'\1', text, flags=re.MULTILINE):
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(shown)
        expect(parser.sections() == ['paths', 'qemu', 'sim'], f'{parser.sections()}')


TESTS = (unit_is_understood, unit_is_confined, activation_names_the_unit, bus_takes_the_policy,
         user_is_made, directories_are_made, configuration_is_a_key_file)


def main():
    data, built = (pathlib.Path(name).resolve() for name in sys.argv[1:3])
    failed = 0
    print(f'1..{len(TESTS)}')
    for number, test in enumerate(TESTS, 1):
        title = f'{number} /data/{test.__name__.replace("_", "-")}'
        try:
            with tempfile.TemporaryDirectory() as folder:
                test(data, built, pathlib.Path(folder))
        except Skip as reason:
            print(f'ok {title} # SKIP {reason}')
        except AssertionError as problem:
            print(f'not ok {title}\n#   {problem}')
            failed += 1
        else:
            print(f'ok {title}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
