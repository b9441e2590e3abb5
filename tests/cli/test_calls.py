"""serene calls: the history of calls, made here by hand with SQLite in the form that the program keeps."""
import csv
import hashlib
import io
import json
import pathlib
import re
import sqlite3
import time
import unittest

import pages
import support
from support import CliTest, serene

STATES = {"neutral": 0, "angry": 1, "sad": 0.6}


def schema() -> list:
    """The tables as the source of the history states them."""
    source = (support.SOURCE / "lib" / "serene" / "server" / "history.cpp").read_text()
    block = source[source.index("schema() {"):source.index("return tables;")]
    return ["".join(re.findall(r'"([^"]*)"', t)) for t in re.split(r'",\s*\n', block.split("= {", 1)[1].rsplit("};", 1)[0] + '\n')
            for t in [t if t.endswith('"') else t + '"']]


def events(angry_until=30000, length=60000, ends=True) -> list:
    """Neutral, angry from 10 s on, neutral again."""
    lines = []

    def add(t, kind, **fields):
        lines.append(json.dumps({"seq": len(lines), "t_ms": t, "type": kind} | fields))

    def emotion(t, state):
        add(t, "emotion", state=state, probabilities={s: 0.8 if s == state else 0.1 for s in STATES}, speech_ms=t)

    add(0, "call", action="start", model="test", states=list(STATES), negative=STATES, agent_leg=True, consent=True)
    add(200, "speech", leg="customer", action="start", at_ms=0)
    emotion(2000, "neutral"), add(2000, "state", state="neutral")
    emotion(10000, "angry"), add(10000, "state", state="angry")
    add(12000, "alert", action="raised", alert=1, rule="rising_anger", severity="critical", text="Anger is rising", reason="anger 0.8")
    add(14500, "alert", action="acknowledged", alert=1)
    if angry_until < length:
        emotion(angry_until, "neutral"), add(angry_until, "state", state="neutral")
        add(angry_until + 6000, "alert", action="cleared", alert=1)
    if ends:
        add(length, "call", action="end", reason="finished")
    return lines


class CallsTest(CliTest):
    def setUp(self):
        self.file = self.new_path("calls.sqlite")
        self.db = sqlite3.connect(self.file)
        self.addCleanup(self.db.close)
        for table in schema():
            self.db.execute(table)
        self.db.execute(f"PRAGMA application_id = {0x53524e31}")
        self.db.execute("PRAGMA user_version = 1")
        self.db.commit()

    def put(self, name, started, lines, reason="finished", title="A call"):
        self.db.execute("INSERT INTO call VALUES (?, ?, ?, 'test', 'm', 'assumed', ?, 1000, NULL)", (name, title, started, reason))
        self.db.executemany("INSERT INTO event VALUES (?, ?, ?)", [(name, i, line) for i, line in enumerate(lines)])
        self.db.commit()

    def three(self):
        self.put("calm", "2026-11-23T09:05:00Z", events())
        self.put("hard", "2026-11-24T17:05:00Z", events(angry_until=60000))
        self.put("lost", "2026-11-24T17:30:00Z", events(ends=False)[:-2], reason=None, title="Torn <call>")

    def calls(self, *args):
        return self.ok("calls", *args, "--history", self.file)

    def test_list(self):
        self.assertEqual(self.calls("list").out, "No calls are kept.\n")
        self.three()
        listed = self.calls("list", "--json").json()
        self.assertEqual([c["id"] for c in listed], ["lost", "hard", "calm"])
        self.assertEqual([c["state"] for c in listed], ["dropped", "finished", "finished"])
        self.assertEqual(listed[2]["duration_ms"], 60000)
        self.assertRegex(self.calls("list").out, r"(?m)^calm +2026-11-23T09:05:00Z +1:00 ")
        self.assertEqual([c["id"] for c in self.calls("list", "--json", "--until", "2026-11-23").json()], ["calm"])
        self.assertEqual(len(self.calls("list", "--json", "--since", "2026-11-24", "--limit", "1").json()), 1)

    def test_show(self):
        self.three()
        summary = self.calls("show", "calm", "--json").json()
        self.assertEqual((summary["feeling"]["start"], summary["anger"]["recovery_ms"]), ("neutral", 18000))
        self.assertAlmostEqual(sum(s["of_call"] for s in summary["shares"]), 1, places=3)
        self.assertIn("did not ease", self.calls("show", "hard").out)
        self.assertFalse(self.calls("show", "lost", "--json").json()["complete"])
        self.refuses(2, ["nobody"], "calls", "show", "nobody", "--history", self.file)

    def test_export(self):
        self.three()
        page, folder = self.new_path("report.html"), self.new_path("all")
        self.calls("export", "lost", "--format", "html", "--out", page)
        self.assertIn("Torn <call>", pages.read_page(self, page).text)
        self.calls("export", "--all", "--format", "csv", "--out", folder)
        self.assertEqual(sorted(support.tree(folder)), ["calm.csv", "hard.csv", "lost.csv"])
        rows = list(csv.DictReader(io.StringIO((folder / "calm.csv").read_text())))
        self.assertEqual(len(rows), len(events()))
        self.assertEqual(rows[4]["p_angry"], "0.8")
        self.calls("export", "calm", "hard", "--out", folder)
        told = json.loads((folder / "calm.json").read_text())
        self.assertEqual(told["events"], [json.loads(e) for e in events()])
        audit = self.calls("audit", "--json").json()
        self.assertEqual([(a["action"], a["calls"]) for a in audit], [("export html", 1), ("export csv", 3), ("export json", 2)])
        self.assertEqual(audit[0]["id_sha256"], [hashlib.sha256(b"lost").hexdigest()])

    def test_purge(self):
        self.three()
        for words in (["--purge"], [], ["--all"], ["calm", "--all", "--yes"], ["--older-than", "-1"]):
            self.one_error(serene("calls", "purge", *words, "--history", self.file), 1)
        self.refuses(2, ["nobody"], "calls", "purge", "calm", "nobody", "--history", self.file)
        self.assertEqual(len(self.calls("list", "--json").json()), 3)
        self.assertEqual(self.calls("purge", "lost").out, "1 call erased\n")
        everything = b"".join(p.read_bytes() for p in self.file.parent.glob(self.file.name + "*"))
        self.assertNotIn(b"Torn <call>", everything)
        self.put("new", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 86400 * 5)), events())
        self.put("old", "2020-01-01T00:00:00Z", events())
        self.calls("purge", "--older-than", "10")
        self.assertNotIn("old", [c["id"] for c in self.calls("list", "--json").json()])
        self.assertIn("new", [c["id"] for c in self.calls("list", "--json").json()])
        self.calls("purge", "--all", "--yes")
        self.assertEqual(self.calls("list", "--json").json(), [])

    def test_summary(self):
        self.three()
        page = self.new_path("calls.html")
        told = self.ok("calls", "summary", "--utc", "--json", "--html", page, "--history", self.file).json()
        self.assertEqual((told["calls"], told["incomplete"]), (3, 1))
        self.assertEqual((told["anger"]["calls"], told["anger"]["recovered"]), (3, 1))
        self.assertEqual(told["hours"][17]["calls"], 2)
        self.assertEqual([d["weekday"] for d in told["weekdays"] if d["calls"]], ["Monday", "Tuesday"])
        self.assertEqual(told["alerts"][0]["acknowledge_median_s"], 2.5)
        self.assertEqual(sum(f["calls"] for f in told["feelings"]), 3)
        pages.read_page(self, page)
        self.assertIn("none of a person exists", self.calls("summary").out)
        self.assertEqual(self.calls("summary", "--json", "--since", "2027-01-01").json()["calls"], 0)
        self.put("broken", "2026-11-25T10:00:00Z", ["{}", "{}"])
        result = serene("calls", "summary", "--json", "--history", self.file)
        self.one_error(result, 2, "broken", "line 1")
        self.assertEqual(result.json()["calls"], 3)

    def test_mistakes(self):
        for words, said in ((["dance"], "dance"), ([], "action"), (["show"], "id"), (["list", "x"], "words"),
                            (["list", "--since", "soon"], "--since"), (["list", "--limit", "0"], "--limit"),
                            (["export", "a", "--format", "xml", "--out", "x"], "--format"), (["export", "a"], "--out")):
            self.refuses(1, [said], "calls", *words, "--history", self.file)
        missing = self.new_path("none.sqlite")
        self.refuses(2, [missing, "no history"], "calls", "list", "--history", missing)
        self.refuses(2, [missing], "calls", "purge", "--all", "--yes", "--history", missing)
        self.assertFalse(missing.exists())
        text = self.new_path("text")
        text.write_text("no database\n" * 500)
        self.refuses(2, [text, "not a history"], "calls", "list", "--history", text)
        self.refuses(2, ["folder"], "calls", "list", "--history", support.temp())

    def test_a_history_from_elsewhere(self):
        self.put("../up", "2026-11-23T09:05:00Z", events())
        self.put("when", "tomorrow", events())
        folder = self.new_path("out")
        self.one_error(serene("calls", "export", "../up", "--out", folder / "x.json", "--history", self.file), 2, "../up")
        self.one_error(serene("calls", "summary", "--history", self.file), 2, "tomorrow")
        self.assertFalse(pathlib.Path(str(folder)).exists())


if __name__ == "__main__":
    unittest.main()
