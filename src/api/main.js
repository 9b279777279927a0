// The entry of the api bundle: exports `hooks`, the functions that the host calls.
import { native } from './native.js';

export const hooks = { native: native !== undefined };
