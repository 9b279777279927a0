// The platform's modules ("cloudflare:workers", …), as the application imports them: files of src/api/modules take their
// exports from here, by the hidden parameter of the application's function.
import { WorkerEntrypoint } from './worker_entrypoint.js';

/** By specifier. */
export const modules = {
  'cloudflare:workers': { WorkerEntrypoint },
};
