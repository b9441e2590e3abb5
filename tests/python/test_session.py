"""serene.Session: a live call, against `serene call`."""
import gc
import json
import random
import subprocess
import sys
import threading
import weakref

import module_support  # first: it finds the others
import numpy
import serene
import support
from module_support import CALL, RATE, ModuleTest, model_file, recognizer, samples_of, talk_file

FILES = {"config": CALL / "call.json", "playbook": CALL / "playbook.json"}
# A rule that any voice raises, so that alerts and advice are seen with a model that knows nothing.
EAGER = {"rules": [{"id": "talks", "alert": True, "severity": "warning",
                    "signal": {"states": {e: 1 for e in support.EMOTIONS if e != "calm"}}, "raise_at": 0.5, "clear_below": 0.1,
                    "text": "Somebody talks", "advice": "Listen", "reason": "{percent}"}]}

# Not getrusage: its peak is that of the parent too.
PEAK = """
import re, sys
import numpy, serene

def peak():
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\\s*(\\d+) kB", status.read())[1])

session = serene.Session(sys.argv[1], rate=48000, consent=False)
sound = numpy.random.default_rng(1).standard_normal(10_000_000, numpy.float32)
sound *= 0.0003
session.push(sound[:48000])
before = peak()
session.push(sound)
print(peak() - before)
"""


def events_of(samples, cuts=(), **options) -> list:
    session = serene.Session(recognizer(), **options)
    events = []
    for piece in numpy.split(samples, sorted(cuts)):
        session.push(piece)
        events += session.poll()
    session.finish()
    return events + session.poll()


class Call(ModuleTest):
    def test_agrees_with_the_program(self):
        told = support.serene("call", talk_file(), "--customer-only", "--model", model_file(), "--config", FILES["config"], "--playbook",
                              FILES["playbook"], "--speed", "max", "--headless", "--no-history", "--out", "off")
        self.assertEqual(told.code, 0, told)
        events = events_of(samples_of(talk_file()), **FILES)
        self.assertEqual(events, [json.loads(line) for line in told.out.splitlines()])
        self.assertTrue({"call", "speech", "emotion", "state", "quality"} <= {e["type"] for e in events})

    def test_any_pieces_give_the_same_events(self):
        sound = samples_of(talk_file())
        whole = events_of(sound)
        draw = random.Random(5)
        self.assertEqual(whole, events_of(sound, range(160, len(sound), 160)))
        self.assertEqual(whole, events_of(sound, [draw.randrange(len(sound)) for _ in range(200)]))

    def test_callback_hears_what_poll_gives(self):
        heard, sound = [], samples_of(talk_file())
        session = serene.Session(str(model_file()), RATE, None, heard.append)
        self.assertEqual(session.poll()[0]["action"], "start")
        for piece in numpy.array_split(sound, 40):
            session.push(piece)
        session.finish()
        self.assertEqual(session.poll(), [])
        self.assertEqual(heard, events_of(sound)[1:])

    def test_alert_and_advice(self):
        session = serene.Session(recognizer(), playbook=EAGER)
        session.push(samples_of(talk_file()))
        events = session.poll()
        alerts = [e for e in events if e["type"] == "alert"]
        self.assertEqual((alerts[0]["action"], alerts[0]["rule"], alerts[0]["text"]), ("raised", "talks", "Somebody talks"))
        self.assertIn("Listen", [e["text"] for e in events if e["type"] == "advice"])
        session.acknowledge(alerts[0]["alert"])
        session.push(numpy.zeros(RATE, numpy.float32))
        self.assertIn("acknowledged", [e.get("action") for e in session.poll()])

    def test_consent(self):
        sound = samples_of(talk_file())
        session = serene.Session(recognizer(), consent=False)
        session.push(sound)
        self.assertNotIn("emotion", [e["type"] for e in session.poll()])
        session.set_consent(True)
        session.push(sound)
        self.assertIn("emotion", [e["type"] for e in session.poll()])

    def test_loss_and_bad_samples_are_told(self):
        session = serene.Session(recognizer())
        sound = samples_of(talk_file()).copy()
        sound[100:105] = numpy.nan
        session.push(sound)
        session.lose(5 * RATE)
        self.assertEqual(session.time_ms, 17000)
        session.push(sound)
        quality = [e for e in session.poll() if e["type"] == "quality"]
        self.assertEqual(quality[-1]["bad_samples"], 10)
        self.assertGreater(max(e["loss"] for e in quality), 0)

    def test_big_arrays_are_not_copied(self):
        done = subprocess.run([sys.executable, "-c", PEAK, model_file()], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLess(int(done.stdout), 16 * 1024, "KiB more while 40 MB were read")


class Refused(ModuleTest):
    def test_arrays(self):
        session = serene.Session(recognizer())
        self.refuses_arrays("samples", 1, session.push)
        self.assertEqual(session.time_ms, 0)

    def test_arguments(self):
        for rate in (0, -8000, 7999, 16001, 200000):
            self.refuses("usage", ["rate"], serene.Session, recognizer(), rate)
        self.refuses("not_found", ["nowhere"], serene.Session, "nowhere")
        self.refuses("not_found", ["nowhere.json"], serene.Session, recognizer(), config="nowhere.json")
        self.refuses("input", ["config: ", "colour"], serene.Session, recognizer(), config={"colour": 1})
        self.refuses("input", ["config: window_s"], serene.Session, recognizer(), config={"window_s": "long"})
        self.refuses("not_found", ["playbook: rules[0].id"], serene.Session, recognizer(), playbook={"rules": [{}]})
        self.refuses("input", [FILES["playbook"]], serene.Session, recognizer(), config=FILES["playbook"])
        for more in ({"on_event": 3}, {"config": 3}, {"playbook": []}, {"config": {"window_s": {1}}}):
            self.assertRaises(TypeError, serene.Session, recognizer(), **more)
        self.assertRaises(TypeError, serene.Session, None)
        session = serene.Session(recognizer())
        for count in (-1, 3600 * RATE + 1):
            self.refuses("usage", ["count"], session.lose, count)
        self.assertRaises(TypeError, session.lose, 1 << 70)

    def test_after_the_end(self):
        session = serene.Session(recognizer())
        session.finish()
        self.assertEqual(session.poll()[-1]["action"], "end")
        nine = numpy.zeros(9, numpy.float32)
        for late in (session.finish, lambda: session.push(nine), lambda: session.lose(1), lambda: session.set_consent(True)):
            self.refuses("usage", ["the call is over"], late)

    def test_what_the_callback_raises_comes_out_and_no_event_is_lost(self):
        sound, heard = samples_of(talk_file()), []

        def stumble(event):
            heard.append(event)
            if len(heard) % 3 == 2:
                raise KeyError(event["seq"])

        session, stumbles = serene.Session(recognizer(), on_event=stumble), 0
        for call in [lambda: session.push(sound)] + [lambda: session.push(sound[:0])] * 100 + [session.finish]:
            try:
                call()
            except KeyError:
                stumbles += 1
        heard += session.poll()
        self.assertGreater(stumbles, 5)
        self.assertEqual(heard, events_of(sound))

    def test_its_own_callback_is_kept_out(self):
        session = serene.Session(recognizer(), on_event=lambda event: session.finish())
        self.refuses("usage", ["callback"], session.push, samples_of(talk_file()))

    def test_a_second_thread_is_kept_out(self):
        inside, leave, told = threading.Event(), threading.Event(), []

        def hold(event):
            inside.set()
            leave.wait(60)

        session = serene.Session(recognizer(), on_event=hold)
        worker = threading.Thread(target=session.push, args=(samples_of(talk_file()),))
        worker.start()
        try:
            self.assertTrue(inside.wait(60))
            for late in (session.poll, session.finish, lambda: session.time_ms):
                self.refuses("usage", ["another thread"], late)
        finally:
            leave.set()
            worker.join()
        session.finish()

    def test_a_circle_with_its_callback_is_collected(self):
        class Agent:
            def __init__(self):
                self.session = serene.Session(recognizer(), on_event=self.hear)

            def hear(self, event):
                pass

        agent = Agent()
        agent.session.push(numpy.zeros(RATE, numpy.float32))
        gone = weakref.ref(agent)
        del agent
        gc.collect()
        self.assertIsNone(gone())
