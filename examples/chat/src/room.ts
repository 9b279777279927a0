import { DurableObject } from 'cloudflare:workers';
import { cleanName, type Env, type FromRoom, type Message, type ToRoom, type Visitor } from './types';

const PAGE = 40; // messages sent to someone who comes in, and for each look further back
const KEPT = 1000; // messages a room keeps
const TEXT_MAX = 4000;
const DAY = 24 * 3600 * 1000;
const FORGET = 30 * DAY; // a room where nobody spoke that long is emptied

const slot = (seq: number) => 'm:' + String(seq).padStart(12, '0');

export class Room extends DurableObject<Env> {
    // The newest messages, oldest first. A cache of storage: filled when the instance is made.
    private recent: Message[] = [];

    constructor(ctx: DurableObjectState, env: Env) {
        super(ctx, env);
        ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
        ctx.blockConcurrencyWhile(async () => {
            this.recent = await this.page({});
        });
    }

    async fetch(request: Request): Promise<Response> {
        const query = new URL(request.url).searchParams;
        const visitor: Visitor = {
            id: (query.get('id') ?? '').slice(0, 64) || crypto.randomUUID(),
            name: cleanName(query.get('name')),
            since: Date.now(),
        };
        const { 0: client, 1: server } = new WebSocketPair();

        this.ctx.acceptWebSocket(server, [visitor.id]);
        server.serializeAttachment(visitor);
        tell(server, {
            type: 'welcome',
            people: this.people(),
            messages: this.recent,
            earlier: (this.recent[0]?.seq ?? 1) > 1,
        });
        await this.peopleChanged(server);
        return new Response(null, { status: 101, webSocket: client });
    }

    async webSocketMessage(ws: WebSocket, data: string | ArrayBuffer): Promise<void> {
        let said: ToRoom;

        try {
            said = JSON.parse(String(data));
        } catch {
            return ws.close(1003, 'Messages are JSON');
        }
        switch (said?.type) {
            case 'say':
                return this.say(ws, said.key, said.text);
            case 'typing':
                return this.typing(ws, said.on);
            case 'name':
                return this.rename(ws, said.name);
            case 'earlier':
                return this.earlier(ws, said.before);
            case 'who':
                return tell(ws, { type: 'people', people: this.people() });
            default:
                return ws.close(1003, 'No such message');
        }
    }

    async webSocketClose(ws: WebSocket, code: number): Promise<void> {
        // 1005 and 1006 say that no code came: they cannot be sent back.
        ws.close(code === 1005 || code === 1006 ? 1000 : code);
        await this.peopleChanged(ws);
    }

    async webSocketError(ws: WebSocket): Promise<void> {
        await this.peopleChanged(ws);
    }

    /** Asked by the lobby when it doubts what it remembers. */
    online(): number {
        return this.people().length;
    }

    /** Nobody spoke for a month: the room becomes new. */
    async alarm(): Promise<void> {
        const last = this.recent.at(-1)?.at ?? 0;

        if (Date.now() - last < FORGET) return this.ctx.storage.setAlarm(last + FORGET);
        await this.ctx.storage.deleteAll();
        this.recent = [];
    }

    private async say(ws: WebSocket, key: unknown, text: unknown): Promise<void> {
        if (typeof text !== 'string' || !text.trim() || text.length > TEXT_MAX)
            return tell(ws, { type: 'refused', key: String(key), why: `A message has 1 to ${TEXT_MAX} characters` });

        const { id, name } = ws.deserializeAttachment() as Visitor;
        const mark = `${id}:${String(key).slice(0, 64)}`;
        const known = this.recent.find((m) => m.key === mark);

        // Said again by a client that lost its connection, or delivered again after a crash: once is enough to store it,
        // but whether everybody heard it is not known, so they hear it again (pages go by `seq`).
        if (known) return this.broadcast({ type: 'message', message: known });

        const message: Message = {
            seq: (this.recent.at(-1)?.seq ?? 0) + 1,
            key: mark,
            from: id,
            name,
            text: text.trimEnd(),
            at: Date.now(),
        };

        this.recent.push(message);
        if (this.recent.length > PAGE) this.recent.shift();
        this.ctx.storage.put(slot(message.seq), message);
        if (message.seq > KEPT) this.ctx.storage.delete(slot(message.seq - KEPT));
        if (message.seq === 1) this.ctx.storage.setAlarm(message.at + FORGET);
        // Nobody sees it before it is on disk: the runtime holds these back until the put is durable.
        this.broadcast({ type: 'message', message });
        await this.tellLobby();
    }

    private typing(ws: WebSocket, on: boolean): void {
        const { id } = ws.deserializeAttachment() as Visitor;

        this.broadcast({ type: 'typing', id, on: !!on }, ws);
    }

    private async rename(ws: WebSocket, name: unknown): Promise<void> {
        const visitor = ws.deserializeAttachment() as Visitor;

        // Every window of the same person shows the new name.
        for (const other of this.ctx.getWebSockets(visitor.id))
            other.serializeAttachment({ ...other.deserializeAttachment(), name: cleanName(name) });
        this.broadcast({ type: 'people', people: this.people() });
    }

    private async earlier(ws: WebSocket, before: unknown): Promise<void> {
        const messages = await this.page({ end: slot(Math.max(1, Number(before) || 1)) });

        tell(ws, { type: 'earlier', messages, earlier: (messages[0]?.seq ?? 1) > 1 && messages.length === PAGE });
    }

    /** A page of history, oldest first: the newest, or the last one before `end`. */
    private async page(range: { end?: string }): Promise<Message[]> {
        const found = await this.ctx.storage.list<Message>({ prefix: 'm:', reverse: true, limit: PAGE, ...range });

        return [...found.values()].reverse();
    }

    /** Who is here, one entry a person, however many windows they have open. `gone` has left but is still listed. */
    private people(gone?: WebSocket): Visitor[] {
        const people = new Map<string, Visitor>();

        for (const ws of this.ctx.getWebSockets()) {
            const visitor = ws.deserializeAttachment() as Visitor | null;

            if (!visitor || ws === gone) continue;
            if (visitor.since < (people.get(visitor.id)?.since ?? Infinity)) people.set(visitor.id, visitor);
        }
        return [...people.values()].sort((a, b) => a.since - b.since);
    }

    private async peopleChanged(ws: WebSocket): Promise<void> {
        const left = ws.readyState !== WebSocket.OPEN;
        const people = this.people(left ? ws : undefined);

        this.broadcast({ type: 'people', people }, ws);
        await this.tellLobby(people.length);
    }

    private async tellLobby(online = this.people().length): Promise<void> {
        const last = this.recent.at(-1);

        await this.env.LOBBY.getByName('lobby').roomIs({
            room: this.ctx.id.name!,
            online,
            seq: last?.seq ?? 0,
            at: last?.at ?? 0,
        });
    }

    private broadcast(what: FromRoom, except?: WebSocket): void {
        const text = JSON.stringify(what);

        for (const ws of this.ctx.getWebSockets()) if (ws !== except) ws.send(text);
    }
}

function tell(ws: WebSocket, what: FromRoom): void {
    ws.send(JSON.stringify(what));
}
