import { utcTime } from '../core/clock.ts';
import { fromNow } from '../core/durations.ts';
import { visible, visibleJson } from '../core/text.ts';
import { CLAIMS, HEADER, type Meaning } from './claim-names.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** One name of a header or a payload, for a person. All texts are harmless: what is invisible is written as an escape. */
export interface Explained {
  readonly name: string;
  /** JSON. */
  readonly value: string;
  readonly title: string;
  readonly says: string;
  readonly source: string | undefined;
  /** Milliseconds since 1970, where the value is a time. */
  readonly time: number | undefined;
  /** What is wrong with the value, or strange about it. */
  readonly warning: string | undefined;
}

/** More names than any token has that somebody made in earnest; a page is not to be filled with thousands. */
const MOST_NAMES = 100;
/** Characters of one value. */
const MOST_TEXT = 4000;
/** Characters of what stays on one line, lists of roles for example. */
const ONE_LINE = 60;
const DEEPEST = 12;

/** Seconds: no date in seconds is so far away before the year 5138; in milliseconds every one since 1973 is. */
const LEAST_MILLISECONDS = 1e11;
/** What a date can hold (ECMA-262, section 21.4.1.1). */
const MOST_MILLISECONDS = 8.64e15;

export const explainHeader = (header: JsonObject) => explained(header, HEADER);
export const explainClaims = (claims: JsonObject) => explained(claims, CLAIMS);

/** Whether a time claim was written in milliseconds: a mistake that makes a token last for tens of thousands of years. */
export function isMilliseconds(value: unknown): value is number {
  return typeof value === 'number' && value >= LEAST_MILLISECONDS && value <= MOST_MILLISECONDS;
}

/** `3 minutes 4 seconds ago, at 2026-11-25 17:41:07 UTC`. */
export function whenInWords(milliseconds: number, now: number): string {
  return `${fromNow((milliseconds - now) / 1000)}, at ${utcTime(milliseconds)}`;
}

function explained(object: JsonObject, table: ReadonlyMap<string, Meaning>): Explained[] {
  const all = Object.entries(object);
  const rows = all.slice(0, MOST_NAMES).map(([name, value]): Explained => {
    const meaning = table.get(name);
    return {
      name: name === '' ? '""' : inJson(name).slice(1, -1),
      value: inJson(value),
      title: meaning?.title ?? 'Private',
      says: meaning?.says ?? unknown(table),
      source: meaning?.source,
      ...(meaning?.time ? timeOf(value) : { time: undefined, warning: oddityOf(name, value) }),
    };
  });
  const rest = all.length - rows.length;
  return rest === 0 ? rows : [...rows, theRest(rest)];
}

function unknown(table: ReadonlyMap<string, Meaning>): string {
  return table === HEADER
    ? 'Not defined by RFC 7515, RFC 7516 or RFC 7519, and ignored here (RFC 7515, section 4.3).'
    : 'Not defined by RFC 7519, OpenID Connect or this service: a private claim, that means what issuer and API have agreed on (RFC 7519, section 4.3).';
}

function theRest(count: number): Explained {
  return {
    name: '…',
    value: '',
    title: `${count} more`,
    says: 'They are not shown.',
    source: undefined,
    time: undefined,
    warning: undefined,
  };
}

/** A time claim in milliseconds since 1970, if there is such a time. */
export function timeClaim(seconds: unknown): number | undefined {
  const known = typeof seconds === 'number' && Math.abs(seconds) * 1000 <= MOST_MILLISECONDS;
  return known ? seconds * 1000 : undefined;
}

function timeOf(value: unknown): Pick<Explained, 'time' | 'warning'> {
  if (typeof value !== 'number') {
    return { time: undefined, warning: 'Not a number: a time is a number of seconds since 1970.' };
  }
  if (isMilliseconds(value)) {
    return {
      time: value,
      warning: `In milliseconds: as seconds, which RFC 7519, section 2, wants, it is ${yearOf(value)}. Divide it by 1000.`,
    };
  }
  const time = timeClaim(value);
  return { time, warning: time === undefined ? 'No time that there is.' : undefined };
}

/** Of a number of seconds that no calendar of JavaScript may have. */
function yearOf(seconds: number): string {
  return `about the year ${Math.round(1970 + seconds / 31_556_952)}`;
}

function oddityOf(name: string, value: unknown): string | undefined {
  if (name === 'alg' && typeof value === 'string' && value.toLowerCase() === 'none') {
    return 'Without a signature: anyone could have written it.';
  }
  return undefined;
}

/** What is nested deeply is left out: indented, it would take the square of its length. */
function inJson(value: unknown): string {
  if (isDeeperThan(value, DEEPEST)) return `… (nested more than ${DEEPEST} levels deep)`;
  const line = visibleJson(value, 0);
  const text = line.length <= ONE_LINE ? line : visibleJson(value);
  return text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text;
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(inner, levels - 1));
}

/** A text from a token within a sentence: its name for an issuer, an algorithm, a key. */
export function quoted(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = isDeeperThan(value, 2) ? '…' : visibleJson(value, 0);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** The payload where it is no JSON object. */
export function payloadAsText(payload: string): string {
  const lines = payload.slice(0, MOST_TEXT).split('\n').map(visible).join('\n');
  return payload.length > MOST_TEXT ? `${lines}…` : lines;
}
