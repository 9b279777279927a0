// `cloudflare:workers` (src/api/modules.js).
export const {
  DurableObject, env, exports, RpcPromise, RpcProperty, RpcStub, RpcTarget, ServiceStub, waitUntil, WorkerEntrypoint, WorkflowEntrypoint,
} = __holdfast.modules['cloudflare:workers'];
