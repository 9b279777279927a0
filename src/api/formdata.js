// FormData (xhr.spec.whatwg.org), and its two forms on the wire: multipart/form-data (RFC 7578) and urlencoded.
import { blobBytes, File, fileOf, isBlob } from './blob.js';
import { decodeText, encodeText, latin1Decode } from './encoding.js';
import { makeIterable } from './iterate.js';
import { joined } from './pipe.js';
import { parseUrlencoded } from './url.js';
import { finish, usv, wrongArgument, wrongConstructorArgument } from './webidl.js';

let pairsOf;

function entryValue(value, filename) {
  if (!isBlob(value)) return usv(value);
  if (value instanceof File && filename === undefined) return value;
  const name = filename === undefined ? 'blob' : usv(filename);
  return fileOf(blobBytes(value), name, value.type, value instanceof File ? value.lastModified : undefined);
}

export class FormData {
  #pairs = [];

  constructor(form = undefined) {
    if (form !== undefined) throw wrongConstructorArgument('FormData', 1, 'undefined');
  }

  static {
    pairsOf = (value) => (typeof value === 'object' && value !== null && #pairs in value ? value.#pairs : undefined);
  }

  #check(method, given, needed) {
    if (given < needed) throw wrongArgument(method, 'FormData', given + 1, given === 1 ? 'File or Blob or string' : 'string');
  }

  append(name, value, filename = undefined) {
    this.#check('append', arguments.length, 2);
    this.#pairs.push([usv(name), entryValue(value, filename)]);
  }

  delete(name) {
    this.#check('delete', arguments.length, 1);
    const wanted = usv(name);
    this.#pairs = this.#pairs.filter(([key]) => key !== wanted);
  }

  get(name) {
    this.#check('get', arguments.length, 1);
    const wanted = usv(name);
    return this.#pairs.find(([key]) => key === wanted)?.[1] ?? null;
  }

  getAll(name) {
    this.#check('getAll', arguments.length, 1);
    const wanted = usv(name);
    return this.#pairs.filter(([key]) => key === wanted).map(([, value]) => value);
  }

  has(name) {
    this.#check('has', arguments.length, 1);
    const wanted = usv(name);
    return this.#pairs.some(([key]) => key === wanted);
  }

  set(name, value, filename = undefined) {
    this.#check('set', arguments.length, 2);
    const pair = [usv(name), entryValue(value, filename)];
    const first = this.#pairs.findIndex(([key]) => key === pair[0]);
    if (first === -1) {
      this.#pairs.push(pair);
    } else {
      this.#pairs = this.#pairs.filter(([key], index) => key !== pair[0] || index === first);
      this.#pairs[first] = pair;
    }
  }
}

finish(FormData);
makeIterable(FormData, (value) => pairsOf(value) !== undefined, (form, index) => {
  const pair = pairsOf(form)[index];
  return pair === undefined ? undefined : [pair[0], pair[1]];
});

export function isFormData(value) {
  return pairsOf(value) !== undefined;
}

/* Writing */

function newBoundary() {
  let digits = '';
  while (digits.length < 32) digits += Math.random().toString(36).slice(2);
  return `----formdata-${digits.slice(0, 32)}`;
}

const escapes = { '\n': '%0A', '\r': '%0D', '"': '%22' };

function quoted(text) {
  return `"${text.replace(/[\n\r"]/g, (c) => escapes[c])}"`;
}

const lineBreaks = /\r\n|\r|\n/g;

/** { bytes, type } of a multipart body. */
export function serializeFormData(form) {
  const boundary = newBoundary();
  const parts = [];
  for (const [name, value] of pairsOf(form)) {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name=${quoted(name.replace(lineBreaks, '\r\n'))}`;
    if (typeof value === 'string') {
      parts.push(encodeText(`${head}\r\n\r\n${value.replace(lineBreaks, '\r\n')}\r\n`));
    } else {
      parts.push(encodeText(`${head}; filename=${quoted(value.name)}\r\nContent-Type: ${value.type || 'application/octet-stream'}\r\n\r\n`), blobBytes(value), crlf);
    }
  }
  parts.push(encodeText(`--${boundary}--\r\n`));
  return { bytes: joined(parts), type: `multipart/form-data; boundary=${boundary}` };
}

const crlf = new Uint8Array([13, 10]);

/* Reading */

/** The value of a parameter of a header field, unquoted, or undefined. */
function parameter(field, name) {
  const found = new RegExp(`;\\s*${name}\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s]*))`, 'i').exec(field);
  if (found === null) return undefined;
  return found[1] === undefined ? found[2] : found[1].replace(/\\(["\\])/g, '$1');
}

function latin1Bytes(text) {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

const nameEscapes = { '%0A': '\n', '%0D': '\r', '%22': '"' };

// Names are UTF-8 under the Latin-1 view, escaped as quoted() does.
function nameOf(text) {
  return decodeText(latin1Bytes(text)).replace(/%0A|%0D|%22/g, (escape) => nameEscapes[escape]);
}

function malformed() {
  return new TypeError('No initial boundary string (or you have a truncated message).');
}

/** Adds the part whose head begins at `start` and whose content ends at `end` (offsets of bytes and of their Latin-1 view). */
function addPart(form, bytes, view, start, end) {
  const headEnd = view.indexOf('\r\n\r\n', start);
  if (headEnd === -1 || headEnd > end) throw malformed();
  const fields = view.slice(start, headEnd).split('\r\n');
  const disposition = fields.find((field) => /^content-disposition:\s*form-data/i.test(field));
  const name = disposition === undefined ? undefined : parameter(disposition, 'name');
  if (name === undefined) throw malformed();
  const filename = parameter(disposition, 'filename');
  const content = bytes.subarray(headEnd + 4, end);
  if (filename === undefined) {
    form.append(nameOf(name), decodeText(content));
    return;
  }
  const type = fields.find((field) => /^content-type:/i.test(field))?.slice(13).trim() ?? 'text/plain';
  form.append(nameOf(name), fileOf(content.slice(), nameOf(filename), type));
}

function parseMultipart(bytes, boundary) {
  const form = new FormData();
  const view = latin1Decode(bytes);
  const line = `--${boundary}`;
  let at = view.startsWith(line) ? 0 : view.indexOf(`\r\n${line}`);
  if (at === -1) throw malformed();
  if (at !== 0) at += 2;
  for (;;) {
    const after = at + line.length;
    if (view.startsWith('--', after)) return form;
    const start = view.indexOf('\r\n', after);
    const end = start === -1 ? -1 : view.indexOf(`\r\n${line}`, start);
    if (end === -1) throw malformed();
    addPart(form, bytes, view, start + 2, end);
    at = end + 2;
  }
}

/** FormData of a body with this Content-Type value (null: none). */
export function parseFormData(bytes, type) {
  if (type === null) throw new TypeError('Parsing a Body as FormData requires a Content-Type header.');
  const essence = type.split(';', 1)[0].trim().toLowerCase();
  if (essence === 'multipart/form-data') {
    const boundary = parameter(type, 'boundary');
    if (!boundary) throw new TypeError('No boundary string in Content-Type header. The multipart/form-data MIME type requires a boundary parameter, e.g. '
        + '\'Content-Type: multipart/form-data; boundary="abcd"\'. See RFC 7578, section 4.');
    return parseMultipart(bytes, boundary);
  }
  if (essence === 'application/x-www-form-urlencoded') {
    const form = new FormData();
    const list = parseUrlencoded(decodeText(bytes));
    for (let i = 0; i < list.length; i += 2) form.append(list[i], list[i + 1]);
    return form;
  }
  throw new TypeError('Unrecognized Content-Type header value. FormData can only parse the following MIME types: multipart/form-data, application/x-www-form-urlencoded');
}

