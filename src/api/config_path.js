// Paths as POSIX has them, and the few questions that configuration asks about files.
import { ConfigError } from './config_tree.js';
import { native } from './native.js';

export function normal(path) {
  const parts = [];

  for (const part of path.split('/')) {
    if (part === '..' && parts.length && parts.at(-1) !== '..') parts.pop();
    else if (part !== '' && part !== '.' && !(part === '..' && path.startsWith('/'))) parts.push(part);
  }
  return path.startsWith('/') ? `/${parts.join('/')}` : parts.join('/') || '.';
}

export const join = (base, path) => normal(path.startsWith('/') ? path : `${base}/${path}`);
export const folderOf = (path) => normal(path).replace(/\/?[^/]*$/, '') || '/';
export const baseName = (path) => normal(path).replace(/^.*\//, '');
export const absolute = (path) => join(native.config.cwd(), path);

// The way people write it: from the working folder when it lies there.
export function shown(path) {
  const cwd = `${native.config.cwd()}/`;

  return path.startsWith(cwd) ? path.slice(cwd.length) : path;
}

// 'file', 'folder' or '' when there is nothing (or nothing else).
export const kindOf = (path) => native.config.kind(path);

// The text of a file without the mark that some editors put in front, undefined when there is none.
export function readText(path) {
  try {
    return native.config.read(path)?.replace(/^\ufeff/, '');
  } catch (error) {
    throw new ConfigError(error.message);
  }
}

// The names in a folder, sorted; none when it cannot be read.
export const listFolder = (path) => native.config.list(path);

// What is in a file, as base64; undefined when there is none.
export const readBytes = (path) => native.config.bytes(path);

export const variable = (name) => native.config.variable(name);
