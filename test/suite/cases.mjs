// The cases, in the families and with the numbers of the Autobahn|Testsuite, which people compare servers by; what each
// says and expects is written here from RFC 6455 and RFC 7692. The other end echoes.
//
//   [number, what it says (w: End), expected, options]
//
// expected: events in order. `fails: code`: the peer has to end the connection with that code; otherwise we say Close when
// the events have come, and it must be answered. `lax`: events that are permitted but not strict. `ours: {code, reply}`: the
// case itself says a Close, and which codes may answer it.
import { OP } from './wire.mjs';

const { text, binary, cont, ping, pong, close } = OP;
const T = (bytes) => ['text', Buffer.from(bytes)];
const B = (bytes) => ['binary', Buffer.from(bytes)];
const P = (bytes) => ['pong', Buffer.from(bytes)];
const fails = { fails: 1002 };
const bad = { fails: 1007 };
const latin = (string) => Buffer.from(string, 'latin1');
const range = (n) => Array.from({ length: n }, (_, i) => i);

/** Frames [op, payload, {fin, rsv}] in one write, in one write each, or byte by byte. */
const frames = (list, how = 'once') => async (w) => {
    const all = list.map(([op, payload, options]) => w.frame(op, payload, options));

    if (how === 'once') await w.say(Buffer.concat(all));
    else if (how === 'bytes') await w.say(Buffer.concat(all), 1);
    else for (const one of all) {
        await w.say(one);
        await new Promise(setImmediate);
    }
};
const HOWS = ['once', 'frames', 'bytes'];
const more = { fin: false };

/** A message, compressed where that was agreed on. */
const message = (op, payload, pieces = 0, chop = 0) => async (w) => w.say(await w.message(op, payload, pieces), chop);
const echo = (op, payload) => [op === text ? T(payload) : B(payload)];
const one = (number, op, payload, pieces, chop) => [number, message(op, payload, pieces, chop), echo(op, payload), { packs: true }];

/* 1: framing. 2: pings and pongs */

const SIZES = [0, 125, 126, 127, 128, 65535, 65536];
const framing = [[text, '*', '1.1'], [binary, '\xfe', '1.2']].flatMap(([op, c, family]) => [
    ...SIZES.map((n, i) => one(`${family}.${i + 1}`, op, Buffer.alloc(n, latin(c)))),
    one(`${family}.8`, op, Buffer.alloc(65536, latin(c)), 0, 997),
]);

const ten = range(10).map((i) => `payload-${i}`);
const pings = [
    ['2.1', frames([[ping]]), [P('')]],
    ['2.2', frames([[ping, 'Hello, world!']]), [P('Hello, world!')]],
    ['2.3', frames([[ping, latin('\x00\xff\xfe\xfd\xfc\xfb\x00\xff')]]), [P(latin('\x00\xff\xfe\xfd\xfc\xfb\x00\xff'))]],
    ['2.4', frames([[ping, Buffer.alloc(125, 0xfe)]]), [P(Buffer.alloc(125, 0xfe))]],
    ['2.5', frames([[ping, Buffer.alloc(126, 0xfe)]]), [], fails],
    ['2.6', frames([[ping, Buffer.alloc(125, 0xfe)]], 'bytes'), [P(Buffer.alloc(125, 0xfe))]],
    ['2.7', frames([[pong]]), [], { quiet: true }],
    ['2.8', frames([[pong, 'unsolicited']]), [], { quiet: true }],
    ['2.9', frames([[pong, 'unsolicited'], [ping, 'ping']]), [P('ping')]],
    ['2.10', frames(ten.map((p) => [ping, p])), ten.map(P)],
    ['2.11', frames(ten.map((p) => [ping, p]), 'bytes'), ten.map(P)],
];

/* 3: reserved bits. 4: opcodes. Behind a text that has its answer in any case */

const hello = [text, 'Hello, world!'];
const after = (number, list, how, options) => [number, frames([hello, ...list, [ping]], how), [T(hello[1])], { ...fails, lax: [], ...options }];
const reserved = [
    ['3.1', frames([[text, 'Hello', { rsv: 1 }]]), [], fails],
    after('3.2', [[text, 'Hello', { rsv: 2 }]]),
    after('3.3', [[text, 'Hello', { rsv: 3 }]], 'frames'),
    after('3.4', [[text, 'Hello', { rsv: 4 }]], 'bytes', { plain: true }), // it means something when compression was agreed on
    ['3.5', frames([[binary, '\x00\xff', { rsv: 5 }]]), [], fails],
    ['3.6', frames([[ping, 'Hello', { rsv: 6 }]]), [], fails],
    ['3.7', frames([[close, '\x03\xe8', { rsv: 7 }]]), [], fails],
];
const opcodes = [['4.1', 3], ['4.2', 11]].flatMap(([family, first]) => range(5).map((i) => {
    const frame = [first + i, i % 2 ? 'reserved' : ''];

    return i < 2 ? [`${family}.${i + 1}`, frames([frame]), [], fails] : after(`${family}.${i + 1}`, [frame], HOWS[i - 2]);
}));

/* 5: fragmentation */

const F = ['fragment1', 'fragment2', 'fragment3', 'fragment4', 'fragment5'];
const two = [[text, F[0], more], [cont, F[1]]];
const whole = T(F[0] + F[1]);
const continues = (fin) => [[cont, 'non-continuation', { fin }], hello];
const slowly = (how) => async (w) => {
    await frames([[text, F[0], more], [cont, F[1], more], [ping, 'one']], how)(w);
    await w.until(() => w.events.length > 0 || w.over, 2000);
    await frames([[cont, F[2], more], [cont, F[3], more], [ping, 'two'], [cont, F[4]]], how)(w);
};
const fragmentation = [
    ['5.1', frames([[ping, F[0], more], [cont, F[1]]]), [], fails],
    ['5.2', frames([[pong, F[0], more], [cont, F[1]]]), [], fails],
    ...HOWS.map((how, i) => [`5.${3 + i}`, frames(two, how), [whole]]),
    ...HOWS.map((how, i) => [`5.${6 + i}`, frames([two[0], [ping, 'ping'], two[1]], how), [P('ping'), whole]]),
    ...HOWS.map((how, i) => [`5.${9 + i}`, frames(continues(true), how), [], fails]),
    ...HOWS.map((how, i) => [`5.${12 + i}`, frames(continues(false), how), [], fails]),
    ['5.15', frames([...two, [cont, F[2], more], [text, F[3]]]), [whole], { ...fails, lax: [] }],
    ...[false, true].map((fin, i) => [`5.${16 + i}`, frames([[cont, F[0], { fin }], [text, F[1], more], [cont, F[2]]]), [], fails]),
    ['5.18', frames([[text, F[0], more], [text, F[1]]]), [], fails],
    ['5.19', slowly('once'), [P('one'), P('two'), T(F.join(''))]],
    ['5.20', slowly('bytes'), [P('one'), P('two'), T(F.join(''))]],
];

/* 6: UTF-8 */

const MIXED = 'Hello-µ@ßöäüàá-UTF-8!!';
const GREEK = 'κόσμε';
const BAD = [Buffer.from(GREEK), latin('\xed\xa0\x80'), Buffer.from('edited')];
const BEYOND = [Buffer.from(GREEK), latin('\xf4\x90\x80\x80'), Buffer.from('edited')];
const bytewise = (op, bytes) => [...bytes].map((b, i) => [i ? cont : op, Buffer.from([b]), { fin: i === bytes.length - 1 }]);
/** Says the first part, and the second only when nothing was heard; strict is who fails before the third comes. */
const fastly = (parts) => async (w) => {
    for (const part of parts) {
        await w.say(part(w));
        if (part !== parts.at(-1)) await w.until(() => w.close || w.over, part === parts[0] ? 100 : 1000);
        if (w.close && part !== parts[1]) w.wrong ??= 'failed too early';
        if (w.close) return;
    }
    w.late = true;
};
const inFrames = (parts) => fastly(parts.map((part, i) => (w) => w.frame(i ? cont : text, part, { fin: i === parts.length - 1 })));
const inChops = (parts) => fastly(parts.map((_, i) => (w) => {
    const frame = (w.cut ??= w.frame(text, Buffer.concat(parts)));
    const at = parts.slice(0, i).reduce((sum, part) => sum + part.length, i ? frame.length - Buffer.concat(parts).length : 0);

    return frame.subarray(at, i === parts.length - 1 ? frame.length : frame.length - parts.slice(i + 1).reduce((sum, part) => sum + part.length, 0));
}));

// family: [valid, sequence]…, of Markus Kuhn's stress test.
const starts = (from, to) => latin(range(to - from + 1).map((i) => `${String.fromCharCode(from + i)} `).join(''));
const CUT = ['\xc0', '\xe0\x80', '\xf0\x80\x80', '\xf8\x80\x80\x80', '\xfc\x80\x80\x80\x80', '\xdf', '\xef\xbf', '\xf7\xbf\xbf', '\xfb\xbf\xbf\xbf', '\xfd\xbf\xbf\xbf\xbf'];
const planes = range(17).flatMap((plane) => [0xfffe, 0xffff].map((low) => [true, String.fromCodePoint(plane * 0x10000 + low)]));
const no = (...list) => list.map((bytes) => [false, latin(bytes)]);
const yes = (...list) => list.map((string) => [true, Buffer.from(string)]);
const SEQUENCES = [
    yes('hello$world', 'hello¢world', 'hello€world', 'hello\u{24b62}world', GREEK),
    range(Buffer.from(GREEK).length).map((i) => {
        const part = Buffer.from(GREEK).subarray(0, i + 1);

        return [Buffer.from(part.toString()).equals(part), part];
    }),
    yes('\0', '\x80', '\u0800', '\u{10000}'),
    no('\xf8\x88\x80\x80\x80', '\xfc\x84\x80\x80\x80\x80'),
    yes('\x7f', '\u07ff', '\uffff', '\u{10ffff}'),
    no('\xf7\xbf\xbf\xbf', '\xfb\xbf\xbf\xbf\xbf', '\xfd\xbf\xbf\xbf\xbf\xbf'),
    [...yes('\ud7ff', '\ue000', '\ufffd', '\u{10ffff}'), ...no('\xf4\x90\x80\x80')],
    no('\x80', '\xbf', ...range(5).map((i) => '\x80\xbf\x80\xbf\x80\xbf'.slice(0, i + 2)), range(0x40).map((i) => String.fromCharCode(0x80 + i)).join('')),
    [[0xc0, 0xdf], [0xe0, 0xef], [0xf0, 0xf7], [0xf8, 0xfb], [0xfc, 0xfd]].map(([from, to]) => [false, starts(from, to)]),
    no(...CUT),
    no(CUT.join('')),
    no('\xfe', '\xff', '\xfe\xfe\xff\xff'),
    no('\xc0\xaf', '\xe0\x80\xaf', '\xf0\x80\x80\xaf', '\xf8\x80\x80\x80\xaf', '\xfc\x80\x80\x80\x80\xaf'),
    no('\xc1\xbf', '\xe0\x9f\xbf', '\xf0\x8f\xbf\xbf', '\xf8\x87\xbf\xbf\xbf', '\xfc\x83\xbf\xbf\xbf\xbf'),
    no('\xc0\x80', '\xe0\x80\x80', '\xf0\x80\x80\x80', '\xf8\x80\x80\x80\x80', '\xfc\x80\x80\x80\x80\x80'),
    no('\xed\xa0\x80', '\xed\xad\xbf', '\xed\xae\x80', '\xed\xaf\xbf', '\xed\xb0\x80', '\xed\xbe\x80', '\xed\xbf\xbf'),
    no('\xed\xa0\x80\xed\xb0\x80', '\xed\xa0\x80\xed\xbf\xbf',
        '\xed\xad\xbf\xed\xb0\x80', '\xed\xad\xbf\xed\xbf\xbf', '\xed\xae\x80\xed\xb0\x80', '\xed\xae\x80\xed\xbf\xbf', '\xed\xaf\xbf\xed\xb0\x80', '\xed\xaf\xbf\xed\xbf\xbf'),
    yes(...planes.map(([, string]) => string)),
    yes('\ufffd', '\ufeff', '\u2028', '\u{1f600}'),
];
const utf8 = [
    ['6.1.1', frames([[text, '']]), [T('')]],
    ['6.1.2', frames([[text, '', more], [cont, '', more], [cont, '']]), [T('')]],
    ['6.1.3', frames([[text, '', more], [cont, 'middle', more], [cont, '']]), [T('middle')]],
    ['6.2.1', frames([[text, MIXED]]), [T(MIXED)]],
    ['6.2.2', frames([[text, MIXED.slice(0, 11), more], [cont, MIXED.slice(11)]]), [T(MIXED)]],
    ['6.2.3', frames(bytewise(text, Buffer.from(MIXED))), [T(MIXED)]],
    ['6.2.4', frames(bytewise(text, Buffer.from(GREEK))), [T(GREEK)]],
    ['6.3.1', frames([[text, Buffer.concat(BAD)]]), [], bad],
    ['6.3.2', frames(bytewise(text, Buffer.concat(BAD))), [], bad],
    ['6.4.1', inFrames(BEYOND), [], bad],
    ['6.4.2', inFrames([Buffer.concat([BEYOND[0], latin('\xf4')]), latin('\x90'), Buffer.concat([latin('\x80\x80'), BEYOND[2]])]), [], bad],
    ['6.4.3', inChops(BEYOND), [], bad],
    ['6.4.4', inChops([Buffer.concat([BEYOND[0], latin('\xf4')]), latin('\x90'), Buffer.concat([latin('\x80\x80'), BEYOND[2]])]), [], bad],
    ...SEQUENCES.flatMap((list, i) => list.map(([valid, bytes], k) => (valid
        ? one(`6.${i + 5}.${k + 1}`, text, bytes) : [`6.${i + 5}.${k + 1}`, message(text, bytes), [], { ...bad, packs: true }]))),
];

/* 7: closing */

const big = Buffer.alloc(256 << 10, 'BAsd7&jh23');
const says = (code, reason) => (w) => w.sayClose(code, reason);
const coded = (code) => Buffer.from([code >> 8, code & 255]);
const closing = [
    ['7.1.1', message(text, 'Hello World!'), [T('Hello World!')], { packs: true }],
    ['7.1.2', async (w) => (await w.sayClose(1000), w.sayClose(1000)), [], { ours: [1000] }],
    ['7.1.3', async (w) => (await w.sayClose(1000), frames([[ping, 'no answer']])(w)), [], { ours: [1000] }],
    ['7.1.4', async (w) => (await w.sayClose(1000), frames([hello])(w)), [], { ours: [1000] }],
    ['7.1.5', async (w) => (await frames([two[0]])(w), await w.sayClose(1000), frames([two[1]])(w)), [], { ours: [1000] }],
    ['7.1.6', async (w) => (await message(text, big)(w), await w.sayClose(1000), frames([[ping]])(w)), [T(big)], { ours: [1000], lax: [], either: true }],
    ['7.3.1', frames([[close]]), [], { ours: [null, 1000] }],
    ['7.3.2', frames([[close, 'a']]), [], fails],
    ['7.3.3', says(1000), [], { ours: [1000] }],
    ['7.3.4', says(1000, 'Hello World!'), [], { ours: [1000] }],
    ['7.3.5', says(1000, '*'.repeat(123)), [], { ours: [1000] }],
    ['7.3.6', frames([[close, Buffer.concat([coded(1000), Buffer.alloc(124, '*')])]]), [], fails],
    ['7.5.1', frames([[close, Buffer.concat([coded(1000), ...BAD])]]), [], { fails: [1007, 1002] }],
    ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999].map((code, i) => [`7.7.${i + 1}`, says(code), [], { ours: [code, 1000] }]),
    ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535].map((code, i) => [`7.9.${i + 1}`, frames([[close, coded(code)]]), [], fails]),
];

/* 9: sizes, fragments, chops, round trips. 10: fragments of one size */

const K = 1024;
const rounds = (op, n, size) => async (w) => {
    const payload = Buffer.alloc(size, op === text ? '*' : 0xfe);

    for (let i = 0; i < n; i++) {
        await w.say(await w.message(op, payload));
        if (!await w.until(() => w.events.length > i || w.over, 10_000)) return;
    }
};
const limits = (full) => {
    const sizes = [64 * K, 256 * K, K * K, ...(full ? [4 * K * K, 8 * K * K, 16 * K * K] : [])];
    const data = full ? 4 * K * K : 512 * K;
    const count = full ? 1000 : 50;

    return [[text, 1, 3, 5, 7], [binary, 2, 4, 6, 8]].flatMap(([op, plain, cut, chop, trip]) => {
        const fill = op === text ? 'BAsd7&jh23' : Buffer.from([0, 0xfe, 0x23]);

        return [
            ...sizes.map((n, i) => one(`9.${plain}.${i + 1}`, op, Buffer.alloc(n, fill))),
            ...[64, 256, K, 4 * K, 16 * K, 64 * K, 256 * K, K * K].map((n, i) => one(`9.${cut}.${i + 1}`, op, Buffer.alloc(data, fill), n)),
            ...[64, 128, 256, 512, K, 2 * K].map((n, i) => one(`9.${chop}.${i + 1}`, op, Buffer.alloc(data / 4, fill), 0, n)),
            ...[0, 16, 64, 256, K, 4 * K]
                .map((n, i) => [`9.${trip}.${i + 1}`, rounds(op, count, n), Array(count).fill(echo(op, Buffer.alloc(n, op === text ? '*' : 0xfe))[0]), { packs: true }]),
        ];
    });
};
const fragments = [one('10.1.1', text, Buffer.alloc(65536, '*'), 1300)];

/* 12, 13: compression */

let seed = 1;
const random = () => (seed = (seed * 48271) % 0x7fffffff);
const WORDS = 'connection gateway holds messages until somebody who sleeps wakes and answers them in order while others wait'.split(' ');
const prose = (n) => {
    let s = '';

    while (s.length < n) s += `${WORDS[random() % WORDS.length]}${random() % 9 ? ' ' : '. '}`;
    return s.slice(0, n);
};
const json = (n) => JSON.stringify(range(Math.ceil(n / 60)).map((i) => ({ id: i, name: WORDS[random() % WORDS.length], value: random(), ok: random() % 2 === 1 }))).slice(0, n);
const picture = (n) => Buffer.from(range(n).map((i) => (128 + 60 * Math.sin(i / 40) + (random() % 20)) & 255));
const noise = (n) => Buffer.from(range(n).map(() => random() & 255));
const PAYLOADS = [[text, json], [binary, picture], [text, prose], [text, (n) => prose(n).replace(/ /g, '&nbsp;<b>\u00fc</b>').slice(0, n)], [binary, noise]];
// [size, bytes a fragment]
const PACKED = [16, 64, 256, K, 4 * K, 8 * K, 16 * K, 32 * K, 64 * K, 128 * K].map((n) => [n, 0])
    .concat([8, 16, 32, 64, 128].map((n) => [n * K, 256]), [1, 4, 32].map((n) => [128 * K, n * K]));
const talk = (op, list, pieces) => async (w) => {
    for (const [i, payload] of list.entries()) {
        await w.say(await w.message(op, payload, pieces));
        if (!await w.until(() => w.events.length > i || w.over, 10_000)) return;
    }
};
const packed = (family, op, make, full, options) => PACKED.map(([n, pieces], i) => {
    const list = range(full ? 100 : 3).map((k) => make(n + (k % 3)));

    return [`${family}.${i + 1}`, talk(op, list, pieces), list.map((payload) => echo(op, payload)[0]), { packs: true, packed: true, ...options }];
});
const OFFERS = [
    'permessage-deflate',
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    'permessage-deflate; server_max_window_bits=9; client_max_window_bits',
    'permessage-deflate; server_max_window_bits=15; client_max_window_bits=15',
    'permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=10',
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=9',
    'permessage-deflate; server_no_context_takeover; server_max_window_bits=9, permessage-deflate; server_no_context_takeover, permessage-deflate',
];

/** As rows {number, say, events, options}. full: sizes and counts as the original has them. */
export function cases(full = false) {
    const list = [framing, pings, reserved, opcodes, fragmentation, utf8, closing, limits(full), fragments,
        ...PAYLOADS.map(([op, make], i) => packed(`12.${i + 1}`, op, make, full, {})),
        ...OFFERS.map((offer, i) => packed(`13.${i + 1}`, text, json, full, { offer }))].flat();

    return list.map(([number, say, events, options = {}]) => ({ number, say, events, options }));
}
