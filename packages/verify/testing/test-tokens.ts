import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../json.ts';

/** What a token of a test says. Whatever else is given becomes a claim; `undefined` leaves a claim out. */
export interface TestTokenOptions {
  /** Default: none. */
  roles?: readonly string[] | undefined;
  /** Default: `'user-1'`. */
  sub?: string | undefined;
  /** Default: `'ada'`. */
  username?: string | undefined;
  /** Default: the issuer's. */
  audience?: string | readonly string[] | undefined;
  /** Seconds. Default: 6 hours. */
  expiresIn?: number;
  [claim: string]: unknown;
}

/** What every token of an issuer has in common. */
export interface TestTokenDefaults {
  readonly issuer: string;
  readonly audience: string;
  readonly statusListUri: string;
}

/**
 * Claims as Coatcheck issues them.
 * @param iat seconds since 1970
 * @param idx where in the status list
 */
export function testClaims(
  options: TestTokenOptions,
  { issuer, audience, statusListUri }: TestTokenDefaults,
  iat: number,
  idx: number,
): JsonObject {
  const { audience: _, expiresIn = 21_600, ...claims } = options;
  return {
    iss: issuer,
    sub: 'user-1',
    aud: Object.hasOwn(options, 'audience') ? options.audience : audience,
    iat,
    exp: iat + expiresIn,
    jti: randomUUID(),
    sid: randomUUID(),
    auth_time: iat,
    amr: ['pwd'],
    status: { status_list: { idx, uri: statusListUri } },
    id: options.sub ?? 'user-1',
    username: 'ada',
    roles: [],
    ...claims,
  };
}
