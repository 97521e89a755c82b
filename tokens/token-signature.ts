import { compactVerify } from 'jose';
import { quoted } from './explain.ts';
import type { KeyFacts } from './key-facts.ts';
import type { PastedToken } from './pasted-token.ts';

/** What can be said of the signature of a token. */
export interface SignatureCheck {
  readonly state: 'right' | 'wrong' | 'unchecked';
  readonly says: string;
}

/** Checks it, also with a key that is trusted no more: whether it was ours once. */
export async function checkSignature(
  { jwt, header, signatureLength }: PastedToken,
  facts: KeyFacts | undefined,
): Promise<SignatureCheck> {
  if (signatureLength === 0) return { state: 'unchecked', says: 'There is none.' };
  if (facts?.key === undefined) {
    return {
      state: 'unchecked',
      says: 'Not checked: the key that the header names is not known here.',
    };
  }
  const { key, algorithm } = facts.key;
  if (header['alg'] !== algorithm || header['crit'] !== undefined) {
    return { state: 'unchecked', says: 'Not checked: the header does not fit the key.' };
  }
  const right = await compactVerify(jwt, key, { algorithms: [algorithm] }).then(
    () => true,
    () => false,
  );
  return right
    ? {
        state: 'right',
        says: `Right: the key ${quoted(facts.key.kid)} of this service made it with ${algorithm}, and nothing was changed since.`,
      }
    : {
        state: 'wrong',
        says: 'The signature is wrong. Nothing in this token can be believed: anyone could have written it.',
      };
}
