// The questions on the screen: one card each, kept as long as its question lives, so that what somebody types in it stays.
const template = document.getElementById('card');
const still = matchMedia('(prefers-reduced-motion: reduce)');
const phrase = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' });
const UNITS = [['day', 86_400_000], ['hour', 3_600_000], ['minute', 60_000]];

export function paintAvatar(element, id, name) {
    element.style.setProperty('--hue', parseInt(id.slice(0, 4) || '0', 16) % 360);
    element.textContent = name.split(/\s+/).slice(0, 2).map((word) => [...word][0] ?? '').join('').toUpperCase();
}

function ago(time) {
    const ms = time - Date.now();
    const [unit, size] = UNITS.find(([, least]) => -ms >= least) ?? [];

    return unit === undefined ? 'just now' : phrase.format(Math.round(ms / size), unit);
}

export class Cards {
    #list;
    #say;
    #board;
    #cards = new Map(); // by the question's id

    constructor(list, board, say) {
        this.#list = list;
        this.#board = board;
        this.#say = say;
        setInterval(() => this.#tick(), 30_000);
    }

    /** Shows these questions, in this order. */
    show(questions) {
        const before = this.#places();
        const ids = new Set(questions.map(({ id }) => id));

        for (const [id, card] of this.#cards) {
            if (ids.has(id)) continue;
            card.remove();
            this.#cards.delete(id);
        }
        questions.forEach((question, at) => {
            const card = this.#cards.get(question.id) ?? this.#make(question.id);

            this.#paint(card, question);
            if (this.#list.children[at] !== card) this.#list.insertBefore(card, this.#list.children[at] ?? null);
        });
        this.#glide(before);
    }

    #places() {
        return new Map([...this.#cards].map(([id, card]) => [id, card.getBoundingClientRect().top]));
    }

    // Cards that moved glide from where they were; new ones rise.
    #glide(before) {
        if (still.matches) return;
        for (const [id, card] of this.#cards) {
            const was = before.get(id);
            const by = was === undefined ? 14 : was - card.getBoundingClientRect().top;

            if (Math.abs(by) < 1) continue;
            const from = was === undefined ? { opacity: 0, transform: `translateY(${by}px)` } : { transform: `translateY(${by}px)` };

            card.animate([from, { opacity: 1, transform: 'none' }], { duration: 320, easing: 'cubic-bezier(.2, .8, .2, 1)' });
        }
    }

    #tick() {
        for (const card of this.#cards.values()) card.querySelector('time').textContent = ago(Number(card.dataset.asked));
    }

    #make(id) {
        const card = template.content.firstElementChild.cloneNode(true);
        const [vote, answer, remove, reply] = ['.vote', '.do-answer', '.do-delete', '.reply'].map((which) => card.querySelector(which));
        const text = reply.querySelector('textarea');

        this.#cards.set(id, card);
        card.dataset.id = id;
        vote.addEventListener('click', () => {
            const on = !this.#board.voted.has(id);

            this.#board.vote(id, on);
            vote.setAttribute('aria-pressed', on);
            this.#say({ do: 'vote', id, on });
        });
        answer.addEventListener('click', () => {
            text.value = this.#board.questions.get(id)?.answer ?? '';
            reply.hidden = false;
            text.focus();
        });
        reply.querySelector('[data-cancel]').addEventListener('click', () => (reply.hidden = true));
        reply.addEventListener('submit', (event) => {
            event.preventDefault();
            reply.hidden = true;
            this.#say({ do: 'answer', id, text: text.value });
        });
        remove.addEventListener('click', () => this.#say({ do: 'delete', id }));
        return card;
    }

    #paint(card, { id, author, name, text, asked, votes, answer }) {
        const vote = card.querySelector('.vote');
        const isMine = author === this.#board.me.id;

        card.classList.toggle('answered', answer !== null);
        card.classList.toggle('mine', isMine);
        card.dataset.asked = asked;
        vote.setAttribute('aria-pressed', this.#board.voted.has(id));
        vote.setAttribute('aria-label', `${votes} votes; vote for this question`);
        vote.querySelector('b').textContent = votes;
        card.querySelector('.text').textContent = text;
        card.querySelector('.name').textContent = name;
        card.querySelector('time').textContent = ago(asked);
        card.querySelector('.answer p').textContent = answer ?? '';
        card.querySelector('.do-answer').textContent = answer === null ? 'Answer' : 'Edit answer';
        paintAvatar(card.querySelector('.avatar'), author, name);
    }
}
