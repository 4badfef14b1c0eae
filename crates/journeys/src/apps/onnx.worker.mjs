// Runs the model on a fixed input and tells the page the largest outputs.
import * as ort from '/ort/ort.wasm.min.mjs';

const session = await ort.InferenceSession.create('/model.onnx');
const input = Float32Array.from({ length: 1024 }, (_, index) => (index % 17) - 8);
const { y } = await session.run({ x: new ort.Tensor('float32', input, [1, 1024]) });
const ranked = Array.from(y.data, (value, index) => [index, Math.round(value)]).sort(([, a], [, b]) => b - a);
postMessage(ranked.slice(0, 5));
