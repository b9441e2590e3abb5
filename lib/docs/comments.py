#!/usr/bin/env python3
"""Shows Doxygen the plain // comments of the headers as the documentation that they are.

    comments.py HEADERS PAGES OUT    HEADERS/**/*.h go to OUT/headers/serene with /// in place of //, and PAGES/**/*.md
                                     to OUT/pages without their links to files that are no page; nothing else changes.
                                     Removes these two and OUT/html first

The rules are those that a reader of a header goes by:

- the comment at the top speaks of the file, and of a type in it that has no words of its own;
- a comment above a declaration speaks of it, and of those that follow without an empty line or another comment between;
- a comment at the end of a line speaks of what the line declares, and may go on below itself;
- a field, and a function that returns the field of its name, stands under the words of its type where it has none;
- a part of a comment that is indented by two spaces or more is a formula or a table and keeps its shape.

Comments inside functions and headings that stand alone stay as they are; overridden functions, which have the words of
the function that they override, get none. Everything else without words is reported by Doxygen.
"""

import pathlib
import re
import shutil
import sys

COMMENT = re.compile(r"^(\s*)//(?!/) ?(.*)$")
TRAILING = re.compile(r"^(.*?\S)(\s+)// ?(.*)$")
TYPE = re.compile(r"^\s*(?:typedef )?(?:class|struct|union|enum|enum class) (?:alignas\(\d+\) )?(\w+)[^;()]*{")
SCOPE = re.compile(r"(?:typedef |inline )*(?:namespace|class|struct|enum|union|extern \"\")")
TYPES = ("struct", "class", "union", "enum")
ENUMERATOR = re.compile(r"^\s*\w+( = [\w-]+)?,?$")
FIELD = re.compile(r"^\s*(?!using |typedef |return |friend |enum |template |static_assert)[\w:<>*&, ]+ [*&]?\w+[^()]*"
                   r"(?:[;={]|$)")
INITIAL = r"(?: = [\w.:-]+| ?=? ?\{[^{}]*\})?"
SEVERAL = re.compile(rf"^(\s*(?:mutable )?[\w:]+(?:<[^;]*>)? )((?:\*?\w+{INITIAL}, )+\*?\w+{INITIAL});$")
ACCESSOR = re.compile(r"\b(\w+)\(\) const (?:noexcept )?{ return (?:[*]?\1_|\w+\.\1\(\)); }")
# Declarations that take no words from the comment above: those that others speak for, and those that say all.
SILENT = re.compile(r"\boverride\b|= (?:delete|default)\b|^\s*(?:virtual )?~|^\s*friend\b|^\s*extern template\b|"
                    r"^\s*template <>|^\s*(?:public|protected|private):|^\s*}|^\s*(?:class|struct|enum class) \w+;")
# Told apart by their headers' comments, and no documentation by themselves: hidden.
HIDDEN = re.compile(r"= (?:delete|default);|^\s*(?:virtual )?~\w+\(|^\s*(?:extern )?template (?:<>|class|\w)|"
                    r"^\s*(?:\w+& operator=|(\w+))\(\w+&&")


def plain(text):
    """The text without anything that Doxygen or Markdown would take for a command; `code` stays code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # a single back-quote is one
        parts = [text.replace("`", "'")]
    parts[::2] = [re.sub(r"([\\@#$&<>%])", r"\\\1", part).replace("*", "&lowast;") for part in parts[::2]]
    return "`".join(parts)


def documentation(lines, indent, first=""):
    """The lines of a comment as a /// block."""
    out = [first] if first else []
    shaped = False
    for line in lines:
        if line.strip() and line.startswith("  ") != shaped:
            shaped = not shaped
            out.append("@code{.unparsed}" if shaped else "@endcode")
        out.append(line if shaped else plain(line))
    if shaped:
        out.append("@endcode")
    return [f"{indent}/// {line}".rstrip() for line in out]


class Scanner:
    """Follows braces and semicolons, to tell where declarations begin and what is the inside of a function."""

    def __init__(self):
        self.scopes = []  # of every open brace: "function", or what opened it: "struct", "namespace", ...
        self.statement = ""  # what has been read of the present declaration
        self.parentheses = 0

    def outside(self):
        """Not within a function or an initialiser."""
        return "function" not in self.scopes

    def at_declaration(self):
        return self.outside() and not self.statement.strip() and self.parentheses == 0

    def surroundings(self):
        """The scopes around, functions left out."""
        return [scope for scope in self.scopes if scope != "function"]

    def kind(self):
        return self.scopes[-1] if self.scopes else ""

    def open(self):
        head = re.sub(r"^template <.*?>(?= (?:class|struct|enum|union)\b)", "", self.statement.strip()).strip()
        scope = SCOPE.match(head)
        is_scope = self.outside() and scope and "(" not in re.sub(r"alignas\(\d+\)", "", head)
        self.scopes.append(scope.group(0).split()[-1] if is_scope else "function")
        if is_scope:
            self.statement = ""

    def close(self):
        was = self.scopes.pop()
        if self.outside():
            initialiser = was == "function" and ("=" in self.statement.split("(")[0] or "(" not in self.statement)
            self.statement = "}" if initialiser or was not in ("function", "namespace", '""') else ""

    def read(self, code):
        if code.lstrip().startswith("#"):
            return
        code = re.sub(r"'(?:[^'\\]|\\.)'", "' '", re.sub(r'"(?:[^"\\]|\\.)*"', '""', code))
        for c in code:
            if c == "{":
                self.open()
            elif c == "}":
                self.close()
            elif self.outside():
                self.parentheses += {"(": 1, ")": -1}.get(c, 0)
                ends = c == ";" or (c == "," and self.kind() == "enum") or (
                    c == ":" and self.statement.strip() in ("public", "protected", "private"))
                self.statement = "" if ends and self.parentheses == 0 else self.statement + c
        self.statement = self.statement + " " if self.statement.strip() else ""


def standing_under(code, scanner, name, header):
    """What a declaration without words of its own says by standing where it does, or ""."""
    if TYPE.match(re.sub(r"^\s*template <.*?> ", "", code)):
        return f"See the description of {header}."
    field = scanner.kind() in ("struct", "class", "union") and FIELD.match(code) and "(" not in code.split("=")[0]
    if field or ACCESSOR.search(code):
        return f"See the description of {name}."
    return ""


def one_field_a_line(text):
    """`double a, b;  // words` as two declarations with the same words: Doxygen would give them to one alone."""
    lines = []
    for line in text.split("\n"):
        trailing = TRAILING.match(line)
        several = SEVERAL.match(trailing.group(1) if trailing else line)
        if several is None or several.group(1).strip() in ("return", "using", "case"):
            lines.append(line)
            continue
        end = f";{trailing.group(2)}// {trailing.group(3)}" if trailing else ";"
        lines += [several.group(1) + field + end for field in re.split(r", (?![^{]*})", several.group(2))]
    return lines


class Converter:
    """One header on its way, line by line."""

    def __init__(self, text, header):
        self.lines = one_field_a_line(text)
        self.header = header
        self.at = 0  # the next line
        self.scanner = Scanner()
        self.types = []  # names of the types around the present line
        self.words = []  # the comment above, as long as it speaks of what follows
        self.fresh = False  # nothing has followed it yet
        self.out = []

    def run(self):
        while self.at < len(self.lines):
            if COMMENT.match(self.lines[self.at]) and self.scanner.at_declaration():
                self.read_comment()
            else:
                self.read_code()
        return "\n".join(self.out)

    def read_comment(self):
        block = []
        while self.at < len(self.lines) and COMMENT.match(self.lines[self.at]):
            block.append(COMMENT.match(self.lines[self.at]).group(2))
            self.at += 1
        following = self.lines[self.at] if self.at < len(self.lines) else ""
        if not self.out:
            self.out += documentation(block, "", "@file\n/// ")
        elif following.strip() and (not following.startswith("#") or following.startswith("#define")):
            self.words, self.fresh = block, True
        else:  # a heading
            self.words = []

    def read_code(self):
        line = self.lines[self.at]
        self.at += 1
        trailing = TRAILING.match(line) if self.scanner.outside() else None
        code = trailing.group(1) if trailing else line
        if not code.strip():
            self.words = []
        macro = re.match(r"#define \w+", code)
        begins = self.scanner.at_declaration() and code.strip() and (macro or not code.lstrip().startswith("#"))
        tail = trailing and code.strip() != "}" and (code[-1] in ";}" or ENUMERATOR.match(code) or macro)
        if tail and begins and TYPE.match(code):  # a type in one line: its words belong above it
            self.words, tail, line = self.words + [trailing.group(3)], None, code
        indent = re.match(r"\s*", line).group(0)
        hidden = begins and HIDDEN.search(code)
        if hidden:
            self.out.append(indent + "/// @cond")
        elif begins and not SILENT.search(code) and self.scanner.kind() != "enum":
            self.speak(code, indent, tail)
        self.follow(code)
        if tail:
            self.write_tail(code, len(trailing.group(1)) + len(trailing.group(2)), trailing.group(3))
        else:
            self.out.append(line)
        if hidden:
            while not self.scanner.at_declaration():
                self.scanner.read(self.lines[self.at])
                self.out.append(self.lines[self.at])
                self.at += 1
            self.out.append(indent + "/// @endcond")

    def speak(self, code, indent, tail):
        """Words for a declaration that begins here: those above it, or those that it stands under."""
        if self.words and (self.fresh or not tail):
            self.out += documentation(self.words, indent)
        elif not tail:
            following = self.lines[self.at] if self.at < len(self.lines) else ""
            whole = code + " " + following if code.lstrip().startswith("template") else code
            under = standing_under(whole, self.scanner, "::".join(self.types), self.header)
            self.out += [f"{indent}/// {under}"] if under else []
        self.fresh = False

    def follow(self, code):
        """Into and out of types; a comment does not speak beyond the type that it stands in."""
        before = self.scanner.surroundings()
        self.scanner.read(code)
        after = self.scanner.surroundings()
        if before == after:
            return
        self.words = []
        if len(after) > len(before):
            name = re.search(r"(?:class|struct|union|enum)(?: class)? (?:alignas\(\d+\) )?(\w+)", code)
            self.types += [name.group(1) if name else "its type"] if after[-1] in TYPES else []
        elif before[-1] in TYPES and self.types:
            self.types.pop()

    def write_tail(self, code, column, words):
        self.out.append(code + "  ///< " + plain(words))
        while self.at < len(self.lines) and self.lines[self.at].startswith(" " * column + "// "):
            self.out.append(" " * column + "///< " + plain(self.lines[self.at][column + 3:]))
            self.at += 1


def converted(text, header):
    """The text of a header as Doxygen shall see it. header: its name in the words that point to it."""
    return Converter(text, header).run()


def page(text, folder, root):
    """A page in `folder` without its links to what lies outside `root`, where Doxygen finds nothing."""

    def link(match):
        target = match.group(2)
        inside = "://" in target or target.startswith("#") or root in (folder / target).resolve().parents
        return match.group(0) if inside else match.group(1)

    return re.sub(r"\[([^\]]*)\]\(([^)\s]+)\)", link, text)


def main(headers, pages, out):
    headers, pages, out = (pathlib.Path(p).resolve() for p in (headers, pages, out))
    for folder in ("headers", "pages", "html"):
        shutil.rmtree(out / folder, ignore_errors=True)
    texts = {}
    for path in headers.rglob("*.h"):
        name = path.relative_to(headers)
        texts[out / "headers" / "serene" / name] = converted(path.read_text(encoding="utf-8"), name.as_posix())
    for path in pages.rglob("*.md"):
        texts[out / "pages" / path.relative_to(pages)] = page(path.read_text(encoding="utf-8"), path.parent, pages)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
