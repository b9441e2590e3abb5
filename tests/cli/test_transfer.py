"""Several corpora in one run, listeners' votes, mixup, and starting from another model."""
import functools
import json

import support
from support import SMALL, SMOKE, CliTest, on_corpus, serene, trained, voice, wav


@functools.cache
def two_corpora():
    """The small RAVDESS and eight actors of CREMA-D beside it."""
    root = support.temp() / "two"
    root.mkdir()
    (root / "ravdess").symlink_to(support.corpus() / "ravdess", target_is_directory=True)
    for actor in range(1001, 1009):
        for code, emotion in (("ANG", 4), ("HAP", 2), ("SAD", 3)):
            wav(root / "cremad" / f"{actor}_DFA_{code}_XX.wav", voice(emotion, actor - 1000, 3))
    return root


def votes_file():
    path = support.temp() / "votes.csv"
    names = [p.stem for p in sorted((two_corpora() / "cremad").iterdir())]
    path.write_text("fileName,angry,happy,sad\n" + "".join(f"{name},1,2,3\n" for name in names))
    return path


def both(*args):
    return on_corpus(*args, "--set=data.corpus=ravdess+cremad", data=two_corpora())


class TransferTest(CliTest):
    def test_named_protocol_over_two_corpora(self):
        run, folds = self.new_path("crossval"), self.new_path("folds.csv")
        folds.write_text("fold,test_actors,val_actors\n0,6,5\n")
        made = self.ok(*both("crossval", SMOKE, "--protocol=ravdess-luna5", f"--set=split.folds_file={folds}", "--seeds=1",
                             "--run", run))
        self.assertIn("ravdess+cremad", made.err)
        predictions = json.loads((run / "seed1-fold0.json").read_text())["predictions"]
        self.assertEqual({p["speaker"] for p in predictions}, {"ravdess-06"})

    def test_every_option_at_once_stops_and_goes_on(self):
        options = [*SMALL, "--set=train.targets=votes", f"--set=data.votes={votes_file()}", "--set=train.votes_weight=0.5",
                   "--set=train.label_sets=masked", "--set=train.mixup_alpha=0.3"]
        whole, parted = self.new_path("whole"), self.new_path("parted")
        self.ok(*both("train", SMOKE, "--run", whole, *options))
        self.ok(*both("train", SMOKE, "--run", parted, *options, "--set=train.epochs=1"))
        self.ok(*on_corpus("train", "--resume", "--run", parted, f"--set=train.epochs={support.EPOCHS}", data=two_corpora()))
        self.assert_same_tree(whole, parted)
        # The run's own test part is scored the same way again.
        scores = json.loads((whole / "results.json").read_text())
        again = self.ok("evaluate", whole, "--json", "--data", two_corpora(), "--cache", support.temp() / "cache").json()
        self.assertEqual(again["uar"]["estimate"], scores["uar"]["estimate"])

    def test_votes_that_are_not_there(self):
        run = self.new_path("run")
        result = serene(*on_corpus("train", SMOKE, "--run", run, *SMALL, "--set=train.targets=votes"))
        self.one_error(result, 2, "train.targets: no training clip has listeners' votes", "data.votes")
        missing = on_corpus("train", SMOKE, "--run", run, *SMALL, "--set=data.votes=nowhere.csv")
        self.one_error(serene(*missing), 2, "data.votes: nowhere.csv")
        strange = support.temp() / "strange.csv"
        strange.write_text("fileName,angry\nnobody,1\n")
        self.one_error(serene(*on_corpus("train", SMOKE, "--run", run, *SMALL, f"--set=data.votes={strange}")), 2,
                       "data.votes", "names no clip of ravdess")

    def test_start_from_another_model(self):
        source, fine = self.new_path("source"), self.new_path("fine")
        alone = on_corpus("train", SMOKE, "--run", source, "--set=data.corpus=cremad", "--set=train.epochs=1", data=two_corpora())
        self.ok(*alone)
        options = [f"--set=train.init_from={source}", '--set=train.freeze=["conv"]', *SMALL]
        made = self.ok(*on_corpus("train", SMOKE, "--run", fine, *options))
        self.assertIn("initialised afresh: out.kernel", made.err)
        # A model that has heard the test speakers is no start.
        known = on_corpus("train", SMOKE, "--run", self.new_path("known"), f"--set=train.init_from={fine}",
                          '--set=split.test_speakers=["05"]', '--set=split.validation_speakers=["06"]')
        self.one_error(serene(*known), 1, "train.init_from", "ravdess-05", "test part")
        # Resuming asks for the same file.
        (source / "best.safetensors").write_bytes((trained()[0] / "best.safetensors").read_bytes())
        again = on_corpus("train", "--resume", "--run", fine, "--set=train.epochs=9")
        self.assertNotEqual(serene(*again).code, 0)

    def test_frozen_layer_of_no_such_name(self):
        result = serene(*on_corpus("train", SMOKE, "--run", self.new_path("run"), *SMALL, '--set=train.freeze=["nope"]'))
        self.one_error(result, 1, "train.freeze[0]: no layer 'nope'", "lstm")


if __name__ == "__main__":
    import unittest
    unittest.main()
