import { type JsonWebKey, randomUUID } from 'node:crypto';
import { MINUTE } from '../../core/clock.ts';
import { statusListAddresses } from '../../config/revocation.ts';
import type { Services } from '../../config/services.ts';
import { Problem, StorageError } from '../../core/errors.ts';
import type { StatusEntry } from '../../storage/status-entries.ts';
import { createIssuer } from '../../tokens/issuer.ts';
import type { SigningKey } from '../../tokens/key-ring.ts';
import { signerAt } from '../../tokens/key-schedule.ts';
import { createStatusListTokens } from '../../tokens/status-list-tokens.ts';
import type { Attempt, Omission } from './attempt.ts';
import { ownAttempts, ownOmissions } from './own-attempts.ts';

/**
 * Whom the tokens speak of: nobody. The ids of users are UUIDs, and that there is no user of that name is seen to. It is
 * always the same name, so that an API that makes an account for whoever comes makes one for all probes.
 */
const NOBODY = 'coatcheck-probe';

/** How long tokens live that an API may accept, in milliseconds: longer than a probe takes. */
const LIFE = 10 * MINUTE;

/** How long the index of tokens without an end is kept from others, and stays revoked: longer than keys last. */
const TEN_YEARS = 10 * 365 * 24 * 60 * MINUTE;

const NOT_REVOKED =
  'The tokens of this probe could not be revoked. They end within minutes, but for one without an end and one whose end is a text.';

/** Tokens that the key of the service truly signs, for nobody. Disposing of them revokes all, also those without an end. */
export interface OwnTokens extends AsyncDisposable {
  readonly good: string;
  /** The public half of the key; nothing for a shared secret. */
  readonly published: JsonWebKey | undefined;
  readonly attempts: readonly Attempt[];
  readonly omissions: readonly Omission[];
}

/**
 * Makes no user and no session, and writes nothing but three indices of a status list.
 *
 * @param audience one of the settings; left out, all
 * @param delay how long a revocation may take to reach the API, in milliseconds
 * @throws {Problem} when there is no key that signs, no such audience, or a user of the probe's name
 * @throws {StorageError} when the database cannot be used
 */
export async function issueOwnTokens(
  services: Services,
  audience: string | undefined,
  delay: number,
): Promise<OwnTokens> {
  await refuseSomebody(services);
  const { clock, statusLists, settings, keyRing } = services;
  const key = await signingKey(services);
  const { uriOf } = statusListAddresses(settings.publicUrl);
  const now = clock.now();
  const entries: StatusEntry[] = [];
  const allocate = async (life: number) => {
    const holder = { sessionId: randomUUID(), userId: NOBODY };
    const entry = await statusLists.allocate(now + life, holder);
    entries.push(entry);
    return entry;
  };
  const revokeAll = async () => {
    const done = await Promise.allSettled(entries.map((entry) => statusLists.revoke(entry)));
    const failed = done.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw new StorageError(NOT_REVOKED, { cause: failed.reason });
  };
  try {
    const live = await allocate(2 * LIFE);
    const [revoked, endless] = [await allocate(LIFE), await allocate(TEN_YEARS)];
    await statusLists.revoke(revoked);
    const good = await goodToken(services, key, live, audience);
    const statusOf = ({ list, index }: StatusEntry) => ({
      status_list: { idx: index, uri: uriOf(list) },
    });
    const making = {
      key,
      token: good,
      audiences: settings.jwt.audiences,
      statusList: await listOf(services, key, live),
      revoked: { status: statusOf(revoked), until: now + delay },
      endless: statusOf(endless),
    };
    return {
      good,
      published: keyRing.publicKeys().find(({ kid }) => kid === key.kid),
      attempts: ownAttempts(making),
      omissions: ownOmissions(making),
      [Symbol.asyncDispose]: revokeAll,
    };
  } catch (error) {
    await revokeAll();
    throw error;
  }
}

async function refuseSomebody({ users }: Services): Promise<void> {
  if (await users.findLogin(NOBODY)) {
    const detail = `There is a user "${NOBODY}", whom the tokens of a probe would be taken for. Nothing was sent.`;
    throw new Problem('username_taken', detail);
  }
}

/** The key that signs now. Unlike the service, a probe makes none and moves none on. */
async function signingKey({ keys, clock }: Services): Promise<SigningKey> {
  const { store, holder } = keys.context;
  const row = signerAt(await store.all(), clock.now());
  if (row === undefined) {
    throw new Problem(
      'not_found',
      'There is no key that signs: start the service once, and probe beside it.',
    );
  }
  return holder.signing(row);
}

/** What the service itself would issue, but for who it is, how they signed in, and how long it lasts. */
async function goodToken(
  { settings, clock }: Services,
  key: SigningKey,
  status: StatusEntry,
  audience: string | undefined,
): Promise<string> {
  const issuer = createIssuer({
    ...settings.jwt,
    expiresIn: LIFE / 1000,
    keyRing: { refresh: () => undefined, signing: () => key },
    clock,
    statusListUri: statusListAddresses(settings.publicUrl).uriOf,
  });
  const nobody = { id: NOBODY, username: NOBODY, name: null, email: null, roles: [] };
  const createdAt = clock.now();
  const session = {
    publicId: randomUUID(),
    amr: 'probe',
    createdAt,
    expiresAt: createdAt + LIFE,
    status,
  };
  return (await issuer.issue(nobody, session, audience)).jwt;
}

/** The status list that everybody can fetch, signed with the same key. */
async function listOf(
  { settings, clock, statusLists }: Services,
  key: SigningKey,
  { list }: StatusEntry,
): Promise<string> {
  const tokens = createStatusListTokens({
    statusLists,
    keyRing: { refresh: () => undefined, signing: () => key },
    clock,
    issuer: settings.jwt.issuer,
    uri: statusListAddresses(settings.publicUrl).uriOf,
  });
  return (await tokens.of(list))?.jwt ?? '';
}
