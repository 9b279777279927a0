// Takes the picture of the board for its README: node test/e2e/picture_questions.mjs docs/questions.png
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launch } from '../lib/browser.mjs';
import { Holdfast } from '../lib/holdfast.mjs';
import { freePorts } from '../lib/ports.mjs';
import { QUESTIONS, atPorts } from './app.mjs';

const [port, control] = await freePorts(2);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-picture-'));

atPorts(QUESTIONS, join(folder, 'app'), { 8787: port, 5561: control });

const server = await Holdfast.dev(join(folder, 'app'), { state: join(folder, 'state'), port });
const browser = await launch('--force-color-profile=srgb');

async function window(name, as = '#door-join') {
    const context = await browser.newContext({ viewport: { width: 1140, height: 900 }, deviceScaleFactor: 1.25, locale: 'en-GB', colorScheme: 'light', reducedMotion: 'reduce' });
    const page = await context.newPage();

    await page.goto(server.url('/'));
    await page.fill('#door-room', 'harbour');
    await page.fill('#door-name', name);
    await page.click(as);
    await page.waitForSelector('.link[data-state=open]');
    await page.waitForTimeout(300);
    return page;
}

async function ask(page, text) {
    await page.fill('#ask-text', text);
    await page.press('#ask-text', 'Enter');
    await page.waitForTimeout(200);
}

const card = (page, text) => page.locator('.card', { hasText: text });
const vote = async (page, text) => {
    await card(page, text).locator('.vote').click();
    await page.waitForTimeout(150);
};

const ada = await window('Ada Lovell', '#door-host');
const ben = await window('Ben Okafor');
const chiyo = await window('Chiyo Tanaka');
const dag = await window('Dag Nilsen');

await ada.click('#edit');
await ada.fill('#decorate-title', 'Harbour town hall');
await ada.click('#decorate .strong');
await ask(ben, 'Will the new ferry run on Sundays, too?');
await ask(chiyo, 'How do we keep the library open in the evenings without cutting the mornings?');
await ask(dag, 'Can the minutes of these meetings be published within a week?');
await ask(ben, 'Who do we call when the lights on the pier are out?');
for (const page of [ada, ben, dag]) await vote(page, 'library');
for (const page of [ada, chiyo]) await vote(page, 'ferry');
await vote(ada, 'minutes');
await card(ada, 'ferry').locator('.do-answer').click();
await card(ada, 'ferry').locator('textarea').fill('Yes: from May on, four times a day.');
await card(ada, 'ferry').locator('.reply .strong').click();
await ada.waitForTimeout(500);
await ada.evaluate(() => {
    document.activeElement.blur();
    document.getElementById('path').textContent = 'questions.example/r/harbour';
});
await ada.screenshot({ path: process.argv[2] });
await browser.close();
await server.stop();
rmSync(folder, { recursive: true, force: true });
