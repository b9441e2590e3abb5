"""serene call with bad input: one clear line, and the other calls go on."""
import json
import os
import pathlib
import shutil
import unittest
import unittest.mock

import support
from call_support import CallTest, PLAYBOOK, need_server, recognition, recorded_events, recordings, replay_file, scenario
from support import temp


class BadInput(CallTest):
    def bad(self, code, words, *args):
        result = support.serene("call", *args, "--speed", "max", "--headless", "--no-history", "--out", "off")
        self.one_error(result, code, *words)

    def test_recordings(self):
        customer, agent = recordings()
        for path, word in support.bad_recordings().items():
            self.bad(2, [path.name, word], path, agent, *recognition())
        stereo = temp() / "mixed.wav"
        stereo.write_bytes(pathlib.Path(customer).read_bytes())
        result = support.serene("call", stereo, *recognition(), "--speed", "max", "--headless", "--no-history", "--out", "off")
        self.assertIn(result.code, (1, 2))
        self.assertIn("mixed.wav", result.err)

    def test_scenarios(self):
        turn = {"leg": "customer", "emotion": "angry"}
        missing = scenario("missing_file", turns=[{"leg": "agent", "file": "nowhere.wav"}])
        unknown = scenario("unknown_emotion", turns=[turn, turn, turn, turn | {"emotion": "furious-ish"}])
        (temp() / "broken.json").write_text('{"title": ')
        self.bad(2, ["missing_file.json", "nowhere.wav"], missing, *recognition())
        self.bad(2, ["unknown_emotion.json", "turns[3].emotion"], unknown, *recognition())
        self.bad(2, ["extra_key.json", "colour"], scenario("extra_key", colour="red"), *recognition())
        self.bad(2, ["broken.json"], temp() / "broken.json", *recognition())
        self.bad(2, ["nowhere.json"], temp() / "nowhere.json", *recognition())

    def test_the_others_go_on(self):
        out = self.new_path("out")
        unknown = scenario("unknown_too", turns=[{"leg": "customer", "emotion": "furious-ish"}])
        result = support.serene("call", scenario("good_one"), unknown, scenario("good_two"), *recognition(), "--speed", "max",
                                "--headless", "--no-history", "--out", out, "--id", "three")
        self.assertEqual(result.code, 2, result)
        errors = [line for line in result.err.splitlines() if line.startswith("serene: ")]
        self.assertEqual(len(errors), 1, errors)
        self.assertIn("unknown_too.json", errors[0])
        self.assertEqual(sorted(p.name for p in out.iterdir()), ["three-1", "three-3"])
        self.assertTrue((out / "three-3" / "report.html").exists())

    def without_corpus(self) -> list:
        empty = temp() / "no_corpus"
        empty.mkdir(exist_ok=True)
        arguments = [a for a in recognition()]
        arguments[arguments.index("--data") + 1] = empty
        return arguments + ["--speed", "max", "--headless", "--no-history", "--out", "off"]

    @unittest.skipUnless(shutil.which("espeak-ng"), "needs espeak-ng")
    def test_without_corpus_a_synthetic_voice_speaks(self):
        result = self.ok("call", scenario("no_corpus_here"), *self.without_corpus())
        remarks = [line for line in result.err.splitlines() if line.startswith("voices: ")]
        self.assertEqual(len(remarks), 1, result)
        for words in ("customer espeak-ng", "agent espeak-ng", "no corpus found", "--data"):
            self.assertIn(words, remarks[0])
        self.assertTrue(any(e["type"] == "emotion" for e in self.events(result.out)))

    def test_neither_corpus_nor_synthetic_voice(self):
        nothing = temp() / "no_programs"
        nothing.mkdir(exist_ok=True)
        result = support.serene("call", scenario("no_voice_here"), *self.without_corpus(), PATH=str(nothing))
        self.one_error(result, 2, "no_voice_here.json", "espeak-ng", "--data")
        self.assertEqual(result.out, "")

    def test_several_scenarios_share_the_corpora(self):
        result = self.ok("call", scenario("one_search"), scenario("same_search"), *recognition(), "--speed", "max", "--headless",
                         "--no-history", "--out", "off", "--id", "shared")
        lines = sorted(line for line in result.err.splitlines() if "voices: " in line)
        self.assertEqual([line.split(":")[0] for line in lines], ["shared-1", "shared-2"])
        self.assertEqual(lines[0].split(":", 1)[1], lines[1].split(":", 1)[1])
        self.assertIn("ravdess-", lines[0])

    def test_models_and_configs(self):
        customer, agent = recordings()
        text = temp() / "no_model.safetensors"
        text.write_text("This is no model.\n" * 10)
        book = temp() / "book.json"
        book.write_text('{"rules": [{"id": 3}]}')
        self.bad(2, ["no_model.safetensors"], customer, agent, *recognition(), "--model", text)
        with_rest = [a for a in recognition()]
        with_rest[with_rest.index("--playbook") + 1] = book
        self.bad(2, ["book.json", "rules[0]"], customer, agent, *with_rest)
        self.bad(2, ["window_s"], customer, agent, *recognition(), "--set", "window_s=-1")
        self.bad(2, ["no_such_key"], customer, agent, *recognition(), "--set", "no_such_key=1")

    def test_no_model_names_the_places(self):
        # Far from the repository, where the shipped model is not found.
        alone = temp() / "alone"
        alone.mkdir(exist_ok=True)
        shutil.copy(support.program(), alone / "serene")
        with unittest.mock.patch.dict(os.environ, {"SERENE_BIN": str(alone / "serene")}):
            result = support.serene("call", *recordings(), "--playbook", PLAYBOOK)
        self.one_error(result, 2, "--model", "SERENE_MODEL", "configs/pretrained/default.safetensors")

    def test_usage(self):
        customer, agent = recordings()
        for words, args in [
            (["nothing to play"], []),
            (["no call"], [customer, agent, customer]),
            (["no call"], [customer, scenario("mixed_kinds")]),
            (["--speed"], [customer, agent, "--speed", "fast"]),
            (["--speed"], [customer, agent, "--speed", "0"]),
            (["--codec"], [customer, agent, "--codec", "mp3"]),
            (["--loss"], [customer, agent, "--loss", "2"]),
            (["--loss"], [customer, agent, "--loss", "nan"]),
            (["--port"], [customer, agent, "--web", "--port", "70000"]),
            (["--id"], [customer, agent, "--id", "../up"]),
            (["--consent", "--web"], [customer, agent, "--consent", "required"]),
            (["--consent"], [customer, agent, "--consent", "perhaps"]),
            (["--keep-days"], [customer, agent, "--keep-days", "-1"]),
            (["--strain-before"], [customer, agent, "--strain-before", "-1"]),
            (["--customer-channel"], [customer, "--customer-channel", "2"]),
            (["--keep-audio"], [customer, agent, "--keep-audio", "--out", "off"]),
            (["consent"], ["--mic"]),
            (["one kind"], [customer, "--replay", replay_file()]),
            (["no-such-option"], [customer, agent, "--no-such-option"]),
        ]:
            with self.subTest(args=args):
                self.refuses(1, words, "call", *args)

    def test_no_sound_card(self):
        result = support.serene("call", "--mic", *recognition(), "--consent", "assumed", "--no-history", "--out", "off", "--headless",
                                "--quiet")
        self.assertIn(result.code, (1, 2), result)
        self.assertEqual(len(result.err.splitlines()), 1, result)
        self.assertIn("--mic", result.err)

    def test_replays(self):
        events = recorded_events()
        path = temp() / "bad_replay.jsonl"
        for text, word in [("", "no events"), ("{\n", ":1"), (json.dumps(events[1]) + "\n", "call/start"), ("[1]\n", ":1"),
                           (json.dumps(events[0]) + '\n{"t_ms": -5, "type": "state"}\n', ":2"),
                           (json.dumps(events[0]) + '\n{"t_ms": 99999999999999, "type": "state"}\n', ":2"),
                           (json.dumps(events[0]) + '\n{"t_ms": "soon", "type": "state"}\n', ":2")]:
            path.write_text(text)
            with self.subTest(text=text):
                self.bad(2, ["bad_replay.jsonl", word], "--replay", path)

    def test_folders_that_cannot_be_written(self):
        taken = temp() / "a_file"
        taken.write_text("here")
        result = support.serene("call", *recordings(), *recognition(), "--speed", "max", "--headless", "--no-history", "--out", taken)
        self.one_error(result, 2, "a_file")

    def test_history_that_is_none(self):
        need_server(self)
        taken = temp() / "no_history"
        taken.write_text("here")
        result = support.serene("call", *recordings(), *recognition(), "--speed", "max", "--headless", "--out", "off", "--history", taken)
        self.one_error(result, 2, "no_history")


if __name__ == "__main__":
    unittest.main()
