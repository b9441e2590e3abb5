// ONNX Runtime's side of the performance suite: inference in one process, the lines of bench_worker.
//
//   node onnx_worker.mjs inference|first --case FOLDER --modules FOLDER [--batch N] [--threads N]
//
// --modules: where onnxruntime-node is installed (install.sh). `first` prints the first sample's probabilities, how long
// loading the library, making the session and the first run took, and ends. All graph optimisations are on.
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import {createRequire} from 'node:module';

const options = {batch: '1', threads: '1'};
for (let i = 3; i < process.argv.length; i += 2) options[process.argv[i].replace('--', '')] = process.argv[i + 1];

const began = performance.now();
const ort = createRequire(path.resolve(options.modules, 'package.json'))('onnxruntime-node');

/** The first `batch` samples of a version 1.0 .npy file of float32. */
function readInput(file, batch) {
  const bytes = fs.readFileSync(file);
  const start = 10 + bytes.readUInt16LE(8);
  const shape = /'shape': \(([^)]*)\)/.exec(bytes.toString('latin1', 10, start))[1].split(',').map(Number);
  const size = shape[1] * shape[2] * batch;
  const values = new Float32Array(size);
  Buffer.from(values.buffer).set(bytes.subarray(start, start + 4 * size));
  return new ort.Tensor('float32', values, [batch, shape[1], shape[2]]);
}

const x = readInput(path.join(options.case, options.batch === '1' ? 'first.npy' : 'x.npy'), Number(options.batch));
const session = await ort.InferenceSession.create(path.join(options.case, 'model.onnx'), {
  intraOpNumThreads: Number(options.threads), interOpNumThreads: 1, executionMode: 'sequential',
  graphOptimizationLevel: 'all', executionProviders: ['cpu'], logSeverityLevel: 3,
});
const run = () => session.run({x});
const probabilities = async () => Array.from((await run()).probabilities.data);

function summary(seconds) {
  seconds.sort((a, b) => a - b);
  const at = (q) => seconds[Math.max(Math.ceil(q * seconds.length), 1) - 1];
  return {median_s: at(0.5), min_s: seconds[0], max_s: seconds.at(-1), p99_s: at(0.99), calls: seconds.length};
}

async function repeat(budget) {
  await run();
  const seconds = [];
  const start = performance.now();
  while (seconds.length < 3 || performance.now() - start < budget * 1e3) {
    const before = performance.now();
    await run();
    seconds.push((performance.now() - before) * 1e-3);
  }
  return summary(seconds);
}

function answer(line) {
  const peak = Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
  process.stdout.write(JSON.stringify({...line, peak_memory_bytes: peak}) + '\n');
}

if (process.argv[2] === 'first') {
  const p = await probabilities();
  answer({probabilities: p, library_session_and_run_s: (performance.now() - began) * 1e-3});
} else {
  answer({onnxruntime: ort.env?.versions?.node ?? ort.env?.versions?.common ?? '', node: process.version});
  for await (const line of readline.createInterface({input: process.stdin})) {
    const [command, seconds] = line.split(' ');
    answer(command === 'run' ? await repeat(Number(seconds)) : {probabilities: await probabilities()});
  }
}
