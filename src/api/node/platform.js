// What the modules of Node.js use of the runtime (src/api/nodejs.js hands it over).
export let platform;

export function setPlatform(given) {
  platform = given;
}
