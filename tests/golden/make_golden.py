#!/usr/bin/python3
"""Writes the project's own golden set (default: the folder `data` beside this file).

Needs Debian's python3-torch and python3-numpy. Every input is generated here (no corpus clips); results come from the
oracles beside this file, which check_reference.py compares with a reference set. The same machine and packages give
the same bytes. Usage: make_golden.py [OUTPUT_DIR]
"""
import os
import shutil
import sys

import numpy as np
import torch

import audio_cases
import audio_oracle
import golden_files
import layer_cases
import signals
import training_cases

ORACLE = "NumPy float64 implementation of the published formulas (tests/golden/audio_oracle.py)"


def write_layers(root):
    cases, ops = [], set()
    for case in layer_cases.layer_cases() + training_cases.training_cases():
        file = "layer_%s.safetensors" % case["case"]
        hyper = golden_files.json.dumps(case["hyper"])
        for name, value in case["tensors"].items():
            assert np.all(np.isfinite(value)), (case["case"], name)
        tensors = golden_files.write_safetensors(os.path.join(root, "layers", file), case["tensors"],
                                                 {"op": case["op"], "case": case["case"], "hyper": hyper})
        row = {"case": case["case"], "op": case["op"], "file": file, "hyper": case["hyper"],
               "keras_semantics": case["keras"], "tensors": tensors, "tolerance": case["tolerance"]}
        if case["note"]:
            row["note"] = case["note"]
        cases.append(row)
        ops.add(case["op"])
    oracle = "PyTorch %s autograd, float64" % torch.__version__
    golden_files.write_json(os.path.join(root, "layers", "manifest.json"),
                            {"set": "own", "part": "layers", "n_cases": len(cases), "profiles": [layer_cases.SIZES],
                             "oracle": oracle, "cases": cases})
    return {"manifest": "layers/manifest.json", "cases": len(cases), "oracle": oracle}, len(ops)


def rounded_up(value):
    """One significant digit, upwards, so that tolerances do not depend on the last bits of a measured drift."""
    if value <= 0.0:
        return 0.0
    scale = 10.0 ** np.floor(np.log10(value))
    return float("%.0e" % (np.ceil(value / scale) * scale))


def tolerance_of(kind, value, drift):
    top = float(np.max(np.abs(value), initial=0.0))
    if kind == "exact":
        return {"exact": True}
    if kind == "tuning":
        return {"abs": 1e-9, "robust": True}
    if kind == "rolloff":
        return audio_cases.ROLLOFF
    if kind == "yin":
        return {"note": "at least 98 % of frames within 0.5 Hz", "abs": 0.5, "fraction": 0.98}
    if kind == "kaggle":
        return audio_cases.KAGGLE
    if kind == "stretch":
        return audio_cases.SNR
    if kind == "pitch":
        return {"note": "depends on the resampler; same length", "snr_db": 25}
    if kind == "window":
        return {"float64": {"rtol": 1e-6, "atol": 1e-9}, "float32": {"rtol": 1e-4, "atol": 2e-6}}
    floor64, floor32 = {"table": (1e-9, 2e-6), "count": (1e-9, 2e-6), "db": (0.0, 0.0),
                        "vocoder": (1e-9, 2e-6)}.get(kind, (1e-7, 2e-6))
    atol64 = 1e-4 if kind == "db" else rounded_up(floor64 * top)
    atol32 = max(1e-3 if kind == "db" else floor32 * top, 10.0 * drift)
    return {"float64": {"rtol": 1e-6, "atol": atol64}, "float32": {"rtol": 1e-4, "atol": rounded_up(atol32)}}


def audio_entry(root, group, name, case, samples, rate, wav):
    value = np.asarray(case["call"](np.float64, samples, rate))
    drift = 0.0
    if samples is not None and case["kind"] in ("linear", "db", "kaggle", "tuning"):
        single = np.asarray(case["call"](np.float32, samples, rate), dtype=np.float64)
        drift = float(np.max(np.abs(single - value), initial=0.0))
        assert case["kind"] != "tuning" or drift == 0.0, "unstable tuning estimate in " + group
    file = "npy/%s/%s.npy" % (group, name)
    stored = golden_files.write_npy(os.path.join(root, "audio", file), value)
    assert np.all(np.isfinite(stored)), (group, name)
    row = {"name": "%s/%s" % (group, name), "file": file, "function": case["function"], "params": case["params"],
           "input": wav, "shape": list(stored.shape), "dtype": stored.dtype.name,
           "tolerance": tolerance_of(case["kind"], value, drift),
           "max_abs": float(np.max(np.abs(value), initial=0.0)) if stored.dtype.kind == "f" else 0.0}
    if case["note"]:
        row["note"] = case["note"]
    return row


def resample_entry(root, name, orig, target, tones, count):
    """The oracle is analytic: the same tones sampled at the target rate (tones above its Nyquist frequency vanish)."""
    wanted = int(np.ceil(count * target / orig))
    audible = [t for t in tones if t[0] < target / 2.0]
    case = {"function": "librosa.resample res_type=soxr_hq", "kind": "exact", "note":
            "the expected samples are analytic: the tones of the input sampled at the target rate",
            "params": {"orig_sr": orig, "target_sr": target, "engine": "analytic", "length": "ceil(n*target/orig)"},
            "call": lambda d, y, sr: signals.tone_sum(audible, wanted, target)}
    row = audio_entry(root, name, "resample_%d_%d_soxr_hq" % (orig, target), case, None, 0, "wav/%s.wav" % name)
    row["tolerance"] = ({"note": "compare samples 200..-200", "snr_db": 50} if audible else
                        {"note": "stop-band: the output must stay below -60 dBFS", "peak_dbfs_max": -60})
    return row


def write_audio(root):
    entries, listed, wavs = [], [], {}

    def store(name, samples, rate, source=None):
        wavs[name] = {"sr": rate, "samples": len(samples)}
        if source:
            listed.append({"name": name, "wav": "wav/%s.wav" % name, "source": source, "samples": len(samples),
                           "sr": rate})
        return golden_files.write_wav(os.path.join(root, "audio", "wav", name + ".wav"), samples, rate)

    for signal in signals.FEATURE_SIGNALS:
        samples = store(signal["name"], signal["make"](16000), 16000, signal["source"])
        for name, case in audio_cases.signal_cases().items():
            if name in signal["features"] or signal["features"] == ["all"] and name not in signal.get("without", []):
                wav = "wav/%s.wav" % signal["name"]
                entries.append(audio_entry(root, signal["name"], name, case, samples, 16000, wav))
        if signal["kaggle"]:
            other = store(signal["name"] + "_22k", signal["make"](22050), 22050)
            wav = "wav/%s_22k.wav" % signal["name"]
            for name, case in audio_cases.cases_22k().items():
                entries.append(audio_entry(root, signal["name"], name, case, other, 22050, wav))
    for name, make, rate, semitones, without in signals.STRETCH_SIGNALS:
        samples = store(name, make(16000), 16000)
        for feature, case in audio_cases.stretch_cases(rate, semitones, without).items():
            entries.append(audio_entry(root, name, feature, case, samples, 16000, "wav/%s.wav" % name))
    for name, orig, target, tones, count in signals.RESAMPLE_SIGNALS:
        samples = signals.tone_sum(tones, count, orig)
        if all(f >= target / 2.0 for f, _, _ in tones):  # a sudden start would reach into the pass band
            samples *= np.hanning(count)
        store(name, samples, orig)
        entries.append(resample_entry(root, name, orig, target, tones, count))
    for name, case in audio_cases.filter_cases(*signals.FILTERS).items():
        entries.append(audio_entry(root, "filters", name, case, None, 0, None))
    for name, table in audio_oracle.g711_tables().items():
        case = {"function": audio_cases.G711[name], "params": {}, "kind": "exact", "note": None,
                "call": lambda d, y, r, t=table: t}
        entries.append(audio_entry(root, "g711", name, case, None, 0, None))
    golden_files.write_json(os.path.join(root, "audio", "manifest.json"),
                            {"set": "own", "part": "audio", "oracle": ORACLE, "signals": listed, "wavs": wavs,
                             "n_entries": len(entries), "entries": entries})
    return {"manifest": "audio/manifest.json", "entries": len(entries), "oracle": ORACLE}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "data")
    for part in ("audio", "layers"):
        shutil.rmtree(os.path.join(root, part), ignore_errors=True)
    torch.set_num_threads(1)
    layers, ops = write_layers(root)
    audio = write_audio(root)
    total = golden_files.write_top_manifest(root, {"audio": audio, "layers": layers})
    print("%d layer cases (%d operations), %d audio entries, %d bytes"
          % (layers["cases"], ops, audio["entries"], total))
    return 0


if __name__ == "__main__":
    sys.exit(main())
