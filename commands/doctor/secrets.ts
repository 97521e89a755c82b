import type { Settings } from '../../config/settings.ts';
import { SECRET_ADVICE } from '../../config/secrets.ts';
import { parsePostgresUrl } from '../../storage/postgres-url.ts';
import { type Finding, note, orFine, wrong } from './finding.ts';
import type { Setup } from './setup.ts';

/** As many bits as ASVS demands of what nobody may guess. */
const LEAST_BITS = 128;

/** What a word of a list of 7,776 adds. */
const BITS_OF_A_WORD = 12.9;

/** How long a word of such a list is, on average: longer runs of letters are several words without a space. */
const LETTERS_OF_A_WORD = 7;

const HEX = /^(?:[\da-f]+|[\dA-F]+)$/;

/** As long as a rotation takes there are two: the new one and the one before it. */
const MOST_SESSION_SECRETS = 2;

interface Secret {
  readonly name: string;
  readonly text: string;
}

/** Whether a secret could be guessed, although it is long enough to pass at start. */
export function secretStrength({ settings }: Setup): readonly Finding[] {
  const secrets = secretsOf(settings);
  const weak = secrets.flatMap(({ name, text }) => {
    const weakness = weaknessOf(text);
    return weakness === undefined
      ? []
      : wrong({
          what: `${name} ${weakness}.`,
          why: 'Whoever guesses it signs cookies or tokens for anybody.',
          asvs: '11.5.1',
          change: `${name}=<another one>; ${SECRET_ADVICE}`,
        });
  });
  return orFine(weak, `${secrets.length} secrets, none that looks as if it could be guessed.`);
}

/** Whether what opens one thing opens another. The very same text in two settings is refused at start already. */
export function secretReuse({ settings }: Setup): readonly Finding[] {
  const secrets = secretsOf(settings);
  const passwords = passwordsOf(settings);
  const findings: Finding[] = [];
  for (const [index, secret] of secrets.entries()) {
    const others = [...secrets.slice(0, index), ...passwords];
    const other = others.find(({ text }) => areOne(secret.text, text));
    if (other === undefined) continue;
    findings.push(
      wrong({
        what: `${secret.name} is, or is a part of, what stands in ${other.name}.`,
        why: 'Whoever comes to know the one has the other as well: each secret is for one use.',
        asvs: '11.1.1',
        change: `${secret.name}=<another one>; ${SECRET_ADVICE}`,
      }),
    );
  }
  const old = settings.sessionSecrets.length;
  if (old > MOST_SESSION_SECRETS) {
    findings.push(
      note({
        what: `SESSION_SECRET has ${old} secrets.`,
        why: 'Each of them opens sessions; one that was replaced is needed for SESSION_LIFETIME only.',
        asvs: '13.3.4',
        change: 'SESSION_SECRET=<the first of the list, and the one before it>',
      }),
    );
  }
  return orFine(findings, 'Each secret is used for one thing.');
}

function secretsOf({ sessionSecrets, jwt, keys }: Settings): Secret[] {
  const named = (name: string, texts: readonly string[]) => texts.map((text) => ({ name, text }));
  return [
    ...named('SESSION_SECRET', sessionSecrets),
    ...named('JWT_SECRET_KEY', jwt.secret === undefined ? [] : [jwt.secret]),
    ...named('JWT_SECRET_KEY_PREVIOUS', jwt.previousSecrets),
    ...named('KEY_ENCRYPTION_SECRET', keys.encryptionSecrets),
  ];
}

/** The passwords that other settings hold. */
function passwordsOf({ databaseUrl, sessionStore }: Settings): Secret[] {
  const postgres = parsePostgresUrl(databaseUrl);
  return [
    { name: 'DATABASE_URL', text: typeof postgres === 'string' ? '' : postgres.password },
    { name: 'SESSION_STORE_URL', text: sessionStore?.password ?? '' },
  ];
}

/** Shorter texts are in others by chance. */
const SHORTEST_PART = 8;

function areOne(one: string, other: string): boolean {
  const [short = '', long = ''] = [one, other]
    .map((text) => text.toLowerCase())
    .toSorted((a, b) => a.length - b.length);
  return short.length >= SHORTEST_PART && long.includes(short);
}

/** What is weak about a secret, as the end of a sentence without a word of it. */
function weaknessOf(secret: string): string | undefined {
  if (countsUp(Buffer.from(secret)) || countsUp(Buffer.from(secret, 'hex'))) {
    return 'counts up or down for most of its length';
  }
  const needed = `and ${LEAST_BITS} are needed`;
  const bits = Math.floor(secret.length * Math.log2(alphabetOf(secret)));
  if (bits < LEAST_BITS) return `holds ${bits} bits at most, ${needed}`;
  const words = Math.floor(bitsOfWords(secret));
  return words < LEAST_BITS && looksLikeWords(secret)
    ? `looks like words, which hold ${words} bits at most, ${needed}`
    : undefined;
}

function countsUp(bytes: Buffer): boolean {
  const steps = bytes.subarray(1).filter((byte, index) => {
    const step = byte - (bytes[index] ?? 0);
    return step === 1 || step === -1;
  });
  return bytes.length > 2 && steps.length > bytes.length / 2;
}

/** Pairs of letters that make up two thirds of English text, and much of its neighbours: a sixth of all that there are. */
const COMMON_PAIRS = new Set(
  (
    'th he in er an re nd on at en es or te of ed is it al ar st to nt ng se ha as ou io le ve ' +
    'co me de hi ri ro ic ne ea ra ce li ch ll be ma si om ur ca el ta la ns di fo ho pe ec pr ' +
    'no ct us ac ot il tr ly nc et ut ss so rs un lo wa ge ie wh ee wi em ad ol rt po we na ul ' +
    'ni ts mo ow pa im mi ai sh ir su id os iv ei au ck ke uc sc'
  ).split(' '),
);

/** Of letters that were drawn at random, one pair in six is a common one; of words, more than half. */
const COMMON_IN_WORDS = 0.48;

/** Letters beyond ASCII, which no generator writes; letters of one case between signs; or the pairs of a language. */
function looksLikeWords(secret: string): boolean {
  if (HEX.test(secret)) return false;
  if (/[\p{L}--\p{ASCII}]/v.test(secret)) return true;
  if (/^(?:[^A-Z\d]+|[^a-z\d]+)$/.test(secret) && /[^A-Za-z]/.test(secret)) return true;
  const letters = secret.toLowerCase();
  const pairs = Array.from(letters.matchAll(/[a-z](?=[a-z])/g), ({ index }) =>
    letters.slice(index, index + 2),
  );
  const common = pairs.filter((pair) => COMMON_PAIRS.has(pair));
  return common.length > pairs.length * COMMON_IN_WORDS;
}

/** As if each had been drawn at random from a list. They end at a sign, and where letters become digits or capitals. */
function bitsOfWords(secret: string): number {
  const pieces = secret.match(/\p{Lu}?[\p{L}--\p{Lu}]+|\p{Lu}+|\d+/gv) ?? [];
  const words = pieces.map(({ length }) => Math.max(1, Math.floor(length / LETTERS_OF_A_WORD)));
  return words.reduce((sum, count) => sum + count, 0) * BITS_OF_A_WORD;
}

function alphabetOf(secret: string): number {
  if (/^\d+$/.test(secret)) return 10;
  if (HEX.test(secret)) return 16;
  if (/^(?:[a-z]+|[A-Z]+)$/.test(secret)) return 26;
  if (/^(?:[\da-z]+|[\dA-Z]+)$/.test(secret)) return 36;
  return /^[\w+/=-]+$/.test(secret) ? 64 : 94;
}
