// WorkerEntrypoint: the base class of entry points that are classes. Applications that also have workflows load, though nothing
// runs these here.

export class WorkerEntrypoint {
  constructor(ctx, env) {
    this.ctx = ctx;
    this.env = env;
  }
}

export class WorkflowEntrypoint {
  constructor(ctx, env) {
    this.ctx = ctx;
    this.env = env;
  }
}
