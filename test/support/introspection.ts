import type { TestApp } from './app.ts';

/** An API that is registered at the service. */
export interface Api {
  readonly id: string;
  readonly secret: string;
  post(
    path: '/oauth/introspect' | '/oauth/revoke',
    form: Record<string, string>,
    headers?: Record<string, string>,
  ): Promise<Response>;
  /** Whether the service says that the token is good. */
  isActive(token: string): Promise<boolean>;
}

/** @param url of another service on the same database */
export async function registerApi({ services, url }: TestApp, name = 'an API'): Promise<Api> {
  const { client, secret } = await services.apiClients.add(name);
  const authorization = basic(client.id, secret);
  const post: Api['post'] = (path, form, headers = {}) =>
    fetch(url + path, {
      method: 'POST',
      headers: { Authorization: authorization, ...headers },
      body: new URLSearchParams(form),
    });
  return {
    id: client.id,
    secret,
    post,
    async isActive(token) {
      const answer: unknown = await (await post('/oauth/introspect', { token })).json();
      const active = typeof answer === 'object' && answer !== null && 'active' in answer;
      if (active && typeof answer.active === 'boolean') return answer.active;
      throw new Error(`no answer: ${JSON.stringify(answer)}`);
    },
  };
}

/** Credentials as RFC 6749, section 2.3.1, has them. */
export function basic(id: string, secret: string): string {
  const encoded = [id, secret].map((part) => encodeURIComponent(part)).join(':');
  return `Basic ${Buffer.from(encoded).toString('base64')}`;
}
