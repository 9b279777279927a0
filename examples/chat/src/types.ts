import type { Lobby } from './lobby';
import type { Room } from './room';

export interface Env {
    ROOMS: DurableObjectNamespace<Room>;
    LOBBY: DurableObjectNamespace<Lobby>;
}

/** What a socket remembers of the person behind it. */
export interface Visitor {
    id: string;
    name: string;
    since: number;
}

/** One thing said, as it is stored and as it is sent. `key` is the sender's own mark: saying it twice stores it once. */
export interface Message {
    seq: number;
    key: string;
    from: string;
    name: string;
    text: string;
    at: number;
}

export interface RoomState {
    room: string;
    online: number;
    at: number;
    seq: number;
}

export type ToRoom =
    | { type: 'say'; key: string; text: string }
    | { type: 'typing'; on: boolean }
    | { type: 'name'; name: string }
    | { type: 'earlier'; before: number }
    | { type: 'who' };

export type FromRoom =
    | { type: 'welcome'; people: Visitor[]; messages: Message[]; earlier: boolean }
    | { type: 'message'; message: Message }
    | { type: 'earlier'; messages: Message[]; earlier: boolean }
    | { type: 'people'; people: Visitor[] }
    | { type: 'typing'; id: string; on: boolean }
    | { type: 'refused'; key?: string; why: string };

/** A name as people may wear it: no control characters, no outer space, not endless. */
export function cleanName(name: unknown): string {
    const text = String(name ?? '').replace(/[\p{C}\s]+/gu, ' ').trim();
    return [...text].slice(0, 32).join('') || 'Somebody';
}
