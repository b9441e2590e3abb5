"""serene call on a terminal and on its dashboard."""
import json
import os
import re
import signal
import socket
import time
import unittest
import urllib.request

import support
from call_support import address_of, CallTest, fork_terminal, need_server, on_terminal, recognition, recorded_events, recordings, replay_file, started, WebSocket


class Views(CallTest):
    def test_plain_lines(self):
        result = self.call(*recordings(), "--speed", "max", "--out", "off")
        self.assertNotIn("\x1b", result.out + result.err)
        self.assertRegex(result.out, r"(?m)^00:0\d\.\d  customer  spoke \d\.\d s$")
        self.assertRegex(result.out, r"(?m)^00:1\d\.\d  call      finished; customer spoke ")
        lines = self.ok("call", "--replay", replay_file(), "--speed", "max").out
        self.assertRegex(lines, r"(?m)^00:01\.5  customer  angry      80 %  steady  \(was uncertain\)$")
        self.assertRegex(lines, r"(?m)^00:04\.0  alert     raised #1  critical: Anger is rising  \(angry at 0\.80 for 3 s\)$")
        self.assertRegex(lines, r"(?m)^00:04\.0  advice    Let the customer finish  \(anger is rising\)$")

    def test_panel(self):
        screen = on_terminal(["--replay", replay_file(), "--speed", "20"])
        self.assertIn("\x1b[?25l", screen)
        self.assertGreater(screen.rfind("\x1b[?25h"), screen.rfind("\x1b[?25l"), "the cursor comes back")
        self.assertIn("\x1b[1;31m▲ angry", screen)
        last = screen[screen.rfind("\x1b[?25l"):]
        for words in ("80 %", "Let the customer finish", "because anger is rising", "critical \x1b[0m#1 00:04.0", "over: finished"):
            self.assertIn(words, last)
        self.assertIn("AI", last)

    def test_panel_without_colour(self):
        screen = on_terminal(["--replay", replay_file(), "--speed", "max"], NO_COLOR="1")
        self.assertNotRegex(screen, r"\x1b\[[0-9;]*m")
        self.assertIn("▲ angry", screen)

    def test_plain_letters_and_small_windows(self):
        screen = on_terminal(["--replay", replay_file(), "--speed", "20"], columns=30, rows=8, LC_ALL="C", NO_COLOR="1")
        self.assertTrue(screen.isascii(), screen)
        for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen).replace("\r", "").split("\n"):
            self.assertLessEqual(len(line), 30, line)

    def test_a_dumb_terminal_gets_lines(self):
        self.assertNotIn("\x1b", on_terminal(["--replay", replay_file(), "--speed", "max"], TERM="dumb"))

    def test_interrupted_panel_gives_the_cursor_back(self):
        pid, terminal = fork_terminal()
        if pid == 0:
            os.execve(support.program(), [support.program(), "call", "--replay", str(replay_file())],
                      support.environment() | {"TERM": "xterm"})
        seen = b""
        while b"angry" not in seen:
            seen += os.read(terminal, 65536)
        os.write(terminal, b"\x03")
        try:
            while piece := os.read(terminal, 65536):
                seen += piece
        except OSError:
            pass
        os.close(terminal)
        self.assertEqual(os.waitpid(pid, 0)[1], 0, seen)
        self.assertGreater(seen.rfind(b"\x1b[?25h"), seen.rfind(b"\x1b[?25l"))

    def test_control_characters_of_a_recording_stay_out(self):
        events = recorded_events()
        events[0]["model"] = "\x1b[2Jbad"
        next(e for e in events if e["type"] == "advice")["text"] = "\x1b]0;title\x07"
        self.assertNotIn("\x1b", self.ok("call", "--replay", replay_file(events), "--speed", "max").out)


class Dashboard(CallTest):
    def setUp(self):
        need_server(self)

    def test_web(self):
        process = started(*recordings(), *recognition(), "--web", "--port", "0", "--headless", "--speed", "max", "--hold", "60",
                          "--out", "off", "--no-history", "--id", "shown")
        try:
            address = address_of(process)
            for line in process.stdout:
                if b'"end"' in line:
                    break
            for _ in range(100):
                with urllib.request.urlopen(address + "api/calls/shown", timeout=10) as reply:
                    call = json.load(reply)
                if len(call["documents"]) == 4:
                    break
                time.sleep(0.1)
            self.assertEqual(sorted(call["documents"]), ["events.csv", "events.jsonl", "report.html", "summary.json"])
            self.assertEqual(call["events"][-1]["reason"], "finished")
            self.assertTrue(call["audio"])
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=support.LIMIT)
        self.assertEqual(process.returncode, 0)

    def test_acknowledging_a_recorded_alert(self):
        process = started("--replay", replay_file(), "--web", "--port", "0", "--headless", "--speed", "1", "--id", "seen")
        try:
            address = address_of(process)
            socket_ = WebSocket(address, "/live?after=0")
            self.addCleanup(socket_.socket.close)
            self.assertIn(b" 101 ", socket_.head)
            events = []
            for line in process.stdout:
                events.append(json.loads(line))
                if events[-1]["type"] == "alert" and events[-1]["action"] == "raised":
                    socket_.say({"type": "acknowledge", "call": "seen", "alert": 1})
        finally:
            process.terminate()
            process.communicate(timeout=support.LIMIT)
        self.assertEqual([e["seq"] for e in events], list(range(len(events))))
        answer = next(e for e in events if e.get("action") == "acknowledged")
        self.assertEqual((answer["alert"], answer["rule"]), (1, "rising_anger"))
        self.assertEqual(events[-1]["action"], "end")

    def test_consent_of_a_recorded_call(self):
        events = recorded_events()
        later = [e | {"t_ms": e["t_ms"] + 3000, "alert": 2} if e["type"] == "alert" else e | {"t_ms": e["t_ms"] + 3000}
                 for e in events if e["type"] in ("emotion", "alert", "advice")]
        cleared = [dict(next(e for e in events if e["type"] == "alert"), action="cleared", alert=n, t_ms=7500, reason="") for n in (1, 2)]
        events = sorted(events + later + cleared, key=lambda e: e["t_ms"])
        process = started("--replay", replay_file(events), "--web", "--port", "0", "--headless", "--speed", "1", "--id", "recorded")
        told = []
        try:
            socket_ = WebSocket(address_of(process), "/live?after=0")
            self.addCleanup(socket_.socket.close)
            for line in process.stdout:
                told.append(json.loads(line))
                if told[-1]["type"] == "advice" and told[-1]["t_ms"] < 5000:
                    socket_.say({"type": "consent", "call": "recorded", "given": False})
                if told[-1]["type"] == "speech" and told[-1]["action"] == "stop":
                    socket_.say({"type": "consent", "call": "recorded", "given": True})
        finally:
            process.terminate()
            process.communicate(timeout=support.LIMIT)
        self.assertEqual([e["seq"] for e in told], list(range(len(told))))
        self.assertEqual([e["t_ms"] for e in told], sorted(e["t_ms"] for e in told))
        withdrawn, given = (next(i for i, e in enumerate(told) if e["type"] == "consent" and e["action"] == a) for a in ("withdrawn", "given"))
        between = [(e["type"], e.get("action")) for e in told[withdrawn:given]]
        self.assertEqual(between, [("consent", "withdrawn"), ("alert", "cleared"), ("advice", "withdrawn"), ("speech", "stop")])
        after = [(e["type"], e.get("action"), e.get("alert")) for e in told[given:] if e["type"] != "emotion"]
        self.assertEqual(after, [("consent", "given", None), ("alert", "raised", 2), ("advice", "shown", None),
                                 ("alert", "cleared", 2), ("call", "end", None)])
        self.assertTrue(any(e["type"] == "emotion" for e in told[given:]))

    def test_consent_on_the_page_starts_the_recognition(self):
        process = started(*recordings(), *recognition(), "--web", "--port", "0", "--headless", "--speed", "4", "--id", "asked",
                          "--consent", "required", "--out", "off", "--no-history")
        try:
            socket_ = WebSocket(address_of(process), "/live?after=0")
            self.addCleanup(socket_.socket.close)
            events = []
            for line in process.stdout:
                events.append(json.loads(line))
                if events[-1]["type"] == "speech" and not any(e["type"] == "consent" for e in events):
                    socket_.say({"type": "consent", "call": "asked", "given": True})
        finally:
            process.terminate()
            process.communicate(timeout=support.LIMIT)
        kinds = [e["type"] for e in events]
        self.assertIn("consent", kinds)
        self.assertIn("emotion", kinds)
        self.assertLess(kinds.index("consent"), kinds.index("emotion"))

    def test_busy_port(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.refuses(1, [port], "call", *recordings(), *recognition(), "--web", "--port", port, "--out", "off", "--no-history")


if __name__ == "__main__":
    unittest.main()
