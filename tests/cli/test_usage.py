"""Help, version, wrong usage, and a standard output that cannot be written."""
import subprocess

import support
from support import CliTest, serene

COMMANDS = ["train", "evaluate", "crossval", "sweep", "ensemble", "predict", "inspect", "features", "augment", "data"]


class HelpTest(CliTest):
    def test_top_level_help_names_every_command(self):
        for word in ("--help", "-h", "help"):
            result = self.ok(word)
            self.assertEqual(result.err, "")
            for command in COMMANDS:
                self.assertRegex(result.out, rf"(?m)^  {command} +\w")
            self.assertIn("Exit codes: 0 done, 1 usage, 2 bad input, 3 internal error", result.out)

    def test_every_command_explains_itself(self):
        for command in COMMANDS:
            for word in ("--help", "-h"):
                result = self.ok(command, word)
                self.assertEqual(result.err, "")
                self.assertIn(f"serene {command} [OPTIONS]", result.out)
                self.assertIn("Examples:\n  serene " + command, result.out)
                self.assertTrue(all(len(line) <= 112 for line in result.out.splitlines()), result.out)

    def test_defaults_are_shown(self):
        self.assertIn("(default: runs/<name of the config>)", self.ok("train", "--help").out)
        self.assertIn("(default: mfcc-40)", self.ok("features", "--help").out)
        self.assertIn("(default: 3)", self.ok("crossval", "--help").out)
        self.assertIn("(default: ~/.cache/serene)", self.ok("evaluate", "--help").out)
        for command in COMMANDS:
            self.assertNotIn('(default: "")', self.ok(command, "--help").out)

    def test_version(self):
        result = self.ok("--version")
        self.assertRegex(result.out, r"^serene \d+\.\d+\.\d+ \(\w+ kernels\)\n$")
        self.assertEqual(result.err, "")


class WrongUsageTest(CliTest):
    def test_no_command(self):
        self.refuses(1, ["train", "predict", "see serene --help"])

    def test_unknown_command(self):
        self.refuses(1, ["no command 'fly'", "see serene --help"], "fly")
        self.refuses(1, ["see serene --help"], "fly\n\x1b[31mred")

    def test_unknown_option(self):
        for command in COMMANDS:
            self.refuses(1, [f"serene {command}", "no-such-option", f"see serene {command} --help"], command, "--no-such-option")

    def test_missing_operands(self):
        for command in COMMANDS:
            self.refuses(1, [f"see serene {command} --help"], command)
        self.refuses(1, ["audio file"], "predict", "model.safetensors")
        self.refuses(1, ["one config"], "train", "a.json", "b.json")

    def test_values_that_are_none(self):
        self.refuses(1, ["threads"], "train", support.SMOKE, "--threads", "many")
        self.refuses(1, ["--threads", "1..1024", "0"], *support.on_corpus("train", support.SMOKE, threads=0))
        self.refuses(1, ["seed"], "train", support.SMOKE, "--seed", "-1")
        self.refuses(1, ["--seeds", "1..1000"], "crossval", support.SMOKE, "--seeds", "0")
        self.refuses(1, ["--folds", "0,two"], "crossval", support.SMOKE, "--folds", "0,two")
        self.refuses(1, ["--frames"], "inspect", support.SMOKE, "--frames", "0")
        self.refuses(1, ["--part", "all"], "evaluate", "run", "--part", "training")
        self.refuses(1, ["unknown action", "check, list or splits"], *support.on_corpus("data", "delete", "ravdess"))


class StandardOutputTest(CliTest):
    """A result that could not be written is an error, never silence."""

    def assert_noticed(self, *args):
        with open("/dev/full", "wb") as full:
            self.one_error(serene(*args, stdout=full), 2, "stdout", "No space left")

    def test_full_device(self):
        self.assert_noticed("--help")
        self.assert_noticed("--version")
        self.assert_noticed("train", "--help")
        self.assert_noticed("train", support.SMOKE, "--print-config")
        self.assert_noticed("inspect", support.SMOKE)
        self.assert_noticed(*support.on_corpus("data", "list", "ravdess"))
        self.assert_noticed("predict", support.trained()[0], support.a_clip())

    def test_closed_pipe(self):
        reader = subprocess.Popen(["true"], stdin=subprocess.PIPE)
        reader.wait()
        with reader.stdin as pipe:
            self.one_error(serene("inspect", support.SMOKE, stdout=pipe), 2, "stdout", "Broken pipe")
