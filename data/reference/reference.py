#!/usr/bin/env python3
"""Makes the reference of the bus interfaces from the comments in introspection/*.xml, and from the
page introspection/README.md, which says what holds for all of them.

usage: reference.py man|markdown README XML...

Prints the manual page org.stemma1(5), or one page of Markdown.

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as ET

PREFIX = 'org.stemma1.'
KINDS = (('method', 'Methods'), ('signal', 'Signals'), ('property', 'Properties'))


class Text:
    """A comment: words for each argument, and paragraphs."""

    def __init__(self, comment, name):
        lines = [line.strip() for line in (comment or '').strip().splitlines()]
        self.arguments = {}
        self.short = ''
        body = '\n'.join(lines)
        body = re.sub(rf'^{re.escape(name)}:[ \n]*', '', body)
        blocks = re.split(r'\n\s*\n', body)
        self.paragraphs = []
        for block in blocks:
            if block.lstrip().startswith('@'):
                self.take_arguments(block)
            elif block.strip():
                self.paragraphs.append(' '.join(block.split()))

    def take_arguments(self, block):
        for part in re.split(r'(?:^|\n)@', block)[1:]:
            name, words = part.split(':', 1)
            words = ' '.join(words.split())
            if name == 'short_description':
                self.short = words
            else:
                self.arguments[name] = words


class Member:
    def __init__(self, element, comment):
        self.kind = element.tag
        self.name = element.get('name')
        self.type = element.get('type', '')
        self.text = Text(comment, self.name)
        self.inputs = [argument for argument in element.findall('arg')
                       if self.kind == 'method' and argument.get('direction', 'in') == 'in']
        self.outputs = [argument for argument in element.findall('arg')
                        if argument not in self.inputs]
        notes = {note.get('name'): note.get('value') for note in element.findall('annotation')}
        self.permission = notes.get(f'{PREFIX}Authorize')
        self.is_destructive = notes.get(f'{PREFIX}Destructive') == 'true'

    def usage(self):
        def listed(arguments):
            return ', '.join(f'{argument.get("type")} {argument.get("name")}'
                             for argument in arguments)
        if self.kind == 'property':
            return f'{self.name} {self.type}'
        if self.kind == 'signal':
            return f'{self.name} ({listed(self.outputs)})'
        result = f' → ({listed(self.outputs)})' if self.outputs else ''
        return f'{self.name} ({listed(self.inputs)}){result}'

    def allowed(self):
        if self.permission is None:
            return ''
        who = ('Everyone may call it.' if self.permission == 'open'
               else f'Needs `{self.permission}`.')
        return who + (' Can throw data away.' if self.is_destructive else '')


class Interface:
    def __init__(self, path):
        parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
        root = ET.parse(path, parser).getroot()
        comment = None
        for element in root:
            if element.tag is ET.Comment:
                comment = element.text
            elif element.tag == 'interface':
                break
        self.name = element.get('name')
        self.text = Text(comment, self.name)
        self.members = list(self.read_members(element))

    @staticmethod
    def read_members(interface):
        comment = None
        for element in interface:
            if element.tag is ET.Comment:
                comment = element.text
            elif element.tag in ('method', 'signal', 'property'):
                yield Member(element, comment)
                comment = None

    def of_kind(self, kind):
        return [member for member in self.members if member.kind == kind]


class Markdown:
    def __init__(self):
        self.lines = []

    def begin(self):
        self.lines += ['# The bus interfaces of Stemma', '',
                       'Made from the introspection XML, which is installed in '
                       '`/usr/share/dbus-1/interfaces`.', '']

    def page(self, text):
        self.lines += sections(text)

    def interface(self, interface):
        self.lines += ['', f'## {interface.name}', '', f'*{interface.text.short}.* '
                       + '\n\n'.join(tidy(words) for words in interface.text.paragraphs), '']

    def kind(self, title):
        self.lines += [f'### {title}', '']

    def member(self, member):
        self.lines += [f'#### `{member.usage()}`', '']
        for name, words in member.text.arguments.items():
            self.lines += [f'- `{name}`: {tidy(words)}']
        if member.text.arguments:
            self.lines += ['']
        for words in [*member.text.paragraphs, member.allowed()]:
            if words:
                self.lines += [tidy(words), '']

    def end(self):
        return '\n'.join(self.lines) + '\n'


def sections(page):
    """What the page says from its first section on: before it, it speaks of itself."""
    return page[page.index('\n## ') + 1:].split('\n')


def tidy(words):
    """References to members, org.stemma1.Domain.Undefine(), by their last names."""
    words = words.replace('introspection/README.md', 'the section Calling')
    return re.sub(r'\borg\.stemma1\.(\w+)\.(\w+)\(\)', r'`\1.\2`', words)


class Man:
    def __init__(self):
        self.lines = []

    @staticmethod
    def plain(words):
        words = words.replace('\\', '\\e').replace('-', '\\-').replace('→', '\\(->')
        words = words.replace('…', '...')
        return f'\\&{words}' if words.startswith(('.', "'")) else words

    def rich(self, words):
        """`code` in bold; links by their words."""
        words = re.sub(r'\[([^]]*)\]\([^)]*\)', r'\1', tidy(words))
        parts = words.replace('**', '').split('`')
        text = ''
        for number, part in enumerate(parts):
            part = self.plain(part).removeprefix('\\&') if number else self.plain(part)
            text += f'\\fB{part}\\fR' if number % 2 else part
        return f'\\&{text}' if text.startswith(('.', "'")) else text

    def begin(self):
        self.lines += ['.\\" Made from introspection/.', '.\\" SPDX-License-Identifier: '
                       'LGPL-2.1-or-later', '.TH ORG.STEMMA1 5 "" "stemma" "File Formats"',
                       '.SH NAME', 'org.stemma1 \\- the D\\-Bus interfaces of the Stemma service',
                       '.SH DESCRIPTION',
                       'The service', '.BR stemmad (8),', 'which', '.BR stemmactl (1)',
                       'speaks to, owns the name', '.B org.stemma1',
                       'on the system bus, or on that of a session.',
                       'What holds for all interfaces comes first, then each of them.']

    def page(self, text):
        paragraph = []
        for line in sections(text) + ['']:
            if line.startswith('|'):
                self.row([cell.strip() for cell in line.strip().strip('|').split('|')])
            elif line.startswith('## '):
                self.lines += [f'.SH {self.plain(line[3:].upper())}']
            elif line:
                paragraph.append(line)
            elif paragraph:
                self.lines += ['.PP', self.rich(' '.join(paragraph))]
                paragraph = []

    def row(self, cells):
        if set(cells[0]) <= set('-: ') or cells[0] in ('Path', 'Code'):
            return
        self.lines += ['.TP', self.rich(cells[0] if '`' in cells[0] else f'`{cells[0]}`'),
                       self.rich(' '.join(cells[1:]))]

    def interface(self, interface):
        self.lines += [f'.SH {self.plain(interface.name.upper())}',
                       self.rich(f'{interface.text.short}.')]
        for words in interface.text.paragraphs:
            self.lines += ['.PP', self.rich(words)]

    def kind(self, title):
        self.lines += [f'.SS {title}']

    def member(self, member):
        self.lines += ['.TP', f'\\fB{self.plain(member.usage())}\\fR']
        blocks = [*member.text.paragraphs, member.allowed()]
        for name, words in member.text.arguments.items():
            self.lines += [self.rich(f'`{name}`: {words}'), '.IP']
        self.lines += [line for words in blocks if words for line in (self.rich(words), '.IP')]
        while self.lines[-1] == '.IP':
            self.lines.pop()

    def end(self):
        self.lines += ['.SH SEE ALSO', '.BR stemmactl (1),', '.BR stemmad (8),',
                       '.BR busctl (1),', '.BR gdbus (1)']
        return '\n'.join(self.lines) + '\n'


def main():
    form = {'man': Man, 'markdown': Markdown}[sys.argv[1]]()
    form.begin()
    form.page(pathlib.Path(sys.argv[2]).read_text())
    for interface in sorted((Interface(path) for path in sys.argv[3:]),
                            key=lambda interface: interface.name):
        form.interface(interface)
        for kind, title in KINDS:
            members = interface.of_kind(kind)
            if members:
                form.kind(title)
            for member in members:
                form.member(member)
    sys.stdout.write(form.end())


if __name__ == '__main__':
    main()
