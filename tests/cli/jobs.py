#!/usr/bin/env -S python3 -B
"""Jobs that wait their turn, and jobs whose service ends: their numbers never come again, so that
nobody takes the job of another service for his own.

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import os
import re
import signal
import subprocess
import sys

import stage

# The merge of a deletion takes hours.
SLOW = '[sim]\nbytes-per-second=1\nwrites-per-image=16\n'


def service(where, *more):
    with open(where.path('slow.conf'), 'w') as file:
        file.write(SLOW)
    return where.service('--driver=sim', '--config', where.path('slow.conf'), *more)


def with_snapshots(where, *names):
    where.machine('web', ['vda'])
    where.well('define', 'web.xml')
    for name in names:
        where.well('snapshot', 'create', 'web', name)


def jobs(where):
    """The states of the jobs by their numbers; of none while no service is there."""
    result = where.run('job', 'list', '--json')
    if result.status != 0:
        return {}
    return {int(job['path'].rsplit('/', 1)[1]): job['state'] for job in json.loads(result.out)}


def at_work(where):
    return [number for number, state in jobs(where).items() if state == 'running']


def begin_deletion(where):
    """A run of stemmactl that waits for a job that does not end, and the number of the job."""
    waiting = subprocess.Popen([where.stemmactl, 'snapshot', 'delete', 'web', 'one'],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=where.folder,
                               env=where.environment())
    stage.wait_until(lambda: at_work(where), 'the deletion')
    number, = at_work(where)
    return waiting, number


def assert_left_alone(where, waiting, number):
    """The next service goes on with the deletion under a number of its own."""
    out, err = waiting.communicate(timeout=stage.WAIT_SECONDS)
    assert waiting.returncode == 8, (waiting.returncode, err)
    assert f'the service went away while job {number} was at work' in err.decode(), err
    assert b'eleted' not in out, out
    stage.wait_until(lambda: at_work(where), 'the next service to go on')
    assert all(other > number for other in jobs(where)), (number, jobs(where))
    for verb in ('show', 'wait', 'cancel'):
        assert f'there is no job {number};' in where.ill(3, 'job', verb, str(number))


def test_numbers_after_restarts(where):
    last = 0
    for life in range(4):
        with service(where) as running:
            if life == 0:
                with_snapshots(where)
            begun = where.well('--no-wait', 'snapshot', 'create', 'web', f's{life}')
            number = int(re.fullmatch(r'Job (\d+) began\n', begun).group(1))
            assert number > last, (number, last)
            last = number
            where.well('job', 'wait', str(number))
            if life % 2 == 0:
                running.kill()


def test_waiting_over_a_replacement(where):
    with service(where):
        with_snapshots(where, 'one', 'two')
        waiting, number = begin_deletion(where)
        with service(where, '--replace'):
            assert_left_alone(where, waiting, number)


def test_waiting_over_a_kill(where):
    with service(where) as first:
        with_snapshots(where, 'one', 'two')
        waiting, number = begin_deletion(where)
        first.kill()
        with service(where):
            assert_left_alone(where, waiting, number)


def test_turns(where):
    with service(where):
        with_snapshots(where, 'one', 'two')
        waiting, number = begin_deletion(where)
        said = where.run('plan', 'snapshot', 'create', 'web', 'three')
        assert said.status == 5, (said.status, said.err)
        assert "while the operation 'delete' is at work" in said.out + said.err, said.err
        begun = where.well('--no-wait', '--timeout=1', 'snapshot', 'create', 'web', 'three')
        queued = int(re.fullmatch(r'Job (\d+) began\n', begun).group(1))
        assert jobs(where)[queued] == 'queued', jobs(where)
        assert jobs(where)[number] == 'running', jobs(where)
    waiting.communicate(timeout=stage.WAIT_SECONDS)


def test_second_service(where):
    with service(where) as first:
        with_snapshots(where, 'one')
        second = subprocess.run(first.arguments, capture_output=True, timeout=stage.WAIT_SECONDS)
        assert second.returncode == 1, second
        assert b'start with --replace to take its place' in second.stderr, second.stderr
        where.well('list')


def test_call_during_replacement(where):
    """The second service has the name, and waits for the first, which has the store."""
    with service(where) as first:
        with_snapshots(where, 'one')
        os.kill(first.process.pid, signal.SIGSTOP)
        try:
            with service(where, '--replace'):
                stage.wait_until(lambda: 'being replaced' in where.run('--timeout=1', 'list').err,
                                 'the second service')
                said = where.ill(8, 'show', 'web')
                os.kill(first.process.pid, signal.SIGCONT)
                assert said.endswith('call again in a moment\n') and 'start' not in said, said
                stage.wait_until(lambda: where.run('show', 'web').status == 0, 'the end of the first')
        finally:
            os.kill(first.process.pid, signal.SIGCONT)


TESTS = [
    ('/cli/jobs-at-work/next-one-waits-its-turn-and-cannot-be-planned', test_turns),
    ('/cli/jobs-at-work/numbers-of-jobs-go-on', test_numbers_after_restarts),
    ('/cli/jobs-at-work/who-waits-over-a-replacement-is-told', test_waiting_over_a_replacement),
    ('/cli/jobs-at-work/who-waits-over-a-kill-is-told', test_waiting_over_a_kill),
    ('/cli/jobs-at-work/who-calls-during-a-replacement-is-told-to-call-again',
     test_call_during_replacement),
    ('/cli/jobs-at-work/second-service-is-told-of-replace', test_second_service),
]

if __name__ == '__main__':
    sys.exit(stage.run_tests(TESTS))
