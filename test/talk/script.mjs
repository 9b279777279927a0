// Reads the language of conversations (README.md) into steps: {line, verb, …} in the order in which they happen.
const WS = /^(?:fin=(?<fin>[01])|rsv=(?<rsv>[0-7])|op=(?<op>\d+)|mask=(?<mask>no)|length=(?<length>16|64)|code=(?<code>\d+))$/;

/** "\r\n\t\0\\\"", "\xHH" as a byte, "\u{…}" and everything else as UTF-8, "{ab*3}" as "ababab". */
export function bytesOf(text) {
    const parts = [];

    text = text.replace(/\{([^{}*]+)\*(\d+)\}/g, (_, what, times) => what.repeat(Number(times)));
    for (const [part, hex, point, simple] of text.matchAll(/\\x([0-9a-f]{2})|\\u\{([0-9a-f]+)\}|\\([rnt0\\"])|[^\\]+|\\/gi)) {
        if (hex) parts.push(Buffer.from([parseInt(hex, 16)]));
        else if (point) parts.push(Buffer.from(String.fromCodePoint(parseInt(point, 16))));
        else if (simple) parts.push(Buffer.from({ r: '\r', n: '\n', t: '\t', 0: '\0' }[simple] ?? simple));
        else if (part === '\\') throw new Error('a \\ that means nothing');
        else parts.push(Buffer.from(part));
    }
    return Buffer.concat(parts);
}

/** Text to compare with: a RegExp when it stands between slashes. */
function patternOf(text) {
    const match = text.match(/^\/(.*)\/(i?)$/);

    return match ? new RegExp(`^(?:${match[1]})$`, `s${match[2]}`) : bytesOf(text).toString('latin1');
}

/** `text fin=0 "payload"`, `close 1000 "reason"`, `op=3 …` */
function frameOf(rest) {
    const quoted = rest.match(/"((?:[^"\\]|\\.)*)"\s*$/);
    const words = (quoted ? rest.slice(0, quoted.index) : rest).split(/\s+/).filter(Boolean);
    const frame = { payload: quoted ? bytesOf(quoted[1]) : null };

    for (const word of words) {
        const option = word.match(WS)?.groups;

        if (option) Object.assign(frame, Object.fromEntries(Object.entries(option).filter(([, value]) => value !== undefined)));
        else if (/^(text|binary|cont|ping|pong|close)$/.test(word)) frame.name = word;
        else if (word === 'deflated' || word === 'kept') frame[word] = true;
        else if (/^\d+$/.test(word) && frame.name === 'close') frame.code = word;
        else throw new Error(`${word} is no part of a frame`);
    }
    if (!frame.name && frame.op === undefined) throw new Error('a frame needs text, binary, cont, ping, pong, close or op=N');
    return frame;
}

const VERBS = [
    [/^>preface (.*)$/, ([, text]) => ({ verb: 'preface', bytes: bytesOf(text) })],
    [/^>ws (.*)$/, ([, rest]) => ({ verb: 'say frame', frame: frameOf(rest) })],
    [/^>\| ?(.*)$/, ([, text]) => ({ verb: 'say', bytes: bytesOf(text) })],
    [/^>(?: (.*))?$/, ([, text]) => ({ verb: 'say', bytes: Buffer.concat([bytesOf(text ?? ''), Buffer.from('\r\n')]) })],
    [/^<ws (.*)$/, ([, rest]) => ({ verb: 'hear frame', frame: frameOf(rest) })],
    [/^<later ws (.*)$/, ([, rest]) => ({ verb: 'hear frame later', frame: frameOf(rest) })],
    [/^<stopped$/, () => ({ verb: 'hear stopped' })],
    [/^<head (\d{3})$/, ([, status]) => ({ verb: 'hear head', status: Number(status), fields: [] })],
    [/^<body(?: (.*))?$/, ([, text]) => ({ verb: 'hear body', pattern: patternOf(text ?? '') })],
    [/^<body-of-head$/, () => ({ verb: 'hear body', toHead: true, pattern: '' })],
    [/^<refused (\d{3})$/, ([, status]) => ({ verb: 'hear refusal', status: Number(status) })],
    [/^<end$/, () => ({ verb: 'hear end' })],
    [/^<quiet (\d+)$/, ([, ms]) => ({ verb: 'hear nothing', ms: Number(ms) })],
    [/^<\| ?(.*)$/, ([, text]) => ({ verb: 'hear', bytes: bytesOf(text) })],
    [/^<(?: (.*))?$/, ([, text]) => ({ verb: 'hear line', pattern: patternOf(text ?? '') })],
    [/^@ (\d+)$/, ([, ms]) => ({ verb: 'wait', ms: Number(ms) })],
    [/^@ on (\w+)$/, ([, name]) => ({ verb: 'use', name })],
    [/^@ websocket (\S+)(?: (.+))?$/, ([, path, extensions]) => ({ verb: 'upgrade', path, extensions })],
    [/^@ (fin|reset|pause|resume)$/, ([, how]) => ({ verb: how })],
    [/^@ alone$/, () => ({ verb: 'alone' })],
    [/^@ signal (SIG\w+)$/, ([, signal]) => ({ verb: 'signal', signal })],
];

function stepOf(text) {
    for (const [form, make] of VERBS) {
        const match = text.match(form);

        if (match) return make(match);
    }
    throw new Error(`not a step of a conversation: ${text}`);
}

function fieldOf(text) {
    if (text.startsWith('!')) return { name: text.slice(1).toLowerCase(), absent: true };
    const [, name, value] = text.match(/^([\w-]+): ?(.*)$/) ?? [];

    if (!name) throw new Error(`expected name: value or !name, found ${text}`);
    return { name: name.toLowerCase(), pattern: patternOf(value) };
}

/** All conversations of a file: {name, line, app: {args: [folder, …options], lines: of a holdfast.toml}, steps}. */
export function parse(text, file) {
    const talks = [];
    let app = null;

    for (const [i, raw] of text.split('\n').entries()) {
        const line = raw.replace(/\s+$/, '');

        try {
            if (!line || line.startsWith('#')) continue;
            const talk = talks.at(-1);

            if (line.startsWith('% ')) app = { args: line.slice(2).trim().split(/\s+/), lines: [] };
            else if (line.startsWith('%% ')) app.lines.push(line.slice(3));
            else if (line.startsWith('== ')) talks.push({ name: line.slice(3), line: i + 1, app, steps: [] });
            else if (!talk) throw new Error('a conversation begins with == and its name');
            else if (/^ {2,}\S/.test(line)) talk.steps.at(-1).fields.push(fieldOf(line.trim()));
            else talk.steps.push({ line: i + 1, ...stepOf(line) });
        } catch (error) {
            throw new Error(`${file}:${i + 1}: ${error.message}`);
        }
    }
    return talks;
}
