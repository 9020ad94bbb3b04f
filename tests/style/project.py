"""The tree that the style rules look at, and what a rule gives back.

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import pathlib

from csource import CSource


class Report:
    """What one rule found. A problem fails the rule, a note is only printed."""

    def __init__(self):
        self.problems = []
        self.notes = []
        self.skipped = None

    def problem(self, source, line, words):
        self.problems.append(f'{source.name}:{line}: {words}')

    def note(self, source, line, words):
        self.notes.append(f'{source.name}:{line}: {words}')


class Project:
    def __init__(self, top):
        self.top = pathlib.Path(top)
        self.sources = [CSource(path, str(path.relative_to(self.top)))
                        for folder in ('src', 'tests', 'data')
                        for path in sorted((self.top / folder).rglob('*.[ch]'))]

    def in_folder(self, prefix):
        return [source for source in self.sources if source.name.startswith(prefix)]

    def files(self, *patterns):
        return sorted(path for pattern in patterns for path in self.top.glob(pattern)
                      if path.is_file() and '__pycache__' not in path.parts)

    def read(self, name):
        path = self.top / name
        return path.read_text(errors='replace') if path.exists() else ''
