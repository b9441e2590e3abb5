"""The manual page and the completions of the program serene, made from its own --help.

    make_reference.py PROGRAM FOLDER      writes serene.1, serene.bash, _serene (zsh) and serene.fish

What a page says is what the program says: a command or option that the help names is in all four files.
"""
import dataclasses
import pathlib
import re
import subprocess
import sys

# "  -q, --quiet      No progress on stderr", "      --run DIR    Run folder"
OPTION = re.compile(r"^ {2}(?:(-\w), |    )(--[\w-]+)(?: (\S+))?(?:  +(.*))?$")
COMMAND = re.compile(r"^  ([a-z]+) +(\S.*)$")
PATHS = {"FILE", "DIR", "PATH", "EVENTS.jsonl"}


@dataclasses.dataclass
class Option:
    short: str
    name: str
    value: str
    text: str


@dataclasses.dataclass
class Command:
    name: str
    summary: str
    usage: str = ""
    about: str = ""
    groups: list = dataclasses.field(default_factory=list)  # (title, [Option])
    examples: list = dataclasses.field(default_factory=list)

    def options(self) -> list:
        return [option for _, options in self.groups for option in options]


def help_of(program: str, *words: str) -> str:
    return subprocess.run([program, *words, "--help"], check=True, capture_output=True, text=True, timeout=60).stdout


def general(text: str) -> str:
    """Without what belongs to this machine: the number of its processors."""
    return re.sub(r"^(Threads.*)\(default: \d+\)", r"\1(default: all processors)", text)


def read_command(program: str, name: str, summary: str) -> Command:
    command = Command(name, summary)
    about, _, rest = help_of(program, name).partition("Usage:\n")
    command.about = " ".join(about.split())
    lines = rest.splitlines()
    command.usage = lines[0].strip()
    place = "options"
    for line in lines[1:]:
        option = OPTION.match(line)
        if line == "Examples:":
            place = "examples"
        elif place == "examples" and line.strip():
            command.examples.append(line.strip())
        elif option:
            if not command.groups:
                command.groups.append(("", []))
            short, long, value, text = (part or "" for part in option.groups())
            command.groups[-1][1].append(Option(short, long, value, text))
        elif line.startswith("    ") and command.groups:  # the text goes on
            last = command.groups[-1][1][-1]
            last.text += " " + line.strip()
        elif line.strip():
            command.groups.append((line.strip().rstrip(":"), []))
    for option in command.options():
        option.text = general(" ".join(option.text.split()))
    return command


def read_program(program: str) -> tuple:
    """([Command], the version)"""
    found = [m.groups() for m in map(COMMAND.match, help_of(program).splitlines()) if m]
    if not found:
        raise SystemExit(f"make_reference: {program} --help names no command")
    version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.split()[1]
    return [read_command(program, name, summary) for name, summary in found], version


# The manual page


def roff(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in ".'" else text


def manual(commands: list, version: str) -> str:
    lines = [f'.TH SERENE 1 "" "serene {version}" "User Commands"', ".SH NAME",
             "serene \\- speech emotion recognition engine", ".SH SYNOPSIS", ".B serene", "\\fICOMMAND\\fR [\\fIOPTIONS\\fR]",
             ".SH DESCRIPTION",
             "serene trains emotion models on recorded speech, scores them on speakers they never heard, and runs them on",
             "recordings and live calls.", ".SH COMMANDS"]
    for command in commands:
        lines += [".TP", f".B {command.name}", roff(command.summary)]
    for command in commands:
        lines += [f".SH {command.name.upper()}", roff(command.about), ".PP", f".B {roff(command.usage)}"]
        for title, options in command.groups:
            if title:
                lines += [f".SS {roff(title)}"]
            for option in options:
                names = ", ".join(f"\\fB{roff(name)}\\fR" for name in (option.short, option.name) if name)
                value = f" \\fI{roff(option.value)}\\fR" if option.value else ""
                lines += [".TP", names + value, roff(option.text)]
        if command.examples:
            lines += [".SS Examples", ".nf", *map(roff, command.examples), ".fi"]
    lines += [".SH EXIT STATUS", "0 done, 1 usage, 2 bad input, 3 internal error.", ".SH ENVIRONMENT"]
    for name, text in (("SERENE_DATA", "folder that holds the corpora"), ("SERENE_MODEL", "model of serene call"),
                       ("SERENE_HISTORY", "file that holds the calls"),
                       ("SERENE_CPU", "avx512, avx2 or portable: forces lower kernels than the processor has")):
        lines += [".TP", f".B {name}", roff(text)]
    return "\n".join(lines) + "\n"


# Completions


def bash(commands: list) -> str:
    cases = "\n".join(f"    {c.name}) options='{' '.join(name for o in c.options() for name in (o.short, o.name) if name)}' ;;"
                      for c in commands)
    names = " ".join(c.name for c in commands)
    return f"""# bash completion of serene
_serene() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} options=
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '{names} --help --version' -- "$word"))
    return
  fi
  case ${{COMP_WORDS[1]}} in
{cases}
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  fi
}}
complete -o default -F _serene serene
"""


def zsh(commands: list) -> str:
    def quoted(text: str) -> str:
        return text.replace("'", "'\\''").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")

    def spec(option: Option) -> str:
        action = "" if not option.value else f":{quoted(option.value)}:" + ("_files" if option.value in PATHS else "")
        return f"'{option.name}[{quoted(option.text)}]{action}'"

    names = "\n".join(f"    '{c.name}:{quoted(c.summary)}'" for c in commands)
    cases = "\n".join(f"    {c.name}) _arguments {' '.join(map(spec, c.options()))} '*:file:_files' ;;" for c in commands)
    return f"""#compdef serene
_serene() {{
  local -a commands=(
{names}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=${{words[2]}}
  shift words
  ((CURRENT--))
  case $command in
{cases}
  esac
}}
_serene "$@"
"""


def fish(commands: list) -> str:
    def quoted(text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    lines = ["# fish completion of serene"]
    for c in commands:
        lines.append(f"complete -c serene -n __fish_use_subcommand -f -a {c.name} -d {quoted(c.summary)}")
    for c in commands:
        for o in c.options():
            short = f" -s {o.short[1:]}" if o.short else ""
            value = " -r" if o.value else ""
            lines.append(f"complete -c serene -n '__fish_seen_subcommand_from {c.name}'{short} -l {o.name[2:]}{value} -d {quoted(o.text)}")
    return "\n".join(lines) + "\n"


def main() -> None:
    if len(sys.argv) != 3:
        raise SystemExit("usage: make_reference.py PROGRAM FOLDER")
    commands, version = read_program(sys.argv[1])
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("serene.1", manual(commands, version)), ("serene.bash", bash(commands)), ("_serene", zsh(commands)),
                       ("serene.fish", fish(commands))):
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
