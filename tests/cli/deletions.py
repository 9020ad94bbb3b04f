#!/usr/bin/env -S python3 -B
"""Several snapshots or checkpoints that go at once, and machines that are forgotten: what is told
before and after it.

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import os
import re
import subprocess
import sys

import stage

SIZE = r'\d+(?:\.\d+)?[ \u00a0](?:bytes|[KMG]iB)'


def with_chain(where, *snapshots, size='64k'):
    """Snapshots one on the other, with writes between them, each in a place of its own."""
    where.machine('web', ['vda'])
    where.well('define', 'web.xml')
    for number, name in enumerate(snapshots):
        where.write('web', 'vda', f'{number}M', size)
        where.well('snapshot', 'create', 'web', name)


def names(where, noun='snapshot'):
    return [node['name'] for node in json.loads(where.well(noun, 'tree', 'web', '--json'))]


def has_written(path, offset, size='64k'):
    done = subprocess.run(['qemu-io', '-r', '-f', 'qcow2', '-c', f'read -q -P 0xcd {offset} {size}',
                           path], check=True, capture_output=True, text=True)
    return 'verification failed' not in done.stdout


def test_one_plan_and_one_question(where):
    with where.service():
        with_chain(where, 'one', 'two', 'three', 'four')
        terminal = where.terminal('snapshot', 'delete', 'web', 'two', 'four', 'three')
        said = terminal.expect("Go on with deleting 3 snapshots of 'web'? [y/N] ")
        parts = re.split(r"^  '(\w+)':\r\n", said, flags=re.MULTILINE)
        assert parts[0] == '' and parts[1::2] == ['two', 'four', 'three'], said
        assert all('    vda: ' in part for part in parts[2::2]), said
        total = re.search(rf'^  together up to {SIZE} of data to move, (\d) files? to remove, '
                          rf'which frees {SIZE}', parts[-1], re.MULTILINE)
        assert total, said
        terminal.say('y\n')
        status, rest = terminal.end()
        assert status == 0 and '[y/N]' not in rest, rest
        order = re.findall(r"Deleted snapshot '(\w+)' of 'web'", rest)
        assert order == ['two', 'four', 'three'], rest
        assert names(where) == ['one']


def test_plan_of_several(where):
    with where.service():
        with_chain(where, 'one', 'two', 'three')
        plan = json.loads(where.well('plan', 'snapshot', 'delete', 'web', 'two', 'three', 'two',
                                     '--json'))
        rows, total = plan['rows'][:-1], plan['rows'][-1]
        assert plan['blocked'] is False, plan
        assert {row['name'] for row in rows} == {'two', 'three'}, rows
        assert total['step'] == 'total' and 'name' not in total, total
        # Layers that lie on each other: a file that both plans remove is removed once.
        removed = {row['path']: row['bytes'] for row in rows if row['step'] == 'unlink'}
        assert removed and total['bytes'] == sum(removed.values()), plan
        n_told = re.search(r'(\d+) files? to remove', total['text']).group(1)
        assert int(n_told) == len(removed), plan
        alone = json.loads(where.well('plan', 'snapshot', 'delete', 'web', 'two', '--json'))
        assert all('name' not in row and row['step'] != 'total' for row in alone['rows']), alone
        assert names(where) == ['one', 'two', 'three']


def test_blocked_plan_of_several(where):
    with where.service():
        with_chain(where, 'one', 'two')
        os.rename(where.path('web-vda.one'), where.path('gone'))
        result = where.run('plan', 'snapshot', 'delete', 'web', 'one', 'two')
        assert result.status not in (0, 2), result.err
        assert result.err == "here: Manager.Check is 'stemmactl check'\n", result.err
        assert "  'one':\n    blocked: " in result.out and 'together' not in result.out, result.out
        assert "'one': " in where.ill(result.status, 'snapshot', 'delete', 'web', 'one', 'two', '-y')
        os.rename(where.path('gone'), where.path('web-vda.one'))
        assert names(where) == ['one', 'two']


def begin_while_one_goes(where, *options):
    """A deletion of three that finds the second one gone."""
    with_chain(where, 'one', 'two', 'three', 'four')
    terminal = where.terminal('snapshot', 'delete', 'web', 'one', 'two', 'three', *options)
    terminal.expect('[y/N] ')
    where.well('snapshot', 'delete', 'web', 'two')
    terminal.say('y\n')
    status, rest = terminal.end()
    assert status == 3, (status, rest)
    assert re.search(r"stemmactl: snapshot 'two': .+ is not there any more.*; deleted before it: 'one'; not begun: 'three'",
                     rest), rest
    assert names(where) == ['three', 'four']
    return rest


def test_stops_at_the_first_failure(where):
    with where.service():
        rest = begin_while_one_goes(where)
        assert "Deleted snapshot 'one' of 'web'" in rest, rest


def test_failure_in_json(where):
    with where.service():
        rest = begin_while_one_goes(where, '--json')
        done = json.loads(re.search(r'\[.*?^\]', rest, re.DOTALL | re.MULTILINE).group())
        assert [item['name'] for item in done] == ['one'], done
        assert done[0]['job'].startswith('/org/stemma1/jobs/'), done


def test_json_of_several(where):
    with where.service():
        with_chain(where, 'one', 'two', 'three')
        done = json.loads(where.well('snapshot', 'delete', 'web', 'three', 'one', '-y', '--json'))
        assert [item['name'] for item in done] == ['three', 'one'], done
        done = json.loads(where.well('snapshot', 'delete', 'web', 'two', '--json'))
        assert done['name'] == 'two', done


def test_branches_count_once(where):
    with where.service():
        with_chain(where, 'one', 'two', 'three', 'four')
        terminal = where.terminal('snapshot', 'delete', 'web', 'three', 'two', '--children')
        said = terminal.expect("Go on with deleting 3 snapshots of 'web'? [y/N] ")
        assert 'together' not in said and said.count(where.path('web-vda.three') + ',') == 1, said
        terminal.say('y\n')
        status, rest = terminal.end()
        assert status == 0, rest
        assert names(where) == ['one']


def test_checkpoints(where):
    with where.service():
        with_chain(where)
        for name in ('a', 'b', 'c'):
            where.well('checkpoint', 'create', 'web', name)
        where.ill(7, 'checkpoint', 'delete', 'web', 'a', 'c')
        said = where.well('checkpoint', 'delete', 'web', 'a', 'c', '--yes')
        assert 'together no data to move, no file to remove; ' in said, said
        assert names(where, 'checkpoint') == ['b']
        where.well('checkpoint', 'create', 'web', 'd')
        terminal = where.terminal('checkpoint', 'forget', 'web', 'b', 'd')
        terminal.expect("Go on with forgetting 2 checkpoints of 'web'? [y/N] ")
        terminal.say('y\n')
        status, rest = terminal.end()
        assert status == 0 and "Forgot checkpoint 'd' of 'web'" in rest, rest
        assert names(where, 'checkpoint') == []


def undefine(where, *options):
    """Where it says that the disk is, before and after it, which is the same."""
    plan = json.loads(where.well('plan', 'undefine', 'web', *options, '--json'))
    foreseen = [row['path'] for row in plan['rows'] if row['step'] == 'state']
    done = json.loads(where.well('undefine', 'web', *options, '--yes', '--json'))
    assert [disk['target'] for disk in done['disks']] == ['vda'], done
    assert [disk['source'] for disk in done['disks']] == foreseen, (done, plan)
    assert done['disks'][0]['format'] == 'qcow2', done
    return foreseen[0]


def test_undefine_in_words(where):
    with where.service():
        with_chain(where, 'one')
        terminal = where.terminal('undefine', 'web', '--moments=forget')
        before = terminal.expect('[y/N] ')
        assert f'vda: the present state will be in {where.path("web-vda.one")}\r\n' in before, before
        terminal.say('y\n')
        status, rest = terminal.end()
        after = f"Undefined 'web'\r\n  vda: the present state is in {where.path('web-vda.one')}\r\n"
        assert status == 0 and after in rest, rest
        where.well('define', 'web.xml')
        said = where.well('undefine', 'web')
        assert f'the present state is in {where.path("web-vda.qcow2")}\n' in said, said
        where.well('define', 'web.xml')
        assert where.well('undefine', 'web', '--quiet') == ''


def test_undefine_that_forgets(where):
    with where.service():
        with_chain(where, 'one', 'two')
        where.write('web', 'vda', '4M', '64k')
        source = undefine(where, '--moments=forget')
        assert source == where.path('web-vda.two') and has_written(source, '4M'), source


def test_undefine_that_deletes(where):
    """All layers are merged: the state ends in another file than it was in."""
    with where.service():
        with_chain(where, 'one', 'two')
        where.write('web', 'vda', '4M', '64k')
        source = undefine(where, '--moments=delete')
        assert source == where.path('web-vda.qcow2') and has_written(source, '4M'), source
        assert not os.path.exists(where.path('web-vda.two'))


def test_undefine_that_streams(where):
    """An image that nobody told of stands on the disk's own: layers go up, and the state stays."""
    with where.service():
        with_chain(where, 'one', 'two')
        where.write('web', 'vda', '4M', '2M')
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b',
                        where.path('web-vda.qcow2'), where.path('foreign.qcow2')], check=True)
        source = undefine(where, '--moments=delete')
        assert source == where.path('web-vda.two') and has_written(source, '4M', '2M'), source
        assert has_written(source, '1M') and not os.path.exists(where.path('web-vda.one'))


TESTS = [
    ('/cli/deletions/several-have-one-plan-and-one-question', test_one_plan_and_one_question),
    ('/cli/deletions/plan-of-several-names-each-and-sums-up', test_plan_of_several),
    ('/cli/deletions/plan-of-several-says-which-is-blocked', test_blocked_plan_of_several),
    ('/cli/deletions/first-failure-ends-and-says-what-was-done', test_stops_at_the_first_failure),
    ('/cli/deletions/first-failure-leaves-json-of-what-was-done', test_failure_in_json),
    ('/cli/deletions/several-are-an-array-in-json', test_json_of_several),
    ('/cli/deletions/what-goes-with-another-counts-once', test_branches_count_once),
    ('/cli/deletions/checkpoints-and-forgetting', test_checkpoints),
    ('/cli/undefine/says-where-the-state-is', test_undefine_in_words),
    ('/cli/undefine/forgetting-leaves-the-state-where-it-is', test_undefine_that_forgets),
    ('/cli/undefine/deleting-says-where-merges-bring-the-state', test_undefine_that_deletes),
    ('/cli/undefine/streams-bring-layers-up-to-the-state', test_undefine_that_streams),
]

if __name__ == '__main__':
    sys.exit(stage.run_tests(TESTS))
