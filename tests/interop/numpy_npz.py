"""Reads an .npz of serene's with numpy.load and writes it with numpy.savez and savez_compressed, in several shapes.

    numpy_npz.py FILE.npz FOLDER       prints JSON: what it read, and the files it made
"""
import json
import pathlib
import sys

import numpy

source, folder = sys.argv[1], pathlib.Path(sys.argv[2])
folder.mkdir()
with numpy.load(source, allow_pickle=False) as archive:
    arrays = {name: archive[name] for name in archive.files}
frames, features = arrays["frames"], arrays["features"]
assert features.shape == (frames.sum(), features.shape[1]) and numpy.isfinite(features).all()

made = []
for name, save in (("stored", numpy.savez), ("deflated", numpy.savez_compressed)):
    made.append(str(folder / f"{name}.npz"))
    save(made[-1], **arrays)

# The same clips padded to the longest, in double precision, their names as bytes.
padded = numpy.zeros((len(frames), frames.max(), features.shape[1]))
for clip, part in zip(padded, numpy.split(features, numpy.cumsum(frames)[:-1])):
    clip[:len(part)] = part
made.append(str(folder / "padded.npz"))
numpy.savez_compressed(made[-1], names=arrays["names"].astype("S"), features=padded, frames=frames.astype(numpy.int32))

print(json.dumps({"clips": len(frames), "labels": arrays["labels"].tolist(), "speakers": arrays["speakers"].tolist(),
                  "dtype": str(features.dtype), "made": made}))
