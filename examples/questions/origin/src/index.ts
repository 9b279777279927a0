// The origin: it holds no connection. Fanout asks it by HTTP what to do with each WebSocket's events, and takes what it
// publishes to everybody who is subscribed.
import type { Board } from './board';
import { control, decode, encode, event, message, textOf, TYPE, type Event } from './events';
import { isSigned } from './signature';
import type { Change, Env, Member, Wish } from './types';

export { Board } from './board';

const ROOM = /^\/api\/rooms\/([a-z0-9-]{1,40})\/socket$/;
const SECRET = /^[\w-]{16,64}$/;

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const room = ROOM.exec(pathname)?.[1];

    if (!(await isSigned(request, env.GRIP_KEY))) return new Response('This server is behind Fanout.\n', { status: 403 });
    if (room === undefined) return new Response('No such room\n', { status: 404 });
    if (request.headers.get('Content-Type') !== TYPE) return new Response('A WebSocket is expected here.\n', { status: 400 });
    const socket = new Socket(env, room, request.headers.get('Connection-Id') ?? '', request.headers);
    const events = decode(await request.bytes());

    return events[0]?.type === 'OPEN' ? socket.open(searchParams) : socket.hear(events);
  },
} satisfies ExportedHandler<Env>;

// One request of one client's connection.
class Socket {
  readonly #env: Env;
  readonly #board: DurableObjectStub<Board>;
  readonly #channel: string;
  readonly #connection: string;
  readonly #member: Member;

  constructor(env: Env, room: string, connection: string, headers: Headers) {
    this.#env = env;
    this.#board = env.BOARDS.get(env.BOARDS.idFromName(room));
    this.#channel = `room-${room}`;
    this.#connection = connection;
    // What open() found out comes back with every request.
    this.#member = { id: headers.get('Meta-User') ?? '', isHost: headers.get('Meta-Host') === 'yes' };
  }

  /** Accepts the client: who it is stays with Fanout, and what the room looks like is the first thing it hears. */
  async open(query: URLSearchParams): Promise<Response> {
    const secret = query.get('me') ?? '';
    const key = query.get('host') ?? '';

    if (!SECRET.test(secret) || (key !== '' && !SECRET.test(key))) return new Response('Who are you?\n', { status: 400 });
    const id = await publicId(secret);
    const isHost = key !== '' && (await this.#board.claim(key));
    const changes = await this.#board.enter(this.#connection, id, query.get('name') ?? '');

    await this.#publish(changes);
    return reply([
      event('OPEN'),
      control({ type: 'subscribe', channel: this.#channel }),
      message(await this.#board.state({ id, isHost })),
    ], {
      'Sec-WebSocket-Extensions': 'grip',
      'Set-Meta-User': id,
      'Set-Meta-Host': isHost ? 'yes' : '',
      'Keep-Alive-Interval': '30', // so that a connection that vanished is noticed
    });
  }

  async hear(events: Event[]): Promise<Response> {
    const answers: Event[] = [];

    if (events.length === 0) await this.#board.seen(this.#connection, this.#member.id);
    for (const { type, content } of events) {
      if (type === 'TEXT') answers.push(...await this.#wish(textOf(content)));
      else if (type === 'PING') answers.push(event('PONG', content));
      else if (type === 'CLOSE' || type === 'DISCONNECT') await this.#publish(await this.#board.leave(this.#connection));
      if (type === 'CLOSE') answers.push(event(type, content));
    }
    return reply(answers);
  }

  // What changes is everybody's to hear; what is answered here is for this client alone.
  async #wish(text: string): Promise<Event[]> {
    const wish = parsed(text);

    if (wish === undefined) return [message({ type: 'refused', text: 'That was no message of this page.' })];
    if (wish.do === 'sync') return (await this.#board.isCurrent(Number(wish.version))) ? [] : [message(await this.#board.state(this.#member))];
    const done = await this.#board.wish(this.#member, wish);

    if ('refused' in done) return [message({ type: 'refused', text: done.refused })];
    await this.#publish(done.changes);
    return [];
  }

  // Ids tell Fanout the order, whichever of two requests gets there first.
  async #publish(changes: Change[]): Promise<void> {
    if (changes.length === 0) return;
    const items = changes.map((change) => ({
      channel: this.#channel,
      id: String(change.version),
      'prev-id': String(change.version - 1),
      formats: { 'ws-message': { content: JSON.stringify(change) } },
    }));
    const response = await fetch(this.#env.PUBLISH, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ items }) });

    if (!response.ok) console.error(`publishing failed: ${response.status} ${await response.text()}`);
  }
}

function parsed(text: string): Wish | undefined {
  try {
    const wish = JSON.parse(text);

    return typeof wish === 'object' && wish !== null ? wish : undefined;
  } catch {
    return undefined;
  }
}

const reply = (events: Event[], headers: Record<string, string> = {}) =>
  new Response(encode(events), { headers: { 'Content-Type': TYPE, ...headers } });

/** What others see of a client's secret. */
async function publicId(secret: string): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(secret)));

  return [...hash.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
