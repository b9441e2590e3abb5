// What an ONNX model answers to features in .npy files (float32, frames x values): one JSON list a line.
//
//   node onnx_answers.mjs MODEL.onnx --modules FOLDER --max-frames N FILE.npy...
//
// Clips beyond N frames (0: none) are cut to their middle, as serene does before the graph.
import fs from 'node:fs';
import path from 'node:path';
import {createRequire} from 'node:module';

const [model, , modules, , mostText, ...files] = process.argv.slice(2);
const most = Number(mostText);
const ort = createRequire(path.resolve(modules, 'package.json'))('onnxruntime-web');
ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

/** A version 1.0 .npy file of float32 with two axes. */
function readFeatures(file) {
  const bytes = fs.readFileSync(file);
  const start = 10 + bytes.readUInt16LE(8);
  const [frames, width] = /'shape': \((\d+), (\d+)\)/.exec(bytes.toString('latin1', 10, start)).slice(1).map(Number);
  const taken = most > 0 ? Math.min(frames, most) : frames;
  const values = new Float32Array(taken * width);
  Buffer.from(values.buffer).set(bytes.subarray(start + 4 * width * ((frames - taken) >> 1)).subarray(0, 4 * values.length));
  return new ort.Tensor('float32', values, [1, taken, width]);
}

const session = await ort.InferenceSession.create(fs.readFileSync(model), {executionProviders: ['wasm'], logSeverityLevel: 3});
for (const file of files) {
  const {probabilities} = await session.run({features: readFeatures(file)});
  process.stdout.write(JSON.stringify(Array.from(probabilities.data)) + '\n');
}
