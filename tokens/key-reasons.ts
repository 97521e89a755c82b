import { whenInWords, quoted } from './explain.ts';
import type { Reason } from './claim-reasons.ts';
import type { KeyFacts } from './key-facts.ts';
import type { PastedToken } from './pasted-token.ts';

/** What is known of the key of that id. */
export type KeyLookup = (kid: string) => Promise<KeyFacts | undefined>;

/** Characters. The bound of packages/verify/verifier.ts. */
const LONGEST = 16_384;

/** Header parameters that a verifier refuses (packages/verify/jws.ts), and what they would do. */
const REFUSED: Readonly<Record<string, string>> = {
  crit: 'it demands extensions that this service does not know',
  jwk: 'it brings its own key along',
  jku: 'it names an address to fetch keys from, which nobody did',
  x5u: 'it names an address to fetch a certificate from, which nobody did',
  x5c: 'it brings its own certificate along',
};

/** What is wrong with the header by itself. */
export function headerReasons({ jwt, header, signatureLength }: PastedToken): Reason[] {
  const reasons: Reason[] = [];
  const { alg, typ } = header;
  if (isNone(alg)) {
    reasons.push({
      code: 'no_signature',
      says: 'Its algorithm is "none": it is not signed, and anyone could have written it (RFC 8725, section 3.2).',
    });
  } else if (signatureLength === 0) {
    reasons.push({
      code: 'no_signature',
      says: 'It has no signature: the third part is empty, and anyone could have written the others.',
    });
  }
  for (const [name, why] of Object.entries(REFUSED)) {
    if (!Object.hasOwn(header, name)) continue;
    reasons.push({
      code: 'header_refused',
      says: `The header has "${name}": ${why}. Such tokens are refused unread.`,
    });
  }
  if (!isTokenType(typ)) {
    const is = typ === undefined ? 'is missing' : `is ${quoted(typ)}`;
    reasons.push({
      code: 'wrong_type',
      says: `The type ("typ") ${is}, and must be "JWT" or "at+jwt": it may be signed, and still be no access token.`,
    });
  }
  if (jwt.length > LONGEST || !isCanonical(jwt)) {
    reasons.push({
      code: 'malformed',
      says:
        jwt.length > LONGEST
          ? `It is longer than ${LONGEST} characters.`
          : 'A part of it ends in another character than its bytes are written with: a copy that was changed (RFC 4648, section 3.5).',
    });
  }
  return reasons;
}

/** What is wrong with the key that it names. */
export function keyReasons(
  { header }: PastedToken,
  facts: KeyFacts | undefined,
  now: number,
): Reason[] {
  const { kid, alg } = header;
  if (isNone(alg) && kid === undefined) return [];
  if (typeof kid !== 'string') {
    return [
      {
        code: 'unknown_key',
        says: 'It names no key ("kid"), so that there is none to check it with.',
      },
    ];
  }
  if (facts === undefined) {
    return [
      {
        code: 'unknown_key',
        says: `The key ${quoted(kid)} is not known here: another service signed it, or a key that was deleted long ago.`,
      },
    ];
  }
  const reasons = facts.state === 'gone' ? [goneKey(kid, facts, now)] : [];
  if (facts.key !== undefined && alg !== facts.key.algorithm && !isNone(alg)) {
    reasons.push({
      code: 'wrong_algorithm',
      says: `The header says ${quoted(alg)}, but the key ${quoted(kid)} signs with ${quoted(facts.key.algorithm)} alone (RFC 8725, section 3.1).`,
    });
  }
  return reasons;
}

function goneKey(kid: string, { rejected, retiredAt, goneAt }: KeyFacts, now: number): Reason {
  if (rejected) {
    return {
      code: 'retired_key',
      says: `The key ${quoted(kid)} was rejected in an emergency, and with it all that it signed: that was`,
      ...(goneAt !== undefined && { at: goneAt }),
    };
  }
  const gone = goneAt === undefined ? '' : ` Its last tokens expired ${whenInWords(goneAt, now)}.`;
  return {
    code: 'retired_key',
    says: `The key ${quoted(kid)} is accepted no more: it was retired ${whenInWords(retiredAt, now)}.${gone}`,
  };
}

/** What a key does that is trusted, where that is not simply to sign. */
export function keyRemark(facts: KeyFacts | undefined, now: number): string[] {
  if (facts?.state === 'retired' && Number.isFinite(facts.retiredAt)) {
    const until =
      facts.goneAt === undefined
        ? ''
        : ` Its tokens are accepted until ${whenInWords(facts.goneAt, now)}.`;
    return [
      `The key has been retired since ${whenInWords(facts.retiredAt, now)}: it only verifies.${until}`,
    ];
  }
  if (facts?.state === 'retired')
    return ['The key is an earlier secret of the settings: it only verifies.'];
  if (facts?.state === 'published' && facts.signsFrom !== undefined) {
    return [
      `The key is published, but may not sign yet: that begins ${whenInWords(facts.signsFrom, now)}. A token of it comes from a machine with a clock that is ahead, or from somebody who has the key.`,
    ];
  }
  return [];
}

/** What this service knows of the key, in a sentence. */
export function keyInWords(facts: KeyFacts | undefined): string {
  if (facts === undefined) return 'This service does not know it.';
  const states = {
    published: 'it is published, and does not sign yet',
    signing: 'it signs now',
    retired: 'it is retired, and only verifies',
    gone: 'nothing that it signed is accepted any more',
  };
  return `This service knows it: ${states[facts.state]}.`;
}

function isNone(alg: unknown): boolean {
  return typeof alg === 'string' && alg.toLowerCase() === 'none';
}

/** As packages/verify/typ.ts has it. */
function isTokenType(typ: unknown): boolean {
  return typeof typ === 'string' && /^(?:application\/)?(?:jwt|at\+jwt)$/i.test(typ);
}

function isCanonical(jwt: string): boolean {
  return jwt
    .split('.')
    .every((part) => Buffer.from(part, 'base64url').toString('base64url') === part);
}
