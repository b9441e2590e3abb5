#!/usr/bin/python3
"""Shows that the oracles of this folder are right: recomputes every case of a reference set and compares.

Usage: check_reference.py REFERENCE_DIR [audio|layers]   (REFERENCE_DIR defaults to $SERENE_GOLDEN)
"""
import json
import os
import sys
from collections import defaultdict

import numpy as np

import audio_cases
import golden_files
import layer_oracle
import training_oracle


def expected(case, tensors):
    op, hyper = case["op"], case["hyper"]
    if op == "Optimizer":
        return training_oracle.evaluate_optimizer(hyper, tensors)
    if op == "ClipGlobalNorm":
        return training_oracle.evaluate_clip(hyper, tensors)
    if op == "CosineWarmup":
        return training_oracle.evaluate_cosine(hyper, len(tensors["out.lr"]))
    if op == "ReduceLROnPlateau":
        return training_oracle.evaluate_plateau(hyper, tensors)
    if op == "Model":
        return training_oracle.evaluate_model(hyper, tensors)
    return layer_oracle.evaluate(op, hyper, tensors)


def check_layers(root):
    with open(os.path.join(root, "layers", "manifest.json")) as f:
        cases = json.load(f)["cases"]
    worst, failed = defaultdict(float), []
    for case in cases:
        tensors = golden_files.read_safetensors(os.path.join(root, "layers", case["file"]))
        result = expected(case, tensors)
        for name, want in tensors.items():
            if name.startswith(("in.", "param.", "aux.", "grad_out.")):
                continue
            loose = want.dtype == np.float32 or name == "adam20.out.final_train_loss"
            rtol, atol = (2e-4, 2e-6) if loose else (1e-9, 1e-11)
            got = np.asarray(result[name], dtype=np.float64)
            if case["op"] == "Model" and name.startswith("adam20") and loose:
                rtol, atol = 2e-2, 5e-3
            elif case["op"] == "Model" and name.startswith("adam20"):
                rtol, atol = 1e-6, 1e-7
            share = float(np.max(np.abs(got - want) / (atol + rtol * np.abs(want)), initial=0.0))
            worst[case["op"]] = max(worst[case["op"]], share)
            if not share <= 1.0 or got.shape != want.shape:
                failed.append("%s %s: %.3g times the tolerance" % (case["case"], name, share))
    for op in sorted(worst):
        print("layers %-28s worst share of tolerance %.2e" % (op, worst[op]))
    return len(cases), failed


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SERENE_GOLDEN", "")
    if not os.path.isfile(os.path.join(root, "manifest.json")):
        print("check_reference.py: no reference set in '%s'" % root, file=sys.stderr)
        return 2
    parts = sys.argv[2:] or ["layers", "audio"]
    failed = []
    for part in parts:
        count, bad = check_layers(root) if part == "layers" else audio_cases.check_reference(root)
        print("%s: %d cases, %d failed" % (part, count, len(bad)))
        failed += bad
    for line in failed:
        print("FAILED " + line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
