"""The pages under lib/docs against the repository and the program: links, layer notes, commands, paths."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "lib" / "docs"
PROGRAM = os.environ.get("SERENE_BIN", "")

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?<![\w./-])(?:build/)?serene (\w+)([^\n`'|;]*)")
PATH = re.compile(r"(?<![\w./-])(?:configs|data_scripts|lib|tests|tools|benchmarks)/[\w./-]+\w")


def pages():
    return sorted(DOCS.rglob("*.md"))


def dead_links(text: str, folder: pathlib.Path) -> list:
    """Targets of relative links that are not there."""
    dead = []
    for target in LINK.findall(text):
        if "://" in target or target.startswith("#"):
            continue
        if not (folder / target.split("#")[0]).exists():
            dead.append(target)
    return dead


def code_of(text: str) -> str:
    """The code of a page: blocks, with continued lines joined, and spans. One piece a line."""
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.S)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    return "\n".join(blocks + spans).replace("\\\n", " ")


def commands_of(text: str) -> list:
    """(command, options) of every `serene COMMAND --option...` in the code of a page; capitals stand for any command."""
    found = []
    for name, rest in COMMAND.findall(code_of(text)):
        if not name.isupper():
            found.append((name, re.findall(r"(?<!\S)--[a-z][a-z-]*", rest.split(" #")[0])))
    return found


def missing_paths(text: str) -> list:
    return [p for p in PATH.findall(code_of(text)) if not (ROOT / p).exists()]


def say(*arguments) -> str:
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def layer_types() -> list:
    """Asked of the program itself, which lists them when it is given one that does not exist."""
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "config.json"
        config.write_text(json.dumps({"model": {"layers": [{"type": "no_such_layer"}]}}))
        return re.search(r"known are ([\w, ]+)", say("inspect", str(config))).group(1).split(", ")


def headings(folder: pathlib.Path) -> set:
    return {h for page in folder.glob("*.md") for h in re.findall(r"^## (\w+)$", page.read_text(), re.M)}


class Pages(unittest.TestCase):
    def test_links_lead_somewhere(self):
        self.assertGreater(len(pages()), 10)
        for page in pages():
            self.assertEqual(dead_links(page.read_text(), page.parent), [], page)

    def test_paths_exist(self):
        for page in pages():
            self.assertEqual(missing_paths(page.read_text()), [], page)

    def test_every_page_is_reached(self):
        reached = set()
        waiting = [DOCS / "README.md"]
        while waiting:
            page = waiting.pop()
            if page in reached or not page.exists():
                continue
            reached.add(page)
            for target in LINK.findall(page.read_text()):
                path = (page.parent / target.split("#")[0]).resolve()
                waiting += [path] if path.suffix == ".md" and DOCS in path.parents else []
        self.assertEqual(set(pages()) - reached, set())

    @unittest.skipUnless(PROGRAM, "SERENE_BIN is not set")
    def test_every_layer_type_has_a_note(self):
        types = layer_types()
        self.assertGreater(len(types), 20)
        self.assertEqual(set(types) - headings(DOCS / "layers"), set())
        listed = set(re.findall(r"`(\w+)`", (DOCS / "layers" / "overview.md").read_text()))
        self.assertEqual(set(types) - listed, set())

    @unittest.skipUnless(PROGRAM, "SERENE_BIN is not set")
    def test_commands_and_options_exist(self):
        commands = set(re.findall(r"^  (\w+) {2,}\S", say("--help"), re.M))
        self.assertIn("train", commands)
        known = {}
        for page in pages():
            for name, options in commands_of(page.read_text()):
                if name == "calls" and name not in commands:  # a program without the dashboard has no history
                    continue
                self.assertIn(name, commands, page)
                if name not in known:
                    known[name] = set(re.findall(r"--[a-z][a-z-]*", say(name, "--help")))
                self.assertEqual(set(options) - known[name], set(), f"{page}: serene {name}")


class TheChecksThemselves(unittest.TestCase):
    def test_a_dead_link_is_found(self):
        self.assertEqual(dead_links("[a](layers/overview.md) [b](gone.md#x) [c](https://x.y) [d](#e)", DOCS), ["gone.md#x"])

    def test_commands_are_read(self):
        text = ("`serene train C --set a=b`\n```sh\nbuild/serene call a \\\n  --web | serene-x --no\n"
                "parallel build/serene sweep --trial {}\n```\nserene is --not code; `serene COMMAND --any`")
        self.assertEqual(sorted(commands_of(text)), [("call", ["--web"]), ("sweep", ["--trial"]), ("train", ["--set"])])

    def test_a_missing_path_is_found(self):
        self.assertEqual(missing_paths("`configs/smoke.json` and `configs/gone.json`"), ["configs/gone.json"])


if __name__ == "__main__":
    unittest.main()
