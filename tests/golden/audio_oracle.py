"""Independent NumPy implementations of the audio formulas (librosa conventions), float64 unless `d` says otherwise.

Every function takes `d`, the type its intermediate arrays are rounded to; a run in float32 beside the float64 one shows
how far a single-precision implementation may drift. Time-frequency arrays are (frequency, frame).
"""
import numpy as np

D = np.float64


def hann(size):
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / size)


def padded_window(win, n_fft):
    left = (n_fft - win) // 2
    return np.pad(hann(win), (left, n_fft - win - left))


def frames_of(y, length, hop):
    count = 1 + (len(y) - length) // hop
    return y[np.arange(length)[:, None] + hop * np.arange(count)[None, :]]


def stft(y, n_fft=2048, hop=512, win=None, center=True, pad_mode="constant", d=D):
    window = padded_window(win or n_fft, n_fft).astype(d)
    y = np.pad(y.astype(d), n_fft // 2, mode=pad_mode) if center else y.astype(d)
    spectrum = np.fft.rfft(frames_of(y, n_fft, hop) * window[:, None], axis=0)
    return spectrum.astype(np.complex64 if d is np.float32 else np.complex128)


def istft(spectrum, length, n_fft=2048, hop=512, win=None, d=D):
    window = padded_window(win or n_fft, n_fft)
    total = np.zeros(n_fft + hop * (spectrum.shape[1] - 1))
    weight = np.zeros_like(total)
    parts = np.fft.irfft(spectrum, n=n_fft, axis=0) * window[:, None]
    for i in range(spectrum.shape[1]):
        total[i * hop:i * hop + n_fft] += parts[:, i]
        weight[i * hop:i * hop + n_fft] += window ** 2
    tiny = np.finfo(np.float32).tiny
    total = np.where(weight > tiny, total / np.where(weight > tiny, weight, 1.0), total)[n_fft // 2:]
    return np.pad(total, (0, max(0, length - len(total))))[:length].astype(d)


def hz_to_mel(f, htk):
    if htk:
        return 2595.0 * np.log10(1.0 + f / 700.0)
    return np.where(f < 1000.0, 3.0 * f / 200.0, 15.0 + np.log(np.maximum(f, 1.0) / 1000.0) / (np.log(6.4) / 27.0))


def mel_to_hz(m, htk):
    if htk:
        return 700.0 * (10.0 ** (m / 2595.0) - 1.0)
    return np.where(m < 15.0, 200.0 * m / 3.0, 1000.0 * np.exp((m - 15.0) * np.log(6.4) / 27.0))


def mel_filter(sr, n_fft, n_mels, fmin=0.0, fmax=None, htk=False, norm="slaney"):
    low, high = hz_to_mel(np.array([fmin, fmax or sr / 2.0]), htk)
    p = mel_to_hz(np.linspace(low, high, n_mels + 2), htk)
    f = np.arange(1 + n_fft // 2) * sr / n_fft
    up = (f[None, :] - p[:-2, None]) / (p[1:-1] - p[:-2])[:, None]
    down = (p[2:, None] - f[None, :]) / (p[2:] - p[1:-1])[:, None]
    weights = np.maximum(0.0, np.minimum(up, down))
    return weights * (2.0 / (p[2:] - p[:-2]))[:, None] if norm == "slaney" else weights


def mel_power(y, sr, n_mels, n_fft=2048, hop=512, win=None, d=D):
    power = (np.abs(stft(y, n_fft, hop, win, d=d)) ** 2).astype(d)
    return mel_filter(sr, n_fft, n_mels).astype(d) @ power


def power_to_db(s, ref=1.0, amin=1e-10, top_db=80.0):
    ref = np.max(s) if ref == "max" else ref
    db = 10.0 * np.log10(np.maximum(amin, s)) - s.dtype.type(10.0 * np.log10(max(amin, ref)))
    return db if top_db is None else np.maximum(db, db.max() - top_db)


def dct2_ortho(n):
    k, m = np.arange(n)[:, None], np.arange(n)[None, :]
    basis = np.cos(np.pi * k * (2 * m + 1) / (2.0 * n)) * np.sqrt(2.0 / n)
    basis[0] *= np.sqrt(0.5)
    return basis


def mfcc(mel, n_mfcc, lifter=0):
    c = (dct2_ortho(mel.shape[0]).astype(mel.dtype) @ power_to_db(mel))[:n_mfcc]
    if lifter > 0:
        i = np.arange(1, n_mfcc + 1)[:, None]
        c = c * (1.0 + (lifter / 2.0) * np.sin(np.pi * i / lifter)).astype(mel.dtype)
    return c


def delta(x, order, width=9):
    half = width // 2
    t = np.arange(-half, half + 1)
    fit = np.linalg.pinv(np.vander(t, order + 1, increasing=True))
    out = np.empty(x.shape, dtype=np.float64)
    for i in range(x.shape[1]):
        middle = min(max(i, half), x.shape[1] - 1 - half)
        c = x[:, middle - half:middle + half + 1] @ fit.T
        out[:, i] = c[:, 1] if order == 1 else 2.0 * c[:, 2]
    return out.astype(x.dtype)


def zero_crossing_rate(y, length, hop):
    y = np.where(np.abs(y) <= 1e-10, 0.0, np.pad(y, 0))
    framed = frames_of(np.pad(y, length // 2, mode="edge"), length, hop)
    negative = framed < 0
    return (negative[1:] != negative[:-1]).sum(0)[None, :] / float(length)


def rms(y, length, hop, d=D):
    framed = frames_of(np.pad(y.astype(d), length // 2), length, hop)
    return np.sqrt((framed ** 2).mean(0, dtype=d))[None, :]


def chroma_filter(sr, n_fft, tuning):
    f = np.arange(1, n_fft) * sr / n_fft
    bins = 12.0 * np.log2(f / (440.0 * 2.0 ** (tuning / 12.0) / 16.0))
    bins = np.concatenate([[bins[0] - 18.0], bins])
    width = np.concatenate([np.maximum(np.diff(bins), 1.0), [1.0]])
    distance = np.mod(bins[None, :] - np.arange(12)[:, None] + 6 + 120, 12) - 6
    w = np.exp(-0.5 * (2.0 * distance / width) ** 2)
    w = w / np.sqrt((w ** 2).sum(0, keepdims=True))
    w = w * np.exp(-0.5 * ((bins / 12.0 - 5.0) / 2.0) ** 2)
    return np.roll(w, -3, axis=0)[:, :1 + n_fft // 2]


def estimate_tuning(s, sr, n_fft):
    a = np.zeros_like(s)
    b = np.zeros_like(s)
    a[1:-1] = s[2:] + s[:-2] - 2.0 * s[1:-1]
    b[1:-1] = 0.5 * (s[2:] - s[:-2])
    safe = np.abs(b) < np.abs(a)
    shift = np.where(safe, -b / np.where(safe, a, 1.0), 0.0)
    f = np.arange(s.shape[0]) * sr / n_fft
    loud = np.where(s > 0.1 * s.max(0, keepdims=True), s, 0.0)
    above = np.vstack([loud[1:], loud[-1:]])
    below = np.vstack([loud[:1], loud[:-1]])
    peak = (loud > below) & (loud >= above) & ((f >= 150.0) & (f < 4000.0))[:, None]
    k, t = np.nonzero(peak)
    if len(k) == 0:
        return 0.0
    pitch = (k + shift[k, t]) * sr / n_fft
    magnitude = s[k, t] + 0.5 * b[k, t] * shift[k, t]
    pitch = pitch[magnitude >= np.median(magnitude)]
    residual = np.mod(12.0 * np.log2(pitch.astype(np.float64) / 27.5), 1.0)
    residual = np.where(residual >= 0.5, residual - 1.0, residual)
    edges = np.linspace(-0.5, 0.5, 101)
    return float(edges[np.argmax(np.histogram(residual, edges)[0])])


def chroma(s, sr, n_fft, tuning=None):
    tuning = estimate_tuning(s, sr, n_fft) if tuning is None else tuning
    raw = chroma_filter(sr, n_fft, tuning).astype(s.dtype) @ s
    top = raw.max(0, keepdims=True)
    return np.where(top > np.finfo(np.float32).tiny, raw / np.where(top > 0, top, 1.0), raw)


def spectral(s, sr, n_fft):
    f = (np.arange(s.shape[0]) * sr / n_fft).astype(s.dtype)[:, None]
    total = s.sum(0, keepdims=True)
    share = s / np.where(total > 0, total, 1.0)
    centroid = (f * share).sum(0, keepdims=True)
    bandwidth = np.sqrt((share * (f - centroid) ** 2).sum(0, keepdims=True))
    first = np.argmax(np.cumsum(s, 0) >= s.dtype.type(0.85) * np.cumsum(s, 0)[-1:], axis=0)
    p = np.maximum(s.dtype.type(1e-10), s ** 2)
    flatness = np.exp(np.log(p).mean(0, keepdims=True)) / p.mean(0, keepdims=True)
    return {"centroid": centroid, "bandwidth": bandwidth, "rolloff": f[first, 0][None, :].astype(np.float64),
            "flatness": flatness}


def spectral_contrast(s, sr, n_fft):
    f = np.arange(s.shape[0]) * sr / n_fft
    edges = np.concatenate([[0.0], 200.0 * 2.0 ** np.arange(0, 7)])
    valley, peak = [], []
    for k in range(7):
        band = np.nonzero((f >= edges[k]) & (f <= edges[k + 1]))[0]
        first, last = band[0], band[-1]
        if k > 0:
            first -= 1
        if k == 6:
            last = len(f) - 1
        n = max(1, int(np.rint(0.02 * (last - first + 1))))
        rows = np.sort(s[first:last + (1 if k == 6 else 0)], axis=0)
        valley.append(rows[:n].mean(0))
        peak.append(rows[-n:].mean(0))
    return power_to_db(np.stack(peak)) - power_to_db(np.stack(valley))


def loud_intervals(y, top_db):
    r = rms(y, 2048, 512)[0]
    db = 20.0 * np.log10(np.maximum(1e-5, r)) - 20.0 * np.log10(max(1e-5, r.max()))
    loud = np.concatenate([[False], db > -top_db, [False]])
    turn = np.nonzero(loud[1:] != loud[:-1])[0]
    return [[int(a) * 512, min(len(y), int(b) * 512)] for a, b in zip(turn[::2], turn[1::2])]


def yin(y, sr, fmin, fmax, length=2048, hop=512, threshold=0.1):
    framed = frames_of(np.pad(y, length // 2), length, hop)
    low, high = int(np.floor(sr / fmax)), min(int(np.ceil(sr / fmin)), length - 1)
    spectrum = np.fft.rfft(framed, 2 * length, axis=0)
    r = np.fft.irfft(np.abs(spectrum) ** 2, 2 * length, axis=0)[:high + 1]
    energy = np.cumsum(framed ** 2, axis=0)[:high + 1]
    d = 2.0 * (r[:1] - r)
    d[1:] -= energy[:high]
    mean = np.cumsum(d[1:], 0) / np.arange(1, high + 1)[:, None]
    x = d[low:] / (mean[low - 1:] + np.finfo(np.float64).tiny)
    out = []
    for c in x.T:
        trough = np.zeros(len(c), dtype=bool)
        trough[1:-1] = (c[1:-1] < c[:-2]) & (c[1:-1] <= c[2:])
        trough[-1] = c[-1] < c[-2]
        trough[0] = c[0] < c[1]
        below = np.nonzero(trough & (c < threshold))[0]
        i = int(below[0]) if len(below) else int(np.argmin(c))
        shift = 0.0
        if 0 < i < len(c) - 1:
            a, b = c[i + 1] + c[i - 1] - 2.0 * c[i], 0.5 * (c[i + 1] - c[i - 1])
            shift = -b / a if abs(b) < abs(a) else 0.0
        out.append(sr / (low + i + shift))
    return np.array(out)


def kaggle_162(y, sr, d=D):
    magnitude = np.abs(stft(y, d=d)).astype(d)
    mel = mel_power(y, sr, 128, d=d)
    parts = [zero_crossing_rate(y, 2048, 512), chroma(magnitude, sr, 2048), mfcc(mel, 20), rms(y, 2048, 512, d), mel]
    return np.concatenate([p.mean(1) for p in parts])


def phase_vocoder(spectrum, rate, hop=512):
    steps = np.arange(0, spectrum.shape[1], rate)
    padded = np.pad(spectrum, ((0, 0), (0, 2)))
    advance = np.linspace(0.0, np.pi * hop, spectrum.shape[0])
    phase = np.angle(padded[:, 0])
    out = np.empty((spectrum.shape[0], len(steps)), dtype=np.complex128)
    for i, step in enumerate(steps):
        k, share = int(step), step % 1.0
        magnitude = (1.0 - share) * np.abs(padded[:, k]) + share * np.abs(padded[:, k + 1])
        out[:, i] = magnitude * np.exp(1j * phase)
        change = np.angle(padded[:, k + 1]) - np.angle(padded[:, k]) - advance
        phase = phase + advance + change - 2.0 * np.pi * np.round(change / (2.0 * np.pi))
    return out


def time_stretch(y, rate):
    return istft(phase_vocoder(stft(y), rate), int(round(len(y) / rate)))


def sinc_resample(y, ratio, half_width=64, beta=12.0):
    """Band-limited interpolation at the instants n / ratio: Kaiser-windowed sinc, cut-off at 0.95 of the lower rate."""
    cutoff = 0.95 * min(1.0, ratio)
    reach = half_width / cutoff
    at = np.arange(int(np.ceil(len(y) * ratio))) / ratio
    taps = np.arange(-int(np.ceil(reach)), int(np.ceil(reach)) + 1)
    index = np.floor(at).astype(int)[:, None] + taps[None, :]
    distance = at[:, None] - index
    shape = np.i0(beta * np.sqrt(np.maximum(0.0, 1.0 - (distance / reach) ** 2))) / np.i0(beta)
    kernel = cutoff * np.sinc(cutoff * distance) * np.where(np.abs(distance) <= reach, shape, 0.0)
    inside = (index >= 0) & (index < len(y))
    return (kernel * np.where(inside, y[np.clip(index, 0, len(y) - 1)], 0.0)).sum(1)


def pitch_shift(y, semitones):
    rate = 2.0 ** (-semitones / 12.0)
    shifted = sinc_resample(time_stretch(y, rate), rate)
    return np.pad(shifted, (0, max(0, len(y) - len(shifted))))[:len(y)]


def g711_tables():
    """ITU-T G.711 decoding tables, and encoders as in G.191 (itu) and in Sun's g711.c (sun; differs for mu-law)."""
    code = np.arange(256)
    inverted = ~code & 0xFF
    magnitude = (((inverted & 0x0F) << 3) + 0x84 << ((inverted & 0x70) >> 4)) - 0x84
    mu_decode = np.where(inverted & 0x80, -magnitude, magnitude).astype("<i2")
    toggled = code ^ 0x55
    segment, mantissa = (toggled & 0x70) >> 4, (toggled & 0x0F) << 4
    level = np.where(segment == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(segment - 1, 0))
    a_decode = np.where(toggled & 0x80, level, -level).astype("<i2")
    x = np.arange(-32768, 32768)

    def mu_encode(magnitude14):
        biased = np.minimum(magnitude14 + 33, 8191)
        seg = np.floor(np.log2(biased)).astype(int) - 5
        low = (biased >> (seg + 1)) & 0x0F
        return np.where(x < 0, 0x7F, 0xFF) ^ ((seg << 4) | low)

    itu = mu_encode(np.where(x < 0, ~x >> 2, x >> 2))
    sun = mu_encode(np.where(x < 0, -(x >> 2), x >> 2))
    small = np.where(x < 0, ~x, x) >> 4
    seg = np.where(small < 16, 1, np.floor(np.log2(np.maximum(small, 1))).astype(int) - 3)
    body = np.where(small < 16, small, (seg << 4) | ((small >> (seg - 1)) & 0x0F))
    a_encode = (body | np.where(x >= 0, 0x80, 0)) ^ 0x55
    return {"ulaw_decode": mu_decode, "alaw_decode": a_decode, "ulaw_encode_itu": itu.astype(np.uint8),
            "ulaw_encode_sun": sun.astype(np.uint8), "alaw_encode": a_encode.astype(np.uint8)}
