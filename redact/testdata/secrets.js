// Has a secret in every place that a heap snapshot tells of. Secrets come as JSON
// on stdin, by place; nothing of them is in this text. `ready` is printed when all
// are planted.
'use strict';
const s = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const vm = require('vm');
const { AsyncLocalStorage } = require('async_hooks');

class Session {
  #pin = s.privateField;
  constructor(user) { this.user = user; }
  pin() { return this.#pin; }
}

const planted = (globalThis.planted = []);
const plant = (x) => (planted.push(x), x);

plant({ plain: s.plain, short: s.short, unicode: s.unicode, quotes: s.quotes, long: s.long, token: s.token, jwt: s.jwt });
plant(new Session({ email: s.propertyValue, address: { city: s.nestedValue } }));
plant([s.arrayElement, { deep: [s.deepElement] }]);
plant({ [s.keyEmail]: {}, [s.keyToken]: 1 });
plant({ [Number(s.keyNumber)]: {}, 3: {} });
plant({ [s.keyLargeNumber]: {} });
const visits = plant({});
for (const name of s.dictionary) visits[name] = { visits: 1 };
plant(new Map([[s.mapKey, { value: s.mapValue }]]));
plant(new Set([s.setMember]));
const weak = plant(new WeakMap());
weak.set(plant(new Session()), s.weakMapValue);
weak.set(plant(new RegExp(s.weakMapKey)), {});
plant({ address: s.urlToken });
plant(new URL(s.urlObject));
plant({ dsn: s.urlPassword });
plant(new vm.Script('(function loaded() { return 1 })', { filename: s.scriptQuery }).runInThisContext());
plant((() => { const captured = s.closure; return () => captured; })());
plant(new Function(`return ${JSON.stringify(s.sourceLiteral)}`))();
plant({ [s.functionName]() { return 1; } });
plant(function () {}.bind(null, s.boundArgument));
plant({ symbol: Symbol(s.symbol), [Symbol(s.symbolKey)]: {}, registered: Symbol.for(s.symbolFor) });
plant({ number: Number(s.number), small: Number(s.smallInteger), negative: -Number(s.negative), big: BigInt(s.bigInt), text: s.bigInt });
const buffer = plant(Buffer.from('x'));
buffer.name = s.bufferName;
plant(new ArrayBuffer(8)).label = s.arrayBufferLabel;
if (typeof File === 'function') plant(new File(['x'], s.fileName));
plant(new Blob(['x'], { type: s.blobType }));
const error = plant(new Error(s.errorMessage, { cause: new Error(s.errorCause) }));
error.stack;
plant({ cons: s.consFirst + s.consSecond + ' and so on'.repeat(3), sliced: (s.sliced + ' and so on'.repeat(9)).slice(0, 40) });
plant(`${s.template} in a template`);
new AsyncLocalStorage().run({ tenant: s.asyncContext }, () => plant(new Promise(() => {})).then(() => {}));
plant(new Headers({ authorization: s.header }));
plant({ get [Symbol.toStringTag]() { return s.tagGetter; } });
plant({ [Symbol.toStringTag]: s.tag });
plant(new RegExp(s.regexp)).test('x');
plant(new Date(s.date));
plant(Object.defineProperty({}, s.definedKey, { get() { return 1; }, enumerable: true }));
process.env.SERVICE_PASSWORD = s.environment;
process.title = s.title;
import('data:text/javascript,' + encodeURIComponent('export const kept = ' + JSON.stringify(s.dataModule))).then(plant).then(() => {
  for (let i = 0; i < 50; i++) plant(visits)[Symbol.for('known')] = weak;
  console.log('ready');
});
setInterval(() => {}, 1e6);
