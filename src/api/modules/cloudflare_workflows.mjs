// `cloudflare:workflows`, for packages that can do more than workflows.
export class NonRetryableError extends Error {
  constructor(message, name = 'NonRetryableError') {
    super(message);
    this.name = name;
  }
}
