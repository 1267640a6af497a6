// Gives import what node-test.cjs puts in the place of node:test, on lines of Node whose hooks run in a thread.
let url;
export const initialize = (data) => { url = data.url; };
export const resolve = (specifier, context, next) =>
  specifier === 'node:test' ? { url, format: 'module', shortCircuit: true } : next(specifier, context);
