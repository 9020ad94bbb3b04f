"""A stage for tests of stemmactl: stemmad with real QEMU on the private bus that the tests run on, in
a folder of its own, and runs of stemmactl with pipes or on a terminal.

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

WAIT_SECONDS = 180
MOCK = ['gdbus', 'call', '--system', '--dest', 'org.stemma1.test.Polkit', '--object-path',
        '/org/freedesktop/PolicyKit1/Authority', '--method']
DOMAIN = """<domain type='kvm'>
  <name>{name}</name><uuid>{uuid}</uuid><memory unit='MiB'>64</memory>
  <os><type arch='x86_64'>hvm</type></os>
  <devices>{disks}
  </devices>
</domain>
"""
DISK = """
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
      <source file='{path}'/><target dev='{target}' bus='virtio'/></disk>"""


class Skipped(Exception):
    """Something that the case needs is not installed."""


class Result:
    """How a run of stemmactl ended."""

    def __init__(self, status, out, err):
        self.status = status
        self.out = out
        self.err = err


class Service:
    """A process that owns the service's name, from the start until the end of the block."""

    def __init__(self, arguments, log):
        self.arguments = arguments
        self.log = log
        self.process = None
        self.is_killed = False

    def kill(self):
        """Leaves it no time for an orderly end."""
        self.is_killed = True
        self.process.kill()
        self.process.wait(WAIT_SECONDS)

    def __enter__(self):
        self.process = subprocess.Popen(self.arguments, stdout=self.log, stderr=self.log,
                                        stdin=subprocess.DEVNULL)
        subprocess.run(['gdbus', 'wait', '--system', '--timeout', str(WAIT_SECONDS),
                        'org.stemma1'], check=True, capture_output=True)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        status = self.process.wait(WAIT_SECONDS)
        if status not in (0, -signal.SIGTERM) and not self.is_killed:
            raise AssertionError(f'the service ended with status {status}')


class Stage:
    """A folder with images and documents, and the programs."""

    def __init__(self, stemmad, stemmactl):
        self.stemmad = stemmad
        self.stemmactl = stemmactl
        self.folder = tempfile.mkdtemp(prefix='stemma-cli-')
        os.chmod(self.folder, 0o755)
        self.log = open(os.path.join(self.folder, 'log'), 'wb')

    def close(self, failed):
        self.log.close()
        if failed:
            with open(os.path.join(self.folder, 'log'), errors='replace') as log:
                sys.stderr.write(log.read()[-8000:])
        shutil.rmtree(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def service(self, *more):
        config = self.path('stemma.conf')
        with open(config, 'w') as file:
            file.write(f'[qemu]\nuser={"nobody" if os.getuid() == 0 else ""}\n')
        return Service([self.stemmad, '--verbose', '--config', config, '--state-dir',
                        self.path('state'), '--run-dir', self.path('run'), *more], self.log)

    def machine(self, name, targets, number=1):
        """Images of 8 MiB and the document NAME.xml."""
        disks = ''
        for target in targets:
            image = self.path(f'{name}-{target}.qcow2')
            subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', image, '8M'], check=True)
            disks += DISK.format(path=image, target=target)
        uuid = f'5eed0000-0000-4000-8000-{number:012}'
        with open(self.path(f'{name}.xml'), 'w') as file:
            file.write(DOMAIN.format(name=name, uuid=uuid, disks=disks))

    def write(self, name, target, offset, size):
        """What the machine would write."""
        import json
        disks = json.loads(self.run('disk', 'chain', name, target, '--json').out)
        subprocess.run(['qemu-io', '-f', 'qcow2', '-c', f'write -q {offset} {size}',
                        disks[0]['source']], check=True, capture_output=True)

    def environment(self, **more):
        keep = ('PATH', 'HOME', 'DBUS_SYSTEM_BUS_ADDRESS', 'ASAN_OPTIONS', 'LSAN_OPTIONS',
                'UBSAN_OPTIONS', 'G_DEBUG', 'G_SLICE')
        return {name: os.environ[name] for name in keep if name in os.environ} | {
            'LC_ALL': 'C.UTF-8', 'TZ': 'UTC', 'TERM': 'xterm'} | more

    def run(self, *arguments, stdin=b'', environment=None):
        done = subprocess.run([self.stemmactl, *arguments], input=stdin, capture_output=True,
                              cwd=self.folder, timeout=WAIT_SECONDS,
                              env=environment or self.environment())
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def well(self, *arguments, **keywords):
        result = self.run(*arguments, **keywords)
        assert result.status == 0, f'{arguments}: {result.status}: {result.err}'
        assert result.err == '', f'{arguments}: {result.err}'
        return result.out

    def ill(self, status, *arguments, **keywords):
        """The run fails so, and says why in one line; a second one may say what to try."""
        result = self.run(*arguments, **keywords)
        assert result.status == status, f'{arguments}: {result.status}, not {status}: {result.err}'
        assert re.fullmatch(r'stemmactl: [^\n]+\n((try|here): [^\n]+\n)?', result.err), f'{arguments}: {result.err!r}'
        return result.err

    def terminal(self, *arguments):
        return Terminal([self.stemmactl, *arguments], self.folder, self.environment())


class Terminal:
    """stemmactl on a pseudo terminal."""

    def __init__(self, arguments, folder, environment):
        self.seen = ''
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(arguments, stdin=slave, stdout=slave, stderr=slave,
                                        cwd=folder, env=environment, start_new_session=True,
                                        preexec_fn=take_terminal)
        os.close(slave)

    def read_more(self):
        ready, _, _ = select.select([self.master], [], [], WAIT_SECONDS)
        assert ready, f'nothing came; seen so far: {self.seen!r}'
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other end is closed
            return False
        self.seen += data.decode(errors='replace')
        return bool(data)

    def expect(self, text):
        """Reads until it was printed; what came before and with it is taken as read."""
        while text not in self.seen:
            assert self.read_more(), f'it ended without {text!r}: {self.seen!r}'
        before, self.seen = self.seen.split(text, 1)
        return before

    def say(self, text):
        os.write(self.master, text.encode())

    def end(self):
        """The rest of what it prints, and its status."""
        while self.read_more():
            pass
        os.close(self.master)
        return self.process.wait(WAIT_SECONDS), self.seen


def take_terminal():
    import fcntl
    import termios
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def polkit(method, *arguments):
    """Tells the mock of polkit what to answer."""
    subprocess.run([*MOCK, f'org.stemma1.test.Polkit.{method}', *arguments], check=True,
                   capture_output=True)


def wait_until(condition, what):
    """For conditions that can only be looked at: each look is a run of a program."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f'waited in vain for {what}'


def run_tests(tests):
    """TAP: one case for each function, named by it."""
    print(f'1..{len(tests)}', flush=True)
    failures = 0
    for number, (name, test) in enumerate(tests, 1):
        stage = Stage(sys.argv[1], os.environ['STEMMACTL'])
        failed = False
        skipped = ''
        try:
            polkit('Reset')
            test(stage)
        except Skipped as reason:
            skipped = f' # SKIP {reason}'
        except Exception:  # a case that breaks is a case that fails
            failed = True
            print(''.join(f'# {line}\n' for line in traceback.format_exc().splitlines()), end='')
        stage.close(failed)
        failures += failed
        print(f'{"not " if failed else ""}ok {number} {name}{skipped}', flush=True)
    return 1 if failures else 0
