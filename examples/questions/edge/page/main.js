// The page: the door at /, a room at /r/NAME. Every window is somebody of its own, until it is closed.
import { Board } from './board.js';
import { Cards, paintAvatar } from './cards.js';
import { Socket } from './socket.js';

const $ = (id) => document.getElementById(id);
const secret = () => [...crypto.getRandomValues(new Uint8Array(18))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const slug = (text) => text.toLowerCase().normalize('NFKD').replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 40);
const FIRST = ['Amber', 'Brisk', 'Calm', 'Daring', 'Eager', 'Fond', 'Gentle', 'Hazel', 'Ivory', 'Jolly', 'Keen', 'Lucid', 'Mellow', 'Noble', 'Quick', 'Ruby'];
const SECOND = ['Badger', 'Crane', 'Dolphin', 'Egret', 'Finch', 'Gecko', 'Heron', 'Ibis', 'Jackdaw', 'Kestrel', 'Lynx', 'Marten', 'Otter', 'Plover', 'Quail', 'Raven'];
const SWATCHES = [['#6d4aff', '#ff7a59'], ['#0f766e', '#65c466'], ['#1d4ed8', '#22c1dc'], ['#be185d', '#f59e0b'], ['#334155', '#8b9bb4'], ['#b91c1c', '#fb7185']];
const pick = (list) => list[Math.floor(Math.random() * list.length)];

const me = JSON.parse(sessionStorage.getItem('me') ?? 'null') ?? { secret: secret(), name: `${pick(FIRST)} ${pick(SECOND)}` };
const keep = () => sessionStorage.setItem('me', JSON.stringify(me));
keep();

function toast(text) {
    const line = document.createElement('p');

    line.textContent = text;
    $('toasts').append(line);
    setTimeout(() => line.remove(), 4000);
}

async function copy(text, said) {
    try {
        await navigator.clipboard.writeText(text);
        toast(said);
    } catch {
        prompt('Copy this link:', text);
    }
}

// --- the door ---

function showDoor() {
    document.body.dataset.view = 'start';
    $('door-name').value = me.name;
    $('door-room').focus();
    $('door').addEventListener('submit', (event) => {
        const name = slug($('door-room').value);

        event.preventDefault();
        if (name === '') return;
        me.name = $('door-name').value.trim() || me.name;
        keep();
        if (event.submitter?.value === 'host') {
            const known = localStorage.getItem(`host.${name}`) ?? secret();

            localStorage.setItem(`host.${name}`, known);
            sessionStorage.setItem(`host.${name}`, known);
        }
        location.href = `/r/${name}`;
    });
}

// --- colours ---

// White or ink, whichever reads better on both.
function inkOn(colors) {
    const light = colors.map((color) => {
        const [r, g, b] = [1, 3, 5].map((at) => (parseInt(color.slice(at, at + 2), 16) / 255) ** 2.2);

        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    });

    return (light[0] + light[1]) / 2 > 0.5 ? '#1b1824' : '#ffffff';
}

function dye(element, colors) {
    element.style.setProperty('--one', colors[0]);
    element.style.setProperty('--two', colors[1]);
    element.style.setProperty('--on', inkOn(colors));
}

// --- a room ---

function showRoom(name) {
    const board = new Board();
    const cards = new Cards($('cards'), board, (wish) => socket.say(wish));
    const hostKey = `host.${name}`;
    let shown = 'all';
    let isAsking = false; // for the state

    // A host gives another the key in the link's fragment, which no server sees.
    const given = new URLSearchParams(location.hash.slice(1)).get('host');

    if (given) {
        sessionStorage.setItem(hostKey, given);
        history.replaceState(null, '', location.pathname);
    }
    document.body.dataset.view = 'room';

    const url = () => {
        const at = new URL(`/api/rooms/${name}/socket`, location.href);

        at.protocol = at.protocol.replace('http', 'ws');
        at.search = new URLSearchParams({ me: me.secret, name: me.name, host: sessionStorage.getItem(hostKey) ?? '' });
        return at;
    };

    const isShown = { all: () => true, open: ({ answer }) => answer === null, answered: ({ answer }) => answer !== null };

    function paint() {
        const all = board.ordered;
        const title = board.room.title || name.replaceAll('-', ' ').replace(/^./, (c) => c.toUpperCase());

        dye(document.documentElement, board.room.colors);
        document.title = `${title} · Questions`;
        document.body.toggleAttribute('data-host', board.me.isHost);
        $('title').textContent = title;
        $('people').textContent = `${board.people} ${board.people === 1 ? 'person' : 'people'} here`;
        $('path').textContent = `${location.host}/r/${name}`;
        $('my-name').textContent = board.me.name;
        paintAvatar($('my-avatar'), board.me.id, board.me.name);
        for (const tab of $('tabs').children) tab.querySelector('span').textContent = all.filter(isShown[tab.dataset.show]).length;
        cards.show(all.filter(isShown[shown]));
        $('empty').classList.toggle('shown', all.length === 0 && board.version >= 0);
    }

    function hear(message) {
        if (message.type === 'refused') {
            toast(message.text);
            resync(-1); // a vote may have been shown too early
            return;
        }
        if (!board.take(message)) {
            resync(board.version);
            return;
        }
        if (message.type === 'state') welcome();
        paint();
    }

    // Changes may have passed before the subscription was there: one more look.
    function welcome() {
        if (!isAsking) resync(board.version);
        isAsking = false;
        me.name = board.me.name || me.name;
        keep();
        if (sessionStorage.getItem(hostKey) && !board.me.isHost) {
            sessionStorage.removeItem(hostKey);
            toast('This room has a host already. Ask for the link for another host.');
        }
    }

    function resync(version) {
        isAsking = true;
        socket.say({ do: 'sync', version });
    }

    function setState(state) {
        $('link').dataset.state = state;
        $('link-text').textContent = { connecting: 'Connecting', open: 'Live', closed: 'Waiting to reconnect' }[state];
        if (state !== 'open') isAsking = false;
    }

    const socket = new Socket(url, hear, setState);

    listenToForms(board, name, hostKey, (wish) => socket.say(wish));
    $('tabs').addEventListener('click', ({ target }) => {
        const tab = target.closest('button');

        if (!tab) return;
        shown = tab.dataset.show;
        for (const one of $('tabs').children) one.setAttribute('aria-pressed', one === tab);
        paint();
    });
}

function listenToForms(board, name, hostKey, say) {
    listenToAsking(say);
    $('share').addEventListener('click', () => copy(location.href, 'The link is on your clipboard.'));
    $('host-link').addEventListener('click', () => copy(`${location.origin}/r/${name}#host=${sessionStorage.getItem(hostKey)}`, 'Whoever opens that link is a host.'));
    for (const button of document.querySelectorAll('[data-close]')) button.addEventListener('click', () => button.closest('dialog').close('no'));
    sheet('rename', 'me', () => {
        $('rename-name').value = board.me.name;
        $('rename-name').select();
    }, () => {
        me.name = $('rename-name').value;
        keep();
        say({ do: 'rename', name: me.name });
    });
    const colors = () => [$('color-1').value, $('color-2').value];
    const preview = () => {
        dye($('preview'), colors());
        $('preview').firstElementChild.textContent = $('decorate-title').value;
    };

    sheet('decorate', 'edit', () => {
        $('decorate-title').value = $('title').textContent;
        [$('color-1').value, $('color-2').value] = board.room.colors;
        preview();
    }, () => say({ do: 'room', title: $('decorate-title').value, colors: colors() }));
    $('decorate').addEventListener('input', preview);
    for (const pair of SWATCHES) {
        const button = document.createElement('button');

        button.type = 'button';
        button.setAttribute('aria-label', `Colours ${pair.join(' and ')}`);
        dye(button, pair);
        button.addEventListener('click', () => {
            [$('color-1').value, $('color-2').value] = pair;
            preview();
        });
        $('swatches').append(button);
    }
}

function sheet(id, opener, fill, done) {
    $(opener).addEventListener('click', () => {
        $(id).returnValue = '';
        $(id).showModal();
        fill();
    });
    $(id).addEventListener('close', () => $(id).returnValue === 'ok' && done());
}

function listenToAsking(say) {
    const text = $('ask-text');
    const look = () => {
        $('ask-count').textContent = 500 - text.value.length;
        $('ask-send').disabled = text.value.trim() === '';
    };

    text.addEventListener('input', look);
    text.addEventListener('keydown', (event) => {
        if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        $('ask').requestSubmit($('ask-send'));
    });
    $('ask').addEventListener('submit', (event) => {
        event.preventDefault();
        if (text.value.trim() === '') return;
        say({ do: 'ask', text: text.value });
        text.value = '';
        look();
    });
}

const room = /^\/r\/([a-z0-9-]{1,40})\/?$/.exec(location.pathname)?.[1];

if (room) showRoom(room);
else showDoor();
