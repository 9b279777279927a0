// Frames to holds. Sends are gathered: the same message to many holds crosses the link once. It leaves when another message
// comes, before any other frame to a hold, and at the end of the batch. Bytes are copied at the first send; the same object
// sent again joins when its bytes are still the same.
import { phases } from './context.js';
import { native } from './native.js';
import { bytesOf } from './webidl.js';

const { holds } = native; // whom wsSend() sends to
let count = 0;
let gathered; // a string, or the copy of bytes
let source; // what was given
let gate = 0; // the actor whose commit it waits for

/** A message (a string, an ArrayBuffer or a view) to end's hold. */
export function gather(end, data) {
  const owner = end.gate;
  if (count === 0 || count === holds.length || owner !== gate || !isGathered(data)) startGathering(data, owner);
  holds[count++] = end.hold;
}

const isGathered = (data) => data === source && (typeof data === 'string' || native.websocket.same(data, gathered));

function startGathering(data, owner) {
  flush();
  source = data;
  gathered = typeof data === 'string' ? data : copyOf(data);
  gate = owner;
}

/** Writes what was gathered. Before any frame that names a hold. */
export function flush() {
  if (count === 0) return;
  const n = count;
  const data = gathered;
  count = 0;
  source = gathered = undefined;
  if (gate === 0) {
    native.link.wsSend(data, n);
  } else {
    native.link.as(gate);
    native.link.wsSend(data, n);
    native.link.as(0);
  }
}

phases.flush = flush;

/** write(hold): another frame to end's hold, behind what was gathered and under its owner's output gate. */
export function frame(end, write) {
  flush();
  const owner = end.gate;
  if (owner !== 0) native.link.as(owner);
  write(end.hold);
  if (owner !== 0) native.link.as(0);
}

/** An ArrayBuffer of its own. */
export function copyOf(data) {
  const bytes = bytesOf(data);
  return bytes.slice().buffer;
}
