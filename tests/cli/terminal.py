#!/usr/bin/env -S python3 -B
"""What a person at the terminal reads and may type: hints in the words of this program, names of
objects, numbers that make sense, sentences of plans and findings.

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import os
import re
import subprocess
import sys

import stage

DOMAIN = '/org/stemma1/domains/5eed0000000040008000000000000001'


def read(where, *arguments):
    return json.loads(where.well(*arguments, '--json'))


def with_two(where):
    where.machine('web', ['vda', 'vdb'])
    where.well('define', 'web.xml')
    where.well('snapshot', 'create', 'web', 'one')
    where.well('snapshot', 'create', 'web', 'two')


def with_unsaved_writes(where):
    with_two(where)
    where.write('web', 'vda', '0', '64k')


def test_hints_name_flags(where):
    """What the service says in words of the bus is said in those of this program on a second line."""
    keep = 'try: --keep=NAME to make a snapshot of it, or --discard to throw it away\n'
    with where.service():
        with_unsaved_writes(where)
        revert = ['snapshot', 'revert', 'web', 'one']
        assert where.ill(6, *revert).endswith(keep)
        assert where.ill(6, *revert, '--json').endswith(keep)
        assert 'try' not in where.ill(6, *revert, '--quiet')
        blocked = where.run('plan', *revert)
        assert blocked.status == 6 and blocked.err == keep, blocked.err
        assert where.run('plan', *revert, '--json').err == ''
        said = where.ill(2, *revert, '--keep=a', '--discard')
        assert said.endswith("here: 'keep' is --keep=NAME, 'discard' is --discard\n"), said
        said = where.ill(2, 'snapshot', 'list', 'web', '--descendants')
        assert "'from' is --from=SNAPSHOT" in said, said
        assert 'try: --moments=delete' in where.ill(7, 'undefine', 'web')
        assert "'stemmactl check'" in where.ill(3, 'resolve', 'nothing', 'now')
        # Not what only looks like an option of the service.
        where.well('snapshot', 'create', 'web', 'keep')
        assert where.ill(7, 'snapshot', 'create', 'web', 'keep').count('\n') == 1
        where.write('web', 'vda', '64k', '64k')
        assert where.ill(6, 'snapshot', 'revert', 'web', 'keep').endswith(keep)


def test_hints_name_lists(where):
    bus = os.environ['DBUS_SYSTEM_BUS_ADDRESS']
    session = where.environment(DBUS_SESSION_BUS_ADDRESS=bus)
    with where.service():
        with_two(where)
        where.machine('a machine', ['vda'], number=2)
        where.well('define', 'a machine.xml')
        for listing, arguments in (
                ('list', ['show', 'nobody']), ('list', ['snapshot', 'revert', 'nobody', 'one']),
                ('snapshot list web', ['snapshot', 'revert', 'web', 'none']),
                ('snapshot list web', ['snapshot', 'list', 'web', '--after=none']),
                ('checkpoint list web', ['checkpoint', 'delete', 'web', 'none']),
                ("snapshot list 'a machine'", ['snapshot', 'show', 'a machine', 'none']),
                ('disk chain web', ['disk', 'chain', 'web', 'vdz']),
                ('job list', ['job', 'show', '4711'])):
            said = where.ill(3, *arguments)
            assert said.endswith(f'\ntry: stemmactl {listing}\n'), said
            said = where.ill(3, '--session', *arguments, environment=session)
            assert said.endswith(f'\ntry: stemmactl --session {listing}\n'), said
        said = where.ill(3, '--address', bus, 'show', 'nobody')
        assert said.endswith(f"\ntry: stemmactl --address='{bus}' list\n"), said
        # A file is listed nowhere here.
        assert where.ill(3, 'snapshot', 'redefine', 'web', 'nothing.xml').count('\n') == 1


def test_limits(where):
    with where.service():
        with_two(where)
        for kind in ('snapshot', 'checkpoint'):
            for limit in ('-1', '0', '-5', '', 'x', '1x', '4294967296', '-9223372036854775808'):
                said = where.ill(2, kind, 'list', 'web', '--limit', limit)
                assert f"--limit wants a number from 1 to 4294967295, not '{limit}'" in said, said
        assert len(read(where, 'snapshot', 'list', 'web', '--limit=1')) == 1
        assert len(read(where, 'snapshot', 'list', 'web', '--limit=4294967295')) == 2


def test_names_of_machines(where):
    with where.service():
        with_two(where)
        renamed = read(where, 'rename', 'web', 'www')
        assert renamed == {'object': DOMAIN, 'name': 'www', 'job': None, 'result': {}}, renamed
        where.ill(3, 'show', 'web')
        described = read(where, 'describe', 'www', 'for pages\nof all')
        assert described == {'object': DOMAIN, 'name': 'www', 'job': None, 'result': {}}, described
        shown = read(where, 'show', 'www')
        assert (shown['name'], shown['description']) == ('www', 'for pages\nof all'), shown
        assert where.well('rename', DOMAIN, 'web', '--quiet') == ''
        assert where.well('describe', 'web', '') == "Described 'web'\n"
        assert read(where, 'show', 'web')['description'] == ''
        where.machine('other', ['vda'], number=2)
        where.well('define', 'other.xml')
        where.ill(7, 'rename', 'web', 'other')
        for name, why in (('', 'is empty'), ('a/b', "has a '/'"), ('a\nb', 'has a control')):
            said = where.ill(2, 'rename', 'web', name)
            assert f'this cannot be the name of a domain: it {why}' in said, said
        where.ill(2, 'rename', 'web')
        where.ill(3, 'describe', 'nobody', 'x')


def objects_of_jobs(where):
    return [line.split()[2] for line in where.well('job', 'list').splitlines()[1:]]


def test_objects_of_jobs(where):
    """By name, and by what stood in their path when they are gone."""
    with where.service():
        with_two(where)
        two = read(where, 'snapshot', 'show', 'web', 'two')['path'].rsplit('/', 1)[1]
        assert objects_of_jobs(where) == ['web/one', 'web/two']
        where.well('snapshot', 'delete', 'web', 'two')
        assert objects_of_jobs(where) == ['web/one', f'web/{two}', f'web/{two}']
        job = read(where, 'job', 'list')[-1]['path'].rsplit('/', 1)[1]
        assert f'Object:      web/{two}\n' in where.well('job', 'show', job)
        where.well('undefine', 'web', '--moments=forget', '--yes')
        assert objects_of_jobs(where)[-1] == DOMAIN.rsplit('/', 1)[1]


def test_findings(where):
    with where.service():
        with_two(where)
        os.rename(where.path('web-vda.one'), where.path('gone'))
        result = where.run('check')
        assert result.status == 10 and '  image-missing  web\n' in result.out, result.out
        assert 'resolve by' not in result.out, result.out
        assert "of disk 'vda' is not there any more" in result.out, result.out
        rows = json.loads(where.run('check', '--json').out)
        assert {'id', 'object', 'kind', 'text', 'choices'} <= set(rows[0]), rows
        os.rename(where.path('gone'), where.path('web-vda.one'))
        where.well('check')


def test_findings_are_settled(where):
    with where.service():
        with_two(where)
        where.well('checkpoint', 'create', 'web', 'since', '--disk=vda')
        subprocess.run(['qemu-img', 'bitmap', '--remove', where.path('web-vda.two'), 'since'],
                       check=True, capture_output=True)
        out = where.run('check').out
        finding = re.match(r'(\w+)  checkpoint-broken  web/since\n', out).group(1)
        assert out.endswith('\n  resolve by: delete\n'), out
        where.ill(2, 'resolve', finding, 'keep')
        where.well('resolve', finding, 'delete')
        where.well('check')


def test_plan_of_nothing(where):
    """A step that moves or frees nothing says so in words, not in bytes."""
    with where.service('--driver=sim'):
        with_two(where)
        said = where.well('plan', 'snapshot', 'delete', 'web', 'two')
        assert 'copy no data up from' in said and 'bytes' not in said, said
        assert said.rstrip().endswith('which nothing needs any more'), said
        rows = read(where, 'plan', 'snapshot', 'delete', 'web', 'two')['rows']
        assert {row['bytes'] for row in rows} == {0}, rows


TESTS = [
    ('/cli/hints/name-flags-for-options-of-the-bus', test_hints_name_flags),
    ('/cli/hints/name-where-things-are-listed', test_hints_name_lists),
    ('/cli/options/numbers-that-make-no-sense-are-refused', test_limits),
    ('/cli/machines/are-renamed-and-described', test_names_of_machines),
    ('/cli/jobs/name-their-objects-also-those-that-went', test_objects_of_jobs),
    ('/cli/check/findings-are-a-status', test_findings),
    ('/cli/check/findings-are-settled-by-their-choices', test_findings_are_settled),
    ('/cli/plan/no-bytes-are-no-data', test_plan_of_nothing),
]

if __name__ == '__main__':
    sys.exit(stage.run_tests(TESTS))
