import { Pipe } from '../../src/api/pipe.js';
import { streamOfPipe } from '../../src/api/streams.js';
import { equal, ok, rejects, sleep, test, throws } from './lib.js';

export { suite } from './lib.js';

const bytes = (...list) => new Uint8Array(list);
const utf8 = (text) => new TextEncoder().encode(text);

async function readAll(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

test('streams: the standard ones read, write, pipe, tee and iterate', async () => {
  const source = () => new ReadableStream({
    start(controller) {
      for (const word of ['a', 'b', 'c']) controller.enqueue(word);
      controller.close();
    },
  });
  equal(await readAll(source()), ['a', 'b', 'c']);
  const upper = new TransformStream({ transform: (chunk, controller) => controller.enqueue(chunk.toUpperCase()) });
  equal(await readAll(source().pipeThrough(upper)), ['A', 'B', 'C']);
  const written = [];
  await source().pipeTo(new WritableStream({ write: (chunk) => void written.push(chunk) }));
  equal(written, ['a', 'b', 'c']);
  const [one, two] = source().tee();
  equal([await readAll(one), await readAll(two)], [['a', 'b', 'c'], ['a', 'b', 'c']]);
  equal(await readAll(ReadableStream.from([1, Promise.resolve(2)])), [1, 2]);
  equal(new CountQueuingStrategy({ highWaterMark: 3 }).highWaterMark, 3);
  equal(new ByteLengthQueuingStrategy({ highWaterMark: 3 }).size(bytes(1, 2)), 2);
});

test('streams: an aborted signal stops a pipe with its reason', async () => {
  const controller = new AbortController();
  const endless = new ReadableStream({ pull: (c) => c.enqueue('x') });
  const pipe = endless.pipeTo(new WritableStream({ write: () => sleep(1) }), { signal: controller.signal });
  controller.abort(new Error('enough'));
  await rejects(pipe, 'Error', 'enough');
});

test('streams: the texts of locked, released and closed ends', async () => {
  const stream = new ReadableStream();
  stream.getReader();
  throws(() => stream.getReader(), 'TypeError', 'This ReadableStream is currently locked to a reader.');
  throws(() => stream.tee(), 'TypeError', 'This ReadableStream is currently locked to a reader.');
  await rejects(stream.cancel(), 'TypeError', 'This ReadableStream is currently locked to a reader.');
  await rejects(stream.pipeTo(new WritableStream()), 'TypeError', 'This ReadableStream is currently locked to a reader.');
  throws(() => new ReadableStream().getReader({ mode: 'byob' }), 'TypeError', 'This ReadableStream does not support BYOB reads.');
  const writable = new WritableStream();
  const writer = writable.getWriter();
  throws(() => writable.getWriter(), 'TypeError', 'This WritableStream is currently locked to a writer.');
  await writer.close();
  await rejects(writer.write('x'), 'TypeError', 'This WritableStream has been closed.');
  writer.releaseLock();
  await rejects(writer.write('x'), 'TypeError', 'This WritableStream writer has been released.');
});

test('streams: byte streams fill the reader\'s own buffer', async () => {
  const stream = new ReadableStream({
    type: 'bytes',
    start(controller) {
      controller.enqueue(bytes(1, 2, 3, 4, 5));
      controller.close();
    },
  });
  const reader = stream.getReader({ mode: 'byob' });
  const buffer = new ArrayBuffer(4);
  const { value } = await reader.read(new Uint8Array(buffer));
  equal([value, buffer.detached], [bytes(1, 2, 3, 4), true]);
  await rejects(reader.read(new Uint8Array(0)), 'TypeError', 'You must call read() on a "byob" reader with a positive-sized TypedArray object.');
  equal(await reader.readAtLeast(1, new Uint8Array(8)), { value: bytes(5), done: false });
  equal(await reader.read(new Uint8Array(8)), { value: bytes(), done: true });
});

test('pipes: bytes are counted as they are taken, and errors come after them only if they were read', async () => {
  let taken = 0;
  const pipe = new Pipe(-1, { taken: (n) => (taken += n) });
  pipe.push(bytes(1, 2));
  equal(taken, 0);
  equal(pipe.read(), bytes(1, 2));
  equal(taken, 2);
  const waiting = pipe.read();
  pipe.push(bytes(3));
  equal(await waiting, bytes(3));
  equal(taken, 3);
  pipe.fail(new Error('lost'));
  throws(() => pipe.read(), 'Error', 'lost');
});

test('pipes: a stream of one reads by either kind of reader and cancels it', async () => {
  let cancelled;
  const pipe = new Pipe(-1, { cancelled: (reason) => (cancelled = reason) });
  const stream = streamOfPipe(pipe);
  pipe.push(utf8('hello'));
  const byob = stream.getReader({ mode: 'byob' });
  equal((await byob.read(new Uint8Array(3))).value, utf8('hel'));
  byob.releaseLock();
  const reader = stream.getReader();
  equal((await reader.read()).value, utf8('lo'));
  const pending = reader.read();
  pipe.push(utf8('!'));
  equal((await pending).value, utf8('!'));
  await reader.cancel('bye');
  equal(cancelled, 'bye');
});

test('pipes: the order holds however many pieces wait', () => {
  const pipe = new Pipe(-1);
  let next = 0;
  for (let i = 0; i < 2000; i++) {
    pipe.push(bytes(i & 255));
    if (i % 3 === 0) equal(pipe.read(), bytes(next++ & 255));
  }
  pipe.end();
  equal(pipe.all().length, 2000 - next);
  equal(pipe.read(), null);
});

test('pipes: a BYOB read sees the end', async () => {
  const pipe = new Pipe(-1);
  const reader = streamOfPipe(pipe).getReader({ mode: 'byob' });
  const read = reader.read(new Uint8Array(3));
  pipe.end();
  equal(await read, { value: bytes(), done: true });
});

test('identity: a write is over when its bytes have been read (117)', async () => {
  const { readable, writable } = new IdentityTransformStream();
  const writer = writable.getWriter();
  let written = false;
  writer.write(utf8('abc')).then(() => (written = true));
  await sleep(2);
  equal(written, false);
  const reader = readable.getReader();
  equal((await reader.read()).value, utf8('abc'));
  await sleep(2);
  equal(written, true);
  ok(new IdentityTransformStream() instanceof TransformStream);
});

test('identity: strings are UTF-8, nothing is skipped, other things are refused', async () => {
  const { readable, writable } = new IdentityTransformStream();
  const writer = writable.getWriter();
  writer.write('');
  writer.write('h\u00e9');
  writer.write(new DataView(bytes(1, 2, 3).buffer, 1, 1));
  writer.close();
  equal(await readAll(readable), [utf8('h\u00e9'), bytes(2)]);
  const other = new IdentityTransformStream();
  await rejects(other.writable.getWriter().write(5), 'TypeError', /but received an object of non-ArrayBuffer\/ArrayBufferView type on its writable side\.$/);
});

test('identity: cancelling the readable breaks the writer, aborting the writer breaks the reader', async () => {
  const one = new IdentityTransformStream();
  const writer = one.writable.getWriter();
  const write = writer.write('x');
  await one.readable.cancel(new Error('gone'));
  await write.catch(() => {});
  await rejects(writer.write('y'), 'Error', 'gone');
  const two = new IdentityTransformStream();
  const reader = two.readable.getReader();
  await two.writable.abort(new Error('stop'));
  await rejects(reader.read(), 'Error', 'stop');
});

test('fixed length: exact, over and under (116)', async () => {
  const exact = new FixedLengthStream(3);
  const writer = exact.writable.getWriter();
  writer.write('ab');
  writer.write('c');
  writer.close();
  equal(await new Response(exact.readable).text(), 'abc');

  const over = new FixedLengthStream(2);
  over.writable.getWriter().write('abc').catch(() => {});
  await rejects(new Response(over.readable).text(), 'TypeError', 'Attempt to write too many bytes through a FixedLengthStream.');

  const under = new FixedLengthStream('3');
  const short = under.writable.getWriter();
  short.write('ab');
  short.close().catch(() => {});
  await rejects(new Response(under.readable).text(), 'TypeError', 'FixedLengthStream did not see all expected bytes before close().');

  throws(() => new FixedLengthStream(-1), 'TypeError', 'The value cannot be converted because it is negative and this API expects a positive bigint.');
  throws(() => new FixedLengthStream(2 ** 53), 'TypeError', 'FixedLengthStream requires an integer expected length less than 2^53.');
  ok(new FixedLengthStream(5n) instanceof IdentityTransformStream);
});

test('text streams: characters cut between chunks are joined', async () => {
  const decoded = ReadableStream.from([bytes(0xe2, 0x82), bytes(0xac, 0x61)]).pipeThrough(new TextDecoderStream());
  equal((await readAll(decoded)).join('|'), '\u20aca');
  const broken = ReadableStream.from([bytes(0xff)]).pipeThrough(new TextDecoderStream('utf-8', { fatal: true }));
  await rejects(readAll(broken), 'TypeError', 'Failed to decode input.');
  const encoded = ReadableStream.from(['\ud83d', '\ude00', '\ud83d']).pipeThrough(new TextEncoderStream());
  equal((await readAll(encoded)).map((chunk) => [...chunk]), [[0xf0, 0x9f, 0x98, 0x80], [0xef, 0xbf, 0xbd]]);
});

test('compression: every format there and back (119)', async () => {
  const text = 'holdfast '.repeat(40000);
  for (const format of ['gzip', 'deflate', 'deflate-raw']) {
    const packed = await new Response(new Response(text).body.pipeThrough(new CompressionStream(format))).bytes();
    ok(packed.length < 4000, `${format}: ${packed.length}`);
    const pieces = ReadableStream.from([packed.slice(0, 7), packed.slice(7, 100), packed.slice(100)]);
    equal(await new Response(pieces.pipeThrough(new DecompressionStream(format))).text() === text, true, format);
  }
  throws(() => new CompressionStream('br'), 'TypeError', "The compression format must be either 'deflate', 'deflate-raw' or 'gzip'.");
  ok(new CompressionStream('gzip') instanceof TransformStream);
});

test('compression: bad, trailing and missing bytes are errors', async () => {
  const packed = await new Response(new Response('x').body.pipeThrough(new CompressionStream('gzip'))).bytes();
  const unpack = (...chunks) => new Response(ReadableStream.from(chunks).pipeThrough(new DecompressionStream('gzip'))).text();
  await rejects(unpack(bytes(1, 2, 3)), 'TypeError', 'Decompression failed.');
  await rejects(unpack(packed, bytes(1)), 'TypeError', 'Trailing bytes after end of compressed data');
  await rejects(unpack(packed.slice(0, -1)), 'TypeError', 'Called close() on a decompression stream with incomplete data');
});

test('compression: a bomb goes off a piece at a time', async () => {
  const zeros = new Uint8Array(1 << 20);
  const many = new ReadableStream({
    start(controller) {
      for (let i = 0; i < 64; i++) controller.enqueue(zeros);
      controller.close();
    },
  });
  const bomb = await new Response(many.pipeThrough(new CompressionStream('gzip'))).bytes();
  ok(bomb.length < 100_000);
  const { readable, writable } = new DecompressionStream('gzip');
  const writer = writable.getWriter();
  writer.write(bomb).catch(() => {});
  const reader = readable.getReader();
  equal((await reader.read()).value.length, 65536);
  await reader.cancel(new Error('enough'));
  await rejects(writer.write(bomb), 'Error', 'enough');
});

test('compression: bad data also stops the writer', async () => {
  const { readable, writable } = new DecompressionStream('gzip');
  const writer = writable.getWriter();
  writer.write('no gzip').catch(() => {});
  await rejects(readable.getReader().read(), 'TypeError', 'Decompression failed.');
  await rejects(writer.write('more'), 'TypeError', 'Decompression failed.');
});
