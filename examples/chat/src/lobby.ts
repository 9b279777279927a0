import { DurableObject } from 'cloudflare:workers';
import type { Env, RoomState } from './types';

const ALWAYS = ['general', 'music', 'kitchen', 'night-shift']; // rooms that are listed even when they are empty
const LISTED = 50;
const WEEK = 7 * 24 * 3600 * 1000;

/** Knows all rooms: how many people are in each and when something was last said. Rooms call roomIs(); pages listen. */
export class Lobby extends DurableObject<Env> {
    private rooms = new Map<string, RoomState>();

    constructor(ctx: DurableObjectState, env: Env) {
        super(ctx, env);
        ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
        ctx.blockConcurrencyWhile(async () => {
            for (const room of ALWAYS) this.rooms.set(room, { room, online: 0, seq: 0, at: 0 });
            for (const state of (await ctx.storage.list<RoomState>({ prefix: 'r:' })).values())
                this.rooms.set(state.room, state);
        });
    }

    async fetch(): Promise<Response> {
        const { 0: client, 1: server } = new WebSocketPair();
        const first = this.ctx.getWebSockets().length === 0;

        this.ctx.acceptWebSocket(server);
        if (first) await this.countAgain();
        server.send(this.list());
        return new Response(null, { status: 101, webSocket: client });
    }

    webSocketMessage(): void {
        // Pages only listen here; their pings are answered without us.
    }

    webSocketClose(ws: WebSocket, code: number): void {
        ws.close(code === 1005 || code === 1006 ? 1000 : code);
    }

    /** Called by a room whenever one of these changed. */
    roomIs(state: RoomState): void {
        this.rooms.set(state.room, state);
        this.ctx.storage.put('r:' + state.room, state);
        this.forget();
        const text = this.list();
        for (const ws of this.ctx.getWebSockets()) ws.send(text);
    }

    /** Where sockets ended without a word (the whole server stopped), what rooms last said is no longer true. */
    private async countAgain(): Promise<void> {
        const busy = [...this.rooms.values()].filter((room) => room.online > 0);

        await Promise.all(
            busy.map(async (room) => {
                room.online = await this.env.ROOMS.getByName(room.room).online();
            }),
        );
    }

    private forget(): void {
        const old = Date.now() - WEEK;

        for (const { room, online, at } of this.rooms.values()) {
            if (online || at > old || ALWAYS.includes(room)) continue;
            this.rooms.delete(room);
            this.ctx.storage.delete('r:' + room);
        }
    }

    private list(): string {
        const rooms = [...this.rooms.values()].sort((a, b) => b.online - a.online || b.at - a.at);

        return JSON.stringify({ type: 'rooms', rooms: rooms.slice(0, LISTED) });
    }
}
