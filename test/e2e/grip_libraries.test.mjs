// The libraries that people have for GRIP, from npm and as they are: @fanoutio/grip in a plain server of Node.js, and
// @fanoutio/serve-grip as a middleware of Express. The same application on both, and whom the publishing side lets in.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
    GripInstruct, HttpResponseFormat, HttpStreamFormat, Publisher, WebSocketMessageFormat, encodeWebSocketEvents, validateSig,
} from '@fanoutio/grip';
import { getWebSocketContextFromNodeReq, isNodeReqWsOverHttp } from '@fanoutio/grip/node';
import { ServeGrip } from '@fanoutio/serve-grip';
import express from 'express';
import { Client } from '../lib/client.mjs';
import { Holdfast, until } from '../lib/holdfast.mjs';
import { scratch } from './app.mjs';

const KEY = 'changeme';

/** What the application does with a WebSocket: an echo that counts in its metadata, and says goodbye. */
function talk(socket) {
    if (socket.isOpening()) {
        socket.accept();
        socket.meta.user = 'ann';
        socket.subscribe('room');
    }
    while (socket.canRecv()) {
        let text;

        try {
            text = socket.recv();
        } catch {
            return; // the client is gone
        }
        if (text === null) socket.close(); // without a code: the library says 0
        else if (text === 'bye') socket.close(4001);
        else socket.send(`${socket.meta.user}: ${text}`);
    }
}

function stream(instruct) {
    instruct.addChannel('news');
    instruct.setHoldStream();
    instruct.setKeepAlive('event: alive\ndata:\t\n\n', 5);
    instruct.meta = { user: 'ann "the first"' };
}

function poll(instruct) {
    instruct.addChannel('news');
    instruct.setHoldLongPoll(5);
}

/** A server of Node.js alone that writes what @fanoutio/grip makes. */
function plain() {
    return async (request, response) => {
        assert.ok(await validateSig(request.headers['grip-sig'], KEY, 'pushpin'));
        if (isNodeReqWsOverHttp(request)) {
            const socket = await getWebSocketContextFromNodeReq(request);

            talk(socket);
            response.writeHead(200, socket.toHeaders());
            response.end(encodeWebSocketEvents(socket.getOutgoingEvents()));
            return;
        }
        const instruct = new GripInstruct();

        if (request.url === '/sse') stream(instruct);
        else poll(instruct);
        response.writeHead(200, instruct.toHeaders({ 'Content-Type': request.url === '/sse' ? 'text/event-stream' : 'text/plain' }));
        response.end(request.url === '/sse' ? 'data: welcome\n\n' : 'nothing new\n');
    };
}

/** The same with the middleware. */
function withExpress(grip) {
    const app = express();

    app.use(new ServeGrip({ grip, gripProxyRequired: true }));
    app.get('/sse', (request, response) => {
        assert.ok(request.grip.isSigned);
        stream(response.grip.startInstruct());
        response.set('Content-Type', 'text/event-stream').end('data: welcome\n\n');
    });
    app.get('/poll', (request, response) => {
        poll(response.grip.startInstruct());
        response.type('text/plain').end('nothing new\n');
    });
    app.post('/ws', (request, response) => {
        talk(request.grip.wsContext);
        response.end();
    });
    return app;
}

/** The application behind a gateway; make(GRIP_URL) gives its handler. */
async function start(t, make) {
    let handler;
    const origin = createServer((request, response) => handler(request, response));

    await new Promise((resolve) => origin.listen(0, '127.0.0.1', resolve));
    t.after(() => {
        origin.closeAllConnections();
        origin.close();
    });
    const server = await Holdfast.serve(['serve', '--route', `*,sig_key=${KEY} 127.0.0.1:${origin.address().port},over_http`, '--port', '0', '--control', '127.0.0.1:0']);

    t.after(() => server.stop());
    const url = `http://127.0.0.1:${server.control}/?iss=pushpin&key=${KEY}`;

    handler = make(url);
    return { server, origin, publisher: new Publisher(url) };
}

/** What is heard of a response, as it comes. */
function listen(response) {
    const heard = { text: '', ended: false };

    (async () => {
        for await (const part of response.body) heard.text += Buffer.from(part);
        heard.ended = true;
    })().catch((error) => (heard.text += error));
    return heard;
}

describe('the application', { concurrency: true }, () => {
    for (const [name, make] of Object.entries({ 'a plain server': plain, Express: withExpress })) {
        describe(name, { concurrency: true }, () => {
            test('an event stream', async (t) => {
                const { server, publisher } = await start(t, make);
                const response = await fetch(server.url('/sse'));
                const heard = listen(response);

                assert.match(response.headers.get('content-type'), /^text\/event-stream/);
                assert.equal([...response.headers.keys()].find((field) => field.startsWith('grip-')), undefined);
                await until('the beginning', () => heard.text === 'data: welcome\n\n');
                // Nothing tells when the subscription is there, but for the first message that comes.
                await until('a message', async () => {
                    await publisher.publishHttpStream('news', 'data: one\n\n');
                    return heard.text.includes('one');
                });
                await until('a keep-alive', () => heard.text.includes('event: alive\ndata:\t\n\n'));
                await publisher.publishHttpStream('news', new HttpStreamFormat(Buffer.from('data: \u00fc\n\n')));
                await publisher.publishHttpStream('news', new HttpStreamFormat(null, true));
                await until('the end', () => heard.ended);
                assert.ok(heard.text.endsWith('data: ü\n\n'), heard.text);
            });

            test('a long poll', async (t) => {
                const { server, publisher } = await start(t, make);
                const answer = fetch(server.url('/poll'));
                let done = false;

                answer.then(() => (done = true));
                await until('an answer', async () => {
                    await publisher.publishFormats('news', new HttpResponseFormat({ code: 201, reason: 'Fresh', headers: { 'X-New': '1' }, body: 'fresh\n' }));
                    return done;
                });
                const response = await answer;

                assert.deepEqual([response.status, response.statusText, response.headers.get('x-new'), await response.text()], [201, 'Fresh', '1', 'fresh\n']);
                const late = await fetch(server.url('/poll'));

                assert.deepEqual([late.status, await late.text()], [200, 'nothing new\n']);
            });

            test('a WebSocket with metadata, published to and closed', async (t) => {
                const { server, publisher } = await start(t, make);
                const client = await Client.open(server.ws('/ws'));

                client.send('hello');
                assert.equal(await client.next(), 'ann: hello');
                await publisher.publishFormats('room', new WebSocketMessageFormat('to all'));
                assert.equal(await client.next(), 'to all');
                await publisher.publishFormats('room', new WebSocketMessageFormat(Buffer.from([0, 255])));
                assert.deepEqual(await client.next(), Buffer.from([0, 255]));
                client.send('bye');
                assert.equal((await client.end()).code, 4001);

                // Both sides leave without a code: the library answers 0, which no frame may carry.
                const other = await Client.open(server.ws('/ws'));

                assert.equal((await other.close()).code, 1000);
                const third = await Client.open(server.ws('/ws'));

                await publisher.publishFormats('room', new WebSocketMessageFormat(null, true, 4002));
                assert.equal((await third.end()).code, 4002);
            });
        });
    }
});

test('the middleware refuses who comes past the proxy', async (t) => {
    const { origin } = await start(t, withExpress);
    const response = await fetch(`http://127.0.0.1:${origin.address().port}/sse`);

    assert.equal(response.status, 501);
    assert.equal(await response.text(), 'Not Implemented.\n');
});

const publish = (url) => new Publisher(url).publishHttpStream('c', 'x');

/** The publisher's error has this status. */
async function refuses(url, status) {
    const error = await publish(url).then(() => null, (reason) => reason);

    assert.ok(error, `${url} was accepted`);
    assert.equal(error.context?.statusCode ?? error.statusCode, status, `${url}: ${error}`);
}

async function secured(t, more) {
    const folder = scratch(t, { 'holdfast.toml': `[origin]\nroutes = ["* test"]\n${more}` });
    const server = await Holdfast.serve(['serve', '--config', join(folder, 'holdfast.toml'), '--port', '0', '--control', '127.0.0.1:0']);

    t.after(() => server.stop());
    return (query = '', login = '') => `http://${login}127.0.0.1:${server.control}/${query}`;
}

test('with no credentials asked for, every form of them is fine', async (t) => {
    const at = await secured(t, '');

    for (const url of [at(), at('?iss=me&key=secret'), at('?key=secret'), at('', 'ann:secret@'), at('?backend=x')]) await publish(url);
});

test('each form of credentials opens the door, and nothing else does', async (t) => {
    const at = await secured(t, '[publish]\ntokens = ["token"]\nlogins = ["ann:secret"]\nkeys = ["shared"]\nissuer = "me"\n');

    for (const url of [at('?iss=me&key=shared'), at('?key=token'), at('', 'ann:secret@')]) await publish(url);
    for (const url of [at(), at('?iss=me&key=other'), at('?iss=other&key=shared'), at('?key=shared'), at('', 'ann:token@'), at('', 'bob:secret@')]) await refuses(url, 401);
});

test('a private RSA key opens the door that knows the public one', async (t) => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const folder = scratch(t, { 'public.pem': publicKey.export({ type: 'spki', format: 'pem' }) });
    const at = await secured(t, `[publish]\nkeys = ["file:${join(folder, 'public.pem')}"]\n`);
    const key = (pem) => encodeURIComponent(`base64:${Buffer.from(pem).toString('base64')}`);
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

    await publish(at(`?iss=me&key=${key(privateKey.export({ type: 'pkcs8', format: 'pem' }))}`));
    await refuses(at(`?iss=me&key=${key(other.export({ type: 'pkcs8', format: 'pem' }))}`), 401);
});

test('a publisher hears why its item is refused, and that nobody is there', async (t) => {
    const at = await secured(t, '');

    await refuses(at('missing/'), 404);
    await assert.rejects(new Publisher(at()).publishFormats('c', new HttpResponseFormat({})), (error) => {
        assert.match(JSON.stringify([error.message, error.context, error.httpBody]), /does not contain 'body'/);
        return true;
    });
    await refuses('http://127.0.0.1:1/', -1);
});
