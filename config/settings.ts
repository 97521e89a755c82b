import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { parse as parseEnv } from 'dotenv';
import { z } from 'zod';
import { SettingsError } from '../core/errors.ts';
import { isLocalhostName } from '../core/http.ts';
import { USER_CLAIMS, type UserClaim } from '../tokens/claims.ts';
import { HMAC_ALGORITHMS, type HmacAlgorithm } from '../tokens/key-ring.ts';
import { parseDuration } from '../core/durations.ts';
import { SECRET_ADVICE, secretProblem } from './secrets.ts';

export const MODES = ['development', 'test', 'production'] as const;
export type Mode = (typeof MODES)[number];

/** Everything that can be set, checked and frozen. Durations are in seconds. */
export interface Settings {
  readonly mode: Mode;
  readonly host: string;
  readonly port: number;
  /** An origin: scheme, host and port, without a slash at the end. The only source of links. */
  readonly publicUrl: string;
  readonly sessionSecrets: readonly string[];
  readonly jwt: {
    readonly algorithm: HmacAlgorithm;
    readonly secret: string;
    readonly previousSecrets: readonly string[];
    readonly expiresIn: number;
    readonly issuer: string;
    readonly audiences: readonly string[];
    readonly claims: readonly UserClaim[];
  };
  readonly session: { readonly idleTimeout: number; readonly lifetime: number };
  readonly tokenCookie: string | undefined;
  readonly bypass: boolean;
  readonly registration: 'open' | 'closed';
  readonly databaseUrl: string;
  readonly corsOrigins: readonly string[];
  readonly trustProxy: readonly string[];
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly logLevel: (typeof LOG_LEVELS)[number];
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const oneOf = <const T extends readonly string[]>(values: T) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` });
const duration = z.string().transform((text, context) => {
  const seconds = parseDuration(text);
  if (seconds !== undefined) return seconds;
  context.addIssue('must be a whole number with a unit: 90s, 15m, 6h or 7d');
  return z.NEVER;
});
const requiredSecret = z.string({
  error: `is required: ${SECRET_ADVICE}; or let "coatcheck init" write a whole .env`,
});
const list = requiredSecret.transform((text) => text.split(',').map((item) => item.trim()));
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

const SESSION_COOKIES = ['session', '__Host-session'];

/** Every setting by its name in the environment, with what it must look like. */
export const schema = {
  NODE_ENV: oneOf(MODES).default('production'),
  HOST: z.string().default('127.0.0.1'),
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
  JWT_SECRET_KEY: requiredSecret,
  JWT_SECRET_KEY_PREVIOUS: nonEmptyList.default([]),
  JWT_ALGORITHM: oneOf(HMAC_ALGORITHMS).default('HS256'),
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
  TOKEN_COOKIE: z
    .string()
    .regex(COOKIE_NAME, { error: 'must be a cookie name: letters, digits, - and _' })
    .refine((name) => !SESSION_COOKIES.includes(name), {
      error: 'must be another name than the session cookie has',
    })
    .optional(),
  BYPASS_AUTH: oneOf(['true', 'false'])
    .transform((text) => text === 'true')
    .default(false),
  REGISTRATION: oneOf(['open', 'closed']).default('closed'),
  DATABASE_URL: z
    .string()
    .regex(/^sqlite:(?!:memory:).+/, {
      error: 'must be sqlite:<path of a file>, such as sqlite:data/coatcheck.db',
    })
    .default('sqlite:data/coatcheck.db'),
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
  LOG_LEVEL: oneOf(LOG_LEVELS).default('info'),
};

const everySetting = z.object(schema);
type Values = z.output<typeof everySetting>;
type Name = keyof Values;
type Environment = Readonly<Record<string, string | undefined>>;

/** A problem with a setting: its name, what is wrong, how to mend it. Never the value of a secret. */
type Report = (name: Name, problem: string) => void;

/**
 * Reads the settings: the environment over `.env` (over `.env.test` with `NODE_ENV=test`) in `directory`.
 * Empty values count as not set.
 *
 * @throws {SettingsError} with every problem at once.
 */
export function loadSettings(
  environment: Environment = process.env,
  directory: string = process.cwd(),
): Settings {
  const given = withEnvFile(environment, directory);
  const parsed = everySetting.safeParse(given);
  const problems: string[] = [];
  const report: Report = (name, problem) => problems.push(`${name} ${problem}`);
  const wrong = new Set<string>();
  for (const { path, message } of parsed.error?.issues ?? []) {
    wrong.add(String(path[0]));
    problems.push(`${String(path[0])} ${message}`);
  }
  checkTogether(parsed.data ?? valuesWithout(wrong, given), report);
  if (!parsed.success || problems.length > 0) throw new SettingsError([...new Set(problems)]);
  return settingsOf(parsed.data);
}

function withEnvFile(environment: Environment, directory: string): Environment {
  const file = join(directory, environment['NODE_ENV'] === 'test' ? '.env.test' : '.env');
  const merged = existsSync(file)
    ? { ...parseEnv(readFileSync(file)), ...environment }
    : environment;
  return Object.fromEntries(
    Object.keys(schema).map((name) => [name, merged[name]?.trim() || undefined]),
  );
}

/** The settings that are right by themselves, so that a mistake in one hides none between others. */
function valuesWithout(wrong: ReadonlySet<string>, given: Environment): Partial<Values> {
  const right = Object.entries(given).filter(([name]) => !wrong.has(name));
  const { data = {} } = everySetting.partial().safeParse(Object.fromEntries(right));
  return Object.fromEntries(Object.entries(data).filter(([name]) => !wrong.has(name)));
}

function checkTogether(values: Partial<Values>, report: Report): void {
  checkSecrets(values, report);
  checkLifetimes(values, report);
  checkAddresses(values, report);
  checkBypass(values, report);
}

function checkSecrets(values: Partial<Values>, report: Report): void {
  const secrets: [Name, string][] = [
    ...(values.SESSION_SECRET ?? []).map((text): [Name, string] => ['SESSION_SECRET', text]),
    ...(values.JWT_SECRET_KEY === undefined
      ? []
      : [['JWT_SECRET_KEY', values.JWT_SECRET_KEY] as [Name, string]]),
    ...(values.JWT_SECRET_KEY_PREVIOUS ?? []).map((text): [Name, string] => [
      'JWT_SECRET_KEY_PREVIOUS',
      text,
    ]),
  ];
  const owners = new Map<string, Name>();
  for (const [name, secret] of secrets) {
    const problem = secretProblem(secret, values.NODE_ENV ?? 'production');
    if (problem !== undefined) report(name, `${problem}; ${SECRET_ADVICE}`);
    const owner = owners.get(secret);
    if (owner !== undefined) {
      report(
        name,
        `has the same secret as ${owner === name ? 'another entry of it' : owner}: each must be one of its own; ${SECRET_ADVICE}`,
      );
    }
    owners.set(secret, name);
  }
}

function checkLifetimes(values: Partial<Values>, report: Report): void {
  const { SESSION_IDLE_TIMEOUT: idle, SESSION_LIFETIME: lifetime, JWT_EXPIRES_IN: token } = values;
  if (idle !== undefined && token !== undefined && idle <= token) {
    report(
      'SESSION_IDLE_TIMEOUT',
      'must be longer than JWT_EXPIRES_IN: a session in use would end between two tokens',
    );
  }
  if (idle !== undefined && lifetime !== undefined && lifetime < idle) {
    report('SESSION_LIFETIME', 'must not be shorter than SESSION_IDLE_TIMEOUT');
  }
}

function checkAddresses(values: Partial<Values>, report: Report): void {
  const { NODE_ENV: mode, PUBLIC_URL: url, TLS_CERT_FILE: cert, TLS_KEY_FILE: key } = values;
  if ((cert === undefined) !== (key === undefined)) {
    report(
      cert === undefined ? 'TLS_CERT_FILE' : 'TLS_KEY_FILE',
      'is missing: TLS_CERT_FILE and TLS_KEY_FILE go together',
    );
  }
  const behindProxy = (values.TRUST_PROXY?.length ?? 0) > 0;
  if (url?.startsWith('https:') && cert === undefined && !behindProxy) {
    report(
      'PUBLIC_URL',
      'says https, but nothing here serves it, so that no session cookie could be set: name the reverse proxy in TRUST_PROXY, or set TLS_CERT_FILE and TLS_KEY_FILE',
    );
  }
  if (url?.startsWith('http:') && cert !== undefined) {
    report('PUBLIC_URL', 'says http, but TLS_CERT_FILE makes this service answer https');
  }
  if (mode === 'production' && url === undefined) {
    report('PUBLIC_URL', 'is required in production: the https address that people use');
  } else if (mode === 'production' && !url?.startsWith('https:')) {
    report(
      'PUBLIC_URL',
      'must begin with https in production: passwords, cookies and tokens would travel in the open',
    );
  } else if (url?.startsWith('http:') && !isLocalhostName(new URL(url).hostname)) {
    report(
      'PUBLIC_URL',
      'may be http for localhost only: browsers keep other cookies from crossing in the open',
    );
  }
}

function checkBypass(values: Partial<Values>, report: Report): void {
  if (values.BYPASS_AUTH !== true) return;
  if (values.NODE_ENV === 'production') {
    report(
      'BYPASS_AUTH',
      "must not be true with NODE_ENV=production: it lets anyone sign in as anyone. Remove BYPASS_AUTH, or set NODE_ENV=development on a developer's machine",
    );
  }
  if (values.HOST !== undefined && !isLocalhostName(values.HOST)) {
    report(
      'BYPASS_AUTH',
      'needs HOST to be a loopback address such as 127.0.0.1: others could sign in as anyone',
    );
  }
  if (values.PUBLIC_URL !== undefined && !isLocalhostName(new URL(values.PUBLIC_URL).hostname)) {
    report('BYPASS_AUTH', 'needs PUBLIC_URL to be a localhost address');
  }
  if ((values.TRUST_PROXY?.length ?? 0) > 0) {
    report(
      'BYPASS_AUTH',
      'must not be true with TRUST_PROXY: behind a proxy everybody seems to be on this machine',
    );
  }
}

function settingsOf(values: Values): Settings {
  const { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile } = values;
  const scheme = certFile === undefined ? 'http' : 'https';
  const publicUrl = values.PUBLIC_URL ?? `${scheme}://localhost:${values.PORT}`;
  return deepFreeze({
    mode: values.NODE_ENV,
    host: values.HOST,
    port: values.PORT,
    publicUrl,
    sessionSecrets: values.SESSION_SECRET,
    jwt: {
      algorithm: values.JWT_ALGORITHM,
      secret: values.JWT_SECRET_KEY,
      previousSecrets: values.JWT_SECRET_KEY_PREVIOUS,
      expiresIn: values.JWT_EXPIRES_IN,
      issuer: values.JWT_ISSUER ?? publicUrl,
      audiences: values.JWT_AUDIENCE,
      claims: values.JWT_CLAIMS,
    },
    session: { idleTimeout: values.SESSION_IDLE_TIMEOUT, lifetime: values.SESSION_LIFETIME },
    tokenCookie: values.TOKEN_COOKIE,
    bypass: values.BYPASS_AUTH,
    registration: values.REGISTRATION,
    databaseUrl: values.DATABASE_URL,
    corsOrigins: values.CORS_ORIGINS,
    trustProxy: values.TRUST_PROXY,
    tls: certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile },
    logLevel: values.LOG_LEVEL,
  });
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

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  }
  return Object.freeze(value);
}
