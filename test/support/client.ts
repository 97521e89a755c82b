type Headers_ = Record<string, string>;

/** A caller over real HTTP that keeps cookies, follows no redirect, and sends nothing that it was not told to. */
export class Client {
  readonly cookies = new Map<string, string>();
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** Another caller with the same cookies, as a second tab. */
  clone(): Client {
    const other = new Client(this.#url);
    for (const [name, value] of this.cookies) other.cookies.set(name, value);
    return other;
  }

  /** `fetch` with the cookies of this caller, as far as it is for the service. */
  readonly fetch: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    if (!request.url.startsWith(`${this.#url}/`)) return fetch(request);
    for (const [name, value] of Object.entries(this.#cookieHeader())) {
      request.headers.set(name, value);
    }
    const response = await fetch(request);
    this.#remember(response);
    return response;
  };

  async request(
    method: string,
    path: string,
    headers: Headers_ = {},
    body?: NonNullable<RequestInit['body']>,
  ): Promise<Response> {
    const response = await fetch(this.#url + path, {
      method,
      redirect: 'manual',
      headers: { ...this.#cookieHeader(), ...headers },
      ...(body === undefined ? {} : { body }),
    });
    this.#remember(response);
    return response;
  }

  get(path: string, headers: Headers_ = {}): Promise<Response> {
    return this.request('GET', path, headers);
  }

  /** Posts JSON. */
  post(path: string, body?: unknown, headers: Headers_ = {}): Promise<Response> {
    if (body === undefined) return this.request('POST', path, headers);
    const json = { 'Content-Type': 'application/json', ...headers };
    return this.request('POST', path, json, JSON.stringify(body));
  }

  /** Posts a form as a browser does from a page of this service. */
  submit(path: string, fields: Record<string, string>, headers: Headers_ = {}): Promise<Response> {
    const browser = {
      Accept: 'text/html',
      'Sec-Fetch-Site': 'same-origin',
      'Sec-Fetch-Mode': 'navigate',
    };
    return this.request('POST', path, { ...browser, ...headers }, new URLSearchParams(fields));
  }

  login(username: string, password: string): Promise<Response> {
    return this.post('/auth/login', { username, password });
  }

  /** Exchanges the session. @throws when that is refused */
  async token(path = '/auth/token'): Promise<string> {
    const response = await this.get(path);
    const body: unknown = await response.json();
    if (
      typeof body === 'object' &&
      body !== null &&
      'token' in body &&
      typeof body.token === 'string'
    ) {
      return body.token;
    }
    throw new Error(`${path} answered ${response.status}`);
  }

  #cookieHeader(): Headers_ {
    if (this.cookies.size === 0) return {};
    return { Cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
  }

  #remember(response: Response): void {
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';');
      const name = pair.slice(0, pair.indexOf('='));
      const gone = attributes.some((attribute) => /^ *expires=Thu, 01 Jan 1970/i.test(attribute));
      if (gone) this.cookies.delete(name);
      else this.cookies.set(name, pair.slice(pair.indexOf('=') + 1));
    }
  }
}

/** The body of an answer as an object, for tests that look at its fields one by one. */
export async function bodyOf(response: Response): Promise<Record<string, unknown>> {
  const body: unknown = await response.json();
  if (typeof body !== 'object' || body === null) throw new Error('the answer is no JSON object');
  return { ...body };
}
