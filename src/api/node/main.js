// The entry of the node bundle: the modules of Node.js by name. Each is made when it is first asked for, so one of them costs
// nothing of the others.
import { setPlatform } from './platform.js';

const make = {
  assert: () => require('assert'),
  'assert/strict': () => require('assert').strict,
  async_hooks: () => require('./async_hooks.js').default,
  buffer: () => require('./buffer.js').default,
  console: () => require('./console.js').default,
  crypto: () => require('./crypto.js').default,
  diagnostics_channel: () => require('./diagnostics_channel.js').default,
  events: () => require('./events.js').default,
  os: () => require('./os.js').default,
  path: () => require('./path.js').default,
  'path/posix': () => require('./path.js').default,
  perf_hooks: () => require('./perf_hooks.js').default,
  process: () => require('./process.js').default,
  punycode: () => require('punycode/punycode.js'),
  querystring: () => require('querystring-es3'),
  stream: () => require('./stream.js').default,
  'stream/promises': () => require('./stream.js').default.promises,
  'stream/web': () => require('./stream_web.js').default,
  string_decoder: () => require('string_decoder'),
  timers: () => require('./timers.js').default,
  'timers/promises': () => require('./timers.js').default.promises,
  url: () => require('./url.js').default,
  util: () => require('./util.js').default,
  'util/types': () => require('./util.js').default.types,
};

const made = new Map();

export function hooks(platform) {
  setPlatform(platform);
  return (name) => {
    if (!made.has(name)) made.set(name, make[name]());
    return made.get(name);
  };
}
