// The load generator (load/load.c) as a child: starts it, hears its lines, ends it.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = process.env.HOLDFAST_LOAD ?? fileURLToPath(new URL('../../build/load', import.meta.url));

export class Load {
    #child;
    #lines = new Map(); // word -> {promise, resolve}
    #ended;

    static start(url, options) {
        return new Load(url, options);
    }

    constructor(url, options) {
        const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);

        this.#child = spawn(program, [...args, url], { stdio: ['pipe', 'pipe', 'inherit'] });
        this.#ended = new Promise((resolve) => {
            this.#child.on('close', resolve);
            this.#child.on('error', (error) => resolve(`"${error.message}"`));
        });
        createInterface({ input: this.#child.stdout }).on('line', (line) => {
            const [word, ...rest] = line.split(' ');

            this.#line(word).resolve(rest.length ? JSON.parse(rest.join(' ')) : null);
        });
    }

    /** The line that begins with this word, as soon as it is said; rejects when the load ends without it. */
    heard(word) {
        const failed = this.#ended.then((code) => {
            throw new Error(`the load ended with status ${code} before it said '${word}'`);
        });

        return Promise.race([this.#line(word).promise, failed]);
    }

    get pid() {
        return this.#child.pid;
    }

    /** Says a line to it, for another line of this word (mode `once`). */
    next(word) {
        this.#lines.delete(word);
        this.#child.stdin.write('\n');
        return this.heard(word);
    }

    async stop() {
        this.#child.stdin.end();
        await this.#ended;
    }

    #line(word) {
        if (!this.#lines.has(word)) {
            const line = {};

            line.promise = new Promise((resolve) => (line.resolve = resolve));
            this.#lines.set(word, line);
        }
        return this.#lines.get(word);
    }
}
