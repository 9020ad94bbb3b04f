"""Ten thousand redefined snapshots of one machine: Stemma beside libvirt-dbus over libvirtd.

Both run as the same unprivileged user on private session buses, one after the other, and are asked by
the same client, tests/bench/tree-client.c. Part of tests/bench/run.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import pathlib
import shutil
import subprocess
import time

DOMAIN = """<domain type='qemu'><name>tree</name><uuid>5eed0000-0000-4000-8000-000000000009</uuid>
<memory unit='MiB'>64</memory><os><type arch='x86_64' machine='q35'>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{disk}'/>
<target dev='vda' bus='virtio'/></disk></devices></domain>"""


# Seconds after which memory is measured: both give back what a big change took for a while.
REST = 4


def resident(pid):
    """Bytes of a process and those that it started."""
    total = 0
    for status in pathlib.Path('/proc').glob('[0-9]*/status'):
        try:
            fields = dict(line.split(':\t', 1) for line in status.read_text().splitlines()
                          if ':\t' in line)
        except OSError:
            continue
        if int(fields['Pid']) == pid or int(fields['PPid']) == pid:
            total += int(fields.get('VmRSS', '0 kB').split()[0]) * 1024
    return total


def size_of(folder):
    return sum(file.stat().st_blocks * 512 for file in folder.rglob('*') if file.is_file())


class Side:
    """One service on a bus of its own."""

    word = None

    def __init__(self, client, work):
        self.client = client
        self.work = work
        work.mkdir(parents=True)
        (work / 'run').mkdir(mode=0o700)
        self.environment = dict(os.environ, HOME=str(work), XDG_DATA_HOME=str(work / 'data'),
                                XDG_RUNTIME_DIR=str(work / 'run'), LC_ALL='C.UTF-8',
                                XDG_CONFIG_HOME=str(work / 'config'),
                                XDG_CACHE_HOME=str(work / 'cache'))
        self.bus = subprocess.Popen(['dbus-daemon', '--session', '--nofork', '--print-address'],
                                    stdout=subprocess.PIPE, text=True, env=self.environment,
                                    stderr=subprocess.DEVNULL)
        self.environment['DBUS_SESSION_BUS_ADDRESS'] = self.bus.stdout.readline().strip()
        disk = work / 'disk.qcow2'
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', disk, '64M'], check=True)
        self.document = work / 'domain.xml'
        self.document.write_text(DOMAIN.format(disk=disk))
        self.environment['BENCH_DOMAIN'] = str(self.document)
        self.processes = []

    def start(self):
        raise NotImplementedError

    def state(self):
        raise NotImplementedError

    def ask(self, *words):
        done = subprocess.run([self.client, self.word, *words], env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f'{self.word} {words[0]}: {done.stderr}')
        return done.stdout.split()

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait()
        self.processes = []

    def close(self):
        self.stop()
        self.bus.terminate()
        self.bus.wait()

    def rest(self):
        try:
            self.processes[0].wait(timeout=REST)
        except subprocess.TimeoutExpired:
            return
        raise SystemExit(f'{self.word} has ended')

    def memory(self):
        return sum(resident(process.pid) for process in self.processes)

    def first_answer(self, domain):
        self.stop()
        start = time.monotonic()
        self.start()
        self.ask('first', domain)
        return time.monotonic() - start


class StemmaSide(Side):
    word = 'stemma'

    def __init__(self, client, work, program):
        super().__init__(client, work)
        self.program = program

    def start(self):
        self.processes.append(subprocess.Popen([self.program, '--session'], env=self.environment,
                                               stderr=subprocess.DEVNULL))

    def await_name(self):
        subprocess.run(['gdbus', 'wait', '--session', '--timeout', '60', 'org.stemma1'], check=True,
                       env=self.environment)

    def state(self):
        return self.work / 'data' / 'stemma'


class LibvirtSide(Side):
    word = 'libvirt'

    def start(self):
        for command in (['libvirtd'], ['libvirt-dbus', '--session']):
            self.processes.append(subprocess.Popen(command, env=self.environment,
                                                   stdout=subprocess.DEVNULL,
                                                   stderr=subprocess.DEVNULL))

    def await_name(self):
        subprocess.run(['gdbus', 'wait', '--session', '--timeout', '60', 'org.libvirt'], check=True,
                       env=self.environment)

    def state(self):
        return self.work / 'config' / 'libvirt' / 'qemu' / 'snapshot'


def measure(side, number, shape):
    figures = {}
    try:
        side.start()
        side.await_name()
        domain = side.ask('define', str(side.document))[0]
        figures['rate'], figures['first'], figures['last'] = map(
            float, side.ask(shape, str(number), domain))
        figures['disk'] = size_of(side.state())
        figures['read'] = float(side.ask('read', domain)[0])
        figures['least'] = float(side.ask('read-least', domain)[0])
        side.rest()
        figures['memory'] = side.memory()
        figures['start'] = side.first_answer(domain)
    finally:
        side.close()
    return figures


def measure_bulk(side, number):
    figures = {}
    try:
        side.start()
        side.await_name()
        domain = side.ask('define', str(side.document))[0]
        figures['rate'] = float(side.ask('bulk', str(number), domain)[0])
        figures['at once'] = side.memory()
        side.rest()
        figures['memory'] = side.memory()
        figures['start'] = side.first_answer(domain)
    finally:
        side.close()
    return figures


MIB = 1024 * 1024


def line(what, mine, peer, unit, wanted):
    ratio = mine / peer if mine > peer else peer / mine
    word = 'x the peer' if mine > peer else 'times less than the peer'
    print(f'{what:36} {mine:10.2f} {peer:10.2f} {unit:6} {ratio:7.1f} {word}; wanted {wanted}')


def run(program, client, work, number):
    chain = measure(StemmaSide(client, work / 'chain', program), number, 'chain')
    fan = measure(StemmaSide(client, work / 'fan', program), number, 'fan')
    bulk = measure_bulk(StemmaSide(client, work / 'bulk', program), number)
    big = measure_bulk(StemmaSide(client, work / 'big', program), 10 * number)
    peer = measure(LibvirtSide(client, work / 'peer'), number, 'chain')

    print(f'{number} snapshots of one machine              Stemma       peer')
    line('Redefine, one call each, chain', chain['rate'], peer['rate'], '1/s', '>= 8 x')
    line('Redefine, one call each, fan', fan['rate'], peer['rate'], '1/s', '>= 8 x')
    for word, figures in (('chain', chain), ('fan', fan), ('peer', peer)):
        print(f"  {word}: last part at {figures['last'] / figures['first']:.2f} of the rate of the "
              f"first ({figures['last']:.0f} of {figures['first']:.0f})")
    line('RedefineFrom', bulk['rate'], peer['rate'], '1/s', '>= 100 x')
    line('a client reads the whole tree', chain['read'], peer['read'], 's', '>= 40 times less')
    line('  by the fewest calls', chain['least'], peer['least'], 's', 'nothing')
    line('start to first answer', chain['start'], peer['start'], 's', '>= 20 times less')
    line('resident', chain['memory'] / MIB, peer['memory'] / MIB, 'MiB', '<= 0.3')
    line('on disk', chain['disk'] / MIB, peer['disk'] / MIB, 'MiB', '<= 0.25')
    print(f"{10 * number} snapshots: resident {big['memory'] / MIB:.0f} MiB after the bulk, "
          f"{big['at once'] / MIB:.0f} at once "
          f"(wanted <= 150 for 100000), RedefineFrom {big['rate']:.0f}/s, start to first answer "
          f"{big['start']:.2f} s")
    shutil.rmtree(work, ignore_errors=True)
