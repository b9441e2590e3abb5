"""The shipped model on the shipped scenarios: every one plays, and anger is told while it lasts."""
import json
import os
import pathlib
import unittest

import support
from support import CliTest, SOURCE, temp

SCENARIOS = SOURCE / "configs" / "call" / "scenarios"
MODEL = SOURCE / "configs" / "pretrained" / "default.safetensors"


def corpus() -> pathlib.Path | None:
    """The folder of real recordings, where there is one."""
    for place in (os.environ.get("SERENE_DATA", ""), SOURCE.parent / "shared" / "data", SOURCE / "data"):
        if place and any(pathlib.Path(place).glob("ravdess/**/03-01-05-*")):
            return pathlib.Path(place)
    return None


def play(name: str, data, *more) -> tuple:
    """Events and summary of a scenario as fast as it goes."""
    out = temp() / f"shipped_{name}"
    result = support.serene("call", SCENARIOS / f"{name}.json", "--model", MODEL, "--config", SOURCE / "configs/call/call.json",
                            "--playbook", SOURCE / "configs/call/playbook.json", "--data", data, "--speed", "max", "--headless",
                            "--no-history", "--out", out, *more)
    if result.code != 0:
        raise AssertionError(result)
    return [json.loads(line) for line in result.out.splitlines()], json.loads((out / "summary.json").read_text()), result


class Shipped(CliTest):
    def test_every_scenario_plays_with_a_synthetic_voice(self):
        empty = temp() / "no_corpus"
        empty.mkdir(exist_ok=True)
        names = sorted(p.stem for p in SCENARIOS.glob("*.json"))
        self.assertGreaterEqual(len(names), 4)
        for name in names:
            events, _, result = play(name, empty)
            self.assertEqual(("call", "end"), (events[-1]["type"], events[-1]["action"]), name)
            self.assertIn("espeak-ng", result.err)

    def rising_anger(self, *line):
        events, summary, result = play("rising_anger", corpus(), *line)
        self.assertIn("never heard by the model", result.err)
        angry = [t for t in summary["truth"] if t.get("emotion") == "angry"]
        start, end = angry[0]["start_ms"], angry[-1]["end_ms"]
        alerts = [e for e in events if e["type"] == "alert" and e["rule"] == "rising_anger"]
        raised = [e["t_ms"] for e in alerts if e["action"] == "raised"]
        cleared = [e["t_ms"] for e in alerts if e["action"] == "cleared"]
        self.assertEqual((1, 1), (len(raised), len(cleared)))
        self.assertTrue(start < raised[0] < end, (start, raised, end))
        self.assertTrue(end < cleared[0] < events[-1]["t_ms"], (end, cleared, events[-1]["t_ms"]))
        self.assertTrue(any(e["type"] == "advice" and start < e["t_ms"] < end for e in events))

    @unittest.skipUnless(corpus(), "RAVDESS is not here")
    def test_the_alert_falls_into_the_anger_and_clears_after_it(self):
        self.rising_anger()

    @unittest.skipUnless(corpus(), "RAVDESS is not here")
    def test_so_it_does_over_the_telephone(self):
        self.rising_anger("--codec", "mulaw", "--rate", "8000")


if __name__ == "__main__":
    unittest.main()
