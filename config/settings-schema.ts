import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { parseDuration } from '../core/durations.ts';
import { parsePostgresUrl } from '../storage/postgres-url.ts';
import { redisAddress } from '../storage/redis-address.ts';
import { USER_CLAIMS } from '../tokens/claims.ts';
import { ALGORITHMS } from '../tokens/algorithms.ts';
import { SECRET_ADVICE } from './secrets.ts';

const MODES = ['development', 'test', 'production'] as const;
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** What is said where a secret is missing. */
export const REQUIRED_SECRET = `is required: ${SECRET_ADVICE}; or let "coatcheck init" write a whole .env`;

const oneOf = <const T extends readonly string[]>(values: T) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` });
const duration = z.string().transform((text, context) => {
  const seconds = parseDuration(text);
  if (seconds !== undefined) return seconds;
  context.addIssue('must be a whole number with a unit: 90s, 15m, 6h or 7d');
  return z.NEVER;
});
const list = z
  .string({ error: REQUIRED_SECRET })
  .transform((text) => text.split(',').map((item) => item.trim()));
const nonEmptyList = list.refine((items) => items.every((item) => item !== ''), {
  error: 'is a list with an empty entry: remove the comma too many',
});
const listOf = <const T extends readonly string[]>(values: T) =>
  nonEmptyList.pipe(z.array(oneOf(values)));
const isOrigin = (text: string) => {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.origin === text.toLowerCase();
};
/** As browsers write it: scheme and host in lower case. */
const asOrigin = (text: string) => new URL(text).origin;
const originError = {
  error: 'must be an origin such as https://app.example.org, without a path or a slash at the end',
};
const COOKIE_NAME = /^[\w!#$%&'*+.^`|~-]{1,64}$/;

/** As long as our own key set says that it may be kept (`max-age=600`), and a minute for clocks that differ. */
const LEAST_PUBLICATION = 660;

/** With or without the `#`, which begins a comment in a .env file. */
const COLOUR = /^#?(?:[\da-f]{3}){1,2}$/i;

const OWN_COOKIES = ['session', '__Host-session', 'device', '__Host-device'];

const MOST_WORKERS = 64;

/** Every setting by its name in the environment, with what it must look like. */
export const schema = {
  NODE_ENV: oneOf(MODES).default('production'),
  HOST: z
    .string()
    .refine((host) => isIP(host) !== 0 || /^[a-z\d.-]+$/i.test(host), {
      error: 'must be an address or a host name, without a port',
    })
    .default('127.0.0.1'),
  PORT: z
    .string()
    .regex(/^\d{1,5}$/, { error: 'must be a port number, 0 to 65535' })
    .transform(Number)
    .refine((port) => port <= 65_535, { error: 'must be a port number, 0 to 65535' })
    .default(3000),
  PUBLIC_URL: z
    .string()
    .transform((text) => text.replace(/\/$/, ''))
    .refine(isOrigin, {
      error: 'must be the address people use, such as https://login.example.org, without a path',
    })
    .transform(asOrigin)
    .optional(),
  SESSION_SECRET: nonEmptyList,
  JWT_SECRET_KEY: z.string().optional(),
  JWT_SECRET_KEY_PREVIOUS: nonEmptyList.default([]),
  JWT_ALGORITHM: oneOf(ALGORITHMS).default('HS256'),
  JWT_PROFILE: oneOf(['jwt', 'rfc9068']).default('jwt'),
  KEY_ENCRYPTION_SECRET: nonEmptyList.default([]),
  KEY_ROTATION_INTERVAL: duration
    .refine((seconds) => seconds >= 86_400, { error: 'must be at least 1d' })
    .default(7_776_000),
  KEY_PUBLICATION_PERIOD: duration
    .refine((seconds) => seconds >= LEAST_PUBLICATION && seconds <= 86_400, {
      error: 'must be from 11m, since key sets are cached for 10m, to 24h',
    })
    .default(1260),
  JWT_EXPIRES_IN: duration
    .refine((seconds) => seconds <= 86_400, { error: 'must be at most 24h' })
    .default(21_600),
  JWT_ISSUER: z.string().optional(),
  JWT_AUDIENCE: nonEmptyList.default([]),
  JWT_CLAIMS: listOf(USER_CLAIMS).default([...USER_CLAIMS]),
  SESSION_IDLE_TIMEOUT: duration.default(86_400),
  SESSION_LIFETIME: duration
    .refine((seconds) => seconds <= 31_536_000, { error: 'must be at most 365d' })
    .default(604_800),
  SESSION_COOKIE_SAMESITE: oneOf(['lax', 'none']).default('lax'),
  TOKEN_COOKIE: z
    .string()
    .regex(COOKIE_NAME, { error: 'must be a cookie name: letters, digits, - and _' })
    .refine((name) => !OWN_COOKIES.includes(name), {
      error: 'must be another name than the session cookie and the device cookie have',
    })
    .optional(),
  BYPASS_AUTH: oneOf(['true', 'false'])
    .transform((text) => text === 'true')
    .default(false),
  REGISTRATION: oneOf(['open', 'closed']).default('closed'),
  BRAND_NAME: z
    .string()
    .refine((name) => /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,40}$/u.test(name), {
      error: 'must be 1 to 40 characters, without control characters',
    })
    .default('Coatcheck'),
  BRAND_LOGO_FILE: z.string().optional(),
  BRAND_COLOR: z
    .string()
    .regex(COLOUR, {
      error: 'must be a colour in hexadecimal, such as 2546a3 or "#2546a3" in quotation marks',
    })
    .transform(sixDigits)
    .optional(),
  INSPECTOR: oneOf(['on', 'off']).optional(),
  DATABASE_URL: z
    .string()
    .transform((url, context) => {
      const problem = databaseUrlProblem(url);
      if (problem === undefined) return url;
      context.addIssue(problem);
      return z.NEVER;
    })
    .default('sqlite:data/coatcheck.db'),
  SESSION_STORE_URL: z
    .string()
    .transform((text, context) => {
      const address = redisAddress(text);
      if (typeof address !== 'string') return address;
      context.addIssue(address);
      return z.NEVER;
    })
    .optional(),
  CORS_ORIGINS: nonEmptyList
    .pipe(z.array(z.string().refine(isOrigin, originError).transform(asOrigin)))
    .default([]),
  TRUST_PROXY: nonEmptyList
    .refine((items) => items.every(isAddressOrRange), {
      error: 'must list addresses or ranges such as 10.0.0.5 or 10.0.0.0/8',
    })
    .default([]),
  TLS_CERT_FILE: z.string().optional(),
  TLS_KEY_FILE: z.string().optional(),
  AUDIT_RETENTION: duration
    .refine((seconds) => seconds >= 2_592_000 && seconds <= 315_360_000, {
      error: 'must be from 30d to 3650d',
    })
    .default(34_560_000),
  WORKERS: z
    .string()
    .refine(
      (text) => text === 'auto' || (/^[1-9]\d?$/.test(text) && Number(text) <= MOST_WORKERS),
      {
        error: `must be a number of processes from 1 to ${MOST_WORKERS}, or auto: one a core`,
      },
    )
    .transform((text) =>
      text === 'auto' ? Math.min(availableParallelism(), MOST_WORKERS) : Number(text),
    )
    .default(1),
  LOG_LEVEL: oneOf(LOG_LEVELS).default('info'),
};

export const everySetting = z.object(schema);

/** The settings by their names in the environment, each checked by itself. */
export type Values = z.output<typeof everySetting>;

/** `#rrggbb`, whichever way it was written. */
function sixDigits(colour: string): string {
  const digits = colour.replace('#', '').toLowerCase();
  return `#${digits.length === 3 ? digits.replaceAll(/./g, '$&$&') : digits}`;
}

function isAddressOrRange(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const bits = isIP(address) === 4 ? 32 : 128;
  return (
    isIP(address) !== 0 &&
    rest.length === 0 &&
    (prefix === undefined ||
      (/^\d{1,3}$/.test(prefix) && Number(prefix) > 0 && Number(prefix) <= bits))
  );
}

/** Never says a part of the URL: it has a password in it. */
function databaseUrlProblem(url: string): string | undefined {
  if (/^postgres(?:ql)?:/i.test(url)) {
    const parsed = parsePostgresUrl(url);
    return typeof parsed === 'string' ? parsed : undefined;
  }
  if (/^sqlite:(?!:memory:)./.test(url)) return undefined;
  return 'must be sqlite:<path of a file>, such as sqlite:data/coatcheck.db, or postgres://<user>:<password>@<host>/<database>';
}
