#!/usr/bin/env python3
"""Adds up what meson's logs say and prints the count of test cases as the last line.

usage: summarize.py FOLDER

The folder holds one <label>.json for each run of `meson test` (one JSON object a line, one line a
program) and, when builds failed, a file failed-builds with a line for each. A program that speaks
TAP, also behind the task prefix of dbus-test-runner, counts with each of its cases; another counts
as one. A program that ended badly with no failed case to show for it counts as one failed case more,
and so do the cases that its plan announced and that never reported. The same case run in two builds
counts twice.

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import pathlib
import re
import sys

CASE = re.compile(r'^(?:[\w.-]+: )?(not )?ok \d+(?: -)?\s*([^#]*?)\s*(?:#\s*(\w+)\s*(.*))?$')
PLAN = re.compile(r'^(?:[\w.-]+: )?1\.\.(\d+)(?:\s*#\s*(?:SKIP\w*)\s*(.*))?$', re.IGNORECASE)


class Count:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def total(self):
        return self.passed + len(self.failed) + len(self.skipped)


def count_case(match, name, count):
    failed, title, directive, words = match.groups()
    where = f'{name}: {title}'
    if directive and directive.upper().startswith('SKIP'):
        count.skipped.append(f'{where}: {words or "no reason given"}')
    elif directive and directive.upper() == 'TODO':
        count.skipped.append(f'{where}: incomplete: {words or "no reason given"}')
    elif failed:
        count.failed.append(where)
    else:
        count.passed += 1


def count_tap(text, name):
    """The cases of a program's output, and how many its plan announced (None: no plan)."""
    count, planned = Count(), None
    for line in text.splitlines():
        match = CASE.match(line)
        if match:
            count_case(match, name, count)
            continue
        match = PLAN.match(line)
        if match:
            planned = (planned or 0) + int(match.group(1))
            if match.group(1) == '0':
                count.skipped.append(f'{name}: {match.group(2) or "no reason given"}')
                planned = None
    return count, planned


def last_line(entry):
    lines = [line for line in (entry.get('stdout', '') + entry.get('stderr', '')).splitlines()
             if line.strip()]
    return lines[-1] if lines else 'no reason given'


def count_program(entry, name):
    count, planned = count_tap(entry.get('stdout', ''), name)
    result = entry['result']
    if planned is not None and count.total() < planned:
        lost = planned - count.total()
        count.failed += [f'{name}: a case that never reported ({result})'] * lost
    if result in ('OK', 'EXPECTEDFAIL'):
        if count.total() == 0:
            count.passed = 1
    elif result == 'SKIP':
        if not count.skipped:
            count.skipped.append(f'{name}: {last_line(entry)}')
    elif not count.failed:
        count.failed.append(f'{name}: {result}, exit status {entry.get("returncode")}')
    return count


def count_log(path):
    count = Count()
    for line in path.read_text(errors='replace').splitlines():
        entry = json.loads(line)
        count.add(count_program(entry, f'{path.stem}: {entry["name"]}'))
    return count


def main():
    folder = pathlib.Path(sys.argv[1])
    total = Count()
    print(f'{"run":<20}{"passed":>8}{"failed":>8}{"skipped":>9}')
    for path in sorted(folder.glob('*.json')):
        count = count_log(path)
        print(f'{path.stem:<20}{count.passed:>8}{len(count.failed):>8}{len(count.skipped):>9}')
        total.add(count)
    builds = folder / 'failed-builds'
    if builds.exists():
        total.failed += builds.read_text().splitlines()
    for title, entries in ('skipped', total.skipped), ('FAILED', total.failed):
        for entry in entries:
            print(f'{title}: {entry}')
    ran = total.passed + len(total.failed)
    if ran == 0:
        print('No test ran.')
    print(f'{total.passed} passed, {len(total.failed)} failed, {len(total.skipped)} skipped')
    return 0 if ran > 0 and not total.failed else 1


if __name__ == '__main__':
    sys.exit(main())
