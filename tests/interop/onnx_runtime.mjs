// Runs what onnx_cases wrote in ONNX Runtime and compares: probabilities within 1e-4, the same class.
//
//   node onnx_runtime.mjs FOLDER --modules FOLDER      --modules: where onnxruntime-web is installed
import fs from 'node:fs';
import path from 'node:path';
import {createRequire} from 'node:module';

const TOLERANCE = 1e-4;
const [folder, flag, modules] = process.argv.slice(2);
if (!modules || flag !== '--modules') {
  console.error('usage: onnx_runtime.mjs FOLDER --modules FOLDER');
  process.exit(1);
}
const ort = createRequire(path.resolve(modules, 'package.json'))('onnxruntime-web');
ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

const largest = (values) => values.indexOf(Math.max(...values));

/** The worst difference of a case, and the clips whose class differs although serene was not torn between two. */
async function check(test) {
  const session = await ort.InferenceSession.create(fs.readFileSync(path.join(folder, `${test.name}.onnx`)),
      {executionProviders: ['wasm'], logSeverityLevel: 3});
  let worst = 0, classes = 0;
  for (const run of test.runs) {
    const features = new ort.Tensor('float32', Float32Array.from(run.x), [run.batch, run.frames, run.features]);
    const output = (await session.run({features}))[test.output];
    const got = Array.from(output.data), each = got.length / run.batch;
    if (output.dims.length !== 2 || output.dims[0] !== run.batch || got.length !== run.y.length) {
      throw new Error(`output of shape ${output.dims}`);
    }
    got.forEach((value, i) => {
      const off = Math.abs(value - run.y[i]);
      worst = off <= worst ? worst : off;  // NaN counts as worse
    });
    for (let b = 0; b < run.batch; ++b) {
      const mine = run.y.slice(b * each, (b + 1) * each), theirs = got.slice(b * each, (b + 1) * each);
      const [first, second] = [...mine].sort((p, q) => q - p);
      if (first - second > 2 * TOLERANCE && largest(mine) !== largest(theirs)) ++classes;
    }
  }
  await session.release();
  return {worst, classes};
}

let failed = 0, worst = 0;
const cases = JSON.parse(fs.readFileSync(path.join(folder, 'cases.json'), 'utf8'));
for (const test of cases) {
  try {
    const result = await check(test);
    worst = Math.max(worst, result.worst);
    if (result.worst <= TOLERANCE && result.classes === 0) continue;
    console.log(`${test.name}: off by ${result.worst}, ${result.classes} other classes`);
  } catch (error) {
    console.log(`${test.name}: ${error.message ?? error}`);
  }
  ++failed;
}
console.log(`${cases.length} models, ${failed} failed, worst difference ${worst.toExponential(2)}`);
process.exit(failed || !cases.length ? 1 : 0);
