"""serene evaluate on the kept models of a cross-validation, and on recordings changed for the test."""
import functools
import json
import shutil

import pages
import support
from support import SMOKE, CliTest, on_corpus, serene, temp, trained

SETTINGS = ["--set=train.epochs=1", "--protocol", "random10", "--set=split.folds=2", "--seeds", "2"]
CONDITIONS = ["--condition", "white:0", "--condition", "room:0.4+babble:3", "--condition", "telephone-band+loss:0.1"]


@functools.cache
def crossval():
    run = temp() / "conditions-crossval"
    result = serene(*on_corpus("crossval", SMOKE, "--run", run, *SETTINGS))
    if result.code != 0:
        raise AssertionError(f"crossval failed: {result!r}")
    return run, result


def stored(run):
    return {(s, f): json.loads((run / f"seed{s}-fold{f}.json").read_text())["predictions"] for s in (1, 2) for f in (0, 1)}


class KeptModels(CliTest):
    def test_they_give_what_crossval_found(self):
        run, made = crossval()
        answers = self.new_path("answers.json")
        for threads in (1, 2):
            result = self.ok(*on_corpus("evaluate", run, "--predictions", answers, "--json", threads=threads))
            self.assertEqual(result.json(), json.loads((run / "results.json").read_text()))
            found = {(a["seed"], a["fold"]): a["predictions"] for a in json.loads(answers.read_text())}
            self.assertEqual(found, stored(run))
        self.assertEqual(self.ok(*on_corpus("evaluate", run)).out, made.out)

    def test_validation_and_standardised(self):
        run, _ = crossval()
        report = self.new_path("report.html")
        validation = self.ok(*on_corpus("evaluate", run, "--part", "validation", "--json")).json()
        again = self.new_path("again")
        expected = self.ok(*on_corpus("crossval", SMOKE, "--run", again, *SETTINGS, "--part", "validation", "--json")).json()
        self.assertEqual(validation, expected)
        self.assertEqual(self.ok(*on_corpus("evaluate", again, "--part", "validation", "--json")).json(), expected)
        both = self.ok(*on_corpus("evaluate", run, "--standardise", "speaker", "--precision", "bf16", "--report", report, "--json")).json()
        self.assertEqual(len(both["per_speaker"]["folds"]), 4)
        self.assertNotEqual(both["per_speaker"]["pooled"]["confusion"], both["pooled"]["confusion"])
        self.assertIn("per speaker", pages.read_page(self, report).text)

    def test_a_model_is_as_serene_train_leaves_it(self):
        run, _ = crossval()
        out = self.ok("inspect", run / "seed2-fold1.safetensors").out
        for words in ("random10 fold 1", "seed"):
            self.assertIn(words, out)
        single = self.ok(*on_corpus("evaluate", run / "seed2-fold1.safetensors", "--corpus", "ravdess", "--json")).json()
        self.assertEqual(single["clips"], 96)

    def test_views_ask_the_models_anew_without_training(self):
        made, result = crossval()
        self.assertIn("1 epochs", result.err)
        run = self.new_path("views")
        shutil.copytree(made, run)
        views = [*SETTINGS, '--set=data.views={"tempo": [0.8, 1, 1.25]}']
        asked = self.ok(*on_corpus("crossval", SMOKE, "--run", run, *views))
        self.assertNotIn("1 epochs", asked.err)
        self.assertNotEqual(stored(run), stored(made))
        self.assertIn("views", self.ok("inspect", run / "seed1-fold0.safetensors").out)
        # As if it had been trained so, and what is kept answers the same.
        fresh = self.new_path("fresh")
        self.assertIn("1 epochs", self.ok(*on_corpus("crossval", SMOKE, "--run", fresh, *views)).err)
        self.assert_same_tree(run, fresh)
        self.assertEqual(self.ok(*on_corpus("evaluate", run)).out, asked.out)
        # Another training is another model.
        self.assertIn("1 epochs", self.ok(*on_corpus("crossval", SMOKE, "--run", run, *views, "--set=train.batch_size=8")).err)
        line = self.one_error(serene(*on_corpus("crossval", SMOKE, "--run", self.new_path("no"), *SETTINGS, '--set=data.views={"mel_shift": [1]}')), 1,
                              "data.views.mel_shift")
        self.assertIn("logmel", line)

    def test_which_models_are_kept(self):
        run = self.new_path("run")
        short = ["--set=train.epochs=1", "--protocol", "random10", "--set=split.folds=2", "--seeds", "1"]
        self.ok(*on_corpus("crossval", SMOKE, "--run", run, *short, "--no-models"))
        self.assertEqual([n for n in support.tree(run) if n.endswith(".safetensors")], [])
        line = self.one_error(serene(*on_corpus("evaluate", run)), 2, "holds no models")
        self.assertIn("--models", line)
        # Answers that are there are not made again for the sake of models that nobody asked for.
        self.assertNotIn("fold 0", self.ok(*on_corpus("crossval", SMOKE, "--run", run, *short)).err)
        before = support.tree(run)
        self.ok(*on_corpus("crossval", SMOKE, "--run", run, *short, "--models"))
        after = support.tree(run)
        self.assertEqual(set(after) - set(before), {"seed1-fold0.safetensors", "seed1-fold1.safetensors"})
        for name, data in before.items():
            self.assertEqual(after[name], data, name)
        # One is lost: it alone is made again, bit for bit.
        lost = run / "seed1-fold1.safetensors"
        lost.unlink()
        self.one_error(serene(*on_corpus("evaluate", run)), 2, "lacks models of 1")
        err = self.ok(*on_corpus("crossval", SMOKE, "--run", run, *short, "--models")).err
        self.assertIn("fold 1", err)
        self.assertNotIn("fold 0", err)
        self.assertEqual(lost.read_bytes(), after[lost.name])
        # A model of another config is not taken for this one's.
        lost.write_bytes((crossval()[0] / "seed2-fold1.safetensors").read_bytes())
        self.one_error(serene(*on_corpus("evaluate", run, "--quiet")), 2, "another config")
        self.refuses(1, ["--models"], *on_corpus("crossval", SMOKE, "--run", run, *short, "--models", "--no-models"))

    def test_refusals(self):
        run, _ = crossval()
        self.refuses(1, ["--corpus"], *on_corpus("evaluate", run, "--corpus", "ravdess"))
        self.refuses(1, ["--part"], *on_corpus("evaluate", run, "--part", "all"))


class Conditions(CliTest):
    def test_columns(self):
        run, _ = crossval()
        plain = json.loads((run / "results.json").read_text())
        one = self.ok(*on_corpus("evaluate", run, *CONDITIONS, "--json", threads=1)).json()
        two = self.ok(*on_corpus("evaluate", run, *CONDITIONS, "--json", threads=2)).json()
        self.assertEqual(one, two)
        self.assertEqual({k: v for k, v in one.items() if k != "conditions"}, plain)
        self.assertEqual([c["name"] for c in one["conditions"]], ["white:0", "room:0.4+babble:3", "telephone-band+loss:0.1"])
        for c in one["conditions"]:
            self.assertEqual(c["uar"], c["result"]["uar"]["mean"])
            self.assertNotEqual(c["result"]["pooled"]["confusion"], plain["pooled"]["confusion"])
            d = c["uar_difference"]
            self.assertAlmostEqual(d["estimate"], c["result"]["pooled"]["uar"]["estimate"] - plain["pooled"]["uar"]["estimate"])
            self.assertLessEqual(d["low"], d["high"])
            self.assertEqual(d["speakers"], 6)
        table = self.ok(*on_corpus("evaluate", run, *CONDITIONS)).out
        self.assertRegex(table, r"(?m)^room:0\.4\+babble:3 +\d+\.\d\d \+- \d+\.\d\d")

    def test_of_one_run(self):
        run, _ = trained()
        report = self.new_path("report.html")
        single = self.ok(*on_corpus("evaluate", run, "--condition", "white:0", "--report", report, "--json")).json()
        self.assertEqual(single["conditions"][0]["result"]["clips"], single["clips"])
        self.assertIn("white:0", pages.read_page(self, report).text)
        # With another condition beside it, a condition stays what it was; so does it with the model alone on these clips.
        more = self.ok(*on_corpus("evaluate", run, "--condition", "pink:5", "--condition", "white:0", "--json")).json()
        self.assertEqual(more["conditions"][1], single["conditions"][0])

    def test_refusals(self):
        run, _ = trained()
        for text, words in (("white:nan", "not a number"), ("white:1+pink:2", "more than one noise"), ("hum:3", "unknown change"), ("", "empty")):
            self.refuses(1, ["--condition", words], *on_corpus("evaluate", run, "--condition", text))
        self.refuses(1, ["twice"], *on_corpus("evaluate", run, "--condition", "white:10", "--condition", "white:1e1"))
        self.one_error(serene(*on_corpus("evaluate", run, "--condition", "rate:16000")), 1, "no higher")

    def test_rows_are_no_recordings(self):
        run = self.new_path("run")
        short = ["--seeds", "1", "--set=train.epochs=1", "--set=data.copies=before_split", "--set=split.folds=2"]
        result = self.ok(*on_corpus("crossval", SMOKE, "--run", run, "--protocol", "random10", "--folds", "0", *short))
        self.assertIn("LEAKY", result.out)
        self.one_error(serene(*on_corpus("evaluate", run)), 1, "rows made in memory")
        apart = self.ok(*on_corpus("crossval", SMOKE, "--run", self.new_path("apart"), "--protocol", "holdout", *short))
        self.assertNotIn("LEAKY", apart.out)
