// Our HTTP/1.1 decoder against Node's, on requests made from a grammar with good and bad pieces and then mutated: both refuse
// a request or both read the same from it, or the difference is in the list below (and in docs/http.md) with its reason.
//
//   node test/diff/http1.mjs build/diff-http1 [CASES] [SEED]
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

const { HTTPParser } = createRequire(import.meta.url)('_http_common');
const [program, cases = '20000', seed = '20240229'] = process.argv.slice(2);

// The list below is about the parser of Node 20 and later; Debian's 18 forgives other things. 77: skipped, for meson.
if (Number(process.versions.node.split('.')[0]) < 20) {
    console.log(`skipped: Node ${process.versions.node} has an older parser than the one that the list of differences is about`);
    process.exit(77);
}

// --- what may differ -----------------------------------------------------------------------------------------------

const isOurs = (...labels) => ({ ours, node }) => labels.includes(ours.end) && !isRefusal(node.end);
const isNodes = (...codes) => ({ ours, node }) => codes.includes(node.end) && !isRefusal(ours.end);
const isRead = ({ ours, node }) => ours.message && node.message;
const connectionOf = ({ headers }) => headers.filter((_, i) => i % 2 && headers[i - 1].toLowerCase() === 'connection').join();

/**
 * {name, when(what each has where they part), older}: the first that fits explains a difference. One that explains nothing is
 * stale and an error, unless it is about older versions of Node.
 */
const DIFFERENCES = [
    { name: 'CONNECT: our decoder would take a body (the server refuses the method at its head); Node takes none', when: (x) => isRead(x) && x.ours.message.method === 'CONNECT' && sameHead(x) },

    // We refuse, Node goes on.
    { name: 'exactly one Host, well-formed (RFC 9112 3.2); Node looks at it above its parser', when: isOurs('http_host') },
    { name: 'a target has one of the four forms of RFC 9112 3.2, and only visible ASCII', when: isOurs('http_target') },
    { name: 'Expect says 100-continue or nothing (417); Node asks its application', when: isOurs('http_expect') },
    { name: 'a line ends in CRLF, and in front of a request, too; Node takes a lone CR or LF there', when: isOurs('http_eol') },
    { name: 'Transfer-Encoding is "chunked", once, and never in HTTP/1.0', when: isOurs('http_te', 'http_te_old', 'http_framing') },
    { name: 'the version is 1.0 or 1.1; Node also reads 0.9 and 2.0', when: isOurs('http_version') },
    { name: 'the first line has two spaces and a version, one blank line may stand before it; Node forgives more', when: isOurs('http_line') },
    { name: 'a body is shorter than 2^64 bytes in all its chunks', when: isOurs('http_body_large') },
    { name: 'older versions of Node fold lines, and take blanks, names, lengths and sizes that we do not', when: isOurs('http_fold', 'http_name_space', 'http_length', 'http_value', 'http_name', 'http_chunk', 'http_method'), older: true },

    // Node refuses, we go on.
    { name: 'any token is a method', when: ({ ours, node }) => !node.message?.whole && ours.message && (ours.message.method === 'PRI' || !METHODS.includes(ours.message.method)) },
    { name: 'a head is judged when it is whole; Node refuses at the byte', when: ({ ours, node }) => isRefusal(node.end) && ours.end === 'reset' && !ours.message },
    { name: 'chunk extensions are skipped, whatever visible text they are, and blanks may stand in front of one (RFC 9112 7.1.1)', when: (x) => isNodes('HPE_STRICT', 'HPE_INVALID_CHUNK_SIZE', 'HPE_INVALID_CHUNK_EXTENSION')(x) || (isRead(x) && x.ours.message.upgrade && !x.node.message.whole && sameHead(x)) },
    { name: 'trailers are dropped, those that would be about framing, too (RFC 9110 6.5.1)', when: ({ ours, node }) => isRefusal(node.end) && ours.message && /transfer-encoding,chunked/i.test(node.message?.headers.join()) && /CONTENT_LENGTH|TRANSFER_ENCODING/.test(node.end) },
    { name: 'a tab behind a length, "chunked" or "keep-alive" is a blank as any other (RFC 9110 5.6.3)', when: ({ ours, bytes }) => ours.message && /^(content-length|transfer-encoding|connection):.*\t[ \t]*[\r,]/im.test(bytes.latin1Slice()) },

    // Both read it, differently.
    { name: 'an HTTP/1.0 client cannot ask for another protocol (RFC 9110 7.8)', when: (x) => isRead(x) && x.ours.message.minor === 0 && x.node.message.upgrade && !x.ours.message.upgrade },
    { name: '"close" wins over "keep-alive" (RFC 9112 9.3), in HTTP/1.0 too', when: (x) => isRead(x) && !x.ours.message.keepAlive && x.node.message.keepAlive && /\bclose\b/i.test(connectionOf(x.ours.message)) },
    { name: 'half a blank line at the end is a cut request', when: ({ ours, node, bytes }) => ours.end === 'reset' && node.end === 'idle' && bytes.at(-1) === 13 },
];

const sameHead = ({ ours, node }) => JSON.stringify({ ...ours.message, body: '', whole: true }) === JSON.stringify({ ...node.message, body: '', whole: true });

function isRefusal(end) {
    return end !== null && !['idle', 'upgrade', 'reset'].includes(end);
}

// --- Node's side ---------------------------------------------------------------------------------------------------

function nodeReads(bytes) {
    const parser = new HTTPParser();
    const messages = [];
    let end = null;
    let early = []; // fields that came before their head was whole (Node gives 32 at a time)
    let target = '';

    parser.initialize(HTTPParser.REQUEST, {}, 1 << 17);
    parser[HTTPParser.kOnHeaders] = (headers, url) => {
        if (messages.at(-1)?.whole === false) return; // trailers
        early.push(...headers);
        target += url;
    };
    parser[HTTPParser.kOnHeadersComplete] = (major, minor, headers, method, url, status, reason, upgrade, keepAlive) => {
        messages.push({ method: METHODS[method] ?? 'QUERY', target: url ?? target, minor, keepAlive, upgrade, headers: headers ?? early, body: '', whole: false });
        if (major !== 1 || minor > 1) messages.at(-1).version = `${major}.${minor}`;
        early = [];
        target = '';
        return 0;
    };
    parser[HTTPParser.kOnBody] = (part) => (messages.at(-1).body += part.latin1Slice());
    parser[HTTPParser.kOnMessageComplete] = () => {
        messages.at(-1).whole = true;
        if (messages.at(-1).upgrade) end ??= 'upgrade';
    };
    let result = parser.execute(bytes);

    if (end !== 'upgrade') {
        if (!(result instanceof Error)) result = parser.finish();
        end = !(result instanceof Error) ? 'idle' : result.code === 'HPE_INVALID_EOF_STATE' ? 'reset' : result.code === 'HPE_CLOSED_CONNECTION' ? 'idle' : result.code;
    } else {
        messages.splice(messages.findIndex(({ upgrade }) => upgrade) + 1);
    }
    parser.close?.();
    return { messages, end };
}

// By number; QUERY is not in the list.
const METHODS = createRequire(import.meta.url)('_http_common').methods;

// --- requests ------------------------------------------------------------------------------------------------------

let state = Number(seed) >>> 0;

/** A whole number below n (xorshift32). */
function dice(n) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
}

const pick = (list) => list[dice(list.length)];
const rarely = (bad, good) => (dice(24) === 0 ? pick(bad) : pick(good));
const times = (n, make) => Array.from({ length: n }, make);

const methods = () => rarely(['FOO', 'get', 'G ET', '', 'GET\t', 'G@T', 'PRI', 'QUERY'], ['GET', 'GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND', 'CONNECT']);

function targets(method) {
    if (method === 'CONNECT') return rarely(['a', '/x', 'a:', 'a:99999', '*', 'a:80/x'], ['a:443', '[::1]:443', 'a.example:80']);
    return rarely(
        ['', '*', 'a', 'http://', 'http://a@b/', 'ftp://a/', '/a b', '/\x01', '/\xe4', '/#f', '//a', '/\x7f', 'http://a:b/'],
        ['/', '/index.html', '/a?b=c', '/a%20b', '/?', '/%', '/a;b', 'http://a/', 'http://a:80/x?y', 'https://a/', '/"<>\\^`{|}', '/a//b/../c'],
    );
}

const versions = () => rarely(['HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9', 'http/1.1', 'HTTP/1', 'HTTP/1.1 ', 'HTTP/01.1', 'HTTP/1.10', '', 'ICE/1.0'], ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0']);
const hosts = () => rarely(['', 'a b', 'a,b', 'a/b', 'a@b', '[::1', 'a:x', 'ä'], ['a', 'a.example', 'a:80', '[::1]', '127.0.0.1:8080']);
const names = () => rarely(['X Y', 'X ', '', ' X', 'X\x00', 'X(', 'X\xe4', '\tX'], ['X', 'Accept', 'Cookie', 'x-1', 'X_Y', "!#$%&'*+-.^_`|~", 'Content-Type', 'TE', 'Trailer']);
const values = () => rarely(['a\x00b', 'a\x01', 'a\rb', 'a\nb', '\x7f', 'a\r\n b', '\r'], ['', 'a', 'a b', '"q, s"', '\xe4\xf6', 'a\tb', ' a ', '\ta\t', 'gzip, br', 'a:b']);
const blanks = () => pick([' ', ' ', ' ', '', '  ', '\t', ' \t ']);
const eol = () => (dice(120) === 0 ? pick(['\n', '\r', '\r\r\n', '\n\r']) : '\r\n');

const extensions = () => (dice(4) ? '' : rarely([' ;a', ';\x00', ' ', ';a="', ';a\xe4'], [';a', ';a=b', ';a="b c"', ';a=b;c=d']));

function chunk(text) {
    const size = text.length.toString(16);

    return `${rarely([`0x${size}`, `-${size}`, `${size}g`, `+${size}`, '', 'ffffffffffffffff', '10000000000000000'], [size, size, size.toUpperCase(), `0${size}`])}${extensions()}${eol()}${text}${eol()}`;
}

function chunked() {
    const parts = times(dice(4), () => chunk('abcdefghijklmnop'.slice(0, 1 + dice(16))));
    const trailers = times(dice(6) === 0 ? 1 + dice(2) : 0, () => (dice(8) ? `${names()}: ${values()}\r\n` : 'Content-Length: 3\r\n'));

    return `${parts.join('')}${rarely(['', '00000', '0 ', '-0'], ['0'])}${extensions()}${eol()}${trailers.join('')}${eol()}`;
}

/** The fields that say where the body ends, and the body. */
function framing() {
    const text = 'the body of it'.slice(0, dice(15));

    switch (dice(10)) {
        case 0:
        case 1:
            return [[`Content-Length: ${text.length}`], text];
        case 2:
        case 3:
            return [[`Transfer-Encoding: ${rarely(['Chunked', 'chunked, gzip', 'gzip, chunked', 'xchunked', 'identity', '', 'chunked,chunked', '"chunked"', 'chunked;q=1', '\x0bchunked'], ['chunked'])}`], chunked()];
        case 4:
            return pick([
                [['Content-Length: 3', 'Content-Length: 3'], 'abc'],
                [['Content-Length: 3', 'Content-Length: 4'], 'abcd'],
                [['Content-Length: 3, 3'], 'abc'],
                [['Content-Length: +3'], 'abc'],
                [['Content-Length: -1'], ''],
                [['Content-Length: 0x3'], 'abc'],
                [['Content-Length: 3 '], 'abc'],
                [['Content-Length: 003'], 'abc'],
                [['Content-Length: 3\t'], 'abc'],
                [['Content-Length: '], ''],
                [['Content-Length: 18446744073709551616'], ''],
                [['Content-Length: 3', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
                [['Transfer-Encoding: chunked', 'Content-Length: 5'], '0\r\n\r\n'],
                [['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
                [['Transfer-Encoding: gzip', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
            ]);
        default:
            return [[], ''];
    }
}

function connection() {
    const lists = ['close', 'keep-alive', 'Close', 'KEEP-ALIVE', 'close, x', 'x, keep-alive', 'keep-alive, close', 'upgrade', 'Upgrade, keep-alive', 'x', '', 'closed', 'keep-alive,', ' , close', 'TE, close'];
    const fields = dice(3) ? [] : [`Connection: ${pick(lists)}`];

    if (dice(40) === 0) fields.push(`Connection: ${pick(lists)}`);
    if (dice(12) === 0) fields.push(`Upgrade: ${pick(['websocket', 'h2c', 'a, b', ''])}`);
    if (dice(25) === 0) fields.push(`Expect: ${pick(['100-continue', '100-Continue', '200-ok', ''])}`);
    return fields;
}

function shuffle(list) {
    for (let i = list.length - 1; i > 0; i--) {
        const j = dice(i + 1);

        [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
}

function request() {
    const method = methods();
    const [lengths, body] = framing();
    const many = dice(60) === 0 ? 40 : dice(4);
    const fields = times(many, () => `${names()}:${blanks()}${values()}${blanks()}`);
    const host = dice(30) ? [`Host:${blanks()}${hosts()}`] : pick([[], ['Host: a', 'Host: a']]);
    const gap = () => (dice(80) ? ' ' : pick(['  ', '\t', '']));
    const lines = [`${method}${gap()}${targets(method)}${gap()}${versions()}`, ...shuffle([...host, ...lengths, ...fields, ...connection()])];

    return `${dice(40) ? '' : pick(['\r\n', '\n', '\r\n\r\n', '\r'])}${lines.map((line) => line + eol()).join('')}${eol()}${body}`;
}

const SPICE = ['\r', '\n', '\r\n', ' ', '\t', ':', '\x00', '\x7f', '\xff', ',', ';', '0', '1', 'a', '\x0b', '\x0c', '\x1f', '"', '@', '/', '#', 'chunked', 'close', '\r\n\r\n'];

/** A piece left out, put in, replaced, doubled, or the rest cut off. */
function mutate(text) {
    const at = dice(text.length + 1);
    const n = dice(8) ? 1 : dice(20);

    switch (dice(5)) {
        case 0:
            return text.slice(0, at) + text.slice(at + n);
        case 1:
            return text.slice(0, at) + pick(SPICE) + text.slice(at);
        case 2:
            return text.slice(0, at) + pick(SPICE) + text.slice(at + n);
        case 3:
            return text.slice(0, at + n) + text.slice(at);
        default:
            return dice(3) ? text : text.slice(0, at);
    }
}

function generate() {
    let text = times(dice(5) ? 1 : 2 + dice(2), request).join('');

    for (let n = dice(2) ? 0 : 1 + dice(3); n > 0; n--) text = mutate(text);
    return Buffer.from(dice(200) ? text : `${text}\r`, 'latin1');
}

// --- the comparison ------------------------------------------------------------------------------------------------

function oursReads(all) {
    const input = Buffer.concat(all.flatMap((bytes) => {
        const length = Buffer.alloc(4);

        length.writeUInt32LE(bytes.length);
        return [length, bytes];
    }));
    const { stdout, status } = spawnSync(program, { input, maxBuffer: 1 << 30, encoding: 'latin1' });

    assert.equal(status, 0, `${program} ended with status ${status}`);
    return stdout.trimEnd().split('\n').map((line) => JSON.parse(line));
}

/**
 * Where they part: the number of the message, and what each has there: a message, or in `end` how it ended. null when they
 * agree. Where within a message a refusal comes is each one's own affair (we wait for a whole head, Node does not).
 */
function parting(ours, node) {
    for (let i = 0; ; i++) {
        const [a, b] = [ours, node].map(({ messages, end }) => ({ message: messages[i], end: messages[i]?.whole ? null : end }));

        if (isRefusal(a.end) && isRefusal(b.end)) return null;
        if (a.end !== b.end || (!isRefusal(a.end) && JSON.stringify(a.message) !== JSON.stringify(b.message))) return { ours: a, node: b };
        if (a.end) return null;
    }
}

const canonical = ({ messages, end }) => ({
    end,
    messages: messages.map(({ method, target, minor, keepAlive, upgrade, headers, body, whole, version }) => ({ method, target, minor, keepAlive, upgrade, headers, body, whole, version })),
});

const all = times(Number(cases), generate);
const heard = oursReads(all);
const count = new Map(DIFFERENCES.map(({ name }) => [name, 0]));
const tally = { same: 0, read: 0, refused: 0 };
const unexplained = [];

assert.equal(heard.length, all.length);
all.forEach((bytes, i) => {
    const both = { bytes, ours: canonical(heard[i]), node: canonical(nodeReads(bytes)) };

    const part = parting(both.ours, both.node);

    if (!part) {
        tally.same++;
        tally[isRefusal(both.ours.end) ? 'refused' : 'read']++;
        return;
    }
    const why = DIFFERENCES.find(({ when }) => when({ bytes, ...part }));

    if (why) count.set(why.name, count.get(why.name) + 1);
    else unexplained.push(both);
});

console.log(`${all.length} requests (seed ${seed}): ${tally.same} agree (${tally.read} read alike, ${tally.refused} refused by both)`);
for (const [name, n] of count) console.log(`${String(n).padStart(6)}  ${name}`);
for (const { bytes, ours, node } of unexplained.slice(0, Number(process.env.SHOW ?? 5)))
    console.log(`\nunexplained: ${JSON.stringify(bytes.latin1Slice())}\n  ours ${JSON.stringify(ours)}\n  node ${JSON.stringify(node)}`);
const stale = DIFFERENCES.filter(({ name, older }) => !older && !count.get(name)).map(({ name }) => name);

if (stale.length) console.log(`\nnothing differs in this way any more: ${stale.join('; ')}`);
console.log(`${unexplained.length} unexplained`);
process.exitCode = unexplained.length || (stale.length && all.length >= 20000) ? 1 : 0;
