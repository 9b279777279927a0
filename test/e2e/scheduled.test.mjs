// The scheduled handler, run on request by `holdfast dev`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { request } from 'undici';
import { Holdfast } from '../lib/holdfast.mjs';
import { scratch } from './app.mjs';

const text = async (server, path) => (await request(server.url(path))).body.text();

test('the scheduled handler runs on request', async (t) => {
    const app = scratch(t, {
        'a.js': `const ran = [];
export default {
  fetch: () => Response.json(ran),
  async scheduled(controller, env, ctx) {
    if (controller.cron === 'bad') throw new Error('bad cron');
    if (controller.cron === 'once') controller.noRetry();
    ctx.waitUntil(new Promise((resolve) => setTimeout(resolve, 10)).then(() => ran.push([controller.cron, controller.scheduledTime])));
  },
};\n`,
        'classic.js': `let ran = [];
addEventListener('scheduled', (event) => event.waitUntil(Promise.resolve().then(() => ran.push(event.cron))));
addEventListener('fetch', (event) => event.respondWith(Response.json(ran)));\n`,
    });
    const server = await Holdfast.dev(`${app}/a.js`);
    const classic = await Holdfast.dev(`${app}/classic.js`);

    t.after(() => Promise.all([server.stop(), classic.stop()]));
    assert.equal(await text(server, '/__scheduled?cron=*+*'), 'Ran scheduled event');
    assert.equal(await text(server, '/cdn-cgi/handler/scheduled?cron=once&time=5&format=json'), '{"outcome":"ok","noRetry":true}');
    assert.equal((await request(server.url('/cdn-cgi/handler/scheduled?cron=bad'))).statusCode, 500);
    assert.match(server.log, /bad cron {2}\(a\.js:5/);
    const ran = JSON.parse(await text(server, '/'));
    assert.deepEqual([ran.length, ran[0][0], ran[1]], [2, '* *', ['once', 5]]);
    assert.equal(await text(classic, '/__scheduled?cron=c'), 'Ran scheduled event');
    assert.equal(await text(classic, '/'), '["c"]');
});
