// `cloudflare:email`, for packages that can also do mail. Nothing delivers it here.
export class EmailMessage {
  constructor(from, to, raw) {
    Object.assign(this, { from, to, raw });
  }
}
