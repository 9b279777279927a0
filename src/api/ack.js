// Events that are over. Their seqs are left where the host looks at the end of the batch: a call of it would cost as much as
// everything else that a small message needs.
import { native } from './native.js';

const { acks } = native; // how many, and those

/** Event seq of the link is over; 0 is none. */
export function acknowledge(seq) {
  if (seq === 0) return;
  const n = acks[0] + 1;
  acks[n] = seq;
  acks[0] = n;
  if (n + 1 === acks.length) native.link.acked();
}
