"""serene call from outside: its events, and what is kept of a call and what is not."""
import json
import signal
import sqlite3
import unittest

import support
from call_support import CallTest, PLAYBOOK, need_server, recognition, recordings, scenario, started

TYPES = {"call", "speech", "overlap", "silence", "emotion", "state", "trend", "alert", "advice", "quality", "consent"}


class Events(CallTest):
    def test_headless_is_one_event_a_line(self):
        out = self.new_path("out")
        result = self.call(*recordings(), "--speed", "max", "--headless", "--out", out)
        events = self.events(result.out)
        self.assertEqual([e["seq"] for e in events], list(range(len(events))))
        self.assertEqual([e["t_ms"] for e in events], sorted(e["t_ms"] for e in events))
        self.assertLessEqual({e["type"] for e in events}, TYPES)
        self.assertEqual((events[0]["type"], events[0]["action"]), ("call", "start"))
        self.assertEqual((events[-1]["type"], events[-1]["action"], events[-1]["reason"]), ("call", "end", "finished"))
        emotions = [e for e in events if e["type"] == "emotion"]
        self.assertGreater(len(emotions), 5)
        for e in emotions:
            self.assertAlmostEqual(sum(e["probabilities"].values()), 1, delta=0.01)
        self.assertLessEqual({e["type"] for e in events if e.get("leg") == "agent"}, {"speech", "quality"})
        self.assertRegex(result.err, r"latency median [0-9.]+ ms, p99 [0-9.]+ ms, max [0-9.]+ ms over \d+ windows")
        self.assertEqual((out / "events.jsonl").read_text(), result.out)

    def test_same_bytes_at_any_speed(self):
        runs = [self.call(*recordings(), "--speed", speed, "--headless", "--out", "off").out for speed in ("max", "max", "20")]
        self.assertEqual(runs[0], runs[1])
        self.assertEqual(runs[0], runs[2])

    def test_quiet_says_nothing(self):
        self.assertEqual(self.call(*recordings(), "--speed", "max", "--headless", "--out", "off", "--quiet").err, "")

    def test_several_calls_name_theirs(self):
        result = self.call(scenario("first"), scenario("second", seed=4), "--speed", "max", "--headless", "--id", "pair", "--out", "off")
        by_call = {}
        for e in self.events(result.out):
            by_call.setdefault(e.pop("call"), []).append(e["seq"])
        self.assertEqual(sorted(by_call), ["pair-1", "pair-2"])
        for sequence in by_call.values():
            self.assertEqual(sequence, list(range(len(sequence))))

    def test_calls_side_by_side_are_those_alone(self):
        files = [scenario(name, seed=seed) for name, seed in (("one", 5), ("two", 6), ("three", 7))]
        alone, together = self.new_path("alone"), self.new_path("together")
        for i, file in enumerate(files):
            self.call(file, "--speed", "max", "--headless", "--quiet", "--id", f"c-{i + 1}", "--out", alone / f"c-{i + 1}")
        for threads in (1, 2):
            out = together / str(threads)
            self.call(*files, "--speed", "max", "--headless", "--quiet", "--id", "c", "--out", out, "--threads", threads)
            for i in range(3):
                name = f"c-{i + 1}/events.jsonl"
                self.assertIn('"emotion"', (alone / name).read_text())
                self.assertEqual((out / name).read_text(), (alone / name).read_text())

    def test_precision_of_a_call(self):
        tell = [self.call(*recordings(), "--speed", "max", "--headless", "--out", "off", "--precision", p).out for p in ("full", "bf16", "int8")]
        emotions = [[e for e in self.events(out) if e["type"] == "emotion"] for out in tell]
        for other in emotions[1:]:
            self.assertEqual([e["t_ms"] for e in other], [e["t_ms"] for e in emotions[0]])
            self.assertNotEqual(other, emotions[0])

    def test_telephone_limits_the_band(self):
        result = self.call(*recordings(), "--speed", "max", "--headless", "--out", "off", "--telephone", "--loss", "0.3", "--burst", "2")
        quality = [e for e in self.events(result.out) if e["type"] == "quality"]
        self.assertTrue(any(e["loss"] > 0 for e in quality), quality)
        self.assertTrue(any(e["band_limited"] for e in quality), quality)

    def test_without_consent_nothing_is_recognised(self):
        result = self.call(*recordings(), "--speed", "max", "--headless", "--out", "off", "--consent", "off")
        kinds = {e["type"] for e in self.events(result.out)}
        self.assertIn("speech", kinds)
        self.assertFalse(kinds & {"emotion", "trend"})

    def test_only_the_customer(self):
        result = self.call(recordings()[0], "--customer-only", "--speed", "max", "--headless", "--out", "off")
        events = self.events(result.out)
        self.assertFalse(events[0]["agent_leg"])
        self.assertTrue(any(e["type"] == "emotion" for e in events))
        self.assertFalse([e for e in events if e["type"] == "overlap" or e.get("leg") == "agent"])


class Kept(CallTest):
    def test_report_and_events_but_no_sound(self):
        out = self.new_path("out")
        self.call(*recordings(), "--speed", "max", "--headless", "--out", out)
        self.assertEqual(sorted(support.tree(out)), ["events.csv", "events.jsonl", "report.html", "summary.json"])
        summary = json.loads((out / "summary.json").read_text())
        self.assertLessEqual(summary["latency_ms"]["median"], summary["latency_ms"]["p99"])
        self.assertNotIn("truth", summary)

    def test_the_usual_folder(self):
        work = self.new_path("work")
        work.mkdir()
        for _ in range(2):
            self.call(*recordings(), "--speed", "max", "--headless", "--no-report", cwd=work)
        kept = sorted(support.tree(work))
        self.assertEqual(len(kept), 2, kept)
        for name in kept:
            self.assertRegex(name, r"^runs/calls/\d{8}-\d{6}-customer(-2)?/events\.jsonl$")

    def test_sound_only_when_asked(self):
        out = self.new_path("out")
        self.call(*recordings(), "--speed", "max", "--headless", "--out", out, "--keep-audio", "--no-report")
        self.assertEqual(sorted(support.tree(out)), ["agent.wav", "customer.wav", "events.jsonl"])

    def test_truth_of_a_scenario(self):
        out = self.new_path("out")
        self.call(scenario("with_truth"), "--speed", "max", "--headless", "--out", out)
        summary = json.loads((out / "summary.json").read_text())
        correct = summary["correct"]
        self.assertGreater(correct["windows"], 3)
        self.assertAlmostEqual(correct["right"] + correct["uncertain"] + correct["wrong"], 1, delta=0.001)
        self.assertLessEqual(correct["unmixed"]["windows"], correct["windows"])
        self.assertEqual({p["emotion"] for p in summary["truth"] if p["leg"] == "customer"}, {"calm", "angry"})
        self.assertFalse([p for p in summary["truth"] if p["leg"] == "agent" and p.get("emotion")])

    def test_history(self):
        need_server(self)
        history = self.new_path("calls.sqlite")
        for _ in range(2):
            result = support.serene("call", *recordings(), *recognition(), "--speed", "max", "--headless", "--out", "off",
                                    "--history", history, "--id", "kept")
        self.one_error(result, 2, "kept")
        self.assertIn("kept", self.ok("calls", "list", "--history", history).out)
        for _ in range(2):  # calls without a name get one that is free
            self.ok("call", *recordings(), *recognition(), "--speed", "max", "--headless", "--out", "off", "--history", history)

    def test_how_long_calls_are_kept(self):
        need_server(self)
        history = self.new_path("calls.sqlite")

        def play(name, *more):
            self.ok("call", *recordings(), *recognition(), "--speed", "max", "--headless", "--out", "off", "--history", history,
                    "--id", name, *more)
            return [c["id"] for c in self.ok("calls", "list", "--json", "--history", history).json()]

        play("old")
        with sqlite3.connect(history) as db:
            db.execute("UPDATE call SET started_at = '2020-01-01T00:00:00Z' WHERE id = 'old'")
        db.close()
        self.assertEqual(play("second", "--keep-days", "0"), ["second", "old"])
        self.assertEqual(sorted(play("third", "--keep-days", "36500")), ["old", "second", "third"])
        self.assertEqual(sorted(play("fourth")), ["fourth", "second", "third"])

    def test_strain_of_the_calls_before(self):
        need_server(self)
        history, book = self.new_path("calls.sqlite"), json.loads(PLAYBOOK.read_text())
        strain = next(r for r in book["rules"] if "strain_of" in r["signal"])
        strain["raise_at"] = strain["clear_below"] = 0.1  # minutes
        path = self.new_path("playbook.json")
        path.write_text(json.dumps(book))
        arguments = recognition()
        arguments[arguments.index("--playbook") + 1] = path

        def alerts(*more):
            result = self.ok("call", *recordings(), *arguments, "--speed", "max", "--headless", "--out", "off", *more)
            return [e for e in self.events(result.out) if e["type"] == "alert" and e["rule"] == strain["id"]]

        self.assertEqual(alerts("--history", history), [])
        # That call of 12 s becomes an angry one.
        with sqlite3.connect(history) as db:
            line = json.dumps({"t_ms": 12000, "type": "alert", "action": "raised", "alert": 9, "rule": strain["signal"]["strain_of"]})
            db.execute("INSERT INTO event SELECT call, max(number) + 1, ? FROM event GROUP BY call", (line,))
        db.close()
        raised = alerts("--history", history)
        self.assertEqual([e["action"] for e in raised][:1], ["raised"])
        self.assertAlmostEqual(raised[0]["value"], 12 / 60, places=3)
        self.assertEqual(alerts("--no-history"), [])
        self.assertEqual(alerts("--history", history, "--strain-before", "0"), [])

    def test_ctrl_c_keeps_what_was_heard(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            out = self.new_path(f"out-{number}")
            process = started(*recordings(), *recognition(), "--headless", "--out", out, "--no-history")
            for line in process.stdout:
                if b'"emotion"' in line:
                    break
            process.send_signal(number)
            rest, remarks = process.communicate(timeout=support.LIMIT)
            self.assertEqual(process.returncode, 0, remarks)
            events = self.events((out / "events.jsonl").read_text())
            self.assertEqual(events[-1]["reason"], "dropped")
            self.assertEqual(json.loads(rest.splitlines()[-1])["reason"], "dropped")
            self.assertLess(events[-1]["t_ms"], 11000)
            self.assertTrue((out / "report.html").exists())

    def test_a_reader_that_leaves(self):
        out = self.new_path("out")
        process = started(*recordings(), *recognition(), "--headless", "--out", out, "--no-history", "--speed", "20", "--quiet")
        process.stdout.readline()
        process.stdout.close()
        remarks = process.stderr.read().decode()
        process.stderr.close()
        self.assertEqual(process.wait(timeout=support.LIMIT), 2)
        self.assertEqual(len(remarks.splitlines()), 1, remarks)
        self.assertIn("serene: stdout", remarks)
        self.assertEqual(self.events((out / "events.jsonl").read_text())[-1]["action"], "end")


if __name__ == "__main__":
    unittest.main()
