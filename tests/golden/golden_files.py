"""Reading and writing the files of a golden set: .npy, .safetensors, .wav and the three manifests."""
import hashlib
import json
import os
import struct
import wave

import numpy as np


def write_bytes(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def write_json(path, value):
    """One line per key, and one line per element of a list of objects, so that differences stay readable."""
    lines = []
    for key, item in value.items():
        text = json.dumps(item)
        if isinstance(item, list) and item and isinstance(item[0], dict):
            text = "[\n  " + ",\n  ".join(json.dumps(e, separators=(",", ":")) for e in item) + "\n ]"
        lines.append(" %s: %s" % (json.dumps(key), text))
    write_bytes(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def write_npy(path, array):
    """NumPy v1.0, little endian, C order: float64 up to 8192 elements, else float32; integers keep their type."""
    array = np.asarray(array)
    if array.dtype.kind == "f":
        array = array.astype("<f8" if array.size <= 8192 else "<f4")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        np.lib.format.write_array(f, np.ascontiguousarray(array), version=(1, 0))
    return array


def write_wav(path, samples, rate):
    """16-bit PCM mono; returns the float64 samples that a reader gets (int16 / 32768)."""
    pcm = np.clip(np.round(samples * 32768.0), -32768, 32767).astype("<i2")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with wave.open(path, "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(rate)
        w.writeframes(pcm.tobytes())
    return pcm.astype(np.float64) / 32768.0


def read_wav(path):
    with wave.open(path, "rb") as w:
        raw = np.frombuffer(w.readframes(w.getnframes()), dtype="<i2")
        return raw.astype(np.float64) / 32768.0, w.getframerate()


def write_safetensors(path, tensors, metadata):
    """Header (JSON padded with spaces to a multiple of 8), then float64 tensors before float32 ones, by name."""
    names = sorted(n for n in tensors if tensors[n].dtype == np.float64)
    names += sorted(n for n in tensors if tensors[n].dtype == np.float32)
    assert len(names) == len(tensors)
    offset, entries, blob = 0, {"__metadata__": metadata}, b""
    for name in names:
        raw = np.ascontiguousarray(tensors[name]).tobytes()
        entries[name] = {"dtype": "F64" if tensors[name].dtype == np.float64 else "F32",
                         "shape": list(tensors[name].shape), "data_offsets": [offset, offset + len(raw)]}
        offset += len(raw)
        blob += raw
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    write_bytes(path, struct.pack("<Q", len(header)) + header + blob)
    return {n: {"shape": entries[n]["shape"], "dtype": entries[n]["dtype"]} for n in sorted(tensors)}


def read_safetensors(path):
    with open(path, "rb") as f:
        data = f.read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    out = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        kind = "<f8" if entry["dtype"] == "F64" else "<f4"
        out[name] = np.frombuffer(data[8 + size + begin:8 + size + end], dtype=kind).reshape(entry["shape"])
    return out


def write_top_manifest(root, parts):
    files = []
    for folder, dirs, names in os.walk(root):
        dirs.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, root).replace(os.sep, "/")
            if relative == "manifest.json":
                continue
            with open(path, "rb") as f:
                data = f.read()
            files.append({"path": relative, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    files.sort(key=lambda e: e["path"])
    total = sum(e["bytes"] for e in files)
    write_json(os.path.join(root, "manifest.json"),
               {"set": "own", "parts": parts, "total_bytes": total, "files": files})
    return total
