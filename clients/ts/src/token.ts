/** A proof of identity. `expiresIn` is how many milliseconds it is still good; a new one is fetched before they are over. */
export type Token = string | { readonly token: string; readonly expiresIn?: number } | null | undefined;

/** Gives a token. It is called at each connect, and again before the token expires. Null or nothing: connect without one. */
export type TokenSource = () => Token | Promise<Token>;

/** Calls a token source; rejects if it throws, or gives what is no token. */
export async function fetchToken(source: TokenSource | undefined): Promise<{ token: string; expiresIn: number }> {
  const given = (await source?.()) ?? '';
  const { token, expiresIn = Infinity } = typeof given === 'object' ? given : { token: given };
  if (typeof token !== 'string') throw new TypeError('the token function gave no string');
  return { token, expiresIn };
}

/**
 * When to renew a token that is good for so long: early enough that there is
 * time to try again, and at a random moment, because many clients that
 * connected together hold tokens that expire together.
 */
export function renewIn(expiresIn: number): number {
  const lead = Math.min(60_000, expiresIn / 5);
  return expiresIn === Infinity ? Infinity : expiresIn - lead * (1 + Math.random());
}

/** The subprotocols of a handshake: a browser can send a token in no other way than as one of them. */
export function subprotocols(token: string): string[] {
  const protocols = ['finch.v1.json'];
  if (token) {
    const base64 = btoa(String.fromCharCode(...new TextEncoder().encode(token)));
    protocols.push('finch.token.' + base64.replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, ''));
  }
  return protocols;
}
