// A WebSocket that comes back. Events: `state` (detail: {state, retryAt}), `message` (detail: the parsed message).
//
//   connecting ──► open ──► waiting ──► connecting …        close() ends it for good.
//
// Waiting times double from 0.3 to 10 seconds, each with some luck in it, so that a thousand pages that lost the same
// server do not return in the same instant.
const FIRST_WAIT = 300;
const LONGEST_WAIT = 10_000;
const BEAT = 20_000; // how often to ask "ping"
const BEAT_ANSWER = 8_000; // a server that stays silent longer is gone

export class Connection extends EventTarget {
    #url;
    #socket = null;
    #timer = 0;
    #beat = 0;
    #failures = 0;
    #ended = false;
    state = 'connecting';

    /** url: a string, or a function that is asked again for every attempt. */
    constructor(url) {
        super();
        this.#url = typeof url === 'function' ? url : () => url;
        addEventListener('online', this.retry);
        document.addEventListener('visibilitychange', this.#seen);
        this.#connect();
    }

    /** True when it went out; false when nobody is there to hear it. */
    send(message) {
        if (this.#socket?.readyState !== WebSocket.OPEN) return false;
        this.#socket.send(JSON.stringify(message));
        return true;
    }

    /** Try now instead of when the waiting time is over. */
    retry = () => {
        if (this.state !== 'waiting') return;
        clearTimeout(this.#timer);
        this.#connect();
    };

    close() {
        this.#ended = true;
        clearTimeout(this.#timer);
        clearTimeout(this.#beat);
        removeEventListener('online', this.retry);
        document.removeEventListener('visibilitychange', this.#seen);
        this.#socket?.close(1000);
    }

    #seen = () => {
        if (document.visibilityState === 'visible') this.retry();
    };

    #connect() {
        const socket = new WebSocket(this.#url());

        this.#socket = socket;
        this.#set('connecting');
        socket.onopen = () => {
            if (socket !== this.#socket) return;
            this.#set('open');
            this.#beatLater();
        };
        socket.onmessage = ({ data }) => {
            if (socket !== this.#socket || this.#ended) return;
            this.#beatLater();
            if (data === 'pong') return;
            this.#failures = 0; // a real answer: the other side works
            this.dispatchEvent(new CustomEvent('message', { detail: JSON.parse(data) }));
        };
        socket.onclose = () => {
            if (socket === this.#socket) this.#lost();
        };
    }

    #beatLater() {
        clearTimeout(this.#beat);
        this.#beat = setTimeout(() => {
            if (this.#socket.readyState !== WebSocket.OPEN) return;
            this.#socket.send('ping');
            this.#beat = setTimeout(() => this.#lost(), BEAT_ANSWER);
        }, BEAT);
    }

    #lost() {
        clearTimeout(this.#beat);
        this.#socket.onclose = null;
        this.#socket.close();
        if (this.#ended) return;
        const most = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures++);
        const wait = most / 2 + (Math.random() * most) / 2;

        this.#timer = setTimeout(() => this.#connect(), wait);
        this.#set('waiting', Date.now() + wait);
    }

    #set(state, retryAt = 0) {
        this.state = state;
        this.dispatchEvent(new CustomEvent('state', { detail: { state, retryAt } }));
    }
}
