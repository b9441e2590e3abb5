"""serene ensemble, and what it makes in predict, evaluate, inspect, call and crossval --combine."""
import functools
import json
import struct

import call_support
import pages
import support
from support import EMOTIONS, SMALL, SMOKE, CliTest, on_corpus, serene, trained


@functools.cache
def second():
    """A run of another seed and other features on the same split."""
    run = support.temp() / "second"
    result = serene(*on_corpus("train", SMOKE, "--run", run, *SMALL, "--set=seed=7", "--set=features.n_mfcc=20"))
    assert result.code == 0, result
    return run


@functools.cache
def ensemble():
    out = support.temp() / "both.safetensors"
    result = serene(*on_corpus("ensemble", trained()[0], second(), "--out", out))
    assert result.code == 0, result
    return out, result


class EnsembleTest(CliTest):
    def test_calibrated_on_common_validation_clips(self):
        out, result = ensemble()
        self.assertIn("mean of probabilities", result.out)
        self.assertIn("2 members", result.out)
        info = self.ok("inspect", out, "--json").json()
        self.assertEqual(len(info["members"]), 2)
        self.assertEqual(info["labels"], EMOTIONS)
        self.assertNotEqual(info["temperature"], 1)
        self.assertGreater(info["uncertain_below"], 0.1)
        self.assertEqual([m["input_channels"] for m in info["members"]], [40, 20])
        self.assertEqual(info["notes"]["name"], "both")
        text = self.ok("inspect", out).out
        self.assertIn("member 1, weight 0.5000", text)
        again = self.new_path("again.safetensors")
        self.ok(*on_corpus("ensemble", trained()[0], second(), "--out", again, "--name", "both", threads=1))
        self.assertEqual(again.read_bytes(), out.read_bytes())

    def test_predict_is_the_mean_of_the_members(self):
        plain, clip = self.new_path("plain.safetensors"), support.a_clip(3)
        result = self.ok("ensemble", trained()[0] / "best.safetensors", second() / "best.safetensors", "--out", plain, "--weights", "1,3")
        self.assertIn("not all members are run folders", result.err)
        a, b, both = (self.ok("predict", m, clip, "--json").json()[0]["probabilities"] for m in (trained()[0], second(), plain))
        for label in EMOTIONS:
            self.assertAlmostEqual(both[label], 0.25 * a[label] + 0.75 * b[label], places=9)
        small = self.ok("predict", plain, clip, "--json", "--precision", "int8").json()[0]["probabilities"]
        self.assertNotEqual(small, both)
        self.assertAlmostEqual(sum(small.values()), 1, places=9)

    def test_evaluate_and_compare(self):
        scores = self.ok(*on_corpus("evaluate", ensemble()[0], "--corpus", "ravdess", "--json")).json()
        self.assertEqual(scores["clips"], 96)
        self.assertIn("certain", scores)
        compared = self.ok(*on_corpus("inspect", "--compare", ensemble()[0], "--corpus", "ravdess", "--json")).json()
        self.assertEqual([p["precision"] for p in compared["precisions"]], ["full", "bf16", "int8"])

    def test_call(self):
        quick = ["--speed", "max", "--headless", "--out", "off", "--no-history", "--playbook", call_support.PLAYBOOK]
        for more in ([], ["--set", "model.normalisation=running", "--set", "model.prior_s=2"]):
            result = self.ok("call", *call_support.recordings(), "--model", ensemble()[0], "--config", call_support.CONFIG, *quick, *more)
            events = [json.loads(line) for line in result.out.splitlines()]
            self.assertEqual((events[0]["model"], events[-1]["action"]), ("both", "end"))
            told = [e for e in events if e["type"] == "emotion"]
            self.assertGreater(len(told), 5)
            for event in told:
                self.assertAlmostEqual(sum(event["probabilities"].values()), 1, delta=0.01)

    def test_uncertain(self):
        clips = [support.a_clip(e) for e in range(8)]
        answers = self.ok("predict", ensemble()[0], *clips, "--json").json()
        limit = self.ok("inspect", ensemble()[0], "--json").json()["uncertain_below"]
        for answer in answers:
            self.assertEqual(answer["uncertain"], max(answer["probabilities"].values()) < limit)
        always = self.ok("predict", ensemble()[0], *clips, "--json", "--always").json()
        self.assertFalse(any(a["uncertain"] for a in always))
        self.assertNotIn("uncertain", self.ok("predict", ensemble()[0], *clips, "--always").out)

    def test_timeline(self):
        long = support.wav(self.new_path("long, name.wav"), sum((support.voice(e, 6, 1, 1.0) for e in range(4)), []))
        result = self.ok("predict", ensemble()[0], long, "--timeline", "--window", "1")
        lines = result.out.splitlines()
        self.assertEqual(lines[0], "file,from_s,to_s,emotion,uncertain," + ",".join(EMOTIONS))
        self.assertIn(len(lines), (8, 9))
        self.assertTrue(lines[1].startswith('"'))
        windows = self.ok("predict", ensemble()[0], long, "--timeline", "--window", "1", "--json").json()[0]["windows"]
        self.assertEqual(len(windows), len(lines) - 1)
        self.assertEqual(windows[0]["from_s"], 0)
        self.assertAlmostEqual(windows[1]["from_s"], 0.5, places=2)
        self.assertAlmostEqual(windows[-1]["to_s"], 4, delta=0.03)
        self.refuses(1, ["--window", "--timeline"], "predict", ensemble()[0], long, "--window", "1")
        self.refuses(1, ["--window", "out of range"], "predict", ensemble()[0], long, "--timeline", "--window", "0")

    def test_refusals(self):
        run, out = trained()[0], self.new_path("out.safetensors")
        self.refuses(1, ["two or more models"], "ensemble", run, "--out", out)
        self.refuses(1, ["--out"], "ensemble", run, second())
        self.refuses(1, ["--weights"], "ensemble", run, second(), "--out", out, "--weights", "1,x")
        self.refuses(1, ["weights", "not one for each"], "ensemble", run, second(), "--out", out, "--weights", "1")
        self.refuses(1, ["weights", "out of range"], "ensemble", run, second(), "--out", out, "--weights", "1,-1")
        self.refuses(2, ["is an ensemble"], "ensemble", run, ensemble()[0], "--out", out)
        self.refuses(2, ["nothing.safetensors"], "ensemble", run, "nothing.safetensors", "--out", out)
        self.assertFalse(out.exists())

    def test_hostile_files(self):
        good = ensemble()[0].read_bytes()
        size, = struct.unpack("<Q", good[:8])
        header = json.loads(good[8:8 + size])
        bad = self.new_path("bad.safetensors")

        def put(change):
            edited = json.loads(json.dumps(header))
            change(edited)
            text = json.dumps(edited).encode()
            text += b" " * (-len(text) % 8)
            bad.write_bytes(struct.pack("<Q", len(text)) + text + good[8 + size:])

        for length in (0, 7, 8, 100, size, len(good) - 1):
            bad.write_bytes(good[:length])
            self.refuses(2, [bad], "predict", bad, support.a_clip())
        put(lambda h: h["__metadata__"].pop("member.1.model"))
        self.refuses(2, [bad], "predict", bad, support.a_clip())
        put(lambda h: h["__metadata__"].update(head=h["__metadata__"]["head"].replace("calm", "cold")))
        self.refuses(2, [bad, "checksum"], "predict", bad, support.a_clip())
        put(lambda h: h["__metadata__"].update(format="serene-ensemble-9"))
        self.refuses(2, [bad, "not a serene checkpoint"], "predict", bad, support.a_clip())


class LongClipsTest(CliTest):
    def test_windows_that_vote(self):
        run = self.new_path("run")
        vote = ["--set=data.max_frames=20", "--set=data.long_clips=vote", "--set=train.uncertain_share=0.25"]
        self.ok(*on_corpus("train", SMOKE, "--run", run, *SMALL, *vote))
        info = self.ok("inspect", run, "--json").json()
        self.assertEqual((info["max_frames"], info["long_clips"]), (20, "vote"))
        scores = self.ok(*on_corpus("evaluate", run, "--json")).json()
        self.assertEqual(scores, json.loads((run / "results.json").read_text()))
        stored = {p["clip"]: p for p in json.loads((run / "predictions.json").read_text())}
        answer = self.ok("predict", run, support.a_clip(2), "--json").json()[0]
        logits = stored[support.a_clip(2).stem]["logits"]
        self.assertEqual(EMOTIONS[logits.index(max(logits))], answer["emotion"])
        self.assertGreater(scores["certain"]["threshold"], 0)
        page = pages.read_page(self, run / "report.html").text
        self.assertIn("Uncertain answers", page)


class SpeakerTest(CliTest):
    def test_trained_per_speaker(self):
        run = self.new_path("run")
        result = self.ok(*on_corpus("train", SMOKE, "--run", run, *SMALL, "--set=normalize=speaker"))
        self.assertIn("standardised per speaker", result.out)
        scores = self.ok(*on_corpus("evaluate", run, "--json")).json()
        self.assertEqual(scores, json.loads((run / "results.json").read_text()))
        self.assertTrue(self.ok("inspect", run, "--json").json()["per_speaker"])
        other = self.ok(*on_corpus("evaluate", run / "best.safetensors", "--corpus", "ravdess")).out
        self.assertIn("standardised per speaker", other)


class CombineTest(CliTest):
    SHORT = [*SMALL, "--set=train.epochs=1", "--seeds", "2"]

    def test_two_recipes_together(self):
        a, b, out = (self.new_path(name) for name in "abo")
        first = self.ok(*on_corpus("crossval", SMOKE, "--run", a, *self.SHORT, "--json")).json()
        self.assertEqual(first["ensemble"]["members"], 2)
        self.assertIn("of the 2 seeds as one", self.ok(*on_corpus("crossval", SMOKE, "--run", a, *self.SHORT)).out)
        self.ok(*on_corpus("crossval", SMOKE, "--run", b, *self.SHORT, "--set=features.n_mfcc=20"))
        both = self.ok("crossval", "--combine", a, b, "--run", out, "--json").json()
        self.assertEqual([f["seed"] for f in both["folds"]], [1, 2])
        self.assertEqual(len(both["members"]), 2)
        self.assertAlmostEqual(both["members"][0]["uar"], first["uar"]["mean"])
        self.assertEqual(json.loads((out / "results.json").read_text()), both)
        pages.read_page(self, out / "report.html")
        # A recipe with itself is itself.
        same = self.ok("crossval", "--combine", a, a, "--json").json()
        self.assertEqual([f["uar"] for f in same["folds"]], [f["uar"] for f in first["folds"]])
        self.assertAlmostEqual(same["ensemble"]["uar"], first["ensemble"]["uar"])
        self.assertIn("together", self.ok("crossval", "--combine", a, b).out)

        self.refuses(1, ["--combine"], "crossval", "--combine", a)
        self.refuses(2, ["none"], "crossval", "--combine", a, "none")
        (b / "seed2-fold0.json").write_bytes((b / "seed2-fold0.json").read_bytes()[:99])
        self.refuses(2, ["seed2-fold0.json"], "crossval", "--combine", a, b)
