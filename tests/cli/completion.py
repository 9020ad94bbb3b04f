#!/usr/bin/env -S python3 -B
"""Completion as shells do it: bash, zsh and fish complete a line, and what they complete it to is run.

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import pathlib
import shutil
import subprocess
import sys

import stage

COMPLETIONS = pathlib.Path(__file__).resolve().parents[2] / 'data' / 'completions'


def prepare(where):
    where.machine('web', ['vda', 'vdb'])
    where.machine('a machine', ['vda'], number=2)
    where.well('define', 'web.xml')
    where.well('define', 'a machine.xml')
    shutil.copy(where.path('a machine.xml'), where.path('later.xml'))
    for name in ('one', 'my first', "it's", 'a:b'):
        where.well('snapshot', 'create', 'web', name)


def offered(where, *words):
    lines = where.well('__complete', *words).splitlines()
    return [line.split('\t')[0] for line in lines]


def test_candidates(where):
    with where.service():
        prepare(where)
        assert {'list', 'snapshot', 'checkpoint', 'plan', 'monitor'} <= set(offered(where, ''))
        assert offered(where, 'und') == ['undefine']
        assert offered(where, 'de') == ['define', 'describe']
        assert offered(where, 'ren') == ['rename']
        assert sorted(offered(where, 'rename', '')) == ['a machine', 'web']
        assert offered(where, 'rename', 'web', '') == [] == offered(where, 'describe', 'web', '')
        assert offered(where, 'snapshot', 're') == ['revert', 'redefine', 'rename']
        assert offered(where, 'plan', 'snapshot', '') == ['create', 'revert', 'delete']
        assert sorted(offered(where, 'show', '')) == ['a machine', 'web']
        assert sorted(offered(where, 'snapshot', 'delete', 'web', 'one', '')) == [
            'a:b', "it's", 'my first', 'one']
        assert offered(where, 'snapshot', 'revert', 'web', 'o') == ['one']
        assert offered(where, 'snapshot', 'list', 'web', '--from', 'm') == ['my first']
        assert offered(where, 'snapshot', 'revert', 'web', '--di') == ['--discard']
        assert offered(where, 'undefine', 'web', '--moments', '') == ['refuse', 'forget', 'delete']
        assert offered(where, 'undefine', 'web', '--moments=d') == ['--moments=delete']
        assert offered(where, 'disk', 'chain', 'web', '') == ['vda', 'vdb']
        assert offered(where, 'define', '') == [':files']
        jobs = offered(where, 'job', 'show', '')
        assert len(jobs) >= 4 and all(job.isdigit() for job in jobs), jobs
        assert offered(where, 'snapshot', 'list', 'web', '') == []
        assert offered(where, 'nonsense', '') == []
        assert offered(where, 'snapshot', 'revert', 'nobody', '') == []


def test_silence(where):
    """Silent without a service, and starts none."""
    assert offered(where, 'show', '') == []
    assert offered(where, '--session', 'snapshot', 'revert', 'web', '') == []
    assert offered(where, '--address', 'nonsense', 'show', '') == []
    assert offered(where, 'snapshot', 'rev') == ['revert']


def in_a_shell(where, arguments, lines):
    """Types the lines, "<TAB>" as the key. Each line that is complete runs stemmactl."""
    programs = where.path('programs')
    if not os.path.exists(programs):
        os.mkdir(programs)
        os.symlink(where.stemmactl, os.path.join(programs, 'stemmactl'))
    environment = where.environment(INPUTRC='/dev/null', HOME=where.folder, PS1='READY')
    environment['PATH'] = f'{programs}:{environment["PATH"]}'
    terminal = stage.Terminal(arguments, where.folder, environment)
    for line in lines:
        terminal.say(line)
    return terminal


BASH = ['bash', '--norc', '--noprofile', '-i']


def start_bash(where):
    terminal = in_a_shell(where, BASH, [])
    terminal.say(f'source {COMPLETIONS}/stemmactl.bash; echo loaded-$((1 + 1))\n')
    terminal.expect('loaded-2')
    return terminal


def check_line(terminal, typed, printed):
    """The line, completed where it has a TAB, prints that."""
    terminal.say(f'{typed}\n')
    terminal.expect(printed)


def test_bash(where):
    with where.service():
        prepare(where)
        terminal = start_bash(where)
        check_line(terminal, 'stemmactl sn\tsho\twe\to\t', 'Name:        one')
        check_line(terminal, 'stemmactl snapshot show web my\t', 'Name:        my first')
        check_line(terminal, 'stemmactl snapshot show web "my\t', 'Name:        my first')
        check_line(terminal, 'stemmactl snapshot show web my\\ f\t', 'Name:        my first')
        check_line(terminal, 'stemmactl snapshot show web it\t', "Name:        it's")
        check_line(terminal, 'stemmactl snapshot show web a:\t', 'Name:        a:b')
        check_line(terminal, 'stemmactl show a\t', 'Name:        a machine')
        check_line(terminal, 'stemmactl plan undefine web --moments=d\t', 'remove the file')
        check_line(terminal, 'stemmactl define la\t', "Defined 'a machine'")
        check_line(terminal, 'stemmactl ren\twe\twww', "Renamed 'web' to 'www'")
        check_line(terminal, 'stemmactl desc\tww\t"for pages"', "Described 'www'")
        terminal.say('exit\n')
        terminal.end()


def test_zsh(where):
    with where.service():
        prepare(where)
        os.mkdir(where.path('functions'))
        shutil.copy(COMPLETIONS / 'stemmactl.zsh', where.path('functions/_stemmactl'))
        terminal = in_a_shell(where, ['zsh', '-f', '-i'], [])
        terminal.say('fpath=($PWD/functions $fpath); autoload -U compinit; compinit -u -D; '
                     'setopt no_auto_menu; echo loaded-$((1 + 1))\n')
        terminal.expect('loaded-2')
        check_line(terminal, 'stemmactl sn\tsho\twe\to\t', 'Name:        one')
        check_line(terminal, 'stemmactl snapshot show web my\t', 'Name:        my first')
        check_line(terminal, 'stemmactl snapshot show web a:\t', 'Name:        a:b')
        check_line(terminal, 'stemmactl show a\t', 'Name:        a machine')
        check_line(terminal, 'stemmactl define la\t', "Defined 'a machine'")
        check_line(terminal, 'stemmactl ren\twe\twww', "Renamed 'web' to 'www'")
        check_line(terminal, 'stemmactl desc\tww\t"for pages"', "Described 'www'")
        terminal.say('exit\n')
        terminal.end()


def fish_offers(where, line):
    environment = where.environment(HOME=where.folder)
    environment['PATH'] = f'{os.path.dirname(where.stemmactl)}:{environment["PATH"]}'
    done = subprocess.run(['fish', '--no-config', '-c',
                           f'source {COMPLETIONS}/stemmactl.fish; complete -C $argv[1]', line],
                          capture_output=True, text=True, cwd=where.folder, env=environment,
                          timeout=stage.WAIT_SECONDS)
    assert done.stderr == '', done.stderr
    return [candidate.split('\t')[0] for candidate in done.stdout.splitlines()]


def test_fish(where):
    with where.service():
        prepare(where)
        assert fish_offers(where, 'stemmactl und') == ['undefine']
        assert fish_offers(where, 'stemmactl desc') == ['describe']
        assert fish_offers(where, 'stemmactl rename ') == ['a machine', 'web']
        assert fish_offers(where, 'stemmactl snapshot show web o') == ['one']
        assert fish_offers(where, 'stemmactl snapshot show web my\\ f') == ['my first']
        assert fish_offers(where, 'stemmactl show ') == ['a machine', 'web']
        assert fish_offers(where, 'stemmactl snapshot revert web --di') == ['--discard']
        assert fish_offers(where, 'stemmactl define web.x') == ['web.xml']


def skippable(shell, test):
    def run(where):
        if shutil.which(shell) is None:
            raise stage.Skipped(f'{shell} is not installed')
        test(where)
    return run


TESTS = [
    ('/cli/completion/candidates-for-each-place', test_candidates),
    ('/cli/completion/silent-without-a-service', test_silence),
    ('/cli/completion/bash-completes-lines', skippable('bash', test_bash)),
    ('/cli/completion/zsh-completes-lines', skippable('zsh', test_zsh)),
    ('/cli/completion/fish-completes-lines', skippable('fish', test_fish)),
]

if __name__ == '__main__':
    sys.exit(stage.run_tests(TESTS))
