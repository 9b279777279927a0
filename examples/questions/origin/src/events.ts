// WebSocket-over-HTTP: a body is a list of events, "TYPE\r\n" or "TYPE hex-length\r\ncontent\r\n". Content is bytes: a CLOSE has
// its code in the first two.
export interface Event {
  type: string;
  content: Uint8Array;
}

export const TYPE = 'application/websocket-events';

const CR = 13;
const NOTHING = new Uint8Array();
const bytesOf = (text: string) => new TextEncoder().encode(text);

export const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

export function decode(body: Uint8Array): Event[] {
  const events: Event[] = [];

  for (let at = 0; at < body.length; ) {
    const end = body.indexOf(CR, at);
    const [, type, hex] = /^([A-Z]+)(?: ([0-9a-fA-F]{1,7}))?$/.exec(textOf(body.subarray(at, end === -1 ? at : end))) ?? [];
    const start = end + 2;
    const length = hex === undefined ? 0 : parseInt(hex, 16);

    if (type === undefined) throw new Error('the body is no list of events');
    events.push({ type, content: body.subarray(start, start + length) });
    at = hex === undefined ? start : start + length + 2;
  }
  return events;
}

export function encode(events: Event[]): Uint8Array {
  const parts = events.flatMap(({ type, content }) =>
    content.length === 0 ? [bytesOf(`${type}\r\n`)] : [bytesOf(`${type} ${content.length.toString(16)}\r\n`), content, bytesOf('\r\n')]);
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));

  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

export const event = (type: string, content = NOTHING): Event => ({ type, content });

/** A message for this one client; "m:" is what Fanout takes off. */
export const message = (value: unknown) => event('TEXT', bytesOf(`m:${JSON.stringify(value)}`));

/** A word to Fanout itself. */
export const control = (value: unknown) => event('TEXT', bytesOf(`c:${JSON.stringify(value)}`));
