// The key to constructors that applications see but may not call.
import { illegalConstructor } from './webidl.js';

export const internal = Symbol('internal');

export function requireInternal(token) {
  if (token !== internal) throw illegalConstructor();
}
