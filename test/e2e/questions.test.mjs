// The board as people use it: two windows of a browser in one room.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { PATIENCE_MS } from '../lib/bell.mjs';
import { countCloses, launch, picture } from '../lib/browser.mjs';
import { Holdfast } from '../lib/holdfast.mjs';
import { freePorts } from '../lib/ports.mjs';
import { QUESTIONS, atPorts } from './app.mjs';

let folder;
let server;
let browser;
const problems = [];

before(async () => {
    const [port, control] = await freePorts(2);

    folder = mkdtempSync(join(tmpdir(), 'holdfast-questions-'));
    atPorts(QUESTIONS, join(folder, 'app'), { 8787: port, 5561: control });
    server = await Holdfast.dev(join(folder, 'app'), { state: join(folder, 'state'), port });
    browser = await launch();
});
after(async () => {
    await browser?.close();
    assert.equal((await server.stop()).code, 0);
    rmSync(folder, { recursive: true, force: true });
    assert.deepEqual(problems, [], 'errors in the page');
});

// Through the door, as `name`.
async function window(name, room, { host = false, at = server, ...options } = {}) {
    const context = await browser.newContext({ viewport: { width: 1180, height: 860 }, locale: 'en-GB', reducedMotion: 'reduce', ...options });
    const page = await context.newPage();

    page.on('pageerror', (error) => problems.push(`${name}: ${error.stack}`));
    page.setDefaultTimeout(PATIENCE_MS);
    await page.addInitScript(countCloses);
    await page.goto(at.url('/'));
    await page.fill('#door-room', room);
    await page.fill('#door-name', name);
    await page.click(host ? '#door-host' : '#door-join');
    await page.waitForSelector('.link[data-state=open]');
    await page.waitForFunction((who) => document.getElementById('my-name').textContent === who, name);
    return page;
}

const ask = async (page, text) => {
    await page.fill('#ask-text', text);
    await page.press('#ask-text', 'Enter');
};
const card = (page, text) => page.locator('.card', { hasText: text });
const shows = (page, text) => card(page, text).first().waitFor();
const order = (page, want) =>
    page.waitForFunction((texts) => JSON.stringify([...document.querySelectorAll('.card .text')].map((one) => one.textContent)) === JSON.stringify(texts), want);
const votes = (page, text, n) =>
    page.waitForFunction(([which, want]) => [...document.querySelectorAll('.card')].find((one) => one.querySelector('.text').textContent === which)
        ?.querySelector('.vote b').textContent === String(want), [text, n]);

const FERRY = 'Will the new ferry run on Sundays, too?';
const LIBRARY = 'How do we keep the library open in the evenings?';
const MINUTES = 'Can the minutes be published within a week?';

test('what one window does, the other shows: ask, vote, answer, rename, decorate, delete', async () => {
    const ada = await window('Ada Lovell', 'Town hall', { host: true });
    const ben = await window('Ben Okafor', 'town-hall');

    await ada.waitForSelector('#people:has-text("2 people")');
    await ben.waitForSelector('#people:has-text("2 people")');
    assert.equal(await ada.textContent('#title'), 'Town hall');
    assert.ok(await ada.isVisible('#edit'), 'the host edits the room');
    assert.ok(!(await ben.isVisible('#edit')), 'nobody else does');

    await ask(ada, FERRY);
    await shows(ben, FERRY);
    await ask(ben, LIBRARY);
    await ask(ben, MINUTES);
    await shows(ada, MINUTES);
    await order(ada, [FERRY, LIBRARY, MINUTES]);
    assert.equal(await card(ben, FERRY).locator('.name').textContent(), 'Ada Lovell');

    // The most wanted comes first, everywhere.
    await card(ada, MINUTES).locator('.vote').click();
    for (const page of [ada, ben]) {
        await votes(page, MINUTES, 2);
        await order(page, [MINUTES, FERRY, LIBRARY]);
    }
    await card(ben, FERRY).locator('.vote').click();
    await card(ada, MINUTES).locator('.vote').click();
    for (const page of [ada, ben]) await order(page, [FERRY, LIBRARY, MINUTES]);

    await card(ada, FERRY).locator('.do-answer').click();
    await card(ada, FERRY).locator('textarea').fill('Yes: from May on, four times a day.');
    await card(ada, FERRY).locator('.reply .strong').click();
    await ben.waitForSelector('.card.answered .answer:has-text("from May on")');
    await ben.click('#tabs [data-show=open]');
    await order(ben, [LIBRARY, MINUTES]);
    await ben.click('#tabs [data-show=all]');

    await ben.click('#me');
    await ben.fill('#rename-name', 'Benjamin');
    await ben.click('#rename .strong');
    await ada.waitForSelector('.card .name:has-text("Benjamin")');
    await ben.waitForSelector('#my-name:has-text("Benjamin")');

    await ada.click('#edit');
    await ada.fill('#decorate-title', 'Harbour town hall');
    await ada.locator('#swatches button').nth(2).click();
    await ada.click('#decorate .strong');
    await ben.waitForSelector('#title:has-text("Harbour town hall")');
    assert.equal(await ben.evaluate(() => document.documentElement.style.getPropertyValue('--one')), '#1d4ed8');
    await ada.screenshot({ path: picture('questions.png') });

    // One's own question, and as host any.
    await card(ben, MINUTES).locator('.do-delete').click();
    await order(ada, [FERRY, LIBRARY]);
    assert.ok(!(await card(ben, FERRY).locator('.do-delete').isVisible()));
    await card(ada, LIBRARY).locator('.do-delete').click();
    await order(ben, [FERRY]);

    await ben.context().close();
    await ada.waitForSelector('#people:has-text("1 person")');
    await ada.context().close();
});

test('a room is kept, and its host is who came first as one', async () => {
    const ada = await window('Ada Lovell', 'kept', { host: true });

    await ask(ada, FERRY);
    await shows(ada, FERRY);
    const eve = await window('Eve', 'kept', { host: true });

    await eve.waitForSelector('#toasts:has-text("has a host already")');
    assert.ok(!(await eve.isVisible('#edit')));
    await shows(eve, FERRY);
    await ada.reload();
    await shows(ada, FERRY);
    assert.ok(await ada.isVisible('#edit'), 'a host stays one');
    assert.equal(await card(ada, FERRY).locator('.vote').getAttribute('aria-pressed'), 'true');
    await eve.context().close();
    await ada.context().close();
});

// The process that runs an application now.
const workerOf = (app) => Number([...server.log.matchAll(new RegExp(`worker\\.start app="${app}" generation=\\d+ pid=(\\d+)`, 'g'))].at(-1)[1]);

test('both workers are killed, and nobody is disconnected', async () => {
    const ada = await window('Ada Lovell', 'sturdy', { host: true });
    const ben = await window('Ben Okafor', 'sturdy');

    await ask(ada, FERRY);
    await shows(ben, FERRY);
    for (const app of ['questions-origin', 'questions-edge']) {
        const from = server.mark();

        process.kill(workerOf(app), 'SIGKILL');
        await server.logged(`worker.exit app="${app}"`, { from });
    }
    await ask(ben, LIBRARY);
    await shows(ada, LIBRARY);
    await card(ada, LIBRARY).locator('.vote').click();
    for (const page of [ada, ben]) await order(page, [LIBRARY, FERRY]);
    for (const page of [ada, ben]) assert.equal(await page.evaluate(() => window.closes), 0, 'no socket was closed');
    await ada.context().close();
    await ben.context().close();
});

test('a host makes another one with a link', async () => {
    const ada = await window('Ada Lovell', 'shared', { host: true });
    const key = await ada.evaluate(() => sessionStorage.getItem('host.shared'));
    const ben = await window('Ben Okafor', 'shared');

    assert.ok(!(await ben.isVisible('#edit')));
    await ben.goto(server.url('/'));
    await ben.goto(server.url(`/r/shared#host=${key}`));
    await ben.waitForSelector('#edit:visible');
    assert.ok(!ben.url().includes(key), 'the key leaves the address');
    await ada.context().close();
    await ben.context().close();
});

test('rooms do not hear each other', async () => {
    const one = await window('One', 'first room');
    const two = await window('Two', 'second room');

    await ask(one, 'Here?');
    await shows(one, 'Here?');
    await ask(two, 'There?');
    await shows(two, 'There?');
    await order(one, ['Here?']);
    await order(two, ['There?']);
    await one.context().close();
    await two.context().close();
});

test('served with two edges, a room is one room', async () => {
    const [port, control] = await freePorts(2);

    atPorts(QUESTIONS, join(folder, 'served'), { 8787: port, 5561: control });
    const served = await Holdfast.serve(['serve', '--config', join(folder, 'served/holdfast.toml'), '--threads', '2', '--state', join(folder, 'served-state')]);
    const pages = [];

    for (const name of ['One', 'Two', 'Three', 'Four']) pages.push(await window(name, 'wide', { at: served }));
    for (const page of pages) await page.waitForSelector('#people:has-text("4 people")');
    for (const [i, page] of pages.entries()) await ask(page, `Question ${i}?`);
    for (const page of pages) await page.waitForFunction(() => document.querySelectorAll('.card').length === 4);
    for (const page of pages) await page.context().close();
    assert.equal((await served.stop()).code, 0);
});

test('a phone in the dark', async () => {
    const page = await window('Mina', 'pocket', { viewport: { width: 390, height: 780 }, colorScheme: 'dark', host: true });

    await ask(page, LIBRARY);
    await shows(page, LIBRARY);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is wider than the screen');
    await page.screenshot({ path: picture('questions-small.png') });
    await page.context().close();
});

test('the origin answers nobody but Fanout', async () => {
    const response = await fetch(server.url('/api/rooms/x/socket'), { headers: { 'Grip-Sig': 'a.b.c' } });

    assert.equal(response.status, 400, 'handed off and signed, but no WebSocket');
    assert.equal((await fetch(server.url('/nothing'))).status, 404);
    assert.equal((await fetch(server.url('/page/..%2fx'))).status, 404);
    assert.equal((await fetch(server.url('/'), { method: 'POST' })).status, 405);
});
