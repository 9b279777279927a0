// A chat on Durable Objects: one Room a conversation, one Lobby that knows which rooms are busy.
//
// Nothing here knows about Holdfast. Who is in a room is what its sockets remember (their attachments), what was said
// is in storage, so an instance may be dropped between any two events and the next one goes on where it stopped.
import { Lobby } from './lobby';
import { Room } from './room';
import type { Env } from './types';

export { Lobby, Room };

const ROOM = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;

export default {
    async fetch(request: Request, env: Env): Promise<Response> {
        const { pathname } = new URL(request.url);
        const [, api, kind, room] = pathname.split('/');

        if (api !== 'api') return new Response('Not found\n', { status: 404 });
        if (request.headers.get('Upgrade')?.toLowerCase() !== 'websocket')
            return new Response('This address speaks WebSocket\n', { status: 426 });
        if (kind === 'lobby') return env.LOBBY.getByName('lobby').fetch(request);
        if (kind === 'rooms' && ROOM.test(room ?? '')) return env.ROOMS.getByName(room).fetch(request);
        return new Response('No such room: use a to z, 0 to 9 and dashes, at most 32\n', { status: 400 });
    },
};
