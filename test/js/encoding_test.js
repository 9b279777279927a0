import { equal, test, throws } from './lib.js';

export { suite } from './lib.js';

const encode = (text) => [...new TextEncoder().encode(text)];
const bytes = (...list) => new Uint8Array(list);

test('encoder: UTF-8, lone surrogates as U+FFFD, short and long', () => {
  equal(encode('a\u00e9\u20ac\ud83d\ude00'), [0x61, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80]);
  equal(encode('\ud800x\udc00'), [0xef, 0xbf, 0xbd, 0x78, 0xef, 0xbf, 0xbd]);
  equal(encode(), []);
  equal(encode(undefined), []);
  equal(encode(null), [0x6e, 0x75, 0x6c, 0x6c]);
  equal(new TextEncoder().encode('a\u0000'.repeat(100)).length, 200);
  equal(new TextEncoder().encode('\u20ac'.repeat(1000)).length, 3000);
  equal(new TextEncoder().encoding, 'utf-8');
});

test('encodeInto: stops before a character that does not fit', () => {
  const into = (text, room) => {
    const array = new Uint8Array(room);
    return { ...new TextEncoder().encodeInto(text, array), bytes: [...array] };
  };
  equal(into('abc', 10), { read: 3, written: 3, bytes: [97, 98, 99, 0, 0, 0, 0, 0, 0, 0] });
  equal(into('a\u20acb', 3), { read: 1, written: 1, bytes: [97, 0, 0] });
  equal(into('\ud83d\ude00', 4), { read: 2, written: 4, bytes: [0xf0, 0x9f, 0x98, 0x80] });
  equal(into('x\ud83d\ude00', 4), { read: 1, written: 1, bytes: [120, 0, 0, 0] });
  throws(() => new TextEncoder().encodeInto('a', []), 'TypeError');
});

test('decoder: errors, byte order mark, fatal', () => {
  const text = new TextDecoder();
  equal(text.decode(bytes(0xef, 0xbb, 0xbf, 0x61)), 'a');
  equal(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes(0xef, 0xbb, 0xbf, 0x61)), '\ufeffa');
  equal(text.decode(bytes(0xff, 0x61, 0xe2, 0x82)), '\ufffda\ufffd');
  equal(text.decode(bytes(0xed, 0xa0, 0x80)), '\ufffd\ufffd\ufffd');
  equal(text.decode(bytes(0xf0, 0x9f, 0x98)), '\ufffd');
  equal(text.decode(bytes(0x61, 0, 0x62)), 'a\0b');
  equal(text.decode(), '');
  equal(text.decode(new Uint16Array([0x6161]).buffer), 'aa');
  equal(text.decode(new DataView(bytes(0x61, 0x62, 0x63).buffer, 1)), 'bc');
  throws(() => new TextDecoder('utf8', { fatal: true }).decode(bytes(0xff)), 'TypeError', 'Failed to decode input.');
  throws(() => text.decode('x'), 'TypeError');
});

test('decoder: a stream cut anywhere decodes as the whole', () => {
  const sources = [[0xef, 0xbb, 0xbf, 0x61, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80, 0x7a], [0xe0, 0x80, 0xed, 0xa0, 0x80, 0xf4, 0x90, 0x80, 0x80, 0xc0, 0xaf, 0xf5, 0xe2, 0x28, 0xa1, 0xf0, 0x90, 0x28]];
  for (const source of sources) {
    const whole = new TextDecoder().decode(bytes(...source));
    for (let i = 0; i <= source.length; i++) {
      for (let k = i; k <= source.length; k++) {
        const decoder = new TextDecoder();
        const parts = [source.slice(0, i), source.slice(i, k), source.slice(k)].map((part) => decoder.decode(bytes(...part), { stream: true }));
        equal(parts.join('') + decoder.decode(), whole, `cut at ${i} and ${k}`);
      }
    }
  }
});

test('decoder: a fatal error ends the stream and the decoder can be used again', () => {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  decoder.decode(bytes(0xe2, 0x82), { stream: true });
  throws(() => decoder.decode(), 'TypeError');
  equal(decoder.decode(bytes(0x61)), 'a');
});

test('decoder: UTF-16 and windows-1252, by any of their labels', () => {
  equal(new TextDecoder(' UTF-16 ').encoding, 'utf-16le');
  equal(new TextDecoder('utf-16le').decode(bytes(0xff, 0xfe, 0x61, 0, 0x3d, 0xd8, 0, 0xde)), 'a\ud83d\ude00');
  equal(new TextDecoder('utf-16be').decode(bytes(0, 0x61, 0xd8, 0x3d)), 'a\ufffd');
  equal(new TextDecoder('latin1').encoding, 'windows-1252');
  equal(new TextDecoder('iso-8859-1').decode(bytes(0x80, 0xe9, 0x9f)), '\u20ac\u00e9\u0178');
  const decoder = new TextDecoder('utf-16le');
  equal([0x3d, 0xd8, 0, 0xde].map((b) => decoder.decode(bytes(b), { stream: true })).join(''), '\ud83d\ude00');
  throws(() => new TextDecoder('nonsense'), 'RangeError', '"nonsense" is not a valid encoding.');
});

test('btoa and atob: all bytes, forgiving input, errors', () => {
  const all = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
  equal(atob(btoa(all)), all);
  equal(btoa('a'), 'YQ==');
  equal(atob(' Y Q = =\n'), 'a');
  equal(atob('YQ'), 'a');
  equal(atob(''), '');
  equal(atob('YR=='), 'a');
  equal(atob(null), '\x9e\xe9e');
  for (const bad of ['Y', 'YQ=', 'YQ===', 'Y=Q=', 'Y$==', 'YWJjZ', '=', '====', 'ab\u00e9d']) throws(() => atob(bad), 'InvalidCharacterError');
  equal(throws(() => btoa('\u0100'), 'InvalidCharacterError').code, 5);
  throws(() => btoa(), 'TypeError');
});
