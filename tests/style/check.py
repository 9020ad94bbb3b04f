#!/usr/bin/env python3
"""Checks the house rules that a machine can check; speaks TAP, one case for each rule.

usage: check.py [TOP [RULE ...]]

Each rule is a function whose first sentence says the rule and why; it is printed with what breaks
it. Notes are printed, and fail nothing.

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import pathlib
import sys

import rules_contract
import rules_shape
import rules_words
from project import Project, Report

RULES = rules_shape.RULES + rules_words.RULES + rules_contract.RULES


def run(rule, project):
    report = Report()
    rule(project, report)
    return report


def print_report(number, rule, report):
    for note in report.notes:
        print(f'# note: {note}')
    title = f'/style/{rule.__name__.replace("_", "-")}'
    if report.skipped:
        print(f'ok {number} {title} # SKIP {report.skipped}')
        return
    print(f'{"not " if report.problems else ""}ok {number} {title}')
    if report.problems:
        print(f'# {" ".join(rule.__doc__.split())}')
        for problem in report.problems:
            print(f'#   {problem}')


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    chosen = [rule for rule in RULES if not sys.argv[2:] or rule.__name__ in sys.argv[2:]]
    project = Project(top)
    print(f'1..{len(chosen)}')
    failed = 0
    for number, rule in enumerate(chosen, 1):
        report = run(rule, project)
        print_report(number, rule, report)
        failed += bool(report.problems)
    return 1 if failed or not chosen else 0


if __name__ == '__main__':
    sys.exit(main())
