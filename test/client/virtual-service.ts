import { breath, type VirtualTime } from './simulation.ts';

/** What happens to a request. */
export type Weather = 'fine' | 'down' | 'silent' | 'portal' | 'busy' | 'gateway-401' | 'slow';

const HOUR = 3600;

/** As much of the service as the client sees of it, in a test's own time, with one cookie jar for all tabs. */
export class VirtualService {
  weather: Weather = 'fine';
  /** The cookie of the browser: the session. */
  cookie: string | undefined;
  /** Whose sessions there are. */
  readonly sessions = new Map<string, string>();
  /** Sessions that ended because somebody signed in. */
  readonly replaced = new Set<string>();
  /** Tokens that were handed out, and the session of each. */
  readonly issued = new Map<string, string>();
  /** The most exchanges for one audience that one tab ever had under way at once. */
  most = 0;
  exchanges = 0;
  /** For how many seconds a token is good. */
  expiresIn = 6 * HOUR;
  /** How often the client was told 401 by the service itself. */
  refusals = 0;
  readonly #time: VirtualTime;
  readonly #name: string;
  #count = 0;

  constructor(time: VirtualTime, name = 'session') {
    this.#time = time;
    this.#name = name;
  }

  /** The `fetch` of one tab. */
  fetchOf(): typeof fetch {
    const underWay = new Map<string, number>();
    const add = (url: string, change: number) => {
      const count = (underWay.get(url) ?? 0) + change;
      underWay.set(url, count);
      this.most = Math.max(this.most, count);
    };
    return async (input, init = {}) => {
      const { url } = new Request(input);
      const { pathname } = new URL(url);
      const { signal } = init;
      const gone = new Promise<never>((_, reject) => {
        const abort = () => reject(new DOMException('aborted', 'AbortError'));
        if (signal?.aborted) abort();
        signal?.addEventListener('abort', abort);
      });
      gone.catch(() => undefined);
      const isExchange = pathname === '/auth/token';
      if (isExchange) add(url, 1);
      this.exchanges += Number(isExchange);
      try {
        return await Promise.race([this.#answer(pathname, init), gone]);
      } finally {
        if (isExchange) add(url, -1);
      }
    };
  }

  async #answer(path: string, { body, method }: RequestInit): Promise<Response> {
    const { weather, cookie } = this; // as it was when the request left
    await breath();
    if (weather === 'silent') return new Promise(() => undefined);
    if (weather === 'slow') await new Promise<void>((done) => this.#time.later(5000, done));
    if (weather === 'down') throw new TypeError('fetch failed');
    if (weather === 'portal') return new Response('<h1>Welcome to our hotel</h1>');
    if (weather === 'gateway-401') return new Response('<h1>401</h1>', { status: 401 });
    if (weather === 'busy') {
      return problem(503, 'unavailable', { 'Retry-After': '20' });
    }
    if (path === '/auth/login') return this.#login(body as string);
    if (path === '/auth/logout') {
      if (cookie !== undefined) this.sessions.delete(cookie);
      this.cookie = undefined;
      return new Response(null, { status: 204 });
    }
    if (method === 'DELETE') {
      this.sessions.delete(path.slice('/auth/sessions/'.length));
      return new Response(null, { status: 204 });
    }
    const user = cookie === undefined ? undefined : this.sessions.get(cookie);
    if (cookie === undefined || user === undefined) {
      this.refusals += 1;
      return problem(401, 'session_required');
    }
    return this.#token(cookie, user);
  }

  #login(body: string): Response {
    const { username } = JSON.parse(body) as { username: string };
    if (this.cookie !== undefined) {
      this.sessions.delete(this.cookie);
      this.replaced.add(this.cookie);
    }
    this.cookie = `${this.#name}-${(this.#count += 1)}`;
    this.sessions.set(this.cookie, username);
    return this.#token(this.cookie, username);
  }

  /** The clock of the service is not that of the browser. */
  #token(sid: string, username: string): Response {
    const iat = 900_000_000 + Math.floor(this.#time.now / 1000);
    const jti = (this.#count += 1);
    const claims = { sub: username, username, sid, iat, jti };
    const token = `x.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`;
    this.issued.set(token, sid);
    return Response.json({ token, token_type: 'Bearer', expires_in: this.expiresIn });
  }
}

function problem(status: number, code: string, headers: Record<string, string> = {}): Response {
  return Response.json({ status, code, detail: code }, { status, headers });
}
