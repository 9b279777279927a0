// node:stream, on the npm package "readable-stream", with the ways between its streams and the Web's.
import stream from 'readable-stream/lib/ours/browser.js';

const { Duplex, Readable, Writable } = stream;

Readable.toWeb = (readable) => ReadableStream.from(readable);
Readable.fromWeb = (web, options) => Readable.from(web[Symbol.asyncIterator](), { objectMode: false, ...options });

Writable.toWeb = (writable) => new WritableStream({
  write: (chunk) => new Promise((resolve, reject) => writable.write(chunk, (error) => (error ? reject(error) : resolve()))),
  close: () => new Promise((resolve) => writable.end(resolve)),
  abort: (reason) => void writable.destroy(reason),
});

Writable.fromWeb = (web, options) => {
  const writer = web.getWriter();
  const done = (promise, callback) => promise.then(() => callback(), callback);
  return new Writable({
    ...options,
    write: (chunk, encoding, callback) => done(writer.write(chunk), callback),
    final: (callback) => done(writer.close(), callback),
    destroy: (error, callback) => (error ? done(writer.abort(error), () => callback(error)) : callback(null)),
  });
};

Duplex.toWeb = (duplex) => ({ readable: Readable.toWeb(duplex), writable: Writable.toWeb(duplex) });
Duplex.fromWeb = ({ readable, writable }, options) => Duplex.from({ readable: Readable.fromWeb(readable, options), writable: Writable.fromWeb(writable, options) });

export default stream;
