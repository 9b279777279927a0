// The browser of the tests that look at pages, and of the programs that take their pictures.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const pictures = fileURLToPath(new URL('../../build/pictures', import.meta.url));
const QUIET = [
    '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/** Chromium, with further switches. */
export function launch(...args) {
    assert.ok(existsSync(executablePath), `${executablePath} is missing: install Debian's package chromium, or set CHROMIUM`);
    return chromium.launch({ executablePath, args: [...QUIET, ...args] });
}

/** Where a picture of that name goes. */
export function picture(name) {
    mkdirSync(pictures, { recursive: true });
    return join(pictures, name);
}

/** For addInitScript(): counts the page's WebSockets that have closed in window.closes. */
export function countCloses() {
    const Real = window.WebSocket;

    window.closes = 0;
    window.WebSocket = class extends Real {
        constructor(...args) {
            super(...args);
            this.addEventListener('close', () => window.closes++);
        }
    };
}
