// Grip-Sig: requests come from Fanout, or not at all. A JSON Web Token with an expiry, HS256.
const bytes = (base64url: string) => Uint8Array.from(atob(base64url.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));

let key: Promise<CryptoKey> | undefined;

export async function isSigned(request: Request, secret: string): Promise<boolean> {
  const [head, claims, mac] = (request.headers.get('Grip-Sig') ?? '').split('.');

  if (!mac) return false;
  key ??= crypto.subtle.importKey('raw', new TextEncoder().encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
  try {
    const isOurs = await crypto.subtle.verify('HMAC', await key, bytes(mac), new TextEncoder().encode(`${head}.${claims}`));
    const { exp } = JSON.parse(new TextDecoder().decode(bytes(claims)));

    return isOurs && exp > Date.now() / 1000;
  } catch {
    return false;
  }
}
