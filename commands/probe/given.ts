import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Problem } from '../../core/errors.ts';
import { parsedJson } from '../../core/json.ts';
import { visible } from '../../core/text.ts';
import { isHmac } from '../../tokens/algorithms.ts';
import { withoutScheme } from '../../tokens/pasted-token.ts';
import { argumentOrInput } from '../terminal.ts';
import { partsOf, takeApart } from './jws.ts';

interface GoodToken {
  readonly token?: string;
  readonly tokenFile?: string;
  readonly issue?: true;
}

/** From an option, a file or standard input; with `--issue` it may be left out. @throws {Problem} when it is no JWT */
export async function givenToken(options: GoodToken): Promise<string | undefined> {
  const { token, tokenFile, issue } = options;
  if (token === undefined && tokenFile === undefined && issue) return undefined;
  const text =
    tokenFile === undefined || tokenFile === '-'
      ? await argumentOrInput(token)
      : readFileSync(tokenFile, 'utf8').trim();
  const given = withoutScheme(text);
  const no = (why: string) => new Problem('invalid_request', `The good token is none: ${why}.`);
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(given)) {
    throw no('a JWT is three parts of base64url with dots between them');
  }
  if (partsOf(given).bytes.length === 0) throw no('its signature is not one byte long');
  const { alg } = takeApart(given).header;
  if (typeof alg !== 'string') throw no('its header has no alg');
  if (alg.startsWith('HS') && !isHmac(alg)) throw no(`there is no algorithm ${visible(alg)}`);
  return given;
}

/** The public keys of a file, if there is one. @throws {Problem} when it is no JWK Set */
export function keySet(file: string | undefined): JsonWebKey[] {
  if (file === undefined) return [];
  const no = new Problem('invalid_request', 'The file of --jwks is no set of public keys.');
  const set = parsedJson(readFileSync(file, 'utf8'));
  if (typeof set !== 'object' || set === null || !('keys' in set) || !Array.isArray(set.keys))
    throw no;
  return set.keys.filter(isPublicKey);
}

function isPublicKey(jwk: unknown): jwk is JsonWebKey {
  try {
    return (
      typeof jwk === 'object' &&
      jwk !== null &&
      createPublicKey({ key: { ...jwk }, format: 'jwk' }) !== undefined
    );
  } catch {
    return false; // of a kind that this Node does not know: nothing can be tried with it
  }
}
