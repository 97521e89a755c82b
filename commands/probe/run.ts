import type { JsonWebKey } from 'node:crypto';
import { Asking, type Manner, type Result } from './asking.ts';
import type { Attempt, Omission } from './attempt.ts';
import { confusions, forgeries, type Seen } from './forgeries.ts';
import { type Stranger, strangerOf, takeApart } from './jws.ts';
import { openListener } from './listener.ts';
import type { OwnTokens } from './own-tokens.ts';

/** What only the service's own key can sign. */
const WITH_SETTINGS = [
  'expired',
  'not-yet',
  'other-issuer',
  'other-audience',
  'no-audience',
  'status-list',
  'other-typ',
  'crit',
  'other-algorithm',
  'query',
  'revoked',
  'no-exp',
  'exp-text',
];

export interface Probe extends Manner {
  /** A good token; left out, one of `own`. */
  readonly token?: string | undefined;
  /** Tokens that are truly signed, where the settings of the service are at hand. */
  readonly own?: OwnTokens;
  /** The key set of the issuer, as everybody can read it. */
  readonly published?: readonly JsonWebKey[];
  readonly onProgress?: (done: number, of: number, tried: string) => void;
}

export interface Report {
  readonly url: string;
  readonly method: string;
  readonly results: readonly Result[];
  readonly omissions: readonly Omission[];
  /** Why the rest is worth nothing, if it is not. */
  readonly worthless?: string;
}

/** Whether everything was as it should be. */
export function isAllGood({ results, worthless }: Report): boolean {
  return worthless === undefined && results.every(({ isGood }) => isGood);
}

/** Shows the API a good token, none, whatever has to be refused, and the good one again. One request at a time. */
export async function runProbe(probe: Probe): Promise<Report> {
  const { target, token, own } = probe;
  const asking = new Asking(probe);
  const good = token ?? own?.good ?? '';
  const seen = { token: good, ...takeApart(good) };
  const results: Result[] = [];
  const report = (omissions: readonly Omission[], worthless?: string): Report => ({
    url: target.url.href,
    method: target.method,
    results,
    omissions,
    ...(worthless !== undefined && { worthless }),
  });

  results.push(await asking.withGood('good-token', good));
  if (!results.every(({ isGood }) => isGood)) {
    return report(
      [],
      'The good token is not accepted: that bad ones are refused would prove nothing.',
    );
  }
  results.push(await asking.withNone());
  if (!results.every(({ isGood }) => isGood)) {
    return report([], 'Without a token it is not refused: nothing guards the address.');
  }
  const thief = thiefOf(String(seen.header['alg']));
  await using listener = await openListener(thief.jwk);
  const confused = confusionsOf(seen, own?.published, probe.published);
  const owned = await ownAttemptsOf(probe, asking);
  const attempts = [...forgeries(seen, thief, listener), ...confused.attempts, ...owned.attempts];
  for (const [index, attempt] of attempts.entries()) {
    probe.onProgress?.(index + 1, attempts.length, attempt.tried);
    results.push(await asking.with(attempt));
  }
  // again: an API that has locked the caller out meanwhile refuses everything
  results.push(await asking.withGood('good-token-again', good));
  const lured = new Set(attempts.filter(({ lures }) => lures).map(({ name }) => name));
  for (const [index, result] of results.entries()) {
    const { name, verdict } = result;
    if (verdict !== 'accepted' && lured.has(name) && listener.wasCalledFor(name)) {
      const got = `${result.got}, and a call at the address`;
      results[index] = { ...result, got, verdict: 'called', isGood: false, weakness: 'address' };
    }
  }
  const omissions = [...confused.omissions, ...owned.omissions];
  return results.at(-1)?.isGood
    ? report(omissions)
    : report(
        omissions,
        'The good token is not accepted any more: the refusals may not be for the tokens.',
      );
}

/** Somebody with a key of the kind that the API expects; where that is a secret, of the kind that one can publish. */
function thiefOf(algorithm: string): Stranger {
  const { jwk, ...signer } = strangerOf(algorithm.startsWith('HS') ? 'RS256' : algorithm);
  return { ...signer, jwk: { ...jwk, kid: 'coatcheck-probe', alg: signer.algorithm, use: 'sig' } };
}

interface Choice {
  readonly attempts: readonly Attempt[];
  readonly omissions: readonly Omission[];
}

const none = (names: readonly string[], why: string): Choice => ({
  attempts: [],
  omissions: names.map((name) => ({ name, why })),
});

function confusionsOf(
  seen: Seen,
  own: JsonWebKey | undefined,
  set: readonly JsonWebKey[] = [],
): Choice {
  const { alg, kid } = seen.header;
  if (String(alg).startsWith('HS')) {
    return none(['hs-…'], 'the token is signed with a secret: there is no public key');
  }
  const jwk = set.find((one) => one['kid'] === kid) ?? own;
  return jwk === undefined
    ? none(['hs-…'], 'needs the public key of the token: give --jwks, or --issue')
    : { attempts: confusions(seen, jwk), omissions: [] };
}

/** What is truly signed, if the API takes such tokens at all. */
async function ownAttemptsOf({ token, own }: Probe, asking: Asking): Promise<Choice> {
  if (own === undefined)
    return none(
      WITH_SETTINGS,
      'needs the key of the service: run it beside the service with --issue',
    );
  if (token !== undefined && !(await asking.withGood('own-token', own.good)).isGood) {
    return none(
      WITH_SETTINGS,
      'the API does not know the user of tokens of --issue, who does not exist',
    );
  }
  return own;
}
