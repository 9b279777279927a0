// The demo as people use it: two windows of a browser chat, the worker is killed in between.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { PATIENCE_MS } from '../lib/bell.mjs';
import { countCloses, launch, picture } from '../lib/browser.mjs';
import { Holdfast, until } from '../lib/holdfast.mjs';
import { CHAT } from './app.mjs';

let server;
let state;
let browser;
const problems = [];

before(async () => {
    state = mkdtempSync(join(tmpdir(), 'holdfast-chat-'));
    server = await Holdfast.dev(CHAT, { state, args: ['--actor-idle-ms', '1000', '--worker-idle-ms', '2000'] });
    browser = await launch();
});
after(async () => {
    await browser?.close();
    assert.equal((await server.stop()).code, 0);
    rmSync(state, { recursive: true, force: true });
    assert.deepEqual(problems, [], 'errors in the page');
});

async function window(name, { room = 'general', ...options } = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', ...options });
    const page = await context.newPage();

    page.on('pageerror', (error) => problems.push(`${name}: ${error.stack}`));
    page.setDefaultTimeout(PATIENCE_MS);
    await page.addInitScript((who) => {
        if (!localStorage.getItem('me')) localStorage.setItem('me', JSON.stringify({ id: `${who}-${Math.random().toString(36).slice(2)}`, name: who }));
    }, name);
    await page.addInitScript(countCloses);
    await page.goto(server.url(`/#${room}`));
    await page.waitForSelector('.link[data-state=open]');
    return page;
}

async function say(page, text) {
    await page.fill('#text', text);
    await page.press('#text', 'Enter');
}

const hears = (page, text) => page.waitForSelector(`.message:not(.pending) .bubble:has-text(${JSON.stringify(text)})`);
const counts = (page, n) => page.waitForFunction((want) => document.querySelectorAll('#people li').length === want, n);

test('two windows see each other, chat, type, and survive the death of the worker', async () => {
    const ada = await window('Ada Lovell');
    const ben = await window('Ben Okafor');

    await counts(ada, 2);
    await counts(ben, 2);
    await say(ada, 'Hello Ben');
    await hears(ben, 'Hello Ben');
    await ben.type('#text', 'Hel');
    await ada.waitForSelector('#typing:has-text("Ben Okafor is typing")');
    await say(ben, 'Hello Ada');
    await hears(ada, 'Hello Ada');
    await ada.waitForSelector('#typing:not(:has-text("typing"))');

    const pid = await server.killWorker();

    await say(ada, 'Anything wrong?');
    await hears(ben, 'Anything wrong?');
    await say(ben, 'Nothing at all.');
    await hears(ada, 'Nothing at all.');
    assert.notEqual((await server.status()).worker.pid, pid);
    for (const page of [ada, ben]) {
        assert.equal(await page.evaluate(() => window.closes), 0, 'no socket was closed');
        assert.equal(await page.locator('.message').count(), 4);
        assert.equal(await page.locator('.pending').count(), 0);
    }
    await ada.screenshot({ path: picture('chat.png') });
    await ada.context().close();
    await counts(ben, 1);
    await ben.context().close();
});

test('the button kills the worker and tells what became of it', async () => {
    const ada = await window('Ada Lovell', { room: 'button' });

    await say(ada, 'before');
    await hears(ada, 'before');
    await ada.click('#kill');
    await ada.waitForSelector('.note:has-text("was killed")');
    assert.match(await ada.textContent('.note'), /2 of 2 sockets stayed open/);
    await say(ada, 'after');
    await hears(ada, 'after');
    assert.equal(await ada.evaluate(() => window.closes), 0);
    await ada.context().close();
});

test('history comes from storage; a sleeping room wakes for a message', async () => {
    const ada = await window('Ada Lovell', { room: 'history' });

    for (let i = 1; i <= 55; i++) await say(ada, `line ${i}`);
    await hears(ada, 'line 55');
    await until('sleep', async () => (await server.status()).worker.state === 'asleep');
    const ben = await window('Ben Okafor', { room: 'history' });

    await hears(ben, 'line 55');
    assert.equal(await ben.locator('.message').count(), 40);
    await ben.click('#earlier');
    await ben.waitForFunction(() => document.querySelectorAll('.message').length === 55);
    assert.equal(await ada.evaluate(() => window.closes), 0);
    await counts(ada, 2);
    await ada.context().close();
    await ben.context().close();
});

test('rooms, names, unread marks', async () => {
    const ada = await window('Ada Lovell');
    const ben = await window('Ben Okafor', { room: 'den' });

    await ada.waitForSelector('.rooms li:has-text("den") small:text-is("1")');
    await say(ben, 'is anybody here');
    await ada.waitForSelector('.rooms li.unread:has-text("den")');
    await ada.click('.rooms li:has-text("den") button');
    await hears(ada, 'is anybody here');
    await counts(ben, 2);
    await ada.fill('#my-name', 'Ada Countess');
    await ada.press('#my-name', 'Enter');
    await ben.waitForSelector('#people li:has-text("Ada Countess")');
    await ada.context().close();
    await ben.context().close();
});

test('when the whole program restarts, pages come back by themselves and send what was not sent', async () => {
    const ada = await window('Ada Lovell', { room: 'restart' });

    await say(ada, 'before');
    await hears(ada, 'before');
    const { port } = server;

    await server.stop('SIGKILL');
    await ada.waitForSelector('.link[data-state=waiting]');
    await say(ada, 'said to nobody');
    server = await Holdfast.dev(CHAT, { port, state });
    await ada.waitForSelector('.link[data-state=open]');
    await ada.waitForFunction(() => document.querySelectorAll('.message').length === 2 && !document.querySelector('.pending'));
    await ada.reload();
    await hears(ada, 'said to nobody');
    assert.equal(await ada.locator('.message').count(), 2);
    await ada.context().close();
});

test('small screens and the dark theme', async () => {
    const page = await window('Dora Lind', { room: 'boat', viewport: { width: 390, height: 780 }, colorScheme: 'dark' });

    await say(page, 'Hello from the boat');
    await hears(page, 'Hello from the boat');
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, 'nothing sticks out');
    await page.click('#show-rail');
    await page.waitForSelector('.rail .rooms >> text=general');
    await page.screenshot({ path: picture('chat-phone.png') });
    await page.context().close();
});
