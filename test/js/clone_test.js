// structuredClone and the bytes that stand in storage and attachments.
import { deserialize, serialize } from '../../src/api/clone.js';
import { webGlobals } from '../../src/api/web.js';
import { equal, ok, sleep, test, throws } from './lib.js';

export { suite } from './lib.js';

const hex = (bytes) => [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');
const thereAndBack = (value) => deserialize(serialize(value));

// What V8's serializer writes for the same values.
const golden = [
  [() => undefined, 'ff0f5f'],
  [() => null, 'ff0f30'],
  [() => true, 'ff0f54'],
  [() => false, 'ff0f46'],
  [() => 0, 'ff0f4900'],
  [() => -0, 'ff0f4e0000000000000080'],
  [() => 1, 'ff0f4902'],
  [() => -1, 'ff0f4901'],
  [() => 1073741823, 'ff0f49feffffff07'],
  [() => 1073741824, 'ff0f498080808008'],
  [() => -1073741824, 'ff0f49ffffffff07'],
  [() => -1073741825, 'ff0f498180808008'],
  [() => 1.5, 'ff0f4e000000000000f83f'],
  [() => NaN, 'ff0f4e000000000000f87f'],
  [() => 4294967296, 'ff0f4e000000000000f041'],
  [() => "abc", 'ff0f2203616263'],
  [() => "caf\u00e9", 'ff0f2204636166e9'],
  [() => "\u20ac", 'ff0f6302ac20'],
  [() => "a\u20ac", 'ff0f63046100ac20'],
  [() => "", 'ff0f2200'],
  [() => "x".repeat(41), 'ff0f22297878787878787878787878787878787878787878787878787878787878787878787878787878787878'],
  [() => 10n, 'ff0f5a100a00000000000000'],
  [() => -10n, 'ff0f5a110a00000000000000'],
  [() => 0n, 'ff0f5a00'],
  [() => 2n**64n, 'ff0f5a2000000000000000000100000000000000'],
  [() => -(2n**100n), 'ff0f5a2100000000000000000000000010000000'],
  [() => ({}), 'ff0f6f7b00'],
  [() => ({a:1,b:"x"}), 'ff0f6f22016149022201622201787b02'],
  [() => ({1:2,a:3,10:4}), 'ff0f6f490249044914490822016149067b03'],
  [() => [], 'ff0f4100240000'],
  [() => [1,"a",null], 'ff0f4103490222016130240003'],
  [() => [1,,3], 'ff0f61034900490249044906400203'],
  [() => [,], 'ff0f6101400001'],
  [() => Object.assign([1,2],{x:1}), 'ff0f4102490249042201784902240102'],
  [() => new Date(0), 'ff0f440000000000000000'],
  [() => new Date(NaN), 'ff0f44000000000000f87f'],
  [() => /ab+c/gi, 'ff0f52220461622b6303'],
  [() => new Map([[1,{a:1}],["k",2]]), 'ff0f3b49026f22016149027b0122016b49043a04'],
  [() => new Set([1,"x"]), 'ff0f2749022201782c02'],
  [() => new ArrayBuffer(3), 'ff0f4203000000'],
  [() => new Uint8Array([1,2,3]), 'ff0f42030102035642000300'],
  [() => new Uint16Array([1,2,3]).subarray(1), 'ff0f42060100020003005657020400'],
  [() => new DataView(new ArrayBuffer(4),1,2), 'ff0f420400000000563f010200'],
  [() => new Float64Array([1.5]), 'ff0f4208000000000000f83f5646000800'],
  [() => new BigInt64Array([5n]), 'ff0f420805000000000000005671000800'],
  [() => Object(true), 'ff0f79'],
  [() => Object(false), 'ff0f78'],
  [() => Object(5), 'ff0f6e0000000000001440'],
  [() => Object("s"), 'ff0f73220173'],
  [() => Object(5n), 'ff0f7a100500000000000000'],
  [() => (()=>{const c={a:1};c.self=c;return c})(), 'ff0f6f2201614902220473656c665e007b02'],
  [() => (()=>{const c=[];return [c,c,{c}]})(), 'ff0f410341002400005e016f2201635e017b01240003'],
  [() => (()=>{const b=new ArrayBuffer(2);return [new Uint8Array(b),b,new Int8Array(b,1)]})(), 'ff0f41034202000056420002005e015e015662010100240003'],
  [() => Object.create(null), 'ff0f6f7b00'],
  [() => new (class Foo{constructor(){this.x=1}}), 'ff0f6f22017849027b01'],
  [() => ({a:undefined,f:{g:[{h:1}]}}), 'ff0f6f2201615f2201666f22016741016f22016849027b012400017b017b02'],
  [() => ({"":1}), 'ff0f6f220049027b01'],
  [() => ({__proto__x:1}), 'ff0f6f220a5f5f70726f746f5f5f7849027b01'],
  [() => ({"4294967295":1,"4294967294":2,"-1":3,"01":4}), 'ff0f6f4e0000c0ffffffef414904220a34323934393637323935490222022d3149062202303149087b04'],
];

test('serialize: the bytes are those of V8', () => {
  for (const [make, expected] of golden) equal(hex(serialize(make())), expected, String(make));
});

test('serialize: every value comes back', () => {
  for (const [make] of golden) {
    const value = make();
    const back = thereAndBack(value);
    equal(hex(serialize(back)), hex(serialize(value)), String(make));
    equal(Object.prototype.toString.call(back), Object.prototype.toString.call(value), String(make));
  }
  equal(thereAndBack('\u20ac'.repeat(20000)), '\u20ac'.repeat(20000));
  equal(thereAndBack('a\u00e9'.repeat(20000)), 'a\u00e9'.repeat(20000));
  equal(thereAndBack('\ud800x'), '\ud800x');
  equal(1 in thereAndBack([1, , 3]), false);
  equal(thereAndBack(/a/dgimsuy).flags, 'dgimsuy');
  equal(thereAndBack(JSON.parse('{"__proto__": 5}')).__proto__, 5);
});

test('serialize: identity and cycles are kept', () => {
  const shared = { n: 1 };
  const value = { a: shared, b: shared, list: [shared], map: new Map([[shared, shared]]) };
  value.self = value;
  const back = thereAndBack(value);
  ok(back.self === back && back.a === back.b && back.a === back.list[0] && back.map.get(back.a) === back.a);
  const buffer = new ArrayBuffer(4);
  const [x, y] = thereAndBack([new Uint8Array(buffer, 1), new Uint8Array(buffer)]);
  ok(x.buffer === y.buffer && x.byteOffset === 1);
});

test('serialize: errors keep class, message, cause and stack', () => {
  const error = new RangeError('far', { cause: { a: 1 } });
  const back = thereAndBack(error);
  equal([back instanceof RangeError, back.name, back.message, back.cause, back.stack], [true, 'RangeError', 'far', { a: 1 }, error.stack]);
  class Mine extends TypeError {}
  equal(thereAndBack(new Mine('m')) instanceof TypeError, true);
  const exception = thereAndBack(new DOMException('m', 'AbortError'));
  equal([exception instanceof DOMException, exception.name, exception.message, exception.code], [true, 'AbortError', 'm', 20]);
});

test('serialize: attachments of 16,379 ASCII characters fit in 16,384 bytes (103)', () => {
  equal(serialize('x'.repeat(16379)).length, 16384);
  equal(serialize('x'.repeat(16384)).length, 16390);
});

test('serialize: what cannot be cloned says so', () => {
  throws(() => serialize(() => 1), 'DataCloneError', /=> ?1 could not be cloned\.$/);
  throws(() => serialize({ f() {} }), 'DataCloneError', /could not be cloned\.$/);
  throws(() => serialize(Symbol('x')), 'DataCloneError', 'Symbol(x) could not be cloned.');
  throws(() => serialize(Promise.resolve()), 'DataCloneError', '#<Promise> could not be cloned.');
  throws(() => serialize(new WeakMap()), 'DataCloneError', '#<WeakMap> could not be cloned.');
  throws(() => serialize(new Headers()), 'DataCloneError', 'Could not serialize object of type "Headers". This type does not support serialization.');
  throws(() => serialize(new Blob([])), 'DataCloneError');
  equal(throws(() => serialize([Symbol('x')]), 'DataCloneError').code, 25);
});

test('serialize: getters are read, symbols and prototypes are left', () => {
  class Point {
    constructor() {
      this.x = 1;
    }

    get y() {
      return 2;
    }
  }
  const value = thereAndBack(Object.assign(new Point(), { [Symbol('s')]: 1 }));
  equal([Object.getPrototypeOf(value) === Object.prototype, Object.keys(value)], [true, ['x']]);
  equal(thereAndBack({ get a() {
    return 5;
  } }), { a: 5 });
});

test('serialize: a side table takes what it wants', () => {
  const table = [];
  const fn = () => 1;
  const bytes = serialize({ fn, n: 1 }, (value) => (typeof value === 'function' ? table.push(value) - 1 : -1));
  const back = deserialize(bytes, table);
  ok(back.fn === fn && back.n === 1);
});

test('deserialize: broken bytes are refused, whatever is broken', () => {
  const source = serialize({ a: [1, 'two', new Map([[1, new Date(5)]])], b: new Uint8Array(9), c: 10n, d: /x/g, e: new Error('m'), f: '\u20ac' });
  for (let n = 0; n < source.length; n++) {
    throws(() => deserialize(source.slice(0, n)), 'DataCloneError', 'Unable to deserialize cloned data.');
    const changed = source.slice();
    changed[n] ^= 0x41;
    try {
      deserialize(changed);
    } catch (error) {
      ok(error instanceof Error, `byte ${n}`);
    }
  }
});

test('structuredClone: values, transfer, errors', async () => {
  equal(structuredClone(5), 5);
  equal(structuredClone({ a: [new Date(1)] }), { a: [new Date(1)] });
  const buffer = new Uint8Array([1, 2, 3]).buffer;
  const moved = structuredClone({ buffer }, { transfer: [buffer] });
  equal([buffer.detached, new Uint8Array(moved.buffer)], [true, new Uint8Array([1, 2, 3])]);
  throws(() => structuredClone(buffer), 'DataCloneError');
  throws(() => structuredClone(1, { transfer: [buffer] }), 'DataCloneError');
  throws(() => structuredClone(1, { transfer: [{}] }), 'TypeError', 'Object is not transferable');
  throws(() => structuredClone(() => {}), 'DataCloneError');
  throws(() => structuredClone(), 'TypeError');
  const blob = structuredClone({ b: new File(['x'], 'n', { type: 'a/b' }) }).b;
  equal([blob instanceof File, blob.name, blob.type, await blob.text()], [true, 'n', 'a/b', 'x']);
});

test('channels: messages are cloned and come later, in order', async () => {
  const { port1, port2 } = new MessageChannel();
  const seen = [];
  const value = { n: 1 };
  port1.postMessage(value);
  value.n = 2;
  port1.postMessage('second');
  port2.onmessage = (event) => seen.push(event.data);
  equal(seen, []);
  await sleep(5);
  equal(seen, [{ n: 1 }, 'second']);
  port2.postMessage('back');
  port1.addEventListener('message', (event) => seen.push(event.data));
  await sleep(5);
  equal(seen.length, 2);
  port1.start();
  await sleep(5);
  equal(seen[2], 'back');
  port1.close();
  port2.postMessage('lost');
  await sleep(5);
  equal(seen.length, 3);
});

test('channels: a port can be sent through another', async () => {
  const outer = new MessageChannel();
  const inner = new MessageChannel();
  let got;
  outer.port2.onmessage = ({ data }) => {
    data.port.onmessage = (event) => (got = event.data);
  };
  outer.port1.postMessage({ port: inner.port2 }, [inner.port2]);
  inner.port1.postMessage('hello');
  await sleep(20);
  equal(got, 'hello');
});

test('misc: queueMicrotask, scheduler, performance, navigator', async () => {
  const seen = [];
  queueMicrotask(() => seen.push('micro'));
  seen.push('now');
  await null;
  equal(seen, ['now', 'micro']);
  const before = performance.now();
  await scheduler.wait(5);
  ok(performance.now() - before >= 4);
  equal([navigator.userAgent, performance.timeOrigin], ['Cloudflare-Workers', 0]);
  throws(() => queueMicrotask(1), 'TypeError');
  const controller = new AbortController();
  const wait = scheduler.wait(1000, { signal: controller.signal });
  controller.abort('stop');
  equal(await wait.catch((reason) => reason), 'stop');
});

test('globals: classes and functions have their names, and instances say theirs', () => {
  for (const [name, value] of Object.entries(webGlobals)) {
    if (typeof value !== 'function') continue;
    equal(value.name, name);
    if (/^[A-Z]/.test(name)) equal(value.prototype[Symbol.toStringTag], name);
  }
});
