#!/usr/bin/env python3
"""The real polkitd, the shipped policy and the shipped example rule, and callers that are not root.

Everything lives in a mount namespace of its own: there the directories of polkit hold our files alone
and /etc/passwd has two more users. The bus is a private one, polkitd and the service run on it as
root, as they do on a real machine; the images are simulated. Needs root for that and for nothing
else; nothing outside the namespace is touched.

Usage: test-polkit.py STEMMAD POLICY RULE BUS-POLICY. Speaks TAP.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

ALICE, BOB = 54321, 54322
MANAGER = '/org/stemma1/Manager'
DEADLINE = 30  # seconds, for anything that is waited for

DOMAIN = """<domain type='kvm'><name>{name}</name><uuid>{uuid}</uuid><memory>1</memory>
<os><type>hvm</type></os><devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
<source file='/srv/stemma-test/{name}.qcow2'/><target dev='vda' bus='virtio'/></disk></devices>
</domain>"""

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={directory}/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.PolicyKit1"/>
  </policy>
  <policy user="root"><allow own="org.freedesktop.PolicyKit1"/></policy>
  <policy user="polkitd"><allow own="org.freedesktop.PolicyKit1"/></policy>
  <include>{bus_policy}</include>
</busconfig>
"""


class Failure(Exception):
    """A check that did not hold."""


class Stage:
    """The private bus and what runs on it."""

    def __init__(self, arguments):
        self.stemmad, self.policy, self.rule, self.bus_policy = arguments
        self.directory = tempfile.mkdtemp(prefix='stemma-polkit-')
        os.chmod(self.directory, 0o755)
        self.processes = []
        self.env = dict(os.environ, LC_ALL='C.UTF-8',
                        DBUS_SYSTEM_BUS_ADDRESS=f'unix:path={self.directory}/bus')
        self.env.pop('DBUS_SESSION_BUS_ADDRESS', None)

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def bind(self, source, target):
        subprocess.run(['mount', '--bind', source, target], check=True)

    def furnish(self):
        """Puts our files where polkitd and the C library look; seen in this namespace only."""
        for name in ('actions', 'rules', 'none', 'state', 'run', 'log'):
            os.mkdir(self.path(name))
            os.chmod(self.path(name), 0o755)
        os.chmod(self.path('state'), 0o700)
        shutil.copy(self.policy, self.path('actions', 'org.stemma1.policy'))
        shutil.copy(self.rule, self.path('rules', '50-stemma-example.rules'))
        for place in ('actions', 'rules'):
            for name in os.listdir(self.path(place)):
                os.chmod(self.path(place, name), 0o644)
        with open('/etc/passwd', encoding='utf-8') as users:
            text = users.read()
        with open(self.path('passwd'), 'w', encoding='utf-8') as users:
            users.write(text + f'alice:x:{ALICE}:{ALICE}::/:/bin/sh\n'
                        f'bob:x:{BOB}:{BOB}::/:/bin/sh\n')
        os.chmod(self.path('passwd'), 0o644)
        self.bind(self.path('passwd'), '/etc/passwd')
        self.bind(self.path('actions'), '/usr/share/polkit-1/actions')
        self.bind(self.path('none'), '/usr/share/polkit-1/rules.d')
        self.bind(self.path('rules'), '/etc/polkit-1/rules.d')
        with open(self.path('stemma.conf'), 'w', encoding='utf-8'):
            pass
        with open(self.path('bus.conf'), 'w', encoding='utf-8') as config:
            config.write(BUS_CONFIG.format(directory=self.directory, bus_policy=self.bus_policy))

    def start(self, name, *command):
        log = open(self.path('log', name), 'wb')
        self.processes.append(subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL,
                                               stdout=log, stderr=log))
        log.close()

    def start_bus(self):
        """It says where it listens when it does, or ends."""
        with open(self.path('log', 'bus'), 'wb') as log:
            bus = subprocess.Popen(['dbus-daemon', '--nofork', '--print-address',
                                    f'--config-file={self.path("bus.conf")}'], env=self.env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        self.processes.append(bus)
        if not bus.stdout.readline():
            raise Failure('the bus does not come up')

    def await_name(self, name):
        subprocess.run(['gdbus', 'wait', '--system', '--timeout', str(DEADLINE), name],
                       env=self.env, check=True)

    def open(self):
        self.furnish()
        self.start_bus()
        self.start('polkitd', '/usr/lib/polkit-1/polkitd', '--no-debug')
        self.await_name('org.freedesktop.PolicyKit1')
        self.start('stemmad', self.stemmad, '--system', '--driver=sim', '--config', self.path('stemma.conf'),
                   '--state-dir', self.path('state'), '--run-dir', self.path('run'))
        self.await_name('org.stemma1')

    def close(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def logs(self):
        for name in sorted(os.listdir(self.path('log'))):
            with open(self.path('log', name), encoding='utf-8', errors='replace') as log:
                for line in log:
                    print(f'# {name}: {line.rstrip()}')

    def call(self, uid, path, method, *arguments):
        """What gdbus prints, or the name of the error."""
        command = ['gdbus', 'call', '--system', '--dest', 'org.stemma1', '--object-path', path,
                   '--method', method, *arguments]
        if uid != 0:
            command = ['setpriv', f'--reuid={uid}', f'--regid={uid}', '--clear-groups', *command]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=DEADLINE, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
        for word in done.stderr.replace(':', ' ').split():
            if word.startswith(('org.stemma1.Error.', 'org.freedesktop.DBus.Error.')):
                return word.rsplit('.', 1)[1]
        raise Failure(f'{method} as {uid}: {done.stderr.strip()}')


def expect(found, wanted, what):
    if found != wanted:
        raise Failure(f'{what}: {found!r} where {wanted!r} is right')


def expect_done(found, what):
    if not found.startswith('('):
        raise Failure(f'{what}: {found}')


def first_path(reply):
    return reply.split("objectpath '", 1)[1].split("'", 1)[0]


WAIT = "{'wait': <true>}"
# An administrator's password could obtain it, and nobody is there to be asked.
DENIED = 'NotAuthorizedCanObtain'


def domain_path(uuid):
    return '/org/stemma1/domains/' + uuid.replace('-', '')


LAB = '11111111-1111-4111-8111-111111111111'
PROD = '22222222-2222-4222-8222-222222222222'


def define(stage, uid, name, uuid):
    return stage.call(uid, MANAGER, 'org.stemma1.Manager.DefineDomain',
                      DOMAIN.format(name=name, uuid=uuid), '{}')


def create(stage, uid, uuid, name):
    return stage.call(uid, domain_path(uuid), 'org.stemma1.Snapshots.Create', name, WAIT)


def check_only_an_administrator_defines(stage):
    expect(define(stage, ALICE, 'lab-1', LAB), DENIED, 'alice defines')
    expect_done(define(stage, 0, 'lab-1', LAB), 'root defines')
    expect_done(define(stage, 0, 'prod', PROD), 'root defines')


def check_the_user_of_the_rule_creates_on_one_machine(stage):
    expect_done(create(stage, ALICE, LAB, 'first'), 'alice on lab-1')
    expect(create(stage, ALICE, PROD, 'first'), DENIED, 'alice on prod')
    expect(create(stage, BOB, LAB, 'second'), DENIED, 'bob on lab-1')
    expect_done(create(stage, 0, PROD, 'first'), 'root on prod')


def check_names_are_open_to_everybody(stage):
    reply = stage.call(BOB, domain_path(LAB), 'org.stemma1.Snapshots.Find', 'first', '{}')
    expect_done(reply, 'bob finds')
    reply = stage.call(BOB, domain_path(LAB), 'org.stemma1.Snapshots.Find', 'second', '{}')
    expect(reply, 'NotFound', 'what was denied was not made')


def snapshot(stage, uuid, name):
    return first_path(stage.call(0, domain_path(uuid), 'org.stemma1.Snapshots.Find', name, '{}'))


def check_the_user_of_the_rule_reverts_on_one_machine(stage):
    lab, prod = snapshot(stage, LAB, 'first'), snapshot(stage, PROD, 'first')
    expect_done(stage.call(ALICE, lab, 'org.stemma1.Snapshot.PlanRevert', '{}'), 'alice plans')
    expect_done(stage.call(ALICE, lab, 'org.stemma1.Snapshot.Revert', WAIT), 'alice on lab-1')
    expect(stage.call(ALICE, prod, 'org.stemma1.Snapshot.Revert', WAIT), DENIED, 'alice on prod')
    expect(stage.call(BOB, lab, 'org.stemma1.Snapshot.Revert', WAIT), DENIED, 'bob on lab-1')


def check_the_user_of_the_rule_does_not_delete(stage):
    lab = snapshot(stage, LAB, 'first')
    expect(stage.call(ALICE, lab, 'org.stemma1.Snapshot.Delete', WAIT), DENIED, 'alice deletes')
    expect(stage.call(ALICE, domain_path(LAB), 'org.stemma1.Snapshots.ForgetAll', '{}'), DENIED,
           'alice forgets')
    expect(stage.call(ALICE, domain_path(LAB), 'org.stemma1.Checkpoints.Create', 'c1', WAIT), DENIED,
           'alice makes a checkpoint')
    expect(stage.call(ALICE, domain_path(LAB), 'org.stemma1.Domain.Undefine', '{}'), DENIED,
           'alice undefines')
    expect_done(stage.call(0, lab, 'org.stemma1.Snapshot.Delete', WAIT), 'root deletes')


def check_definitions_are_read_by_rule(stage):
    expect_done(stage.call(ALICE, domain_path(LAB), 'org.stemma1.Domain.GetXML', '{}'), 'alice')
    expect(stage.call(BOB, domain_path(LAB), 'org.stemma1.Domain.GetXML', '{}'), DENIED, 'bob')
    expect(stage.call(ALICE, domain_path(LAB), 'org.stemma1.Domain.GetSecureXML', '{}'), DENIED,
           'alice reads secrets')
    expect_done(stage.call(0, domain_path(LAB), 'org.stemma1.Domain.GetSecureXML', '{}'), 'root')


def check_a_rename_takes_the_machine_out_of_the_rule(stage):
    expect(stage.call(ALICE, domain_path(LAB), 'org.stemma1.Domain.Rename', 'mine', '{}'), DENIED,
           'alice renames')
    expect_done(stage.call(0, domain_path(LAB), 'org.stemma1.Domain.Rename', 'lab-2', '{}'), 'root')
    expect(create(stage, ALICE, LAB, 'later'), DENIED, 'alice on lab-2')


CHECKS = [
    check_only_an_administrator_defines,
    check_the_user_of_the_rule_creates_on_one_machine,
    check_names_are_open_to_everybody,
    check_the_user_of_the_rule_reverts_on_one_machine,
    check_the_user_of_the_rule_does_not_delete,
    check_definitions_are_read_by_rule,
    check_a_rename_takes_the_machine_out_of_the_rule,
]


def run_checks(stage):
    """True when all hold. Each builds on those before it: the first failure ends the run."""
    print(f'1..{len(CHECKS)}')
    for number, check in enumerate(CHECKS, 1):
        name = check.__name__.removeprefix('check_').replace('_', '-')
        try:
            check(stage)
        except (Failure, subprocess.SubprocessError) as failure:
            print(f'not ok {number} {name}\n# {failure}')
            stage.logs()
            return False
        print(f'ok {number} {name}', flush=True)
    return True


def main():
    if os.geteuid() != 0:
        print('1..0 # SKIP the real polkitd needs root and a mount namespace')
        return 0
    if os.environ.get('STEMMA_TEST_NAMESPACE') != '1':
        os.environ['STEMMA_TEST_NAMESPACE'] = '1'
        os.execvp('unshare', ['unshare', '--mount', '--propagation', 'private', sys.executable,
                              *sys.argv])
    stage = Stage([os.path.abspath(path) for path in sys.argv[1:]])
    try:
        stage.open()
        return 0 if run_checks(stage) else 1
    except (Failure, OSError, subprocess.SubprocessError) as failure:
        print(f'Bail out! {failure}')
        stage.logs()
        return 1
    finally:
        stage.close()
        shutil.rmtree(stage.directory, ignore_errors=True)


if __name__ == '__main__':
    sys.exit(main())
