#!/usr/bin/env -S python3 -B
"""Plays recorded sessions, tests/data/cli/*.session, and compares what stemmactl prints with what is
recorded. With STEMMA_REGENERATE=1 in the environment it records anew.

A line that begins with "$ " is a command: `stemmactl …`, `save FILE stemmactl …` (its output goes
there), `machine NAME TARGET…` (images and the document NAME.xml) or `write NAME TARGET OFFSET SIZE`.
Below it stand its output, its errors behind
"! ", and "[N]" for a status that is not zero. Lines that begin with "#" are comments. Folders, ids,
times and sizes on disk are written as words.

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import difflib
import os
import pathlib
import re
import shlex
import sys

import stage

SESSIONS = pathlib.Path(__file__).resolve().parent.parent / 'data' / 'cli'
WORDS = (
    (r'\b[0-9a-f]{32}\b(?=/snapshots|/checkpoints|/disks)', 'DOMAIN'),
    (r'(?<=snapshots/)[0-9a-f]{32}\b', 'ID'),
    (r'(?<=checkpoints/)[0-9a-f]{32}\b', 'ID'),
    (r'\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b', 'TIME'),
    # With a space that does not break, as GLib writes it. What would be lost is exact.
    (r"\b\d+(\.\d+)?[ \u00a0](bytes|[KMG]iB)\b(?! on ')", 'SIZE'),
    (r'(?<=<creationTime>)\d+', 'NUMBER'),
    (r'(?<=\S) {2,}', '  '),
)


def as_recorded(text, folder):
    text = text.replace(folder, 'FOLDER')
    for pattern, word in WORDS:
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    return text


def play(where, line):
    """What a command prints, as it is recorded."""
    words = shlex.split(line)
    if words[0] == 'machine':
        where.machine(words[1], words[2:], 1 + len(list(pathlib.Path(where.folder).glob('*.xml'))))
        return ''
    if words[0] == 'write':
        where.write(*words[1:])
        return ''
    if words[0] == 'save':
        target = pathlib.Path(where.path(words[1]))
        target.parent.mkdir(exist_ok=True)
        target.write_text(where.well(*words[3:]))
        return ''
    assert words[0] == 'stemmactl', f'a session has no command {words[0]}'
    result = where.run(*words[1:])
    text = result.out + ''.join(f'! {line}\n' for line in result.err.splitlines())
    text += f'[{result.status}]\n' if result.status else ''
    return as_recorded(text, where.folder)


def played(where, recorded):
    text = ''
    for line in recorded.splitlines():
        if line.startswith('$ '):
            text += f'{line}\n{play(where, line[2:])}'
        elif line.startswith('#'):
            text += f'{line}\n'
    return text


def test_of(path):
    def test(where):
        recorded = path.read_text()
        with where.service():
            now = played(where, recorded)
        if os.environ.get('STEMMA_REGENERATE') == '1':
            path.write_text(now)
            return
        difference = ''.join(difflib.unified_diff(recorded.splitlines(True), now.splitlines(True),
                                                  'recorded', 'now'))
        assert now == recorded, f'{path.name}:\n{difference}'
    return test


if __name__ == '__main__':
    paths = sorted(SESSIONS.glob('*.session'))
    sys.exit(stage.run_tests([(f'/cli/sessions/{path.stem}', test_of(path)) for path in paths])
             if paths else 1)
