"""The feature list of the audio part: names, parameters and the oracle call behind each; and the reference check."""
import json
import os

import numpy as np

import audio_oracle as o
import golden_files

SHORT = {"n_fft": 512, "hop_length": 160, "win_length": 400, "window": "hann", "center": True, "pad_mode": "constant"}
LONG = {"n_fft": 2048, "hop_length": 512, "window": "hann", "center": True, "pad_mode": "constant"}
TREND = {"frame_length": 2048, "hop_length": 512, "ref": "max"}
SNR = {"float64_snr_db": 100, "float32_snr_db": 40, "note": "same length; SNR (weak bins have unstable phase)"}
ROLLOFF = {"note": "values are bin frequencies; allow one bin of difference (sr/n_fft) in at most 1 % of frames",
           "rtol": 1e-9}
KAGGLE = {"float64": {"rtol": 1e-6, "atol": 1e-9},
          "float32": {"rtol": 1e-4, "atol": 2e-6, "mfcc_atol (elements 13..32)": 0.002}}


def both(function, params, call, kind="linear", note=None):
    return {"function": function, "params": params, "call": call, "kind": kind, "note": note}


def spectrogram_cases():
    def mag(d, y, **kw):
        return np.abs(o.stft(y, 512, 160, 400, d=d, **kw)).astype(d)

    def stacked(d, y):
        s = o.stft(y, 512, 160, 400, d=d)
        return np.stack([s.real, s.imag])

    def round_trip(d, y):
        return o.istft(o.stft(y, 512, 160, 400, d=d), len(y), 512, 160, 400, d)

    reflect, loose = dict(SHORT, pad_mode="reflect"), dict(SHORT, center=False)
    trip = "librosa.istft(librosa.stft(y), length=len(y))"
    return {
        "stft_512_complex": both("librosa.stft (stacked [real, imag])", SHORT, lambda d, y, sr: stacked(d, y)),
        "stft_512_mag": both("abs(librosa.stft)", SHORT, lambda d, y, sr: mag(d, y)),
        "stft_512_power": both("abs(librosa.stft)**2", SHORT, lambda d, y, sr: mag(d, y) ** 2),
        "stft_2048_mag": both("abs(librosa.stft) defaults", LONG, lambda d, y, sr: np.abs(o.stft(y, d=d)).astype(d)),
        "stft_512_mag_nocenter": both("abs(librosa.stft)", loose, lambda d, y, sr: mag(d, y, center=False)),
        "stft_512_mag_reflect": both("abs(librosa.stft)", reflect, lambda d, y, sr: mag(d, y, pad_mode="reflect")),
        "istft_512": both(trip, SHORT, lambda d, y, sr: round_trip(d, y),
                          note="round trip, equals the input except rounding"),
    }


def mel_cases():
    cases, mel = {}, {}
    for bands, name, base in ((40, "mel40_512", SHORT), (64, "mel64_512", SHORT), (128, "mel128_2048", LONG)):
        mel[name] = (lambda d, y, sr, b=bands, p=base:
                     o.mel_power(y, sr, b, p["n_fft"], p["hop_length"], p.get("win_length"), d))
        function = "librosa.feature.melspectrogram" + (" defaults" if base is LONG else "")
        cases[name] = both(function, dict(base, sr=16000, n_mels=bands, power=2.0, htk=False, norm="slaney", fmin=0.0,
                                          fmax=8000.0), mel[name])
    for name in ("mel64_512", "mel128_2048"):
        references = [("db_ref1", 1.0, 80.0), ("db_refmax", "max", 80.0), ("db_ref1_notop", 1.0, None)]
        for suffix, ref, top in references[:2 if name == "mel128_2048" else 3]:
            cases["%s_%s" % (name, suffix)] = both(
                "librosa.power_to_db", {"of": name, "ref": ref, "amin": 1e-10, "top_db": top},
                lambda d, y, sr, n=name, r=ref, t=top: o.power_to_db(mel[n](d, y, sr), r, 1e-10, t), "db", "dB")
    for count in (13, 20, 40):
        for lifter in (0, 22):
            params = dict(SHORT, sr=16000, n_mfcc=count, dct_type=2, norm="ortho", lifter=lifter, n_mels=64, power=2.0,
                          amin=1e-10, top_db=80.0, ref=1.0)
            cases["mfcc%d_512_lifter%d" % (count, lifter)] = both(
                "librosa.feature.mfcc", params,
                lambda d, y, sr, c=count, l=lifter: o.mfcc(mel["mel64_512"](d, y, sr), c, l), "db", "dB-scaled")
    cases["mfcc20_default"] = both("librosa.feature.mfcc defaults",
                                   dict(LONG, sr=16000, n_mfcc=20, n_mels=128, lifter=0),
                                   lambda d, y, sr: o.mfcc(mel["mel128_2048"](d, y, sr), 20), "db", "dB-scaled")
    for order in (1, 2):
        cases["mfcc13_512_delta%d" % order] = both(
            "librosa.feature.delta",
            {"of": "mfcc13_512_lifter0", "width": 9, "order": order, "mode": "interp", "axis": -1},
            lambda d, y, sr, n=order: o.delta(o.mfcc(mel["mel64_512"](d, y, sr), 13), n), "db", "dB-scaled")
    return cases


def frame_cases():
    cases = {}
    for length, hop in ((2048, 512), (400, 160)):
        cases["zcr_%d" % length] = both(
            "librosa.feature.zero_crossing_rate",
            {"frame_length": length, "hop_length": hop, "center": True, "pad_mode": "edge", "pad": False,
             "threshold": 1e-10}, lambda d, y, sr, n=length, h=hop: o.zero_crossing_rate(y, n, h), "count")
        cases["rms_%d" % length] = both(
            "librosa.feature.rms", {"frame_length": length, "hop_length": hop, "center": True, "pad_mode": "constant"},
            lambda d, y, sr, n=length, h=hop: o.rms(y, n, h, d))
    for top in (20, 30):
        cases["trim_%d" % top] = both("librosa.effects.trim -> [start, end)", dict(TREND, top_db=top),
                                      lambda d, y, sr, t=top: trim(y, t), "exact")
    cases["split_30"] = both("librosa.effects.split -> intervals", dict(TREND, top_db=30),
                             lambda d, y, sr: np.array(o.loud_intervals(y, 30), dtype="<i4"), "exact")
    cases["yin"] = both("librosa.yin", {"fmin": 65.0, "fmax": 500.0, "sr": 16000, "frame_length": 2048,
                                        "hop_length": 512, "trough_threshold": 0.1, "center": True,
                                        "pad_mode": "constant"},
                        lambda d, y, sr: o.yin(y, sr, 65.0, 500.0), "yin")
    return cases


def trim(y, top_db):
    loud = o.loud_intervals(y, top_db)
    return np.array([loud[0][0], loud[-1][1]], dtype="<i4")


def spectral_cases():
    cases = {}
    for n_fft, base in ((2048, LONG), (512, SHORT)):
        for name, extra in (("centroid", {}), ("bandwidth", {"p": 2, "norm": True}),
                            ("rolloff", {"roll_percent": 0.85}),
                            ("flatness", {"amin": 1e-10, "power": 2.0})):
            params = dict(base, **extra) if name == "flatness" else dict(base, sr=16000, **extra)
            cases["spectral_%s_%d" % (name, n_fft)] = both(
                "librosa.feature.spectral_" + name, params,
                lambda d, y, sr, b=base, n=name: o.spectral(
                    np.abs(o.stft(y, b["n_fft"], b["hop_length"], b.get("win_length"), d=d)).astype(d), sr,
                    b["n_fft"])[n], "rolloff" if name == "rolloff" else "linear")
    cases["spectral_contrast_2048"] = both(
        "librosa.feature.spectral_contrast",
        dict(LONG, sr=16000, fmin=200.0, n_bands=6, quantile=0.02, linear=False),
        lambda d, y, sr: o.spectral_contrast(np.abs(o.stft(y, d=d)).astype(d), sr, 2048), "db", "dB")
    return cases


def chroma_cases():
    def power(d, y):
        return (np.abs(o.stft(y, d=d)) ** 2).astype(d)

    base = dict(LONG, sr=16000, n_chroma=12, norm="inf")
    return {
        "tuning_2048": both("librosa.estimate_tuning(S=|stft|**2, bins_per_octave=12)", dict(LONG, sr=16000),
                            lambda d, y, sr: np.array([o.estimate_tuning(power(d, y), sr, 2048)]), "tuning",
                            "value used inside chroma_stft (y given)"),
        "chroma_2048": both("librosa.feature.chroma_stft",
                            dict(base, tuning=None, octwidth=2, ctroct=5.0, base_c=True),
                            lambda d, y, sr: o.chroma(power(d, y), sr, 2048)),
        "chroma_2048_tuning0": both("librosa.feature.chroma_stft", dict(base, tuning=0.0),
                                    lambda d, y, sr: o.chroma(power(d, y), sr, 2048, 0.0)),
    }


def cases_22k():
    """These read NAME_22k.wav."""
    magnitude = lambda d, y: np.abs(o.stft(y, d=d)).astype(d)  # noqa: E731
    vector = dict(LONG, sr=22050, layout="zcr 1, chroma_stft(S=|stft|) 12, mfcc 20, rms 1, melspectrogram 128; "
                  "mean over frames", n_mels=128, n_mfcc=20)
    return {
        "kaggle162": both("Kaggle SER feature vector (whole file, no offset/duration cut)", vector,
                          lambda d, y, sr: o.kaggle_162(y, sr, d), "kaggle"),
        "kaggle_tuning": both("librosa.estimate_tuning(S=|stft|)", dict(LONG, sr=22050),
                              lambda d, y, sr: np.array([o.estimate_tuning(magnitude(d, y), sr, 2048)]), "tuning",
                              "value used inside chroma_stft(S=|stft|)"),
        "chroma_22k": both("librosa.feature.chroma_stft(S=|stft|)",
                           dict(LONG, sr=22050, n_chroma=12, norm="inf", tuning=None),
                           lambda d, y, sr: o.chroma(magnitude(d, y), sr, 2048)),
    }


def stretch_cases(rate, semitones, without=()):
    params = {"rate": rate, "n_fft": 2048, "hop_length": 512}
    slow = 2.0 ** (-semitones / 12.0)
    cases = {
        "time_stretch_%g" % rate: both("librosa.effects.time_stretch", params,
                                       lambda d, y, sr: o.time_stretch(y, rate), "stretch"),
        "pitch_shift_%d_stretched" % semitones: both(
            "librosa.effects.time_stretch (the part of pitch_shift before resampling)", dict(params, rate=slow),
            lambda d, y, sr: o.time_stretch(y, slow), "stretch"),
        "pitch_shift_%d" % semitones: both(
            "librosa.effects.pitch_shift",
            {"sr": 16000, "n_steps": semitones, "bins_per_octave": 12, "res_type": "soxr_hq"},
            lambda d, y, sr: o.pitch_shift(y, semitones), "pitch"),
        "phase_vocoder_mag": both("abs(librosa.phase_vocoder(librosa.stft(y), rate, hop_length=512))", params,
                                  lambda d, y, sr: np.abs(o.phase_vocoder(o.stft(y), rate)), "vocoder"),
    }
    return {name: case for name, case in cases.items() if name not in without}


def filter_cases(specs, chroma_at, hann_size, dct_size):
    """specs: (sr, n_fft, bands, htk, norm) per mel bank; chroma_at: (sr, n_fft)."""
    cases = {}
    for sr, n_fft, bands, htk, norm in specs:
        name = "mel_sr%d_fft%d_m%d_%s_norm%s" % (sr, n_fft, bands, "htk" if htk else "slaney", norm)
        cases[name] = both("librosa.filters.mel", {"sr": sr, "n_fft": n_fft, "n_mels": bands, "fmin": 0.0, "fmax": None,
                                                   "htk": htk, "norm": norm},
                           lambda d, y, r, a=(sr, n_fft, bands, 0.0, None, htk, norm): o.mel_filter(*a), "table")
    sr, n_fft = chroma_at
    cases["chroma_sr%d_fft%d_tuning0" % chroma_at] = both(
        "librosa.filters.chroma", {"sr": sr, "n_fft": n_fft, "tuning": 0.0, "n_chroma": 12, "ctroct": 5.0,
                                   "octwidth": 2, "norm": 2, "base_c": True},
        lambda d, y, r: o.chroma_filter(sr, n_fft, 0.0), "table")
    cases["hann_%d_periodic" % hann_size] = both("librosa.filters.get_window",
                                                 {"window": "hann", "Nx": hann_size, "fftbins": True},
                                                 lambda d, y, r: o.hann(hann_size), "window")
    cases["dct2_ortho_%d" % dct_size] = both("scipy.fft.dct of the identity (axis 0)",
                                             {"n": dct_size, "type": 2, "norm": "ortho"},
                                             lambda d, y, r: o.dct2_ortho(dct_size), "table")
    return cases


G711 = {"ulaw_decode": "code 0..255 -> linear 16 bit (mu-law)", "alaw_decode": "code 0..255 -> linear 16 bit (A-law)",
        "ulaw_encode_itu": "linear 16 bit -> mu-law code, ITU-T G.191 STL convention",
        "ulaw_encode_sun": "linear 16 bit -> mu-law code, Sun g711.c / Python audioop convention",
        "alaw_encode": "linear 16 bit -> A-law code (ITU STL and Sun/audioop agree)"}


def signal_cases():
    cases = {}
    for group in (spectrogram_cases, mel_cases, frame_cases, chroma_cases, spectral_cases):
        cases.update(group())
    return cases


def snr_db(got, want):
    return 10.0 * np.log10(np.sum(want ** 2) / max(float(np.sum((got - want) ** 2)), 1e-300))


def compare(kind, got, want, tolerance):
    """Share of the tolerance used; a value above 1 is a failure."""
    want = want.astype(np.float64)
    got = np.asarray(got, dtype=np.float64)
    if got.shape != want.shape:
        return np.inf
    if kind in ("stretch", "pitch"):
        return tolerance.get("float64_snr_db", tolerance.get("snr_db")) / snr_db(got, want)
    if kind == "yin":
        return (np.abs(got - want) > 0.5).mean() / 0.02
    if kind in ("exact", "tuning", "rolloff"):
        return float(np.max(np.abs(got - want), initial=0.0) / 1e-9)
    limits = tolerance["float64"]
    # float32 storage of the larger reference arrays costs 6e-8 relative on top.
    return float(np.max(np.abs(got - want) / (limits["atol"] + limits["rtol"] * np.abs(want)), initial=0.0))


def check_reference(root):
    """Every entry of a reference set that the oracle knows, compared at its float64 tolerance."""
    base = os.path.join(root, "audio")
    with open(os.path.join(base, "manifest.json")) as f:
        entries = json.load(f)["entries"]
    known = dict(signal_cases(), **cases_22k())
    known.update(stretch_cases(0.8, 2))
    known.update(stretch_cases(1.25, -3, ("phase_vocoder_mag",)))
    specs = [(sr, n, m, h, norm) for sr, n in ((16000, 512), (22050, 2048)) for m in (40, 64, 128)
             for h in (False, True) for norm in ("slaney", None)]
    known.update(filter_cases(specs, (22050, 2048), 400, 64))
    tables, failed, worst, done = o.g711_tables(), [], {}, 0
    for entry in entries:
        name = entry["name"].split("/")[1]
        want = np.load(os.path.join(base, entry["file"]))
        if name in tables:
            kind, share = "g711", 0.0 if np.array_equal(tables[name], want) else np.inf
        elif name in known:
            y, sr = golden_files.read_wav(os.path.join(base, entry["input"])) if entry["input"] else (None, 0)
            kind = known[name]["kind"]
            share = compare(kind, known[name]["call"](np.float64, y, sr), want, entry["tolerance"])
        elif "resample" in name and name.endswith("soxr_hq"):
            y, sr = golden_files.read_wav(os.path.join(base, entry["input"]))
            ratio = entry["params"]["target_sr"] / entry["params"]["orig_sr"]
            kind = "resample"
            if "snr_db" not in entry["tolerance"]:
                continue
            share = entry["tolerance"]["snr_db"] / snr_db(o.sinc_resample(y, ratio)[200:-200], want[200:-200])
        else:
            continue
        done += 1
        worst[kind] = max(worst.get(kind, 0.0), share)
        if not share <= 1.0:
            failed.append("%s: %.3g times the tolerance" % (entry["name"], share))
    for kind in sorted(worst):
        print("audio %-12s worst share of tolerance %.2e" % (kind, worst[kind]))
    print("audio: %d of %d entries have an oracle here" % (done, len(entries)))
    return done, failed
