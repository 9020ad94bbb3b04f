"""A C file as the style rules see it: text, code without comments and literals, functions.

Not a C parser: it relies on the layout that clang-format gives (a function's braces stand in the
first column), which the format rule checks.

SPDX-License-Identifier: LGPL-2.1-or-later
"""

import re

TOKEN = re.compile(r'[A-Za-z_]\w*|[{}();:?]|[^\s\w]|\d[\w.]*')
LITERAL = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
HEAD = re.compile(r'/\*(.*?)\*/', re.DOTALL)
LOOPS = ('if', 'for', 'while', 'switch')


def blank(match):
    """Keeps the lines and the quotes, so that places stay right."""
    text = match.group(0)
    lines = '\n' * text.count('\n')
    return '""' + lines if text[0] == '"' else "'0'" if text[0] == "'" else ' ' + lines


class Function:
    """A function definition; `line` is that of its name, `length` counts the lines between its
    braces."""

    def __init__(self, name, line, length, body):
        self.name = name
        self.line = line
        self.length = length
        self.body = body

    def tokens(self):
        return TOKEN.findall(self.body)

    def depth(self):
        return Nesting(self.tokens()).deepest


class Nesting:
    """How deep conditions and loops stand in one another; `else if` counts as its `if`."""

    def __init__(self, tokens):
        self.tokens = tokens
        self.deepest = 0
        at = 0
        while at < len(tokens):
            at = self.statement(at, 0)

    def at(self, index):
        return self.tokens[index] if index < len(self.tokens) else ''

    def skip_group(self, index, opening, closing):
        level = 0
        while index < len(self.tokens):
            level += (self.tokens[index] == opening) - (self.tokens[index] == closing)
            index += 1
            if level == 0:
                break
        return index

    def block(self, index, depth):
        index += 1
        while index < len(self.tokens) and self.tokens[index] != '}':
            index = self.statement(index, depth)
        return index + 1

    def expression(self, index):
        while index < len(self.tokens) and self.tokens[index] != ';':
            if self.tokens[index] == '{':
                index = self.skip_group(index, '{', '}')
            elif self.tokens[index] == '}':
                return index + 1 if index == 0 else index
            else:
                index += 1
        return index + 1

    def nested(self, index, depth):
        self.deepest = max(self.deepest, depth)
        return self.statement(index, depth)

    def condition(self, index, depth):
        index = self.nested(self.skip_group(index + 1, '(', ')'), depth + 1)
        if self.at(index) == 'else':
            following = index + 1
            index = (self.condition(following, depth) if self.at(following) == 'if'
                     else self.nested(following, depth + 1))
        return index

    def statement(self, index, depth):
        token = self.at(index)
        if token == '{':
            return self.block(index, depth)
        if token == 'do':
            return self.expression(self.nested(index + 1, depth + 1))
        if token == 'if':
            return self.condition(index, depth)
        if token in LOOPS:
            return self.nested(self.skip_group(index + 1, '(', ')'), depth + 1)
        if token in ('case', 'default'):
            while self.at(index) not in (':', ''):
                index += 1
            return index + 1
        return self.expression(index)


class CSource:
    def __init__(self, path, name):
        self.path = path
        self.name = name
        self.text = path.read_text(errors='replace')
        self.code = LITERAL.sub(blank, self.text)
        self.lines = self.text.splitlines()
        self.is_header = name.endswith('.h')

    def head(self):
        """The first comment, when the file begins with it."""
        match = HEAD.match(self.text)
        return match.group(1) if match else ''

    def line_of(self, offset):
        return self.code.count('\n', 0, offset) + 1

    def find(self, pattern):
        """The lines in which the code, not a comment or a literal, matches."""
        return [(self.line_of(match.start()), match)
                for match in re.finditer(pattern, self.code, re.MULTILINE)]

    def includes(self):
        """(line, name, is_project) of each #include."""
        return [(number, match.group(2), match.group(1) == '"')
                for number, line in enumerate(self.lines, 1)
                for match in [re.match(r'#\s*include\s*(["<])([^">]+)', line)] if match]

    def functions(self):
        lines = self.code.splitlines()
        found = []
        for number, line in enumerate(lines):
            if line != '{' or not lines[number - 1].rstrip().endswith(')'):
                continue
            end = next((i for i in range(number, len(lines)) if lines[i].startswith('}')), number)
            start = number - 1
            while start > 0 and lines[start][:1] in (' ', '\t'):
                start -= 1
            name = re.match(r'(?:[\w*\s]*?)(\w+) \(', lines[start])
            found.append(Function(name.group(1) if name else '?', start + 1, end - number - 1,
                                  '\n'.join(lines[number + 1:end])))
        return found

    def top_level(self):
        """(line, text) of each declaration that is no function body: text up to its semicolon."""
        level, start, out = 0, 0, []
        code = re.sub(r'^[ \t]*#.*(?:\\\n.*)*', lambda m: '\n' * m.group(0).count('\n'), self.code,
                      flags=re.MULTILINE)
        for match in re.finditer(r'[{};]', code):
            level += (match.group(0) == '{') - (match.group(0) == '}')
            is_function_end = match.group(0) == '}' and level == 0 and code[match.end():match.end()
                                                                          + 1] == '\n'
            if level == 0 and (match.group(0) == ';' or is_function_end):
                text = code[start:match.end()]
                first = start + len(text) - len(text.lstrip())
                out.append((code.count('\n', 0, first) + 1, text.strip()))
                start = match.end()
        return out
