// The platform's modules ("cloudflare:workers", …), as the application imports them: files of src/api/modules take their
// exports from here, by the hidden parameter of the application's function.
import { addFastlyModules } from './fastly.js';
import { DurableObject, RpcPromise, RpcProperty, RpcStub, RpcTarget, ServiceStub } from './rpc.js';
import { WorkerEntrypoint, WorkflowEntrypoint } from './worker_entrypoint.js';

/** By specifier. module.js adds what depends on the application. */
export const modules = {
  'cloudflare:workers': { DurableObject, RpcPromise, RpcProperty, RpcStub, RpcTarget, ServiceStub, WorkerEntrypoint, WorkflowEntrypoint },
};

addFastlyModules(modules);
