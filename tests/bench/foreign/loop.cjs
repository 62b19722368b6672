"use strict";
/** Times every case: the median of 21 rounds, each loop with its own source text. */
exports.measure = function measure(cases, functionOf, scope) {
  const results = {};
  let mark = 0;
  for (const testCase of cases) {
    const target = functionOf(testCase);
    mark++;
    const run = new Function(
      `target${mark}`,
      ...Object.keys(scope),
      `return function loop${mark}(count) {
  let result;
  for (let i = 0; i < count; i++) result = target${mark}(${testCase.parameters});
  return result;
};`,
    )(target, ...Object.values(scope));
    const calls = 200000;
    for (let warmup = 0; warmup < 4; warmup++) run(calls);
    const samples = [];
    for (let round = 0; round < 21; round++) {
      const start = performance.now();
      run(calls);
      samples.push(((performance.now() - start) * 1e6) / calls);
    }
    results[testCase.name] = samples.sort((a, b) => a - b)[10];
  }
  return results;
};
