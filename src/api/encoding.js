// TextEncoder, TextDecoder (encoding.spec.whatwg.org), atob and btoa.
import { DOMException } from './domexception.js';
import { native } from './native.js';
import { bytesOf, finish, usv, wrongArgument } from './webidl.js';

const { utf8Encode, utf8Decode, isUtf8, latin1Decode, latin1Encode } = native.encoding;

const toBase64 = Function.prototype.call.bind(Uint8Array.prototype.toBase64);
const fromBase64 = Uint8Array.fromBase64;

export { latin1Decode, latin1Encode };

// A call into C costs more than a short loop over ASCII.
const SHORT_TEXT = 256;
const SHORT_BYTES = 16;

/** A string's UTF-8 in an array of its own; lone surrogates become U+FFFD. */
export function encodeText(text) {
  const n = text.length;
  if (n > SHORT_TEXT) return utf8Encode(text);
  const bytes = new Uint8Array(n);
  for (let i = 0; i < n; i++) {
    const c = text.charCodeAt(i);
    if (c > 127) return utf8Encode(text);
    bytes[i] = c;
  }
  return bytes;
}

/** UTF-8; errors become U+FFFD. */
function decodeUtf8(bytes) {
  if (bytes.length > SHORT_BYTES) return utf8Decode(bytes);
  let text = '';
  for (let i = 0; i < bytes.length; i++) {
    const c = bytes[i];
    if (c > 127) return utf8Decode(bytes);
    text += String.fromCharCode(c);
  }
  return text;
}

/** The same without its byte order mark. */
export function decodeText(bytes) {
  const text = decodeUtf8(bytes);
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

export class TextEncoder {
  get encoding() {
    return 'utf-8';
  }

  encode(input = '') {
    return encodeText(typeof input === 'string' ? input : String(input));
  }

  encodeInto(source, destination) {
    if (!(destination instanceof Uint8Array)) throw wrongArgument('encodeInto', 'TextEncoder', 2, 'Uint8Array');
    const text = usv(source);
    const room = destination.length;
    if (text.length * 3 <= room) {
      const bytes = encodeText(text);
      destination.set(bytes);
      return { read: text.length, written: bytes.length };
    }
    const read = unitsThatFit(text, room);
    const bytes = encodeText(text.slice(0, read));
    destination.set(bytes);
    return { read, written: bytes.length };
  }
}

/** How many UTF-16 units at the front of well-formed text take at most `room` bytes. */
function unitsThatFit(text, room) {
  let used = 0;
  for (let i = 0; i < text.length; ) {
    const c = text.codePointAt(i);
    used += c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    if (used > room) return i;
    i += c < 0x10000 ? 1 : 2;
  }
  return text.length;
}

finish(TextEncoder);

const labels = new Map();
for (const [name, ...names] of [
  ['utf-8', 'unicode-1-1-utf-8', 'unicode11utf8', 'unicode20utf8', 'utf-8', 'utf8', 'x-unicode20utf8'],
  ['utf-16le', 'csunicode', 'iso-10646-ucs-2', 'ucs-2', 'unicode', 'unicodefeff', 'utf-16', 'utf-16le'],
  ['utf-16be', 'unicodefffe', 'utf-16be'],
  ['windows-1252', 'ansi_x3.4-1968', 'ascii', 'cp1252', 'cp819', 'csisolatin1', 'ibm819', 'iso-8859-1', 'iso-ir-100', 'iso8859-1', 'iso88591',
    'iso_8859-1', 'iso_8859-1:1987', 'l1', 'latin1', 'us-ascii', 'windows-1252', 'x-cp1252'],
]) for (const label of names) labels.set(label, name);

// windows-1252 at 0x80 to 0x9f; the rest is Latin-1.
const windows1252 = '\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f' +
  '\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178';

function decodeWindows1252(bytes) {
  const text = latin1Decode(bytes);
  return text.replace(/[\x80-\x9f]/g, (c) => windows1252[c.charCodeAt(0) - 0x80]);
}

function decodeUtf16(bytes, bigEndian) {
  let text = '';
  const units = new Uint16Array(Math.min(bytes.length >> 1, 4096));
  for (let at = 0; at + 1 < bytes.length; ) {
    let n = 0;
    for (; n < units.length && at + 1 < bytes.length; at += 2) {
      units[n++] = bigEndian ? (bytes[at] << 8) | bytes[at + 1] : bytes[at] | (bytes[at + 1] << 8);
    }
    text += String.fromCharCode.apply(null, units.subarray(0, n));
  }
  return text;
}

/** How many bytes at the end begin a UTF-8 sequence that is not finished, 0 to 3. */
function unfinishedUtf8(bytes) {
  const n = bytes.length;
  for (let back = 1; back <= 3 && back <= n; back++) {
    const c = bytes[n - back];
    if ((c & 0xc0) === 0x80) continue;
    const needed = c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1;
    if (needed <= back || c >= 0xf5) return 0;
    // The second byte may already be one that cannot follow.
    return back > 1 && !canFollow(c, bytes[n - back + 1]) ? 0 : back;
  }
  return 0;
}

function canFollow(lead, second) {
  if (lead === 0xe0) return second >= 0xa0;
  if (lead === 0xed) return second < 0xa0;
  if (lead === 0xf0) return second >= 0x90;
  if (lead === 0xf4) return second < 0x90;
  return true;
}

/** How many bytes at the end are half a unit, or a unit that waits for its other surrogate. */
function unfinishedUtf16(bytes, bigEndian) {
  const odd = bytes.length & 1;
  const at = bytes.length - odd - 2;
  if (at < 0) return odd;
  const high = bytes[bigEndian ? at : at + 1];
  return high >= 0xd8 && high < 0xdc ? odd + 2 : odd;
}

const nothing = new Uint8Array(0);

export class TextDecoder {
  #encoding;
  #fatal;
  #ignoreBOM;
  #rest = nothing; // of a stream: the beginning of a character
  #begun = false; // of a stream: the place of a byte order mark has passed

  constructor(label = 'utf-8', options = undefined) {
    const wanted = `${label}`.replace(/^[\t\n\f\r ]+|[\t\n\f\r ]+$/g, '').toLowerCase();
    this.#encoding = labels.get(wanted);
    if (this.#encoding === undefined) throw new RangeError(`"${label}" is not a valid encoding.`);
    this.#fatal = Boolean(options?.fatal);
    this.#ignoreBOM = Boolean(options?.ignoreBOM);
  }

  get encoding() {
    return this.#encoding;
  }

  get fatal() {
    return this.#fatal;
  }

  get ignoreBOM() {
    return this.#ignoreBOM;
  }

  decode(input = nothing, options = undefined) {
    let bytes = bytesOf(input);
    if (bytes === undefined) throw wrongArgument('decode', 'TextDecoder', 1, 'Array');
    const stream = Boolean(options?.stream);
    if (this.#rest.length > 0) bytes = this.#joinRest(bytes);
    if (stream) bytes = this.#keepRest(bytes);
    let text;
    try {
      text = this.#convert(bytes);
    } catch (error) {
      this.#begun = false;
      this.#rest = nothing;
      throw error;
    }
    if (!this.#begun && text !== '') {
      if (!this.#ignoreBOM && text.charCodeAt(0) === 0xfeff && this.#encoding !== 'windows-1252') text = text.slice(1);
      this.#begun = true;
    }
    if (!stream) this.#begun = false;
    return text;
  }

  #joinRest(bytes) {
    const whole = new Uint8Array(this.#rest.length + bytes.length);
    whole.set(this.#rest);
    whole.set(bytes, this.#rest.length);
    this.#rest = nothing;
    return whole;
  }

  #keepRest(bytes) {
    const encoding = this.#encoding;
    const n = encoding === 'utf-8' ? unfinishedUtf8(bytes) : encoding === 'windows-1252' ? 0 : unfinishedUtf16(bytes, encoding === 'utf-16be');
    if (n === 0) return bytes;
    this.#rest = bytes.slice(bytes.length - n);
    return bytes.subarray(0, bytes.length - n);
  }

  #convert(bytes) {
    if (this.#encoding === 'utf-8') {
      if (this.#fatal && !isUtf8(bytes)) throw new TypeError('Failed to decode input.');
      return decodeUtf8(bytes);
    }
    if (this.#encoding === 'windows-1252') return decodeWindows1252(bytes);
    const text = decodeUtf16(bytes, this.#encoding === 'utf-16be');
    const odd = (bytes.length & 1) === 1;
    if (this.#fatal && (odd || !text.isWellFormed())) throw new TypeError('Failed to decode input.');
    return odd ? `${text.toWellFormed()}\ufffd` : text.toWellFormed();
  }
}

finish(TextDecoder);

export function btoa(data) {
  if (arguments.length === 0) throw wrongArgument('btoa', 'ServiceWorkerGlobalScope', 1, 'String');
  const bytes = latin1Encode(String(data));
  if (bytes === null) throw new DOMException('btoa() can only operate on characters in the Latin1 (ISO/IEC 8859-1) range.', 'InvalidCharacterError');
  return toBase64(bytes);
}

export function atob(data) {
  if (arguments.length === 0) throw wrongArgument('atob', 'ServiceWorkerGlobalScope', 1, 'string');
  let bytes;
  try {
    bytes = fromBase64.call(Uint8Array, String(data));
  } catch {
    throw new DOMException(
      "atob() called with invalid base64-encoded data. (Only whitespace, '+', '/', alphanumeric ASCII, and up to two terminal '=' signs "
      + 'when the input data length is divisible by 4 are allowed.)',
      'InvalidCharacterError',
    );
  }
  return latin1Decode(bytes);
}
