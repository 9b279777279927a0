// Node.js compatibility (the flag nodejs_compat): the modules of Node.js and its globals. They are a script of their own
// (src/api/node/main.js) that is evaluated when an application first asks for one of them.
import { current, inEvent } from './context.js';
import { crypto } from './crypto.js';
import { flag } from './flags.js';
import { carryThroughPromises, currentFrame, inFrame } from './frame.js';
import { host } from './host.js';
import { format, inspect } from './inspect.js';
import { global as globals, native } from './native.js';
import * as timers from './timers.js';

let load;
let variables = {};

const platform = { carryThroughPromises, crypto, current, currentFrame, flag, format, host, inEvent, inFrame, inspect, timers };

/** What `require('node:NAME')` gives. */
export function nodeModule(name) {
  load ??= native.module.node()(native, globals)({ ...platform, variables });
  return load(name);
}

const lazy = {
  Buffer: () => nodeModule('buffer').Buffer,
  process: () => nodeModule('process'),
};

function define(name, value) {
  Object.defineProperty(globals, name, { value, writable: true, configurable: true, enumerable: false });
}

/** Installs the globals Buffer, global and process, made when they are first read. env: for process.env. */
export function installNode(env) {
  variables = Object.fromEntries(Object.entries(env).filter(([, value]) => typeof value === 'string'));
  define('global', globals);
  for (const [name, make] of Object.entries(lazy)) {
    Object.defineProperty(globals, name, {
      configurable: true,
      enumerable: false,
      get() {
        const value = make();
        define(name, value);
        return value;
      },
      set: (value) => define(name, value),
    });
  }
}
