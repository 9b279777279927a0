// The two things that only this bundle can reach: the native modules (src/api/modules.def) and the real global object.
/* global native, global */
const natives = native;
const globals = global;
export { natives as native, globals as global };
