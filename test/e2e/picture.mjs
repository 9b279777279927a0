// Takes the picture of the chat for the README: node test/e2e/picture.mjs docs/chat.png
import { launch } from '../lib/browser.mjs';
import { Holdfast } from '../lib/holdfast.mjs';
import { CHAT } from './app.mjs';

const server = await Holdfast.dev(CHAT);
const browser = await launch('--force-color-profile=srgb');

async function window(name, id) {
    const context = await browser.newContext({ viewport: { width: 1240, height: 740 }, deviceScaleFactor: 1.5, locale: 'en-GB', colorScheme: 'light' });
    const page = await context.newPage();

    await page.addInitScript((me) => localStorage.setItem('me', JSON.stringify(me)), { id, name });
    await page.goto(server.url('/#general'));
    await page.waitForSelector('.link[data-state=open]');
    return page;
}

async function say(page, text) {
    await page.fill('#text', text);
    await page.press('#text', 'Enter');
    await page.waitForTimeout(250);
}

const ada = await window('Ada Lovell', 'ada-1');
const ben = await window('Ben Okafor', 'ben-7');
const chiyo = await window('Chiyo Tanaka', 'chiyo-3');

await chiyo.evaluate(() => (location.hash = 'music'));
await say(chiyo, 'Rehearsal is at seven.');
await chiyo.evaluate(() => (location.hash = 'general'));
await chiyo.waitForTimeout(300);
await say(ben, 'Morning! The ferry is running again.');
await say(ben, 'Notes for today: https://example.org/harbour/notes');
await say(chiyo, 'What happens to this room when somebody kills the code behind it in the middle of a sentence?');
await say(ada, 'Let us try. One `kill -9`, no mercy.');
await ada.click('#kill');
await ada.waitForSelector('.note');
await say(ada, 'Still here. Nobody even blinked.');
await chiyo.type('#text', 'Wait, what?');
await ada.waitForSelector('#typing:has-text("Chiyo")');
await ada.waitForTimeout(400);
await ada.screenshot({ path: process.argv[2] });
await browser.close();
await server.stop();
