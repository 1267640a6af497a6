// The last of Jest's setup files, see jest.cjs: from here on tests are noted. What the files before it have registered,
// as hooks of a configuration, is jest-circus's and runs once.
const KEY = Symbol.for('heapsnap.jest');
globalThis[KEY]();
