// The panel about the process behind the page. Only `holdfast dev` answers at this address; anywhere else it stays hidden.
import { $ } from './view.js';

const DEV = '/__holdfast/dev';
const KILL = '/__holdfast/kill';
const LOOK = 2000;
const PATIENCE = 15_000;
const AWAKE = 'Sends SIGKILL to the process that runs this chat. Your connection is the gateway\'s: it stays.';
const ASLEEP = 'Nobody spoke for a while, so no process runs at all. Your connection stays; the next message wakes one.';

let asleep = false; // as the panel says

async function look() {
    const answer = await fetch(DEV, { headers: { Accept: 'application/json' } });

    if (!answer.ok || !answer.headers.get('content-type')?.includes('json')) return null;
    const state = await answer.json();

    return state.program === 'holdfast' ? state : null;
}

function draw({ worker, sockets }) {
    const running = worker.state === 'running';

    $('worker-state').dataset.state = worker.state;
    $('worker-state').textContent = running ? `process ${worker.pid}` : worker.state;
    $('worker-sockets').textContent = sockets.open;
    $('worker-starts').textContent = worker.starts;
    $('kill').disabled = !running;
    if ((worker.state === 'asleep') === asleep) return;
    asleep = !asleep;
    $('fate').textContent = asleep ? ASLEEP : AWAKE;
}

/**
 * page.note(text) writes into the conversation; page.ask() makes the room answer, page.answered(fn) hears it;
 * page.isOpen() tells whether this page's socket is open.
 */
export async function watchWorker(page) {
    const first = await look().catch(() => null);

    if (!first) return;
    let pid = first.worker.pid;
    let killing = false;

    draw(first);
    $('worker').hidden = false;
    $('kill').addEventListener('click', async () => {
        killing = true;
        $('kill').disabled = true;
        await kill().catch((error) => ($('fate').textContent = `That did not work: ${error.message}`));
        $('kill').disabled = false;
        killing = false;
    });
    setInterval(watch, LOOK);

    async function watch() {
        if (document.visibilityState !== 'visible' || killing) return;
        const now = await look().catch(() => null);

        if (!now || killing) return;
        draw(now);
        if (pid && now.worker.pid && now.worker.pid !== pid && page.isOpen())
            page.note(`Worker *${pid}* is gone, *${now.worker.pid}* took over. Your connection never closed.`);
        pid = now.worker.pid || pid;
    }

    async function kill() {
        const before = (await look())?.sockets.open ?? 0;
        const answer = await fetch(KILL, { method: 'POST' });
        const { killed, error } = await answer.json();

        if (!answer.ok) throw new Error(error ?? `status ${answer.status}`);
        const began = performance.now();

        $('worker-state').dataset.state = 'killed';
        $('worker-state').textContent = `${killed} killed`;
        page.ask();
        await new Promise((resolve, reject) => {
            page.answered(resolve);
            setTimeout(reject, PATIENCE, new Error(`no answer within ${PATIENCE / 1000} seconds`));
        });
        const ms = Math.round(performance.now() - began);
        const now = await look();

        draw(now);
        pid = now.worker.pid || pid;
        const held = `${Math.min(before, now.sockets.open)} of ${before}`;

        $('fate').textContent = `Killed ${killed}. ${held} sockets stayed open; process ${now.worker.pid} answered after ${ms} ms.`;
        page.note(`Worker *${killed}* was killed. *${held}* sockets stayed open, *${now.worker.pid}* answered *${ms}\u00a0ms* later.`);
    }
}
