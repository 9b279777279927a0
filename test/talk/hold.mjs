// Holds one conversation: says what it says, and throws (with the line) at the first thing that is heard otherwise.
import { setTimeout as sleep } from 'node:timers/promises';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { until } from '../lib/holdfast.mjs';
import { OPS, Peer, frame as encode, show } from '../lib/peer.mjs';

const SINGLE_MAX = 300; // of longer things only the beginning is sent byte by byte

function same(what, pattern, heard) {
    const fits = pattern instanceof RegExp ? pattern.test(heard) : pattern === heard;

    if (!fits) throw new Error(`expected ${what} ${pattern instanceof RegExp ? pattern : show(Buffer.from(pattern, 'latin1'))}\n    heard    ${show(Buffer.from(heard, 'latin1'))}`);
}

// RFC 7692 7.2: without the empty block at the end.
const TAIL = Buffer.from([0, 0, 255, 255]);
const deflate = (bytes) => deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -TAIL.length);
const inflate = (bytes, dictionary) => inflateRawSync(Buffer.concat([bytes, TAIL]), { finishFlush: constants.Z_SYNC_FLUSH, dictionary });

/** What was compressed with the window of messages before it, `past`: it cannot be read without them. */
function inflateKept(bytes, past) {
    const whole = inflate(bytes, past);
    let alone = null;

    try {
        alone = inflate(bytes);
    } catch {
        return whole;
    }
    if (alone.equals(whole)) throw new Error('expected a message that leans on those before it');
    return whole;
}

function frameBytes({ name, op, payload, fin, rsv, mask, length, code, deflated }) {
    const body = deflated ? deflate(payload) : payload ?? Buffer.alloc(0);
    const prefix = code === undefined ? [] : [Buffer.from([Number(code) >> 8, Number(code) & 255])];

    return encode({
        op: op === undefined ? OPS[name] : Number(op),
        payload: Buffer.concat([...prefix, body]),
        fin: fin !== '0',
        rsv: Number(rsv ?? (deflated ? 4 : 0)),
        ...(mask === 'no' && { mask: null }),
        ...(length && { length: Number(length) }),
    });
}

/** past: what was heard compressed on that connection; it grows. */
function sameFrame(wanted, heard, past) {
    const what = heard.name === 'close' ? `close ${heard.code} ${show(Buffer.from(heard.reason))}` : `${heard.name} ${show(heard.payload)}`;

    if (heard.name !== wanted.name) throw new Error(`expected a frame ${wanted.name}, heard ${what}`);
    if (heard.fin !== (wanted.fin !== '0')) throw new Error(`expected fin=${wanted.fin ?? 1}, heard fin=${heard.fin ? 1 : 0}`);
    const isDeflated = wanted.deflated || wanted.kept;
    const rsv = Number(wanted.rsv ?? (isDeflated ? 4 : 0));

    if (heard.rsv !== rsv) throw new Error(`expected rsv=${rsv}, heard rsv=${heard.rsv}`);
    if (isDeflated) past.push((heard.payload = wanted.kept ? inflateKept(heard.payload, Buffer.concat(past)) : inflate(heard.payload)));
    if (heard.name === 'close' && heard.code !== Number(wanted.code ?? 1005)) throw new Error(`expected close ${wanted.code ?? '(empty)'}, heard ${what}`);
    if (wanted.payload) same('payload', wanted.payload.toString('latin1'), (heard.name === 'close' ? heard.payload.subarray(2) : heard.payload).toString('latin1'));
}

function sameHead(step, head) {
    if (head.status !== step.status) throw new Error(`expected status ${step.status}, heard ${head.status} ${head.reason}`);
    for (const { name, pattern, absent } of step.fields) {
        const value = head.fields.get(name);

        if (absent && value !== undefined) throw new Error(`expected no ${name}, heard ${name}: ${value}`);
        if (!absent && value === undefined) throw new Error(`expected ${name}, which is not there`);
        if (!absent) same(name, pattern, value);
    }
}

/** server: a Holdfast. single: bytes are said one by one. The peer that is named `control` speaks with the control listener. */
export async function hold(talk, server, { single = false, tls = false } = {}) {
    const peers = new Map();
    const pasts = new Map();
    const pastOf = (peer) => pasts.get(peer) ?? pasts.set(peer, []).get(peer);
    let name = 'first';
    let head = null;
    const open = (who, preface) => (who === 'control' ? Peer.open(server.control) : Peer.open(server.port, { tls, preface }));

    const verbs = {
        say: (peer, { bytes }) => peer.say(bytes, single ? SINGLE_MAX : 0),
        'say frame': (peer, { frame }) => peer.say(frameBytes(frame), single ? SINGLE_MAX : 0),
        'hear frame': async (peer, { frame }) => sameFrame(frame, await peer.frame(), pastOf(peer)),
        'hear frame later': async (peer, { frame }) => {
            let heard;

            do heard = await peer.frame();
            while (heard.name !== frame.name || (frame.payload && heard.name !== 'close' && !heard.payload.equals(frame.payload)));
            sameFrame(frame, heard, pastOf(peer));
        },
        'hear stopped': async () => {
            const exit = await until('the end of Holdfast', () => server.exit);

            if (exit.code !== 0) throw new Error(`expected status 0, heard ${exit.signal ?? exit.code}`);
        },
        'hear head': async (peer, step) => sameHead(step, (head = await peer.head())),
        'hear body': async (peer, { pattern, toHead }) => same('body', pattern, (await peer.body(head, toHead)).toString('latin1')),
        'hear refusal': async (peer, { status }) => {
            sameHead({ status, fields: [{ name: 'connection', pattern: /^close$/i }] }, (head = await peer.head()));
            await peer.body(head);
            await peer.eof({ reset: true });
        },
        'hear end': (peer) => peer.eof({ reset: true }),
        'hear nothing': (peer, { ms }) => peer.quiet(ms),
        hear: async (peer, { bytes }) => same('bytes', bytes.toString('latin1'), (await peer.bytes(bytes.length)).toString('latin1')),
        'hear line': async (peer, { pattern }) => same('line', pattern, await peer.line()),
        wait: (peer, { ms }) => sleep(ms),
        upgrade: (peer, { path, extensions }) => peer.upgrade(path, extensions && { 'Sec-WebSocket-Extensions': extensions }),
        pause: (peer) => peer.pause(),
        resume: (peer) => peer.resume(),
        signal: (peer, { signal }) => server.signal(signal),
        fin: (peer) => peer.end(),
        reset: (peer) => peer.reset(),
    };

    try {
        for (const step of talk.steps) {
            if (step.verb === 'alone') continue;
            if (step.verb === 'use') {
                name = step.name;
                continue;
            }
            if (!peers.has(name)) peers.set(name, await open(name, step.verb === 'preface' && step.bytes));
            if (step.verb === 'preface') continue;
            try {
                await verbs[step.verb](peers.get(name), step);
            } catch (error) {
                error.line = step.line;
                throw error;
            }
        }
    } finally {
        for (const peer of peers.values()) peer.close();
    }
}
