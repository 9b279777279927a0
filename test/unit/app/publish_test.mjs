// `holdfast publish`: what it says to whom, and how it ends.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { root } from './lab.mjs';

const holdfast = process.env.HOLDFAST ?? path.resolve('build/holdfast');
const heard = []; // {url, headers, body} of each request
let answer = [200, 'Published\n'];
let server;
let to;

before(async () => {
  server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();

    heard.push({ url: request.url, headers: request.headers, body });
    response.writeHead(answer[0]).end(answer[1]);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  to = `http://127.0.0.1:${server.address().port}`;
});
after(() => server.close());

/** Runs it and resolves with how it ended. */
async function run(args, { env = {}, cwd } = {}) {
  const child = spawn(holdfast, ['publish', ...args], { cwd, env: { ...process.env, GRIP_URL: '', ...env } });
  const said = { out: '', error: '' };

  child.stdout.setEncoding('utf8').on('data', (text) => (said.out += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (said.error += text));
  const [status] = await once(child, 'close');

  return { status, ...said };
}

/** The item that is published with these arguments. */
async function item(...args) {
  const { status, out, error } = await run([...args, '--to', to]);

  assert.equal(status, 0, error);
  assert.equal(out, 'Published\n');
  const { items } = JSON.parse(heard.at(-1).body);

  assert.equal(items.length, 1);
  return items[0];
}

test('a text goes to every kind of hold, lines to those of HTTP', async () => {
  assert.deepEqual(await item('news', 'hello'), {
    channel: 'news',
    formats: { 'ws-message': { content: 'hello' }, 'http-response': { body: 'hello\n', code: 200 }, 'http-stream': { content: 'hello\n' } },
  });
  assert.equal(heard.at(-1).url, '/publish/');
  assert.equal(heard.at(-1).headers['content-type'], 'application/json');
  assert.equal((await item('news', 'data: hello\n')).formats['http-stream'].content, 'data: hello\n\n', 'the end of an event');
  assert.equal((await item('news', 'hello', '--no-eol')).formats['http-stream'].content, 'hello');
  assert.equal((await item('news', '')).formats['http-stream'].content, '\n');
});

test('what is no text is sent as bytes', async () => {
  const file = path.join(root, 'bytes');

  writeFileSync(file, Buffer.from([0xff, 0xfe]));
  const { formats } = await item('news', `@${file}`);

  assert.deepEqual(formats['ws-message'], { 'content-bin': '//4=' });
  assert.deepEqual(formats['http-response'], { 'body-bin': '//4=', code: 200 });
});

test('actions, patches, ids and meta data', async () => {
  assert.deepEqual((await item('news', '--hint')).formats, {
    'http-response': { action: 'hint' }, 'http-stream': { action: 'hint' }, 'ws-message': { action: 'hint' },
  });
  assert.deepEqual((await item('news', '--close')).formats, { 'http-stream': { action: 'close' }, 'ws-message': { action: 'close' } });
  assert.deepEqual((await item('news', '[{"op":"remove","path":"/a"}]', '--patch')).formats, {
    'http-response': { 'body-patch': [{ op: 'remove', path: '/a' }], code: 200 },
  });
  const whole = await item('news', 'x', '--id', '2', '--prev-id=1', '--no-seq', '--sender', 'ann', '-M', 'a=b=c', '--code', '201', '-H', 'X-A: 1', '-H', 'X-B:');

  assert.deepEqual([whole.id, whole['prev-id'], whole['no-seq'], whole.meta], ['2', '1', true, { sender: 'ann', a: 'b=c' }]);
  assert.equal(whole.formats['http-response'].code, 201);
  assert.deepEqual(whole.formats['http-response'].headers, [['X-A', '1'], ['X-B', '']]);
});

test('where it goes, and as whom', async () => {
  const authorization = async (args, env) => {
    const { status, error } = await run(['news', 'x', ...args], { env });

    assert.equal(status, 0, error);
    return heard.at(-1).headers.authorization;
  };
  const token = async (query) => {
    const [, text] = (await authorization(['--to', `${to}?${query}`])).match(/^Bearer (.*)$/);

    return text;
  };

  assert.equal(await authorization([], { GRIP_URL: to }), undefined);
  assert.equal(await authorization(['--spec', `${to}/`]), undefined);
  assert.equal(heard.at(-1).url, '/publish/');
  assert.equal(await authorization(['--to', `${to}/service/a1`]), undefined);
  assert.equal(heard.at(-1).url, '/service/a1/publish/');
  assert.equal(await authorization(['--to', to, '-B', 'let-me-in']), 'Bearer let-me-in');
  assert.equal(await authorization(['--to', `${to}?iss=i&key=k`, '-u', 'ann:secret']), `Basic ${Buffer.from('ann:secret').toString('base64')}`);
  assert.equal(await token('key=a%20key'), 'a key');
  const [head, claims, signature] = (await token('iss=realm&key=base64:c2VjcmV0')).split('.');
  const { iss, exp } = JSON.parse(Buffer.from(claims, 'base64url'));

  assert.equal(iss, 'realm');
  assert.ok(Math.abs(exp - Date.now() / 1000 - 3600) < 60);
  assert.equal(signature, createHmac('sha256', 'secret').update(`${head}.${claims}`).digest('base64url'));
});

test('a refusal is told with its text, and the status is 1', async () => {
  answer = [403, 'Not authorized.\n'];
  const { status, out, error } = await run(['news', 'x', '--to', to]);

  answer = [200, 'Published\n'];
  assert.deepEqual([status, out], [1, '']);
  assert.equal(error, 'Not authorized.\nholdfast: the answer was 403\n');
});

test('a key that is none is refused', async () => {
  const { status, error } = await run(['news', 'x', '--to', 'http://127.0.0.1:1?iss=a&key=base64:%%']);

  assert.notEqual(status, 0);
  assert.match(error, /^holdfast: /);
});
