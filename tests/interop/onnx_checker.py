#!/usr/bin/python3
"""The checker of the Python package onnx, with strict inference of shapes, over every .onnx file of a folder.

    onnx_checker.py FOLDER
"""
import pathlib
import sys

import onnx


def problem(path) -> str:
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model, full_check=True)
        inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except Exception as error:
        return str(error)
    dims = [d.dim_param or d.dim_value for d in inferred.graph.output[0].type.tensor_type.shape.dim]
    if len(dims) != 2 or dims[0] != "batch":
        return f"output of shape {dims}"
    keys = {p.key for p in model.metadata_props}
    missing = {"labels", "features", "normalizer", "output", "temperature", "max_frames", "notes"} - keys
    if missing or model.producer_name != "serene" or not model.producer_version:
        return f"metadata lacks {sorted(missing) or 'the producer'}"
    names = [t.name for t in model.graph.initializer] + [o for n in model.graph.node for o in n.output if o]
    return "a name stands there twice" if len(set(names)) < len(names) else ""


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    files = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
    problems = {f.name: problem(f) for f in files}
    for name, text in problems.items():
        if text:
            print(f"{name}: {text}")
    bad = sum(1 for text in problems.values() if text)
    print(f"{len(files)} files, {bad} refused by onnx {onnx.__version__}")
    return 0 if files and not bad else 1


if __name__ == "__main__":
    sys.exit(main())
