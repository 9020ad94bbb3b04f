#!/usr/bin/env -S python3 -B
"""The directory of a simulation is one from its first start on: another simulation goes on in it, and
a service of real images does not.

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import subprocess
import sys

import stage


def simulation(where):
    return where.service('--driver=sim')


def refused_start(arguments):
    result = subprocess.run(arguments, capture_output=True, timeout=stage.WAIT_SECONDS)
    assert result.returncode == 1, result
    return result.stderr.decode()


def test_again_without_a_machine(where):
    with simulation(where):
        where.well('list')
    with simulation(where):
        where.machine('web', ['vda'])
        where.well('define', 'web.xml')
        where.well('snapshot', 'create', 'web', 'one')
    with simulation(where):
        assert 'one' in where.well('snapshot', 'list', 'web')


def test_not_for_real_images(where):
    with simulation(where):
        where.well('list')
    said = refused_start(where.service().arguments)
    assert 'belongs to a simulation: give another directory with --state-dir' in said, said


def test_not_where_real_images_are(where):
    with where.service():
        where.well('list')
    said = refused_start(simulation(where).arguments)
    assert 'belongs to real images, not to a simulation' in said, said
    with where.service():
        where.well('list')


TESTS = [
    ('/cli/simulation/starts-again-where-no-machine-was-defined', test_again_without_a_machine),
    ('/cli/simulation/its-directory-is-not-for-real-images', test_not_for_real_images),
    ('/cli/simulation/directory-of-real-images-is-not-for-it', test_not_where_real_images_are),
]

if __name__ == '__main__':
    sys.exit(stage.run_tests(TESTS))
