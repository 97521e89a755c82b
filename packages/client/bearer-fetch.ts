import type { AuthFetch, TokenOptions } from './types.ts';

/** `localhost:3000`, without `http://`, has the origin `null`, which is no address either: as one it would lead to the app. */
export const originOf = (address: string): string => new URL(new URL(address).origin).origin;

/**
 * `fetch` that shows the token to these origins and to no other. Browsers take it off again where an answer leads to another
 * origin (Fetch Standard, section 4.4), and so does Node.
 */
export function createFetch(
  origins: readonly string[],
  send: typeof fetch,
  getToken: (options: TokenOptions) => Promise<string>,
): AuthFetch {
  const sendWith = (token: string, request: Request) => {
    request.headers.set('Authorization', `Bearer ${token}`);
    return send(request);
  };
  return async (input, { audience, ...init } = {}) => {
    const request = new Request(input, init);
    const { url, headers, signal } = request;
    if (!origins.includes(new URL(url).origin) || headers.has('Authorization'))
      return send(request);
    const token = await getToken({ audience, signal });
    const response = await sendWith(token, request);
    if (response.status !== 401 || response.redirected) return response;
    const next = await getToken({ audience, signal, refused: token });
    // a body that is a stream can be sent once only: `fetch` wants `duplex` for one, and that of a `Request` is one
    if ('duplex' in init || (input instanceof Request && input.bodyUsed)) return response;
    return sendWith(next, new Request(input, init));
  };
}
