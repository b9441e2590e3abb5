"""serene evaluate and serene crossval."""
import json
import os

import pages
import support
from support import EMOTIONS, SMALL, SMOKE, CliTest, on_corpus, serene, trained


def manifest_of(test, name="clips.jsonl", actors=(6,)):
    """A JSONL manifest of some actors' clips."""
    path = test.new_path(name)
    lines = []
    for actor in actors:
        for emotion, label in enumerate(EMOTIONS):
            clip = support.a_clip(emotion, actor)
            lines.append(json.dumps({"path": os.path.relpath(clip, path.parent), "label": label, "speaker": str(actor)}))
    path.write_text("\n".join(lines) + "\n")
    return path


class EvaluateTest(CliTest):
    def test_run_gives_the_scores_of_training(self):
        run, training = trained()
        result = self.ok(*on_corpus("evaluate", run))
        self.assertEqual(result.out, training.out[:training.out.index("\nmodel  ")])
        scores = self.ok(*on_corpus("evaluate", run, "--json")).json()
        self.assertEqual(scores, json.loads((run / "results.json").read_text()))

    def test_validation_part(self):
        scores = self.ok(*on_corpus("evaluate", trained()[0], "--part", "validation", "--json")).json()
        self.assertIn("validation", scores["protocol"])
        self.assertEqual(scores["clips"], 16)
        self.one_error(serene(*on_corpus("evaluate", trained()[0], "--part", "all")), 1, "--part")
        self.one_error(serene(*on_corpus("evaluate", trained()[0], "--standardise", "voice")), 1, "--standardise", "speaker or corpus")

    def test_per_speaker_and_report(self):
        report, predictions = self.new_path("report.html"), self.new_path("predictions.json")
        result = self.ok(*on_corpus("evaluate", trained()[0], "--standardise", "speaker", "--report", report, "--predictions", predictions))
        self.assertIn("per speaker", result.out)
        self.assertIn("per speaker", pages.read_page(self, report).text)
        self.assertEqual(len(json.loads(predictions.read_text())), 16)
        both = self.ok(*on_corpus("evaluate", trained()[0], "--standardise", "speaker", "--standardise", "corpus", "--json")).json()
        self.assertEqual(both["per_corpus"]["clips"], both["clips"])
        self.assertEqual(both["per_speaker"]["clips"], both["clips"])
        self.assertNotEqual(both["per_speaker"]["confusion"], both["confusion"])

    def test_model_on_corpus(self):
        model = trained()[0] / "best.safetensors"
        result = self.ok(*on_corpus("evaluate", model, "--corpus", "ravdess", "--json"))
        self.assertEqual(result.json()["clips"], 96)
        self.assertIn("make sure that no speaker", result.err)
        fold = self.ok(*on_corpus("evaluate", model, "--corpus", "ravdess", "--protocol", "random10", "--fold", "2", "--json")).json()
        self.assertIn(fold["clips"], (9, 10))
        self.one_error(serene(*on_corpus("evaluate", model, "--corpus", "ravdess", "--protocol", "random10", "--fold", "99")), 1, "--fold", "99")

    def test_model_on_manifest(self):
        scores = self.ok(*on_corpus("evaluate", trained()[0], "--manifest", manifest_of(self), "--json")).json()
        self.assertEqual(scores["clips"], 8)
        self.assertEqual(sum(c["support"] for c in scores["classes"]), 8)

    def test_clips_of_unknown_labels_are_left_out(self):
        path = manifest_of(self)
        lines = path.read_text().replace('"calm"', '"bored stiff"')
        path.write_text(lines)
        result = self.ok(*on_corpus("evaluate", trained()[0], "--manifest", path, "--json"))
        self.assertIn("1 clips left out", result.err)
        self.assertEqual(result.json()["clips"], 7)

    def test_refusals(self):
        run, _ = trained()
        self.refuses(1, ["--corpus", "--manifest"], *on_corpus("evaluate", run / "best.safetensors"))
        self.refuses(1, ["--protocol"], *on_corpus("evaluate", run, "--protocol", "random10"))
        self.refuses(2, ["nothing.safetensors"], *on_corpus("evaluate", "nothing.safetensors", "--corpus", "ravdess"))
        empty = self.new_path("empty")
        empty.mkdir()
        self.refuses(2, [empty], *on_corpus("evaluate", empty))
        self.one_error(serene(*on_corpus("evaluate", run, "--report", "/dev/null/report.html")), 2, "/dev/null/report.html")


class CrossValidationTest(CliTest):
    SETTINGS = ["--set=train.epochs=1", "--protocol", "random10", "--set=split.folds=2"]

    def test_folds_and_seeds(self):
        run = self.new_path("run")
        result = self.ok(*on_corpus("crossval", SMOKE, "--run", run, "--seeds", "2", *self.SETTINGS))
        self.assertEqual(sorted(support.tree(run)), ["config.json", "report.html", "results.json"] +
                         ["seed%d-fold%d.%s" % (s, f, end) for s in (1, 2) for f in (0, 1) for end in ("json", "safetensors")])
        for seed in (1, 2):
            for fold in (0, 1):
                self.assertRegex(result.out, rf"(?m)^ +{seed} +{fold} +48 +\d+\.\d\d")
                self.assertRegex(result.err, rf"seed {seed} fold {fold} +UAR")
        self.assertIn("+-", result.out)
        self.assertNotIn("LEAKY", result.out)
        pages.read_page(self, run / "report.html")
        summary = json.loads((run / "results.json").read_text())

        # Nothing is left to train: the same result, at once.
        again = self.ok(*on_corpus("crossval", SMOKE, "--run", run, "--seeds", "2", *self.SETTINGS, "--json"))
        self.assertEqual(again.json(), summary)
        self.assertNotIn("fold 0", again.err)

        # A lost fold is made again, bit for bit, and only that.
        lost = run / "seed2-fold1.json"
        before = lost.read_bytes()
        lost.unlink()
        part = self.ok(*on_corpus("crossval", SMOKE, "--run", run, "--seeds", "2", *self.SETTINGS, "--json", threads=1))
        self.assertEqual(part.json(), summary)
        self.assertEqual(lost.read_bytes(), before)
        self.assertIn("seed 2 fold 1", part.err)
        self.assertNotIn("seed 1 fold", part.err)

        # Another config makes all of them anew.
        other = self.ok(*on_corpus("crossval", SMOKE, "--run", run, "--seeds", "1", *self.SETTINGS, "--set=train.batch_size=32"))
        self.assertIn("seed 1 fold 0", other.err)

        # A damaged result is named.
        lost.write_bytes(before[:50])
        self.one_error(serene(*on_corpus("crossval", SMOKE, "--run", run, "--seeds", "2", *self.SETTINGS, "--quiet")), 2, "seed2-fold1.json")

    def test_several_folds_at_once(self):
        runs = [self.new_path("one"), self.new_path("two")]
        for jobs, run in zip((1, 3), runs):
            self.ok(*on_corpus("crossval", SMOKE, "--run", run, *self.SETTINGS, "--seeds", "2", "--jobs", str(jobs), threads=2))
        self.assertEqual(support.tree(runs[0]), support.tree(runs[1]))
        self.one_error(serene(*on_corpus("crossval", SMOKE, "--jobs", "0")), 1, "--jobs")

    def test_a_fold_that_fails_ends_the_others(self):
        run = self.new_path("run")
        (run / "seed1-fold0.safetensors").mkdir(parents=True)  # where its model should go
        result = serene(*on_corpus("crossval", SMOKE, "--run", run, *self.SETTINGS, "--seeds", "2", "--jobs", "2", "--quiet"))
        self.assertIn("seed1-fold0.safetensors", self.one_error(result, 2))
        self.assertFalse((run / "results.json").exists())
        self.assertFalse((run / "seed2-fold1.json").exists())

    def test_some_folds(self):
        result = self.ok(*on_corpus("crossval", SMOKE, "--run", self.new_path("run"), "--seeds", "1", *self.SETTINGS, "--folds", "1", "--json"))
        self.assertEqual([f["fold"] for f in result.json()["folds"]], [1])
        self.one_error(serene(*on_corpus("crossval", SMOKE, "--run", self.new_path("none"), "--seeds", "1", *self.SETTINGS, "--folds", "7,9")), 1, "--folds")

    def test_holdout(self):
        run = self.new_path("run")
        result = self.ok(*on_corpus("crossval", SMOKE, "--run", run, *SMALL, "--set=train.epochs=1", "--json"))
        self.assertEqual(len(result.json()["folds"]), 3)

    def test_leaky_says_so_everywhere(self):
        run = self.new_path("run")
        short = ["--protocol", "kaggle-leaky", "--seeds", "1", "--set=train.epochs=1"]
        result = self.ok(*on_corpus("crossval", SMOKE, "--run", run, *short))
        for line in result.out.splitlines():
            if any(c.isdigit() for c in line) and not line.startswith("note"):
                self.assertIn("LEAKY", line)
        self.assertIn("LEAKY", result.err)
        self.assertIn("LEAKY", (run / "results.json").read_text())
        self.assertIn("LEAKY", pages.read_page(self, run / "report.html").text)
        self.assertIn("LEAKY", self.ok(*on_corpus("crossval", SMOKE, "--run", run, *short, "--json")).out)

    def test_a_leaky_run_stays_leaky(self):
        run = self.new_path("run")
        result = self.ok(*on_corpus("train", SMOKE, "--run", run, "--set=split.protocol=kaggle-leaky", "--set=train.epochs=1"))
        self.assertIn("LEAKY", result.out)
        for name in ("results.json", "report.html", "confusion.svg"):
            self.assertIn("LEAKY", (run / name).read_text(), name)
        self.assertIn("LEAKY", self.ok(*on_corpus("evaluate", run)).out)
        self.assertIn("LEAKY", self.ok(*on_corpus("evaluate", run / "best.safetensors", "--corpus", "ravdess")).out)
        self.assertIn("LEAKY", self.ok("inspect", run).out)
        before = support.tree(run)
        self.ok(*on_corpus("train", "--resume", "--run", run))
        self.assertEqual(support.tree(run), before)

    def test_protocol_of_another_corpus(self):
        self.one_error(serene(*on_corpus("crossval", SMOKE, "--run", self.new_path("run"), "--protocol", "cremad-hicmae5")), 2, "CREMA-D", "--data")
        self.one_error(serene(*on_corpus("crossval", SMOKE, "--run", self.new_path("run"), "--protocol", "magic")), 1, "magic", "holdout")
