// The figures as people read them. The ratio is Holdfast's CPU (latency: its p50; idle: its bytes) over that server's: below
// 1 is better.
import { cpus } from 'node:os';

const TITLES = {
    http: ({ connections }) => `Requests on ${connections} kept connections, answered by code with a short text`,
    echo: ({ connections }) => `Echo, ${connections} connections, 64 bytes (Holdfast, workerd: a Durable Object)`,
    broadcast: ({ listeners }) =>
        `Broadcast to ${listeners} connections, 64 bytes (Holdfast, workerd, ws: a loop; Bun: its native publish; nchan: a channel)`,
    fanout: ({ crowd }) => `The same to ${crowd} connections`,
    json: ({ listeners }) => `Broadcast of 1 KB of JSON to ${listeners} connections`,
    deflate: ({ listeners }) => `The same to ${listeners} connections that offered permessage-deflate`,
    latency: () => 'Round trip of one connection, 64 bytes',
    connect: ({ listeners }) => `${listeners * 4} WebSockets that open and stay`,
    woh: ({ connections }) => `WebSocket-over-HTTP, ${connections} clients, 64 bytes: each message is a request to the origin, its answer comes back`,
    'publish-http': ({ listeners }) => `Publish 64 bytes to ${listeners} streams over HTTP`,
    'publish-ws': ({ listeners }) => `The same to ${listeners} WebSockets-over-HTTP`,
    'publish-http-crowd': ({ crowd }) => `Publish 64 bytes to ${crowd} streams over HTTP`,
    'publish-ws-crowd': ({ crowd }) => `The same to ${crowd} WebSockets-over-HTTP`,
    'holds-http': ({ idle }) => `Idle streams that are held over HTTP, ${idle}`,
    'holds-ws': ({ idle }) => `Idle WebSockets-over-HTTP that are subscribed, ${idle}`,
    tls: ({ connections }) => `Echo over TLS 1.3, ${connections} connections, 64 bytes`,
    'tls-connect': ({ listeners }) => `${listeners * 4} WebSockets over TLS that open and stay (full handshakes, P-256)`,
    'tls-idle': ({ idle }) => `Idle connections over TLS, ${idle} (Holdfast: hibernated in 50 Durable Objects)`,
    idle: ({ idle }) => `Idle connections, ${idle} (Holdfast, workerd: hibernated in 50 Durable Objects)`,
};
const fixed = (digits) => (value) => value.toFixed(digits);
const count = (value) => Math.round(value).toLocaleString('en');
const CPU = ['server CPU µs/message', 'us', fixed(2)];
const PUBLISH = [
    ['server CPU µs/delivery', 'us', fixed(2)],
    ['deliveries/s', 'rate', count],
    ['p50 µs from the POST', 'p50', fixed(0)],
    ['p99', 'p99', fixed(0)],
    ['not delivered', 'missed', count],
];
const MEMORY = [
    ['connections', 'connections', count],
    ['bytes/connection', 'bytes', count],
    ['PSS bytes/connection', 'pss', count],
    ['MB in all', 'total', (value) => fixed(1)(value / 2 ** 20)],
    ['processes', 'processes', count],
];
const TALK = [CPU, ['messages/s', 'rate', count], ['p50 µs', 'p50', fixed(0)], ['p99 µs', 'p99', fixed(0)]];
const CONNECT = [['server CPU µs/connection', 'us', fixed(1)], ['connections/s', 'rate', count]];
const COLUMNS = {
    http: [['server CPU µs/request', 'us', fixed(2)], ['requests/s', 'rate', count], ['p50 µs', 'p50', fixed(0)], ['p99 µs', 'p99', fixed(0)]],
    echo: TALK,
    tls: TALK,
    broadcast: [CPU, ['deliveries/s', 'rate', count], ['p50 µs to all', 'p50', fixed(0)], ['p99', 'p99', fixed(0)]],
    fanout: [CPU, ['deliveries/s', 'rate', count], ['p50 µs to all', 'p50', fixed(0)], ['p99', 'p99', fixed(0)]],
    connect: CONNECT,
    'tls-connect': CONNECT,
    json: [CPU, ['deliveries/s', 'rate', count], ['p50 µs to all', 'p50', fixed(0)], ['p99', 'p99', fixed(0)]],
    deflate: [CPU, ['deliveries/s', 'rate', count], ['p50 µs to all', 'p50', fixed(0)], ['p99', 'p99', fixed(0)], ['compressed', 'packed', fixed(2)]],
    latency: [['p50 µs', 'p50', fixed(1)], ['p99 µs', 'p99', fixed(1)], ['server CPU µs/message', 'us', fixed(2)]],
    woh: [
        ['server CPU µs/event', 'us', fixed(2)],
        ['events/s', 'rate', count],
        ['p50 µs', 'p50', fixed(0)],
        ['p99 µs', 'p99', fixed(0)],
        ['closed by it', 'missed', count],
    ],
    'publish-http': PUBLISH,
    'publish-ws': PUBLISH,
    'publish-http-crowd': PUBLISH,
    'publish-ws-crowd': PUBLISH,
    'holds-http': MEMORY,
    'holds-ws': MEMORY,
    idle: MEMORY,
    'tls-idle': MEMORY,
};

function lines(row, figures) {
    const columns = COLUMNS[row];
    const own = Boolean(figures.holdfast);
    const body = Object.entries(figures).map(([name, figure]) => [
        name,
        ...columns.map(([, key, show]) => show(figure[key])),
        own ? fixed(2)(figure.ratio) : '',
    ]);
    const all = [['', ...columns.map(([title]) => title), own ? 'Holdfast / it' : ''], ...body];
    const widths = all[0].map((_, i) => Math.max(...all.map((cells) => cells[i].length)));

    return all.map((cells) => '  ' + cells.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('   '));
}

export function table(results, options) {
    const head = `${cpus().length} × ${cpus()[0]?.model}, median of ${options.rounds} rounds of ${options.seconds} s`;

    return [head, ...results.flatMap(({ row, servers }) => ['', TITLES[row](options), ...lines(row, servers)])].join('\n');
}
