#!/usr/bin/env python3
"""Every clip of RAVDESS through serene and, exported, through ONNX Runtime: the same answers?

    onnx_ravdess.py SERENE MODEL --data FOLDER --modules FOLDER [--most N]

SERENE: the program. MODEL: a run or a .safetensors. --data: where the recordings lie (.wav or .flac), at any depth. --modules: where
onnxruntime-web is installed (tests/interop in the build folder, after ctest -R onnx). Takes minutes; ctest runs a short
form on tiny models instead. Exit code 0 when all probabilities agree within 1e-4 and all classes do.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

TOLERANCE = 1e-4
HERE = pathlib.Path(__file__).resolve().parent


def run(*args):
    done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise SystemExit(f"onnx_ravdess.py: error: {args[0]} {args[1]} failed with code {done.returncode}")
    return done.stdout.decode()


def max_frames(onnx_file):
    """From the file's metadata, without a parser of protocol buffers: key, then the text with its length in front."""
    data = pathlib.Path(onnx_file).read_bytes()
    at = data.rindex(b"max_frames") + len(b"max_frames")
    return int(data[at + 2:at + 2 + data[at + 1]])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("serene")
    parser.add_argument("model")
    parser.add_argument("--data", required=True)
    parser.add_argument("--modules", required=True)
    parser.add_argument("--most", type=int, default=0, help="clips; 0: all")
    options = parser.parse_args()
    clips = sorted(p for p in pathlib.Path(options.data).rglob("03-*") if p.suffix in (".wav", ".flac"))
    clips = clips[:options.most] if options.most else clips
    if not clips:
        raise SystemExit(f"onnx_ravdess.py: error: no recording below {options.data}")
    with tempfile.TemporaryDirectory(prefix="serene-onnx-") as folder:
        graph = pathlib.Path(folder) / "model.onnx"
        run(options.serene, "export", options.model, "--onnx", graph, "--normalizer")
        run(options.serene, "features", "--model", options.model, "--out", folder, *clips)
        files = [pathlib.Path(folder) / (clip.stem + ".npy") for clip in clips]
        ours = json.loads(run(options.serene, "predict", options.model, "--features", "--json", "--always", *files))
        theirs = run("node", HERE / "onnx_answers.mjs", graph, "--modules", options.modules, "--max-frames",
                     max_frames(graph), *files).splitlines()
    worst, classes = 0.0, 0
    for a, b in zip(ours, map(json.loads, theirs), strict=True):
        p = list(a["probabilities"].values())
        worst = max([worst, *(abs(x - y) for x, y in zip(p, b, strict=True))])
        classes += p.index(max(p)) != b.index(max(b))
    print(f"{len(clips)} clips, worst difference {worst:.2e}, {classes} other classes")
    return 0 if worst <= TOLERANCE and classes == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
