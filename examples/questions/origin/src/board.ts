// The storage: one object a room, all of it in its own SQLite database. It knows nothing about connections and messages: it is
// told who wants what, and says what that changed.
import { DurableObject } from 'cloudflare:workers';
import type { Change, Env, Member, Question, Room, Wish } from './types';

const TEXT_MAX = 500;
const NAME_MAX = 40;
const QUESTIONS_MAX = 500;
const AWAY_MS = 90_000; // a connection that was not heard of for so long is gone
const COLORS: [string, string] = ['#6d4aff', '#ff7a59'];

const TABLES = `
  CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS questions (id INTEGER PRIMARY KEY AUTOINCREMENT, author TEXT, text TEXT, asked INTEGER, answer TEXT);
  CREATE TABLE IF NOT EXISTS votes (question INTEGER, user TEXT, PRIMARY KEY (question, user)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS here (connection TEXT PRIMARY KEY, user TEXT, seen INTEGER) WITHOUT ROWID;
`;

const QUESTION = `
  SELECT questions.id, author, coalesce(name, 'Somebody') AS name, text, asked, answer, (SELECT count(*) FROM votes WHERE question = questions.id) AS votes
  FROM questions LEFT JOIN users ON users.id = author`;

/** What a wish cannot have. */
class Refusal extends Error {}

const tidy = (value: unknown, most: number) => String(value ?? '').replace(/\s+/g, ' ').trim().slice(0, most);

export class Board extends DurableObject<Env> {
  readonly #sql: SqlStorage;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#sql = state.storage.sql;
    this.#sql.exec(TABLES);
  }

  /** The host's key: whoever asks first while a room has no host becomes it, others must have the key. */
  claim(key: string): boolean {
    const known = this.#fact('host');

    if (known === undefined && key !== '') this.#remember('host', key);
    return key !== '' && (known ?? key) === key;
  }

  /** A connection of that user is there: what the room looks like, and what its coming changed. */
  enter(connection: string, user: string, name: string): Change[] {
    const known = this.#sql.exec<{ name: string }>('SELECT name FROM users WHERE id = ?', user).toArray()[0];

    if (known === undefined) this.#sql.exec('INSERT INTO users VALUES (?, ?)', user, tidy(name, NAME_MAX) || 'Somebody');
    return this.#people(() => this.seen(connection, user));
  }

  seen(connection: string, user: string): void {
    this.#sql.exec('INSERT OR REPLACE INTO here VALUES (?, ?, ?)', connection, user, Date.now());
  }

  leave(connection: string): Change[] {
    return this.#people(() => this.#sql.exec('DELETE FROM here WHERE connection = ?', connection));
  }

  state({ id, isHost }: Member) {
    return {
      type: 'state',
      version: this.#version,
      room: this.#room,
      people: this.#count,
      questions: this.#sql.exec<Question & Record<string, SqlStorageValue>>(QUESTION).toArray(),
      voted: this.#sql.exec<{ question: number }>('SELECT question FROM votes WHERE user = ?', id).toArray().map(({ question }) => question),
      me: { id, isHost, name: this.#sql.exec<{ name: string }>('SELECT name FROM users WHERE id = ?', id).toArray()[0]?.name ?? '' },
    };
  }

  /** Does it, and says what changed; or why not. */
  wish(member: Member, wish: Wish): { changes: Change[] } | { refused: string } {
    try {
      return { changes: this.ctx.storage.transactionSync(() => this.#do(member, wish)) };
    } catch (error) {
      if (error instanceof Refusal) return { refused: error.message };
      throw error;
    }
  }

  isCurrent(version: number): boolean {
    return version === this.#version;
  }

  #do(member: Member, wish: Wish): Change[] {
    switch (wish.do) {
      case 'ask': return this.#ask(member, tidy(wish.text, TEXT_MAX));
      case 'vote': return this.#vote(member, Number(wish.id), wish.on === true);
      case 'answer': return this.#answer(member, Number(wish.id), tidy(wish.text, TEXT_MAX));
      case 'delete': return this.#delete(member, Number(wish.id));
      case 'rename': return this.#rename(member, tidy(wish.name, NAME_MAX));
      case 'room': return this.#redecorate(member, tidy(wish.title, NAME_MAX), wish.colors);
      default: throw new Refusal('This room does not know how to do that.');
    }
  }

  #ask({ id }: Member, text: string): Change[] {
    if (text === '') throw new Refusal('A question needs words.');
    if (this.#sql.exec<{ n: number }>('SELECT count(*) AS n FROM questions').one().n >= QUESTIONS_MAX) throw new Refusal('This room is full of questions.');
    const row = this.#sql.exec<{ id: number }>('INSERT INTO questions (author, text, asked) VALUES (?, ?, ?) RETURNING id', id, text, Date.now()).one();

    this.#sql.exec('INSERT INTO votes VALUES (?, ?)', row.id, id);
    return [this.#changed(row.id)];
  }

  #vote({ id: user }: Member, id: number, on: boolean): Change[] {
    this.#find(id);
    const { rowsWritten } = on
      ? this.#sql.exec('INSERT OR IGNORE INTO votes VALUES (?, ?)', id, user)
      : this.#sql.exec('DELETE FROM votes WHERE question = ? AND user = ?', id, user);

    return rowsWritten > 0 ? [this.#changed(id)] : [];
  }

  #answer(member: Member, id: number, text: string): Change[] {
    mustHost(member, 'answers questions');
    this.#find(id);
    this.#sql.exec('UPDATE questions SET answer = ? WHERE id = ?', text === '' ? null : text, id);
    return [this.#changed(id)];
  }

  #delete(member: Member, id: number): Change[] {
    if (this.#find(id).author !== member.id) mustHost(member, "deletes other people's questions");
    this.#sql.exec('DELETE FROM questions WHERE id = ?', id);
    this.#sql.exec('DELETE FROM votes WHERE question = ?', id);
    return [{ type: 'gone', id, version: this.#next() }];
  }

  #rename({ id }: Member, name: string): Change[] {
    if (name === '') throw new Refusal('A name needs letters.');
    this.#sql.exec('INSERT OR REPLACE INTO users VALUES (?, ?)', id, name);
    return [{ type: 'name', user: id, name, version: this.#next() }];
  }

  #redecorate(member: Member, title: string, colors: unknown): Change[] {
    mustHost(member, 'changes the room');
    const [first, second] = Array.isArray(colors) ? colors : [];

    if (![first, second].every((color) => /^#[0-9a-f]{6}$/i.test(String(color)))) throw new Refusal('A colour is written #rrggbb.');
    this.#remember('room', JSON.stringify({ title, colors: [first, second] }));
    return [{ type: 'room', room: this.#room, version: this.#next() }];
  }

  #find(id: number): Question {
    const found = this.#sql.exec<Question & Record<string, SqlStorageValue>>(`${QUESTION} WHERE questions.id = ?`, id).toArray()[0];

    if (found === undefined) throw new Refusal('Somebody deleted that question.');
    return found;
  }

  #changed(id: number): Change {
    return { type: 'question', question: this.#find(id), version: this.#next() };
  }

  // What act() does to the number of people.
  #people(act: () => void): Change[] {
    const before = this.#count;

    act();
    this.#sql.exec('DELETE FROM here WHERE seen < ?', Date.now() - AWAY_MS);
    return this.#count === before ? [] : [{ type: 'people', people: this.#count, version: this.#next() }];
  }

  get #count(): number {
    return this.#sql.exec<{ n: number }>('SELECT count(DISTINCT user) AS n FROM here').one().n;
  }

  get #room(): Room {
    return JSON.parse(this.#fact('room') ?? JSON.stringify({ title: '', colors: COLORS }));
  }

  get #version(): number {
    return Number(this.#fact('version') ?? 0);
  }

  #next(): number {
    const version = this.#version + 1;

    this.#remember('version', String(version));
    return version;
  }

  #fact(name: string): string | undefined {
    return this.#sql.exec<{ value: string }>('SELECT value FROM facts WHERE name = ?', name).toArray()[0]?.value;
  }

  #remember(name: string, value: string): void {
    this.#sql.exec('INSERT OR REPLACE INTO facts VALUES (?, ?)', name, value);
  }
}

function mustHost({ isHost }: Member, what: string): void {
  if (!isHost) throw new Refusal(`Only the host ${what}.`);
}
