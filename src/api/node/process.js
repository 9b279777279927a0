// node:process, for libraries that ask where they are. process.env has the text variables of the configuration.
import { native } from '../native.js';
import EventEmitter from './events.js';
import { platform } from './platform.js';

const MS_NS = 1000000n;

const hrtime = (since) => {
  const ns = hrtime.bigint() - (since === undefined ? 0n : BigInt(since[0]) * 1000n * MS_NS + BigInt(since[1]));
  return [Number(ns / (1000n * MS_NS)), Number(ns % (1000n * MS_NS))];
};
hrtime.bigint = () => BigInt(Math.round(platform.host.now() * 1e6));

// process.env holds text, whatever is assigned.
const env = new Proxy({ ...platform.variables }, {
  set: (target, name, value) => Reflect.set(target, name, String(value)),
  defineProperty: (target, name, how) => Reflect.defineProperty(target, name, 'value' in how ? { ...how, value: String(how.value) } : how),
});

const writer = (write) => ({ fd: -1, isTTY: false, writable: true, columns: 80, write: (text) => (write(String(text).replace(/\n$/, '')), true) });

function nextTick(fn, ...args) {
  if (typeof fn !== 'function') throw Object.assign(new TypeError('The "callback" argument must be of type function.'), { code: 'ERR_INVALID_ARG_TYPE' });
  queueMicrotask(() => fn(...args));
}

const process = Object.assign(new EventEmitter(), {
  abort: () => process.exit(),
  arch: 'x64',
  argv: ['holdfast'],
  argv0: 'holdfast',
  config: {},
  cwd: () => '/',
  emitWarning: (warning) => console.warn(typeof warning === 'string' ? `Warning: ${warning}` : warning),
  env,
  execArgv: [],
  execPath: '',
  exit() {
    throw new Error('process.exit() is not for Workers: the process ends by itself when nothing is left to do');
  },
  exitCode: undefined,
  features: {},
  hrtime,
  memoryUsage: () => {
    const { heap, extra } = native.module.memory();
    return { rss: heap + extra, heapTotal: heap, heapUsed: heap, external: extra, arrayBuffers: extra };
  },
  nextTick,
  pid: 1,
  platform: 'linux',
  ppid: 0,
  release: { name: 'node' },
  stderr: writer((text) => console.error(text)),
  stdout: writer((text) => console.log(text)),
  title: 'holdfast',
  umask: () => 0o22,
  uptime: () => platform.host.now() / 1000,
  version: 'v22.19.0',
  versions: { node: '22.19.0' },
});

export { process as default, process as 'module.exports' };
