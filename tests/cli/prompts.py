#!/usr/bin/env -S python3 -B
"""stemmactl on a terminal: its questions, its bar, Ctrl-C.

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import signal
import sys

import stage


def with_unsaved_writes(where):
    where.machine('web', ['vda'])
    where.well('define', 'web.xml')
    where.well('snapshot', 'create', 'web', 'one')
    where.write('web', 'vda', '0', '64k')


def names(where):
    return where.well('snapshot', 'tree', 'web')


def test_keeps(where):
    with where.service():
        with_unsaved_writes(where)
        terminal = where.terminal('snapshot', 'revert', 'web', 'one')
        before = terminal.expect('[k]eep it as a snapshot, [d]iscard it, or [a]bort? ')
        assert 'would lose' in before and "on 'vda'" in before, before
        # What discarding would do, from the plan.
        assert f'remove the file {where.path("web-vda.one")}' in before, before
        terminal.say('k\n')
        terminal.expect('Name of the snapshot: ')
        terminal.say('kept\n')
        status, rest = terminal.end()
        assert status == 0 and "Reverted 'web' to snapshot 'one'" in rest, rest
        assert names(where) == '└─ one  ← current\n   └─ kept\n', names(where)


def test_discards(where):
    with where.service():
        with_unsaved_writes(where)
        terminal = where.terminal('snapshot', 'revert', 'web', 'one')
        terminal.expect('[a]bort? ')
        terminal.say('discard\n')
        status, rest = terminal.end()
        assert status == 0, rest
        assert not os.path.exists(where.path('web-vda.one'))
        assert names(where) == '└─ one  ← current\n', names(where)


def check_aborted(where, answer):
    with_unsaved_writes(where)
    terminal = where.terminal('snapshot', 'revert', 'web', 'one')
    terminal.expect('[a]bort? ')
    terminal.say(answer)
    status, rest = terminal.end()
    assert status == 9 and 'stemmactl: nothing was done' in rest, (status, rest)
    assert os.path.exists(where.path('web-vda.one'))


def test_aborts(where):
    with where.service():
        check_aborted(where, 'a\n')


def test_end_of_input_aborts(where):
    with where.service():
        check_aborted(where, '\x04')


def test_json_never_asks(where):
    with where.service():
        with_unsaved_writes(where)
        terminal = where.terminal('snapshot', 'revert', 'web', 'one', '--json')
        status, rest = terminal.end()
        assert status == 6 and rest.startswith('stemmactl: '), (status, rest)


def test_asks_before_several_go(where):
    with where.service():
        with_unsaved_writes(where)
        where.well('snapshot', 'create', 'web', 'two')
        terminal = where.terminal('snapshot', 'delete', 'web', 'one', '--children')
        plan = terminal.expect("Go on with deleting 2 snapshots of 'web'? [y/N] ")
        assert f'remove the file {where.path("web-vda.two")}' in plan, plan
        terminal.say('n\n')
        assert terminal.end()[0] == 9
        assert names(where) == '└─ one\n   └─ two  ← current\n', names(where)
        terminal = where.terminal('snapshot', 'delete', 'web', 'one', '--children')
        terminal.expect('[y/N] ')
        terminal.say('yes\n')
        status, rest = terminal.end()
        assert status == 0, rest
        assert names(where) == '', names(where)


def test_forgets_all_when_told_so(where):
    with where.service():
        with_unsaved_writes(where)
        terminal = where.terminal('snapshot', 'forget', 'web')
        terminal.expect('[y/N] ')
        terminal.say('y\n')
        status, rest = terminal.end()
        assert status == 0, rest
        assert names(where) == '', names(where)
        assert os.path.exists(where.path('web-vda.one'))


def fake(where, scenario):
    return stage.Service([os.environ['FAKE_SERVICE'], scenario], where.log)


def test_interrupt_cancels_the_job(where):
    with fake(where, 'slow'):
        terminal = where.terminal('snapshot', 'create', 'web', 'one')
        bar = terminal.expect('merging')
        assert '[######------------------]  25 %' in bar, bar
        terminal.say('\x03')
        terminal.expect('asking the job to end')
        status, rest = terminal.end()
        assert status == 9, (status, rest)
        assert 'stemmactl: creating was cancelled' in rest, rest


def test_second_interrupt_leaves_the_job(where):
    with fake(where, 'sealed') as service:
        terminal = where.terminal('snapshot', 'create', 'web', 'one')
        terminal.expect('merging')
        os.kill(service.process.pid, signal.SIGSTOP)
        terminal.say('\x03')
        terminal.expect('asking the job to end')
        terminal.say('\x03')
        status, rest = terminal.end()
        os.kill(service.process.pid, signal.SIGCONT)
        assert status == 9 and 'job 1 goes on' in rest, (status, rest)


def test_refused_cancel_is_told_and_the_job_followed(where):
    with fake(where, 'sealed'):
        terminal = where.terminal('snapshot', 'create', 'web', 'one')
        terminal.expect('merging')
        terminal.say('\x03')
        terminal.expect('not cancelled: the job is past its point of no return')
        status, rest = terminal.end()
        assert status == 0 and 'Made snapshot' in rest, (status, rest)


AGENT = """#!/bin/bash
# In the place of polkit's agent for terminals: notes how it was started, and allows.
echo "$@" >>{folder}/agent
echo password-is-asked-for >/dev/tty
{allow} >/dev/null
exec 3>&-
trap 'echo ended >>{folder}/agent; kill $!; exit' TERM
tail -f /dev/null &
wait
"""


def test_agent_asks_on_a_terminal(where):
    with where.service():
        with_unsaved_writes(where)
        stage.polkit('Answer', '', 'challenge')
        os.mkdir(where.path('programs'))
        with open(where.path('programs/pkttyagent'), 'w') as file:
            allow = ' '.join([*stage.MOCK, 'org.stemma1.test.Polkit.Answer', "''", 'allow'])
            file.write(AGENT.format(folder=where.folder, allow=allow))
            os.fchmod(file.fileno(), 0o755)
        environment = where.environment()
        environment['PATH'] = f'{where.path("programs")}:{environment["PATH"]}'
        where.ill(4, 'snapshot', 'create', 'web', 'two', environment=environment)
        command = [where.stemmactl, 'snapshot', 'create', 'web', 'two']
        terminal = stage.Terminal([*command, '--no-ask-password'], where.folder, environment)
        assert terminal.end()[0] == 4
        assert not os.path.exists(where.path('agent'))
        terminal = stage.Terminal(command, where.folder, environment)
        terminal.expect('password-is-asked-for')
        status, rest = terminal.end()
        assert status == 0 and "Made snapshot 'two'" in rest, (status, rest)
        with open(where.path('agent')) as file:
            started, ended = file.read().splitlines()
        assert f'--process {terminal.process.pid}' in started and ended == 'ended', started


def test_no_bar_without_a_terminal(where):
    with where.service():
        where.machine('web', ['vda'])
        where.well('define', 'web.xml')
        out = where.well('snapshot', 'create', 'web', 'one')
        assert out == "Made snapshot 'one' of 'web'\n", out


TESTS = [
    ('/cli/prompts/unsaved-state-is-kept-under-a-name', test_keeps),
    ('/cli/prompts/unsaved-state-is-discarded-when-told-so', test_discards),
    ('/cli/prompts/unsaved-state-stays-after-abort', test_aborts),
    ('/cli/prompts/end-of-input-is-abort', test_end_of_input_aborts),
    ('/cli/prompts/json-never-asks', test_json_never_asks),
    ('/cli/prompts/several-deletions-are-asked-about-with-their-plan', test_asks_before_several_go),
    ('/cli/prompts/forgetting-all-is-asked-about', test_forgets_all_when_told_so),
    ('/cli/prompts/interrupt-cancels-the-job', test_interrupt_cancels_the_job),
    ('/cli/prompts/second-interrupt-leaves-the-job', test_second_interrupt_leaves_the_job),
    ('/cli/prompts/refused-cancel-is-told', test_refused_cancel_is_told_and_the_job_followed),
    ('/cli/prompts/agent-asks-on-a-terminal', test_agent_asks_on_a_terminal),
    ('/cli/prompts/no-bar-in-a-pipe', test_no_bar_without_a_terminal),
]

if __name__ == '__main__':
    sys.exit(stage.run_tests(TESTS))
