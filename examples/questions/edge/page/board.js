// What this window knows of the room: a state, and the changes that everybody hears, each one version later.
export class Board {
    version = -1;
    room = { title: '', colors: ['#6d4aff', '#ff7a59'] };
    people = 0;
    me = { id: '', name: '', isHost: false };
    questions = new Map();
    voted = new Set();

    /** Takes what the server said. False: something is missing before it, ask for the state. */
    take(message) {
        if (message.type === 'state') {
            this.#replace(message);
            return true;
        }
        if (message.version <= this.version) return true; // the state knew it already
        if (message.version !== this.version + 1) return false;
        this.version = message.version;
        this.#change(message);
        return true;
    }

    /** By votes; the older one first where they are equal. */
    get ordered() {
        return [...this.questions.values()].sort((a, b) => b.votes - a.votes || a.id - b.id);
    }

    /** The vote shows at once; the number comes with the change. */
    vote(id, on) {
        if (on) this.voted.add(id);
        else this.voted.delete(id);
    }

    #replace({ version, room, people, questions, voted, me }) {
        Object.assign(this, { version, room, people, me });
        this.questions = new Map(questions.map((one) => [one.id, one]));
        this.voted = new Set(voted);
    }

    #change(change) {
        switch (change.type) {
        case 'question':
            if (!this.questions.has(change.question.id) && change.question.author === this.me.id) this.voted.add(change.question.id);
            this.questions.set(change.question.id, change.question);
            break;
        case 'gone':
            this.questions.delete(change.id);
            break;
        case 'name':
            for (const one of this.questions.values()) if (one.author === change.user) one.name = change.name;
            if (change.user === this.me.id) this.me.name = change.name;
            break;
        case 'room':
            this.room = change.room;
            break;
        case 'people':
            this.people = change.people;
            break;
        }
    }
}
