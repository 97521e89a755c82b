import type { IncomingMessage, ServerResponse } from 'node:http';
import { isObject } from './json.ts';
import type { VerifierOptions } from './options.ts';
import { answerProblem, type Refusal } from './problem.ts';
import { createVerifier, type Verifier } from './verifier.ts';

export interface GateOptions {
  /** Roles that every request needs, all of them. */
  roles?: readonly string[];
  /**
   * Name of a cookie that may carry the token, for pages of the same site. Browsers send it by themselves, with
   * requests that other sites make as well: set it with `SameSite`. Default: none.
   */
  cookie?: string;
  /** Answers requests that are not let through, in place of the package; the error says how it would have. */
  onRefused?(
    this: void,
    error: Refusal,
    req: IncomingMessage,
    res: ServerResponse,
    next: (error?: unknown) => void,
  ): unknown;
}

/** Those of `createVerifier`, or a verifier that was made before and may have other users. */
export type RequireTokenOptions = GateOptions & (VerifierOptions | { verifier: Verifier });

export interface Gate extends Required<Pick<GateOptions, 'roles' | 'onRefused'>> {
  readonly verifier: Verifier;
  readonly cookie: string | undefined;
}

/** @throws {TypeError} that says which option is wrong */
export function readGateOptions(options: RequireTokenOptions): Gate {
  if (!isObject(options)) throw new TypeError('options must be an object');
  const { roles, cookie, onRefused, ...others }: RequireTokenOptions = options;
  if (Object.hasOwn(options, 'roles')) demandRoles(roles);
  if (Object.hasOwn(options, 'cookie') && cookie === undefined) {
    throw new TypeError('cookie is undefined: give it a value or leave it out');
  }
  // characters that a name may have: RFC 6265, section 4.1.1
  if (
    cookie !== undefined &&
    !(typeof cookie === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(cookie))
  ) {
    throw new TypeError('cookie must be the name of a cookie');
  }
  if (onRefused !== undefined && typeof onRefused !== 'function') {
    throw new TypeError('onRefused must be a function');
  }
  return {
    verifier: 'verifier' in others ? readVerifier(others) : createVerifier(others),
    roles: [...(roles ?? [])],
    cookie,
    onRefused: onRefused ?? ((error, _req, res) => answerProblem(error, res)),
  };
}

/** @throws {TypeError} for a list that would demand nothing, or nothing that a token could have */
export function demandRoles(roles: unknown): void {
  const good = (role: unknown) => typeof role === 'string' && role !== '';
  if (!Array.isArray(roles) || roles.length === 0 || !roles.every(good)) {
    throw new TypeError('roles must be a list of names that is not empty');
  }
}

function readVerifier({ verifier, ...others }: { verifier: Verifier }): Verifier {
  const unused = Object.keys(others)[0];
  if (unused !== undefined)
    throw new TypeError(`${unused} is for a verifier: there is one already`);
  if (!isObject(verifier) || typeof verifier['verify'] !== 'function') {
    throw new TypeError('verifier must be a verifier');
  }
  return verifier;
}
