// A running `holdfast dev` (or another command of it) for a test: starts it on a free port, waits for `ready`, gathers what
// it prints, asks its development endpoints, ends it.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PATIENCE_MS } from './bell.mjs';

export const program = process.env.HOLDFAST ?? fileURLToPath(new URL('../../build/holdfast', import.meta.url));

/** Resolves when check() gives something true, with that; rejects after ms. check may be async; what it throws is not final. */
export async function until(what, check, ms = PATIENCE_MS) {
    const end = Date.now() + ms;
    let last = null;

    for (;;) {
        try {
            const found = await check();

            if (found) return found;
            last = null;
        } catch (error) {
            last = error;
        }
        if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}${last ? ` (${last.message})` : ''}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}

export class Holdfast {
    static #alive = new Set();
    /** Everything printed so far. */
    out = '';
    log = '';
    port = 0;
    exit = null; // {code, signal} when it ended
    #child;
    #ended;
    #ownState = null;

    /** Starts and waits for `ready`. app: a path; args: more of the command line; state: a folder that outlives it; port 0: any. */
    static async dev(app, { args = [], state, env, port = 0 } = {}) {
        const self = new Holdfast();

        if (!state) state = self.#ownState = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
        self.state = state;
        self.#spawn(['dev', app, '--port', String(port), '--state', state, ...args], env);
        await self.#ready();
        return self;
    }

    /** Any other command: resolves when it ended, with {code, out, log}. */
    static async run(args, { env, cwd } = {}) {
        const self = new Holdfast();

        self.#spawn(args, env, cwd);
        const late = setTimeout(() => self.#child.kill('SIGKILL'), PATIENCE_MS);

        await self.#ended;
        clearTimeout(late);
        return { ...self.exit, out: self.out, log: self.log };
    }

    /** The same with args that make a server of it, `serve` above all. program: another name for ours. */
    static async serve(args, options = {}) {
        const self = new Holdfast();

        self.#spawn(args, options.env, options.cwd, options.program);
        await self.#ready();
        return self;
    }

    #spawn(args, env, cwd, name = program) {
        this.#child = spawn(name, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env }, cwd });
        Holdfast.#alive.add(this.#child);
        this.#child.stdout.setEncoding('utf8').on('data', (text) => (this.out += text));
        this.#child.stderr.setEncoding('utf8').on('data', (text) => (this.log += text));
        this.#ended = new Promise((resolve) => {
            this.#child.on('error', (error) => resolve((this.exit = { code: -1, error })));
            this.#child.on('close', (code, signal) => resolve((this.exit = { code, signal })));
        }).finally(() => Holdfast.#alive.delete(this.#child));
    }

    async #ready() {
        const port = () => Number(this.out.match(/^ready https?:\/\/[^\s]*:(\d+)$/m)?.[1]);

        await until('ready', () => port() || this.exit, PATIENCE_MS).catch(() => {});
        this.port = port();
        if (this.port) return;
        const end = this.exit ? `ended with status ${this.exit.code ?? this.exit.signal}` : `was not ready within ${PATIENCE_MS} ms`;

        await this.stop();
        throw new Error(`holdfast ${end}\n${this.out}${this.log}`);
    }

    /** The port of the control listener. */
    get control() {
        return Number(this.out.match(/^control http:\/\/[^\s]*:(\d+)$/m)?.[1]);
    }

    get pid() {
        return this.#child.pid;
    }

    url(path = '/') {
        return `http://127.0.0.1:${this.port}${path}`;
    }

    ws(path = '/') {
        return `ws://127.0.0.1:${this.port}${path}`;
    }

    /** What the gateway says of its worker and sockets. Wakes nothing. */
    async status() {
        return (await fetch(this.url('/__holdfast/dev'))).json();
    }

    /** SIGKILL to the worker, by its own pid; resolves with that pid once the gateway has noticed. */
    async killWorker() {
        const { worker } = await this.status();

        if (!worker.pid) throw new Error('no worker is running');
        process.kill(worker.pid, 'SIGKILL');
        await until('the worker is gone', async () => (await this.status()).worker.pid !== worker.pid);
        return worker.pid;
    }

    /** Waits for text in the log: a string or a RegExp; from where the log was at mark(), if given. */
    logged(what, { from = 0, ms = PATIENCE_MS } = {}) {
        const found = () => {
            const log = this.log.slice(from);

            return typeof what === 'string' ? log.includes(what) && log : log.match(what);
        };

        return until(`a log line ${what}\n--- log:\n${this.log}`, found, ms);
    }

    mark() {
        return this.log.length;
    }

    signal(name) {
        this.#child.kill(name);
    }

    /** Ends it as Ctrl-C does; resolves with the exit status. Its state goes, unless the test named a folder for it. */
    async stop(signal = 'SIGINT') {
        if (!this.exit) {
            this.#child.kill(signal);
            const late = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS);

            await this.#ended;
            clearTimeout(late);
        }
        if (this.#ownState) rmSync(this.#ownState, { recursive: true, force: true });
        // A build with sanitizers: what they found would else be hidden by a new worker.
        const found = this.log.match(/^.*(?:(?:ERROR|WARNING): \w+Sanitizer|runtime error:)[^]{0,3000}/m);

        if (!found) return this.exit;
        // The test's other hooks will not run: what they would have stopped must not keep its process.
        for (const child of Holdfast.#alive) child.kill('SIGKILL');
        throw new Error(found[0]);
    }
}

/** Whether a process exists. */
export function isAlive(pid) {
    try {
        return !/^\S+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    } catch {
        return false;
    }
}

/** Pids of the children of a process. */
export function childrenOf(pid) {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((child) => {
        try {
            const stat = readFileSync(`/proc/${child}/stat`, 'latin1');

            return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid && isAlive(child);
        } catch {
            return false;
        }
    });
}
