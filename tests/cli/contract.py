#!/usr/bin/env -S python3 -B
"""What scripts rely on: exit statuses, JSON, errors on one line, names that do no harm.

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET

import stage

TOP = pathlib.Path(__file__).resolve().parents[2]
DOMAIN = '/org/stemma1/domains/5eed0000000040008000000000000001'


def documented_keys():
    """Names of properties in lower case with dashes, keys of rows, and what the manual adds."""
    keys = set()
    for path in (TOP / 'introspection').glob('*.xml'):
        text = path.read_text()
        keys |= set(re.findall(r'`([a-z-]+)`', text))
        keys |= {re.sub(r'(?<=.)(?=[A-Z])', '-', name).lower()
                 for name in re.findall(r'<property name="(\w+)"', text)}
    manual = (TOP / 'data' / 'man' / 'stemmactl.1').read_text().split('.SH OUTPUT')[1]
    keys |= set(re.findall(r'^\.BR? ([a-z\\-]+)', manual.replace('\\-', '-'), re.MULTILINE))
    return keys | set(re.findall(r'`([a-z-]+)`', (TOP / 'introspection/README.md').read_text()))


def keys_of(value):
    if isinstance(value, list):
        return set().union(*map(keys_of, value)) if value else set()
    if isinstance(value, dict):
        return set(value) | keys_of(list(value.values()))
    return set()


def test_keys_are_documented(where):
    documented = documented_keys()
    assert len(documented) > 60, documented
    with where.service():
        with_two(where)
        where.well('checkpoint', 'create', 'web', 'since')
        os.rename(where.path('web-vda.one'), where.path('gone'))
        findings = json.loads(where.run('check', '--json').out)
        os.rename(where.path('gone'), where.path('web-vda.one'))
        seen = keys_of(findings)
        for command in (['list'], ['show', 'web'], ['snapshot', 'list', 'web'],
                        ['snapshot', 'tree', 'web'], ['snapshot', 'show', 'web', 'one'],
                        ['checkpoint', 'list', 'web'], ['checkpoint', 'tree', 'web'],
                        ['checkpoint', 'show', 'web', 'since'], ['disk', 'chain', 'web'],
                        ['job', 'list'], ['plan', 'snapshot', 'delete', 'web', 'one', 'two'],
                        ['plan', 'undefine', 'web', '--moments=delete'], ['show', 'web', '--xml'],
                        ['snapshot', 'xml', 'web', 'one'], ['snapshot', 'create', 'web', 'three']):
            keys = keys_of(read(where, *command))
            assert keys <= documented, f'{command}: {keys - documented}'
            seen |= keys
        assert seen <= documented, seen - documented
        assert {'creation-time', 'parent-name', 'depth', 'bitmap', 'used-by', 'choices'} <= seen, seen


def fake(where, scenario):
    return stage.Service([os.environ['FAKE_SERVICE'], scenario], where.log)


def read(where, *arguments):
    return json.loads(where.well(*arguments, '--json'))


def with_two(where):
    where.machine('web', ['vda', 'vdb'])
    where.well('define', 'web.xml')
    where.well('snapshot', 'create', 'web', 'one')
    where.well('snapshot', 'create', 'web', 'two')


def test_json_of_what_is_shown(where):
    with where.service():
        with_two(where)
        machine, = read(where, 'list')
        assert machine['path'] == DOMAIN and machine['name'] == 'web', machine
        assert machine['snapshots'] == {'count': 2, 'current': 'two'}, machine
        shown = read(where, 'show', 'web')
        assert [disk['target'] for disk in shown['disks']] == ['vda', 'vdb'], shown
        one, two = read(where, 'snapshot', 'list', 'web')
        assert (one['name'], one['parent-name'], two['parent-name']) == ('one', None, 'one')
        assert two['current'] is True and one['child-count'] == 1
        drawn = read(where, 'snapshot', 'tree', 'web')
        assert [(node['name'], node['depth'], node['head']) for node in drawn] == [
            ('one', 0, False), ('two', 1, True)], drawn
        assert read(where, 'snapshot', 'show', 'web', 'two')['disks'][0]['mode'] == 'external'
        chain, = read(where, 'disk', 'chain', 'web', 'vda')
        assert [image['index'] for image in chain['chain']] == [3, 2, 1], chain
        assert read(where, 'check') == []
        assert {job['state'] for job in read(where, 'job', 'list')} == {'succeeded'}


def test_json_of_what_is_done(where):
    with where.service():
        where.machine('web', ['vda'])
        assert read(where, 'define', 'web.xml')['object'] == DOMAIN
        made = read(where, 'snapshot', 'create', 'web', 'one')
        assert made['object'].startswith(f'{DOMAIN}/snapshots/') and made['name'] == 'one', made
        assert made['job'].startswith('/org/stemma1/jobs/'), made
        named = read(where, 'snapshot', 'create', 'web')
        assert named['name'].isdigit(), named
        plan = read(where, 'plan', 'snapshot', 'delete', 'web', 'one')
        assert plan['blocked'] is False and plan['error'] is None, plan
        assert {'step', 'path', 'bytes', 'text'} <= set(plan['rows'][0]), plan
        assert read(where, 'snapshot', 'revert', 'web', 'one')['name'] == 'one'
        assert read(where, 'snapshot', 'delete', 'web', 'one')['result'] == {}
        job = made['job'].rsplit('/', 1)[1]
        assert read(where, 'job', 'show', job)['operation'] == 'create'
        assert read(where, 'job', 'wait', job)['job'] == made['job']


def test_plan_tells_what_blocks(where):
    with where.service():
        with_two(where)
        where.write('web', 'vda', '0', '64k')
        result = where.run('plan', 'snapshot', 'revert', 'web', 'one', '--json')
        plan = json.loads(result.out)
        assert result.status == 6 and plan['blocked'] is True, plan
        assert plan['error'] == 'org.stemma1.Error.UnsavedState', plan


def test_objects_by_uuid_id_and_path(where):
    with where.service():
        with_two(where)
        path = read(where, 'snapshot', 'show', 'web', 'one')['path']
        identity = path.rsplit('/', 1)[1]
        for machine in ('5eed0000-0000-4000-8000-000000000001', DOMAIN):
            for snapshot in ('one', identity, path):
                assert read(where, 'snapshot', 'show', machine, snapshot)['name'] == 'one'
        where.ill(3, 'snapshot', 'show', 'web', DOMAIN + '/snapshots/' + '0' * 32)
        where.ill(3, 'snapshot', 'show', 'web', '0' * 32)
        where.ill(3, 'show', DOMAIN[:-1] + '2')


def test_statuses(where):
    with where.service():
        with_two(where)
        where.ill(2, 'snapshot', 'list')
        where.ill(2, 'snapshot', 'create', 'web', 'a/b')
        where.ill(3, 'show', 'nobody')
        where.ill(7, 'snapshot', 'create', 'web', 'one')
        where.ill(7, 'undefine', 'web')
        where.write('web', 'vda', '0', '64k')
        where.ill(6, 'snapshot', 'revert', 'web', 'one')
        with open(where.path('bad.xml'), 'w') as file:
            file.write('<domain')
        for command in (['define'], ['snapshot', 'create', 'web', '--xml'],
                        ['snapshot', 'redefine', 'web'], ['checkpoint', 'redefine', 'web']):
            assert "'bad.xml': " in where.ill(2, *command, 'bad.xml'), command


def test_authorization(where):
    with where.service():
        with_two(where)
        stage.polkit('Answer', '', 'deny')
        assert 'try: as root' in where.ill(4, 'snapshot', 'create', 'web', 'three')
        stage.polkit('Answer', '', 'challenge')
        said = where.ill(4, 'snapshot', 'create', 'web', 'three', '--no-ask-password')
        assert 'without --no-ask-password' in said, said
        stage.polkit('Answer', '', 'allow')
        where.well('snapshot', 'create', 'web', 'three')


def flags_of_last_question():
    asked = subprocess.run([*stage.MOCK, 'org.stemma1.test.Polkit.Questions'], check=True,
                           capture_output=True, text=True).stdout
    return int(asked.rstrip().rstrip(')],').rsplit(' ', 1)[1])


def test_interactive_flag(where):
    with where.service():
        with_two(where)
        where.well('snapshot', 'describe', 'web', 'one', 'x')
        assert flags_of_last_question() == 1
        where.well('snapshot', 'describe', 'web', 'one', 'y', '--no-ask-password')
        assert flags_of_last_question() == 0


def test_no_service(where):
    bus = os.environ['DBUS_SYSTEM_BUS_ADDRESS']
    nowhere = f'unix:path={where.path("no-bus")}'
    assert 'try: systemctl start stemma' in where.ill(8, 'list')
    where.ill(8, '--address', nowhere, 'list')
    assert 'try: --session' in where.ill(8, 'list', environment=where.environment(
        DBUS_SYSTEM_BUS_ADDRESS=nowhere))
    for address, hint in ((bus, 'try: stemmad --session'), (nowhere, 'try: dbus-run-session')):
        environment = where.environment(DBUS_SESSION_BUS_ADDRESS=address)
        assert hint in where.ill(8, '--session', 'list', environment=environment)


def test_address(where):
    with where.service():
        bus = os.environ['DBUS_SYSTEM_BUS_ADDRESS']
        nowhere = where.environment(DBUS_SYSTEM_BUS_ADDRESS='unix:path=/nonexistent/bus')
        where.well('--address', bus, 'list', environment=nowhere)
        where.well('list', '--session', environment=nowhere | {'DBUS_SESSION_BUS_ADDRESS': bus})


def test_lost_reply(where):
    with fake(where, 'lost'):
        assert 'Made snapshot' in where.well('--timeout=1', 'snapshot', 'create', 'web', 'one')


def test_no_wait(where):
    with where.service():
        with_two(where)
        said = where.well('--no-wait', 'snapshot', 'create', 'web', 'three')
        job = re.fullmatch(r'Job (\d+) began\n', said).group(1)
        assert where.well('job', 'wait', job) == f'Job {job} succeeded\n'
        begun = read(where, 'snapshot', 'delete', 'web', 'two', '--no-wait')
        assert read(where, 'job', 'wait', begun['job'])['result'] == {}
        names = [node['name'] for node in read(where, 'snapshot', 'tree', 'web')]
        assert names == ['one', 'three'], names


def test_no_reply_and_no_job(where):
    with fake(where, 'silent'):
        where.ill(8, '--timeout=1', 'snapshot', 'create', 'web', 'one')


def test_service_leaves(where):
    with fake(where, 'leaving'):
        assert 'job 1' in where.ill(8, 'snapshot', 'create', 'web', 'one')


def test_service_is_replaced(where):
    for scenario in ('replaced', 'mistaken'):
        with fake(where, scenario):
            said = where.ill(8, 'snapshot', 'create', 'web', 'one')
        assert 'the service went away while job 1 was at work' in said, said


def test_names_do_no_harm(where):
    with fake(where, 'hostile'):
        for arguments in (['list'], ['show', DOMAIN], ['snapshot', 'list', DOMAIN],
                          ['snapshot', 'tree', DOMAIN]):
            out = where.well(*arguments)
            assert 'a\\x1b[2Jb\\nc\\tq\\x9b\\u202ez' in out, out
            assert not set('\x1b\t\x9b\u202e') & set(out), out
        said = where.ill(3, 'show', 'x')
        assert '\\x1b[2J' in said, said
        assert json.loads(where.well('list', '--json'))[0]['name'].startswith('a\x1b[2Jb\n')


def test_deep_tree(where):
    with fake(where, 'deep'):
        lines = where.well('snapshot', 'tree', 'web').splitlines()
        assert len(lines) == 100000
        assert lines[0] == '└─ s0' and lines[2] == '      └─ s2', lines[:3]
        assert lines[-1].startswith('… 99991 ') and lines[-1].endswith('└─ s99999'), lines[-1]


def test_plain_lines(where):
    with where.service():
        with_two(where)
        out = where.well('snapshot', 'tree', 'web', environment=where.environment(LC_ALL='C'))
        assert out == '`- one\n   `- two  <- current\n', out


def follow(where, *arguments):
    return subprocess.Popen([where.stemmactl, 'monitor', *arguments], cwd=where.folder,
                            env=where.environment(), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def read_until(process, text):
    lines = []
    while not lines or text not in lines[-1]:
        line = process.stdout.readline()
        assert line, f'it ended without {text!r}: {lines}, {process.stderr.read()}'
        lines.append(line)
    return lines


def end(process):
    process.send_signal(signal.SIGINT)
    status = process.wait(stage.WAIT_SECONDS)
    assert status == 0, f'{status}: {process.stderr.read()}'
    process.stdout.close()
    process.stderr.close()


def test_monitor(where):
    with where.service():
        with_two(where)
        where.machine('other', ['vda'], number=2)
        where.well('define', 'other.xml')
        process = follow(where, 'web')
        read_until(process, 'the service is there')
        where.well('snapshot', 'create', 'other', 'x')
        where.well('snapshot', 'create', 'web', 'three')
        lines = read_until(process, 'Current=')
        lines += read_until(process, 'succeeded')
        text = ''.join(lines)
        assert 'snapshot web/three added' in text and 'other' not in text, text
        where.well('snapshot', 'rename', 'web', 'three', 'third')
        read_until(process, "Name='third'")
        where.well('snapshot', 'delete', 'web', 'third')
        read_until(process, 'snapshot web/third removed')
        end(process)


def test_monitor_json(where):
    with where.service():
        with_two(where)
        process = follow(where, '--json')
        read_until(process, 'service-appeared')
        where.well('snapshot', 'create', 'web', 'three')
        lines = [json.loads(line) for line in read_until(process, '"completed"')]
        end(process)
        added = [line for line in lines if line['event'] == 'added']
        assert {line['interface'] for line in added} >= {'org.stemma1.Job',
                                                         'org.stemma1.Snapshot'}, added
        assert lines[-1]['properties']['success'] is True, lines[-1]


BULK = """<domainsnapshot>
  <name>s{number}</name>
  <state>shutoff</state>
  <creationTime>{time}</creationTime>
  {parent}
  <description>{padding}</description>
  <memory snapshot='no'/>
  <disks><disk name='vda' snapshot='no'/></disks>
</domainsnapshot>
"""


def bulk(count, padding):
    for number in range(count):
        parent = f'<parent><name>s{number - 1}</name></parent>' if number else ''
        yield BULK.format(number=number, time=1700000000 + number, parent=parent,
                          padding='x' * padding)


def test_redefine_of_any_size(where):
    """By one message, and through a descriptor when one cannot hold it; in any order."""
    with where.service():
        where.machine('web', ['vda'])
        where.well('define', 'web.xml')
        for count, padding in ((100, 10), (1000, 12000)):
            documents = list(bulk(count, padding))
            packed = '\0'.join(reversed(documents)) + '\0'
            said = where.well('snapshot', 'redefine', 'web', '-', stdin=packed.encode())
            assert said == f"Redefined {count} snapshots of 'web'\n", said
            nodes = json.loads(where.well('snapshot', 'tree', 'web', '--json'))
            assert [node['name'] for node in nodes] == [f's{n}' for n in range(count)]
            assert nodes[-1]['depth'] == count - 1
            where.well('snapshot', 'forget', 'web', '--yes')
        broken = packed.replace('<name>s500</name>', '<name></name>', 1)
        where.ill(2, 'snapshot', 'redefine', 'web', '-', stdin=broken.encode())
        assert json.loads(where.well('snapshot', 'list', 'web', '--json')) == []


def test_redefine_of_what_is_no_document(where):
    with where.service():
        where.machine('web', ['vda'])
        where.well('define', 'web.xml')
        os.mkdir(where.path('empty'))
        where.ill(3, 'snapshot', 'redefine', 'web', 'empty')
        where.ill(2, 'snapshot', 'redefine', 'web', '-', stdin=b'\xff\xfe')
        where.ill(2, 'snapshot', 'redefine', 'web', '-', stdin=b'<domainsnapshot/>\0\0')
        where.ill(3, 'snapshot', 'redefine', 'web', '-', stdin=b' \n')
        # An empty document has no bytes to look at.
        open(where.path('empty.xml'), 'wb').close()
        for command in (['define', 'empty.xml'], ['define', '-'],
                        ['snapshot', 'create', 'web', '--xml', 'empty.xml'],
                        ['checkpoint', 'create', 'web', '--xml', 'empty.xml']):
            assert 'is empty' in where.ill(2, *command), command
        where.ill(3, 'snapshot', 'redefine', 'web', 'empty.xml')


def test_names_like_options(where):
    with where.service():
        with_two(where)
        where.well('snapshot', 'create', 'web', '--', '-dash')
        where.well('snapshot', 'create', '--', 'web', '--two')
        where.well('snapshot', 'rename', 'web', '--', '-dash', '--')
        names = [row['name'] for row in json.loads(where.well('snapshot', 'list', 'web', '--json'))]
        assert names == ['one', 'two', '--', '--two'], names


def test_document_of_a_machine(where):
    with where.service():
        where.machine('web', ['vda', 'vdb'])
        with open(where.path('web.xml')) as file:
            plain = file.read()
        with open(where.path('web.xml'), 'w') as file:
            file.write(plain.replace('</devices>', "<graphics type='vnc' passwd='hush'/></devices>"))
        where.well('define', 'web.xml')
        where.well('snapshot', 'create', 'web', 'two')
        document = where.well('show', '--xml', 'web')
        sources = [source.get('file') for source in ET.fromstring(document).iter('source')]
        assert sources == [where.path('web-vda.two'), where.path('web-vdb.two')], document
        assert 'hush' not in document and 'hush' in where.well('show', 'web', '--xml', '--secure')
        shown = read(where, 'show', 'web', '--xml')
        assert shown == {'path': DOMAIN, 'xml': document}, shown
        assert '--xml' in where.ill(2, 'show', 'web', '--secure')
        # What it prints makes the machine known again, with the disks where they are now.
        where.well('undefine', 'web', '--moments=forget', '--yes')
        where.well('define', '-', stdin=document.encode())
        assert [disk['source'] for disk in read(where, 'show', 'web')['disks']] == sources


def test_choices_beside_a_document(where):
    with where.service():
        with_two(where)
        with open(where.path('three.xml'), 'w') as file:
            file.write('<domainsnapshot><name>three</name></domainsnapshot>')
        for option in ('--description=x', '--disk=vda', '--quiesce=try'):
            said = where.ill(2, 'snapshot', 'create', 'web', '--xml', 'three.xml', option)
            assert f'leave {option.split("=")[0]} out' in said, said
        where.well('snapshot', 'create', 'web', '--xml', 'three.xml')
        where.well('checkpoint', 'create', 'web', 'a')
        with open(where.path('b.xml'), 'w') as file:
            file.write('<domaincheckpoint><name>b</name></domaincheckpoint>')
        where.well('checkpoint', 'create', 'web', '--xml', 'b.xml', '--parent', 'a')


# Each with what its options need to make sense; they change nothing, or what they find already.
WITH_OPTIONS = (
    'show web --xml',
    'plan undefine plain',
    'plan snapshot create web new',
    'snapshot list web',
    'plan snapshot revert web one',
    'plan snapshot delete web one',
    'snapshot redefine web one.xml',
    'snapshot xml web one',
    'plan checkpoint create web new',
    'checkpoint list web',
    'plan checkpoint delete web since',
    'checkpoint redefine web since.xml',
    'checkpoint xml web since',
)
VALUES = {'NAME': 'one', 'TEXT': 'x', 'TARGET': 'vda', 'N': '1', 'SNAPSHOT': 'one',
          'CHECKPOINT': 'since'}
# By the first word of the command.
COMPANIONS = {
    ('plan', '--force'): ['--discard'],
    ('snapshot', '--descendants'): ['--from=one'],
    ('checkpoint', '--descendants'): ['--from=since'],
}


def options_of(where, words):
    """What the help of a command offers, with each value that there is."""
    own = where.well(*words, '--help').split('Application Options:')[1]
    for name, value in re.findall(r'^  --([a-z-]+)(?:=([A-Z]+))?', own, re.MULTILINE):
        if not value:
            yield f'--{name}'
        elif value in VALUES:
            new = value == 'NAME' and name != 'current'
            yield f'--{name}={"fresh" if new else VALUES[value]}'
        elif value != 'FILE':
            offered = where.well('__complete', *words, f'--{name}', '').split()
            assert offered, f'{words} --{name}'
            yield from (f'--{name}={word}' for word in offered)


def test_help_lists_what_works(where):
    with where.service():
        with_two(where)
        where.machine('plain', ['vda'], number=2)
        where.well('define', 'plain.xml')
        where.well('checkpoint', 'create', 'web', 'since')
        for noun, name in (('snapshot', 'one'), ('checkpoint', 'since')):
            with open(where.path(f'{name}.xml'), 'w') as file:
                file.write(where.well(noun, 'xml', 'web', name))
        n_tried = 0
        for line in WITH_OPTIONS:
            words = line.split()
            for option in options_of(where, words):
                where.well(*words, option, *COMPANIONS.get((words[0], option), []))
                n_tried += 1
        assert n_tried > 40, n_tried


TESTS = [
    ('/cli/json/everything-that-is-shown', test_json_of_what_is_shown),
    ('/cli/json/everything-that-is-done', test_json_of_what_is_done),
    ('/cli/json/every-key-is-documented', test_keys_are_documented),
    ('/cli/json/plan-names-what-blocks', test_plan_tells_what_blocks),
    ('/cli/objects/by-uuid-id-and-path', test_objects_by_uuid_id_and_path),
    ('/cli/status/of-each-refusal', test_statuses),
    ('/cli/status/not-authorized', test_authorization),
    ('/cli/authorization/is-interactive-unless-told-otherwise', test_interactive_flag),
    ('/cli/status/no-service', test_no_service),
    ('/cli/bus/by-address-and-session', test_address),
    ('/cli/jobs/lost-reply-is-no-failure', test_lost_reply),
    ('/cli/jobs/are-begun-and-waited-for-later', test_no_wait),
    ('/cli/jobs/no-reply-without-a-job-is-one', test_no_reply_and_no_job),
    ('/cli/jobs/service-that-leaves-is-told', test_service_leaves),
    ('/cli/jobs/of-a-service-that-is-replaced-are-not-the-next-ones', test_service_is_replaced),
    ('/cli/output/names-do-no-harm', test_names_do_no_harm),
    ('/cli/objects/names-that-look-like-options', test_names_like_options),
    ('/cli/output/deep-tree', test_deep_tree),
    ('/cli/output/plain-lines-without-utf-8', test_plain_lines),
    ('/cli/monitor/lines-of-one-machine', test_monitor),
    ('/cli/monitor/json-lines', test_monitor_json),
    ('/cli/redefine/any-size-in-any-order', test_redefine_of_any_size),
    ('/cli/redefine/what-is-no-document', test_redefine_of_what_is_no_document),
    ('/cli/show/document-with-the-present-sources', test_document_of_a_machine),
    ('/cli/create/document-stands-alone', test_choices_beside_a_document),
    ('/cli/help/lists-no-option-that-is-always-refused', test_help_lists_what_works),
]

if __name__ == '__main__':
    sys.exit(stage.run_tests(TESTS))
