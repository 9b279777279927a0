import type { Board } from './board';

export interface Env {
  BOARDS: DurableObjectNamespace<Board>;
  GRIP_KEY: string;
  PUBLISH: string;
}

export interface Room {
  title: string;
  colors: [string, string];
}

export interface Question {
  id: number;
  author: string; // a user's id
  name: string; // what that user is called now
  text: string;
  asked: number;
  votes: number;
  answer: string | null;
}

/** What a client may ask for. */
export type Wish =
  | { do: 'sync'; version: number }
  | { do: 'ask'; text: string }
  | { do: 'vote'; id: number; on: boolean }
  | { do: 'answer'; id: number; text: string }
  | { do: 'delete'; id: number }
  | { do: 'rename'; name: string }
  | { do: 'room'; title: string; colors: [string, string] };

/** What happened, for everybody in the room; each has the version after the one before. */
export type Change = { version: number } & (
  | { type: 'question'; question: Question }
  | { type: 'gone'; id: number }
  | { type: 'name'; user: string; name: string }
  | { type: 'room'; room: Room }
  | { type: 'people'; people: number }
);

export interface Member {
  id: string;
  isHost: boolean;
}
