"""The signals of the own golden set: a chirp, noise bursts, a synthetic vowel and tones. Everything is generated."""
import numpy as np


def seeded(seed):
    return np.random.RandomState(seed)


def chirp(rate):
    """Linear chirp 200 to 5200 Hz, 0.36 s, 5 Hz amplitude modulation, weak Gaussian noise."""
    t = np.arange(int(0.36 * rate)) / rate
    tone = np.sin(2.0 * np.pi * (200.0 * t + 0.5 * (5000.0 / 0.36) * t * t))
    return 0.45 * (0.7 + 0.3 * np.sin(2.0 * np.pi * 5.0 * t)) * tone + 0.01 * seeded(7).standard_normal(len(t))


def noise_bursts(rate):
    """Two bursts of noise in near silence, 0.56 s: trim and split see two loud parts."""
    t = np.arange(int(0.56 * rate)) / rate
    gate = ((t > 0.08) & (t < 0.16)) | ((t > 0.38) & (t < 0.48))
    return np.where(gate, 0.2, 2e-4) * seeded(11).standard_normal(len(t))


def vowel(rate, pitch=131.0, seconds=0.42, formants=((700, 80), (1150, 100), (2500, 140)), lead=0.06):
    """A glottal pulse train with vibrato through three formant resonators, faded in and out, between silences."""
    t = np.arange(int(seconds * rate)) / rate
    phase = 2.0 * np.pi * pitch * t - 1.5 * np.cos(2.0 * np.pi * 5.0 * t)
    y = np.zeros(len(t))
    for harmonic in range(1, int(0.45 * rate / pitch)):
        f = harmonic * pitch
        gain = sum(1.0 / (1.0 + ((f - centre) / width) ** 2) for centre, width in formants) / harmonic ** 0.5
        y += gain * np.sin(harmonic * phase)
    fade = np.clip(np.minimum(t - lead, seconds - lead - t) / 0.05, 0.0, 1.0)
    y = 0.6 * y * fade / np.max(np.abs(y))
    return y + 3e-4 * seeded(23).standard_normal(len(t))


def tone_sum(tones, count, rate):
    """Sum of a * sin(2 pi f t + phase) for (f, a, phase); silence when there are no tones."""
    t = np.arange(count) / rate
    return sum((a * np.sin(2.0 * np.pi * f * t + p) for f, a, p in tones), np.zeros(count))


LEAN = ["mel64_512", "mel64_512_db_ref1", "mfcc13_512_lifter0",
        "mfcc40_512_lifter22", "mfcc13_512_delta1", "mfcc13_512_delta2", "mfcc20_default", "zcr_2048", "zcr_400",
        "rms_2048", "rms_400", "tuning_2048", "chroma_2048", "spectral_centroid_512", "spectral_bandwidth_512",
        "spectral_rolloff_512", "spectral_flatness_512", "spectral_contrast_2048", "trim_20", "trim_30", "split_30"]

FEATURE_SIGNALS = [
    {"name": "chirp", "make": chirp, "features": ["all"], "without": ["yin", "split_30"],
     "kaggle": True, "source": chirp.__doc__},
    {"name": "bursts", "make": noise_bursts, "kaggle": False, "source": noise_bursts.__doc__,
     "features": [n for n in LEAN if not n.startswith(("mel64", "tuning", "chroma", "mfcc40"))]},
    {"name": "vowel", "make": vowel, "features": LEAN + ["yin"], "kaggle": True, "source": vowel.__doc__},
]

STRETCH_SIGNALS = [
    # name, signal, stretch rate, semitones, features left out
    ("vowel_seg", lambda rate: vowel(rate, 148.0, 0.2, ((500, 70), (1700, 110), (2400, 130)), 0.02), 0.8, 2, ()),
    ("chirp_seg", lambda rate: chirp(rate)[:int(0.16 * rate)], 1.25, -3, ("phase_vocoder_mag",)),
]

TONES = [(210.0, 0.2, 0.3), (997.0, 0.15, 1.1), (2440.0, 0.1, 2.0), (3050.0, 0.08, 0.7)]
RESAMPLE_SIGNALS = [
    ("rs_48k_four_tones", 48000, 16000, TONES + [(5600.0, 0.05, 0.2)], 4800),
    ("rs_48k_above", 48000, 16000, [(10500.0, 0.3, 0.0), (14200.0, 0.2, 1.0)], 3600),
    ("rs_16k_four_tones", 16000, 8000, TONES, 2800),
    ("rs_16k_up_tones", 16000, 22050, TONES + [(5600.0, 0.05, 0.2)], 1600),
]

FILTERS = ([(8000, 256, 12, False, "slaney"), (8000, 256, 12, False, None), (8000, 256, 12, True, "slaney"),
            (8000, 256, 12, True, None), (16000, 512, 8, False, "slaney")], (16000, 512), 240, 26)
