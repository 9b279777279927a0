// A WebSocket that comes back, with growing waits. What is said meanwhile goes out when it is there again.
const WAITING_MAX = 20;
const SLOWEST_MS = 10_000;

export class Socket {
    #url;
    #hear;
    #state;
    #socket = null;
    #waiting = [];
    #tries = 0;

    /** url() is asked for each attempt; hear(message) gets what came, state(name) 'connecting', 'open' or 'closed'. */
    constructor(url, hear, state) {
        this.#url = url;
        this.#hear = hear;
        this.#state = state;
        this.#dial();
        addEventListener('online', () => this.#socket ?? this.#dial());
    }

    say(wish) {
        if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(wish));
        else if (this.#waiting.length < WAITING_MAX) this.#waiting.push(wish);
    }

    #dial() {
        const socket = new WebSocket(this.#url());

        this.#socket = socket;
        this.#state('connecting');
        socket.addEventListener('open', () => {
            this.#tries = 0;
            this.#state('open');
            for (const wish of this.#waiting.splice(0)) this.say(wish);
        });
        socket.addEventListener('message', ({ data }) => this.#hear(JSON.parse(data)));
        socket.addEventListener('close', () => this.#lost());
    }

    #lost() {
        const wait = Math.min(SLOWEST_MS, 400 * 2 ** this.#tries++) * (0.7 + Math.random() * 0.6);

        this.#socket = null;
        this.#state('closed');
        setTimeout(() => this.#socket ?? this.#dial(), wait);
    }
}
