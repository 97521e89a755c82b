import { createHmac } from 'node:crypto';
import type { TestApp } from './app.ts';

/** How many rows the table of sessions has, the dead ones included. */
export async function sessionRows({ services }: TestApp): Promise<number> {
  const { kysely } = services.database;
  const counting = kysely.selectFrom('sessions').select(({ fn }) => fn.countAll().as('rows'));
  return Number((await counting.executeTakeFirstOrThrow()).rows);
}

/** A session cookie's value, signed as express-session does it. */
export function signedCookie(id: string, secret: string): string {
  const signature = createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '');
  return encodeURIComponent(`s:${id}.${signature}`);
}

/** The session's id in a cookie's value. */
export function sessionId(cookie: string | undefined): string {
  const value = decodeURIComponent(cookie ?? '');
  return value.slice(2, value.indexOf('.'));
}

/** The header of a token, whoever signed it. */
export function headerOf(token: string): Record<string, unknown> {
  return partOf(token, 0);
}

/** The claims of a token, whoever signed it. */
export function claimsOf(token: string): Record<string, unknown> {
  return partOf(token, 1);
}

function partOf(token: string, index: 0 | 1): Record<string, unknown> {
  const part: unknown = JSON.parse(
    Buffer.from(token.split('.')[index] ?? '', 'base64url').toString('utf8'),
  );
  if (typeof part !== 'object' || part === null) throw new Error('that part is no object');
  return { ...part };
}

/** The `Set-Cookie` line of that name, in lower case. */
export function setCookie(response: { headers: Headers }, name: string): string | undefined {
  const line = response.headers.getSetCookie().find((cookie) => cookie.startsWith(`${name}=`));
  return line?.toLowerCase();
}
