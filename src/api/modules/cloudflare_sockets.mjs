// `cloudflare:sockets`, for packages that can also do without it.
export function connect(address) {
  const at = typeof address === 'string' ? address : `${address.hostname}:${address.port}`;

  throw new Error(`connect("${at}"): applications open no TCP sockets here; fetch() and WebSockets lead to other servers`);
}
