// WorkerEntrypoint: the base class of entry points that are classes.

export class WorkerEntrypoint {
  constructor(ctx, env) {
    this.ctx = ctx;
    this.env = env;
  }
}
