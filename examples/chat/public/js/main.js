// The page: what it knows, and what happens when. Drawing is in view.js, the socket in connection.js.
import { Connection } from './connection.js';
import { watchWorker } from './worker.js';
import { identity } from './identity.js';
import { $, dressAvatar, drawLink, drawLog, drawPeople, drawRooms, drawTyping, isAtEnd, toEnd } from './view.js';

const ROOM = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;
const TYPING_SAID = 2500; // while I type, others hear of it this often
const TYPING_OLD = 4000; // and forget it after this time

const me = await identity();
const seen = JSON.parse(sessionStorage.getItem('seen') ?? '{}'); // room -> seq of the last message read there
const pending = new Map(); // key -> {room, text, at}: said, not yet heard back
let rooms = [];
let room = '';
let lines = []; // messages and notes of this room, in order
let people = [];
let typists = new Map(); // id -> when we stop believing it
let connection = null;
let said = 0;
let typingSaid = 0;

const socketUrl = (path, query = {}) =>
    `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/${path}?${new URLSearchParams(query)}`;

/* --- the lobby: which rooms there are --- */

const lobby = new Connection(socketUrl('lobby'));

lobby.addEventListener('message', ({ detail }) => {
    if (detail.type !== 'rooms') return;
    rooms = detail.rooms;
    showRooms();
});

function showRooms() {
    const listed = rooms.some((r) => r.room === room) ? rooms : [{ room, online: 0, seq: 0 }, ...rooms];

    drawRooms([...listed].sort((a, b) => a.room.localeCompare(b.room)), room, seen, (name) => (location.hash = name));
}

/* --- a room --- */

function enter(name) {
    room = name;
    lines = [];
    people = [];
    typists = new Map();
    connection?.close();
    $('room-name').textContent = room;
    $('text').placeholder = `Message #${room}`;
    $('earlier').hidden = true;
    $('log').replaceChildren();
    drawTyping([]);
    showRooms();
    showTitle();
    open(null);

    connection = new Connection(() => socketUrl(`rooms/${name}`, { id: me.id, name: me.name }));
    connection.addEventListener('state', ({ detail }) => showLink(detail));
    connection.addEventListener('message', ({ detail }) => hear[detail.type]?.(detail));
    showLink({ state: 'connecting' });
}

const hear = {
    welcome({ people: now, messages, earlier }) {
        const last = lastSeq();
        const again = lines.length > 0;

        // After a pause we may have missed some, or so many that the ones between are not on this page of history.
        if (again && messages[0]?.seq > last + 1) lines = [];
        const fresh = messages.filter((m) => m.seq > last || !lines.length);

        for (const message of messages) pending.delete(ownKey(message));
        lines = lines.filter((line) => line.note || line.seq);
        lines.push(...fresh.filter((m) => !lines.some((line) => line.seq === m.seq)));
        lines.push(...waiting());
        if (!again || lines[0]?.seq === messages[0]?.seq) $('earlier').hidden = !earlier;
        drawLog(lines, me.id);
        setPeople(now);
        read();
        for (const [key, { room: where, text }] of pending) if (where === room) connection.send({ type: 'say', key, text });
    },

    message({ message }) {
        const key = ownKey(message);

        if (key && pending.delete(key)) settle(key, message);
        else if (message.seq > lastSeq()) add(message);
        typists.delete(message.from);
        showTyping();
        read();
    },

    earlier({ messages, earlier }) {
        $('earlier').hidden = !earlier;
        lines.unshift(...messages.filter((m) => m.seq < (lines.find((line) => line.seq)?.seq ?? Infinity)));
        drawLog(lines, me.id, { keep: true });
    },

    people({ people: now }) {
        setPeople(now);
    },

    typing({ id, on }) {
        if (on) typists.set(id, Date.now() + TYPING_OLD);
        else typists.delete(id);
        showTyping();
    },

    refused({ key, why }) {
        pending.delete(key);
        lines = lines.filter((line) => line.key !== key);
        drawLog(lines, me.id);
        note(why);
    },
};

const lastSeq = () => lines.findLast((line) => line.seq)?.seq ?? 0;
const ownKey = (message) => (message.from === me.id ? message.key.slice(me.id.length + 1) : '');
const waiting = () =>
    [...pending].filter(([, p]) => p.room === room).map(([key, p]) => ({ key, from: me.id, name: me.name, text: p.text, at: p.at }));

function add(line) {
    const drawn = lines.length;

    lines.push(line);
    const atEnd = drawLog(lines, me.id, { drawn });

    if (!atEnd && line.from === me.id) toEnd();
    else if (!atEnd) $('newest').hidden = false;
}

/** My own message came back: what was pale becomes solid, where its number puts it. */
function settle(key, message) {
    const i = lines.findIndex((line) => line.key === key && !line.seq);

    if (i < 0) return void (message.seq > lastSeq() && add(message));
    lines.splice(i, 1);
    const after = lines.findIndex((line) => !line.note && !line.seq);
    const place = after < 0 ? lines.length : after;

    lines.splice(place, 0, message);
    if (place !== i) return void drawLog(lines, me.id);
    const item = document.querySelector(`[data-key="${CSS.escape(key)}"]`);

    item?.classList.remove('pending');
    item?.setAttribute('data-key', message.key);
}

function note(text) {
    add({ note: true, text });
}

function say(text) {
    const key = `${Date.now().toString(36)}-${++said}`;

    pending.set(key, { room, text, at: Date.now() });
    add({ key, from: me.id, name: me.name, text, at: Date.now() });
    connection.send({ type: 'say', key, text });
    typingSaid = 0;
}

function setPeople(now) {
    people = now;
    drawPeople(people, me.id);
    showTyping();
}

function showTyping() {
    const now = Date.now();
    const names = people.filter(({ id }) => id !== me.id && typists.get(id) > now).map(({ name }) => name);

    drawTyping(names);
}
setInterval(() => typists.size && showTyping(), 1000);

/* --- what I have read --- */

function read() {
    if (document.visibilityState === 'visible' && isAtEnd()) {
        seen[room] = Math.max(seen[room] ?? 0, lastSeq());
        sessionStorage.setItem('seen', JSON.stringify(seen));
        $('newest').hidden = true;
    }
    showTitle();
}

function showTitle() {
    const unread = Math.max(0, lastSeq() - (seen[room] ?? 0));

    document.title = `${unread ? `(${unread}) ` : ''}#${room} · Holdfast chat`;
}

/* --- the state of the connection --- */

let countdown = 0;

function showLink({ state, retryAt = 0 }) {
    clearInterval(countdown);
    drawLink(state, retryAt);
    if (state === 'waiting') countdown = setInterval(() => drawLink(state, retryAt), 250);
}

/* --- what the person does --- */

const text = $('text');

function grow() {
    text.style.height = 'auto';
    text.style.height = `${text.scrollHeight}px`;
}

text.addEventListener('input', () => {
    grow();
    const now = Date.now();

    if (!text.value.trim() && typingSaid) {
        connection.send({ type: 'typing', on: false });
        typingSaid = 0;
    } else if (text.value.trim() && now - typingSaid > TYPING_SAID) {
        connection.send({ type: 'typing', on: true });
        typingSaid = now;
    }
});

text.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    $('say').requestSubmit();
});

$('say').addEventListener('submit', (event) => {
    event.preventDefault();
    if (!text.value.trim()) return;
    say(text.value.trim());
    text.value = '';
    grow();
    text.focus();
});

$('earlier').addEventListener('click', () => {
    connection.send({ type: 'earlier', before: lines.find((line) => line.seq)?.seq ?? 1 });
});

$('newest').addEventListener('click', () => {
    toEnd();
    read();
});
$('scroll').addEventListener('scroll', () => isAtEnd() && read(), { passive: true });
document.addEventListener('visibilitychange', read);
$('link-retry').addEventListener('click', () => connection.retry());

$('join').addEventListener('submit', (event) => {
    event.preventDefault();
    const name = $('join-name').value.trim().toLowerCase().replace(/^#/, '').replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '');

    if (!name) return;
    $('join-name').value = '';
    location.hash = name;
});

function nameMe() {
    const name = $('my-name').value.trim() || me.name;

    $('my-name').value = name;
    dressAvatar($('my-avatar'), me.id, name);
    if (name === me.name) return;
    me.name = name;
    connection.send({ type: 'name', name });
}
$('my-name').value = me.name;
$('my-name').addEventListener('change', nameMe);
$('me').addEventListener('submit', (event) => {
    event.preventDefault();
    $('my-name').blur();
});
nameMe();

/* --- drawers on small screens, light and dark --- */

function open(which) {
    for (const side of ['rail', 'side']) $(`show-${side}`).setAttribute('aria-expanded', String(which === side));
    if (which) $('app').dataset.open = which;
    else delete $('app').dataset.open;
}
for (const side of ['rail', 'side']) $(`show-${side}`).addEventListener('click', () => open($('app').dataset.open === side ? null : side));
$('veil').addEventListener('click', () => open(null));
addEventListener('keydown', (event) => event.key === 'Escape' && open(null));

const dark = matchMedia('(prefers-color-scheme: dark)');

function dress() {
    document.documentElement.dataset.theme = localStorage.getItem('theme') ?? (dark.matches ? 'dark' : 'light');
}
dark.addEventListener('change', dress);
$('theme').addEventListener('click', () => {
    localStorage.setItem('theme', document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark');
    dress();
});
dress();

/* --- begin --- */

function follow() {
    const name = decodeURIComponent(location.hash.slice(1)).toLowerCase();

    if (!ROOM.test(name)) location.replace('#general');
    else if (name !== room) enter(name);
}
addEventListener('hashchange', follow);
follow();
text.focus();
watchWorker({
    note,
    ask: () => connection.send({ type: 'who' }),
    answered: (done) => connection.addEventListener('message', done, { once: true }),
    isOpen: () => connection.state === 'open',
});
