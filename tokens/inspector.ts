import { TokenError, UnavailableError, type Verifier } from '#verify';
import type { Clock } from '../core/clock.ts';
import { claimReasons, type Expected, type Reason } from './claim-reasons.ts';
import {
  explainClaims,
  explainHeader,
  type Explained,
  payloadAsText,
  quoted,
  timeClaim,
} from './explain.ts';
import { headerReasons, keyInWords, type KeyLookup, keyReasons, keyRemark } from './key-reasons.ts';
import type { KeyFacts } from './key-facts.ts';
import { type PastedToken, readPasted } from './pasted-token.ts';
import { type RevocationLookup, revocationReasons } from './revocation-reasons.ts';
import { checkSignature, type SignatureCheck } from './token-signature.ts';

/** Everything that can be said of a token. Texts that come from it are harmless to show. Times: milliseconds since 1970. */
export interface Inspection {
  /** The token without what was around it. */
  readonly jwt: string;
  readonly verdict: 'valid' | 'invalid' | 'unknown';
  /** When this was true. */
  readonly now: number;
  readonly signature: SignatureCheck;
  /** Why it is not valid: the gravest first, all that are known. Empty where it is valid. */
  readonly reasons: readonly Reason[];
  /** What is no reason to refuse it, and yet worth knowing. */
  readonly remarks: readonly string[];
  readonly header: readonly Explained[];
  /** Empty where the payload is no JSON object. */
  readonly claims: readonly Explained[];
  /** The payload where it is none. */
  readonly payload: string | undefined;
  readonly expiresAt: number | undefined;
}

export interface InspectorOptions extends Expected, RevocationLookup {
  readonly verifier: Verifier;
  readonly keys: KeyLookup;
  readonly clock: Clock;
}

export interface Inspector {
  /**
   * Checks a token as this service does, and says all that is wrong with it. Nothing of it is kept or logged.
   * @param pasted the token, with whatever it was copied with
   * @param audience what an API expects `aud` to be; left out, the audiences of the settings
   * @throws {Problem} `invalid_request` for what is no token
   */
  inspect(pasted: string, audience?: string): Promise<Inspection>;
}

type Outcome = TokenError | UnavailableError | undefined;

export function createInspector(options: InspectorOptions): Inspector {
  const { verifier, keys, clock, issuer, production } = options;
  return {
    async inspect(pasted, audience) {
      const token = readPasted(pasted);
      const now = clock.now();
      const outcome = await outcomeOf(verifier, token.jwt);
      const { kid } = token.header;
      const facts = typeof kid === 'string' ? await keys(kid) : undefined;
      const signature = await checkSignature(token, facts);
      const audiences = audience === undefined ? options.audiences : [audience];
      const found = [
        ...headerReasons(token),
        ...keyReasons(token, facts, now),
        ...(signature.state === 'wrong'
          ? [{ code: 'bad_signature', says: signature.says } as const]
          : []),
        ...(signature.state === 'right' ? await revocationReasons(options, token.claims, now) : []),
        ...(token.claims
          ? claimReasons(token.claims, { issuer, audiences, production }, now)
          : [NO_CLAIMS]),
      ];
      const mistakes = found.filter(({ code }) => code === 'milliseconds'); // a verifier does not mind them
      const reasons =
        mistakes.length < found.length ? found : unexplained(outcome, facts, mistakes);
      const unknown = outcome instanceof UnavailableError;
      return {
        jwt: token.jwt,
        verdict: reasons.length > 0 ? 'invalid' : unknown ? 'unknown' : 'valid',
        now,
        signature,
        reasons,
        remarks: [
          ...(unknown ? [CANNOT_KNOW] : []),
          ...(reasons.length > 0 ? [] : mistakes.map(({ says }) => says)),
          ...remarksOn(token, audiences, production),
          ...keyRemark(facts, now),
        ],
        header: explainHeader(token.header).map((row) =>
          row.name === 'kid' ? { ...row, says: `${row.says} ${keyInWords(facts)}` } : row,
        ),
        claims: token.claims ? explainClaims(token.claims) : [],
        payload: token.claims
          ? undefined
          : payloadAsText(token.payload ?? 'bytes that are no text'),
        expiresAt: timeClaim(token.claims?.['exp']),
      };
    },
  };
}

/** What the verifier refuses for a reason that nothing here explains better. */
function unexplained(
  outcome: Outcome,
  facts: KeyFacts | undefined,
  others: readonly Reason[],
): readonly Reason[] {
  if (!(outcome instanceof TokenError)) return [];
  if (outcome.reason !== 'unknown_key' || facts === undefined) {
    return [{ code: 'other', says: outcome.message }, ...others];
  }
  const says =
    'The key that it names is on record, but its secret is none of the settings: see JWT_SECRET_KEY and JWT_SECRET_KEY_PREVIOUS.';
  return [{ code: 'unknown_key', says }, ...others];
}

const CANNOT_KNOW =
  'The keys or the status lists cannot be read at the moment, so that nobody can say whether it is valid. Try again in a few seconds.';

const NO_CLAIMS: Reason = {
  code: 'no_claims',
  says: 'The payload is no JSON object, so that there are no claims in it (RFC 7519, section 7.2).',
};

async function outcomeOf(verifier: Verifier, jwt: string): Promise<Outcome> {
  try {
    await verifier.verify(jwt);
    return undefined;
  } catch (error) {
    if (error instanceof TokenError || error instanceof UnavailableError) return error;
    throw error;
  }
}

function remarksOn(
  { claims, doubled }: PastedToken,
  audiences: readonly string[],
  production: boolean,
): string[] {
  const { amr, aud } = claims ?? {};
  const remarks: string[] = [];
  if (!production && Array.isArray(amr) && amr.includes('bypass')) {
    remarks.push(
      'It comes from the bypass, without a password. In production it would be refused.',
    );
  }
  if (aud !== undefined && audiences.length === 0) {
    remarks.push(
      'The audience was not checked, since this service expects none. An API checks it.',
    );
  }
  if (doubled !== undefined) {
    remarks.push(
      `${quoted(doubled)} is in it twice. This service reads the last one; others may read the first.`,
    );
  }
  return remarks;
}
