// Draws; decides nothing. Every function takes plain data and touches only its own part of the page.
export const $ = (id) => document.getElementById(id);

const GROUP = 5 * 60_000; // messages of one person within this time stand together
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const dayName = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });

export function dressAvatar(element, id, name) {
    let hue = 7;

    for (const char of id) hue = (hue * 31 + char.codePointAt(0)) % 360;
    const words = name.trim().split(/\s+/);

    element.style.setProperty('--hue', hue);
    element.textContent = (
        words.length > 1 ? [...words[0]][0] + [...words.at(-1)][0] : [...name.trim()].slice(0, 2).join('')
    ).toUpperCase();
}

function dayOf(at) {
    const day = new Date(at).toDateString();

    if (day === new Date().toDateString()) return 'Today';
    if (day === new Date(Date.now() - 86_400_000).toDateString()) return 'Yesterday';
    return dayName.format(at);
}

/** Text with links and `code`, built of nodes: what people write is never markup. */
function dressText(element, text) {
    for (const part of text.split(/(https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]|`[^`\n]+`)/g)) {
        if (/^https?:/.test(part)) {
            const link = document.createElement('a');

            link.href = part;
            link.target = '_blank';
            link.rel = 'noopener noreferrer';
            link.textContent = part;
            element.append(link);
        } else if (/^`[^`]+`$/.test(part)) {
            const code = document.createElement('code');

            code.textContent = part.slice(1, -1);
            element.append(code);
        } else element.append(part);
    }
    if (/^(?:\p{Extended_Pictographic}[\u{1F3FB}-\u{1F3FF}\uFE0F\u200D]*){1,4}$/u.test(text.trim())) element.classList.add('big');
}

function messageItem(message, before, myId) {
    const item = $('message-template').content.firstElementChild.cloneNode(true);
    const [by, time] = [item.querySelector('.by b'), item.querySelector('time')];

    item.dataset.key = message.key;
    item.classList.toggle('mine', message.from === myId);
    item.classList.toggle('pending', !message.seq);
    item.classList.toggle('next', !!before && before.from === message.from && before.name === message.name
        && message.at - before.at < GROUP && dayOf(before.at) === dayOf(message.at));
    dressAvatar(item.querySelector('.avatar'), message.from, message.name);
    by.textContent = message.name;
    time.dateTime = new Date(message.at).toISOString();
    time.textContent = clock.format(message.at);
    dressText(item.querySelector('.bubble'), message.text);
    return item;
}

function dayItem(at) {
    const item = document.createElement('li');

    item.className = 'day';
    item.textContent = dayOf(at);
    return item;
}

const BOLT = '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M11.5 2 4.5 11.5h5L8.5 18l7-9.5h-5Z"/></svg>';

function noteItem(note) {
    const item = document.createElement('li');

    item.className = 'note';
    item.innerHTML = BOLT;
    item.append(document.createElement('span'));
    for (const [i, part] of note.text.split('*').entries()) {
        const piece = i % 2 ? document.createElement('b') : document.createTextNode(part);

        if (i % 2) piece.textContent = part;
        item.lastChild.append(piece);
    }
    return item;
}

/**
 * The conversation: `lines` are messages and notes in order, `drawn` is how many of them stand there already. Keeps the view
 * at the newest line when it was there before, and where it was otherwise.
 */
export function drawLog(lines, myId, { drawn = 0, keep = false } = {}) {
    const [log, scroll] = [$('log'), $('scroll')];
    const fromEnd = scroll.scrollHeight - scroll.scrollTop;
    const atEnd = isAtEnd();
    let before = null;
    let day = '';
    const items = [];

    for (const [i, line] of lines.entries()) {
        if (line.note) {
            if (i >= drawn) items.push(noteItem(line));
            before = null;
            continue;
        }
        if (dayOf(line.at) !== day) {
            day = dayOf(line.at);
            if (i >= drawn) items.push(dayItem(line.at));
            before = null;
        }
        if (i >= drawn) items.push(messageItem(line, before, myId));
        before = line;
    }
    if (!lines.length) {
        const item = document.createElement('li');

        item.className = 'empty';
        item.innerHTML = '<b>Nobody has said anything yet</b>Say the first word, or open this page in another window and talk to yourself.';
        items.push(item);
    }
    if (drawn) {
        for (const item of items) item.classList.add('fresh');
        log.append(...items);
    } else log.replaceChildren(...items);
    if (keep) scroll.scrollTop = scroll.scrollHeight - fromEnd;
    else if (atEnd || !drawn) toEnd();
    return atEnd;
}

export function isAtEnd() {
    const scroll = $('scroll');

    return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
}

export function toEnd() {
    $('scroll').scrollTop = $('scroll').scrollHeight;
    $('newest').hidden = true;
}

export function drawRooms(rooms, current, seen, onChoose) {
    const items = rooms.map(({ room, online, seq }) => {
        const item = document.createElement('li');
        const button = document.createElement('button');
        const name = document.createElement('span');

        button.type = 'button';
        name.textContent = room;
        button.append(name);
        if (online) {
            const count = document.createElement('small');

            count.textContent = online;
            count.title = online === 1 ? '1 person' : `${online} people`;
            button.append(count);
        }
        if (room === current) item.setAttribute('aria-current', 'true');
        else if (seq > (seen[room] ?? 0)) {
            item.className = 'unread';
            button.title = 'New messages';
        }
        button.onclick = () => onChoose(room);
        item.append(button);
        return item;
    });
    const had = [...$('rooms').children].findIndex((item) => item.contains(document.activeElement));

    $('rooms').replaceChildren(...items);
    if (had >= 0) $('rooms').children[had]?.firstChild.focus();
}

export function drawPeople(people, myId) {
    const items = people.map(({ id, name }) => {
        const item = document.createElement('li');
        const avatar = document.createElement('span');
        const label = document.createElement('span');

        avatar.className = 'avatar';
        avatar.setAttribute('aria-hidden', 'true');
        dressAvatar(avatar, id, name);
        label.className = 'name';
        label.textContent = name;
        item.append(avatar, label);
        if (id === myId) item.append(Object.assign(document.createElement('em'), { textContent: 'you' }));
        return item;
    });

    $('people').replaceChildren(...items);
    $('people-count').textContent = people.length;
    $('room-who').textContent = people.length === 1 ? 'Only you are here' : `${people.length} people here`;
}

export function drawTyping(names) {
    const line = $('typing');
    const who = names.length > 2 ? `${names.length} people are` : `${names.join(' and ')} ${names.length > 1 ? 'are' : 'is'}`;

    line.replaceChildren();
    if (!names.length) return;
    line.innerHTML = '<span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>';
    line.append(`${who} typing`);
}

export function drawLink(state, retryAt) {
    const seconds = Math.max(1, Math.ceil((retryAt - Date.now()) / 1000));
    const words = { connecting: 'Connecting', open: 'Connected', waiting: `Back in ${seconds} s` };

    $('link').dataset.state = state;
    if ($('link-text').textContent !== words[state]) $('link-text').textContent = words[state];
    $('link-retry').hidden = state !== 'waiting';
}
