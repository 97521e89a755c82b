import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseEnv } from 'dotenv';
import { SettingsError } from '../core/errors.ts';
import type { RedisAddress } from '../storage/redis-address.ts';
import type { UserClaim } from '../tokens/claims.ts';
import type { Algorithm } from '../tokens/algorithms.ts';
import { checkTogether } from './settings-checks.ts';
import { everySetting, schema, type Values } from './settings-schema.ts';

/** Everything that can be set, checked and frozen. Durations are in seconds. */
export interface Settings {
  readonly mode: Values['NODE_ENV'];
  readonly host: string;
  readonly port: number;
  /** An origin: scheme, host and port, without a slash at the end. The only source of links. */
  readonly publicUrl: string;
  readonly sessionSecrets: readonly string[];
  readonly jwt: {
    readonly algorithm: Algorithm;
    /** Always there with HS*. */
    readonly secret: string | undefined;
    readonly previousSecrets: readonly string[];
    readonly expiresIn: number;
    readonly issuer: string;
    readonly audiences: readonly string[];
    readonly claims: readonly UserClaim[];
    readonly profile: Values['JWT_PROFILE'];
  };
  readonly keys: {
    /** The first encrypts private keys, all decrypt. Never empty with asymmetric keys. */
    readonly encryptionSecrets: readonly string[];
    readonly rotationInterval: number;
    /** How long a key is published before it may sign. */
    readonly publicationPeriod: number;
  };
  readonly session: {
    readonly idleTimeout: number;
    readonly lifetime: number;
    readonly sameSite: Values['SESSION_COOKIE_SAMESITE'];
  };
  readonly tokenCookie: string | undefined;
  readonly bypass: boolean;
  readonly registration: 'open' | 'closed';
  /** What the pages show instead of our own name, picture and colour. */
  readonly brand: {
    readonly name: string;
    readonly logoFile: string | undefined;
    /** `#rrggbb` */
    readonly color: string | undefined;
  };
  /** Whether there is a page that takes tokens apart. */
  readonly inspector: boolean;
  readonly databaseUrl: string;
  /** Redis or Valkey, where sessions are kept there and not in the database. */
  readonly sessionStore: RedisAddress | undefined;
  readonly corsOrigins: readonly string[];
  readonly trustProxy: readonly string[];
  /** How long what has happened is kept on record. */
  readonly auditRetention: number;
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** How many processes share the port; with 1 there is no other process than this one. */
  readonly workers: number;
  readonly logLevel: Values['LOG_LEVEL'];
}

type Environment = Readonly<Record<string, string | undefined>>;

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
  const wrong = new Set<string>();
  for (const { path, message } of parsed.error?.issues ?? []) {
    wrong.add(String(path[0]));
    problems.push(`${String(path[0])} ${message}`);
  }
  if (given['BRAND_COLOR'] === undefined && hasColourInComment(environment, directory)) {
    problems.push('BRAND_COLOR must be written without the #, which makes a comment of it');
  }
  checkTogether(parsed.data ?? valuesWithout(wrong, given), (name, problem) =>
    problems.push(`${name} ${problem}`),
  );
  if (!parsed.success || problems.length > 0) throw new SettingsError([...new Set(problems)]);
  return settingsOf(parsed.data);
}

/**
 * All names in the environment and in the file that the settings are read from, whatever they are the names of: for whoever
 * looks for misspelt ones.
 */
export function namesGiven(
  environment: Environment = process.env,
  directory: string = process.cwd(),
): string[] {
  return Object.keys({ ...inFile(environment, directory), ...environment });
}

/** An empty value counts as not set, so that it hides none in the file. */
function withoutBlanks(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value?.trim()));
}

function withEnvFile(environment: Environment, directory: string): Environment {
  const merged = { ...inFile(environment, directory), ...withoutBlanks(environment) };
  return Object.fromEntries(
    Object.keys(schema).map((name) => [name, merged[name]?.trim() || undefined]),
  );
}

function inFile(environment: Environment, directory: string): Environment {
  return parseEnv(textOfFile(environment, directory));
}

function textOfFile(environment: Environment, directory: string): string {
  const file = join(directory, environment['NODE_ENV'] === 'test' ? '.env.test' : '.env');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/** What looks like a colour to people, and like an empty setting with a comment to dotenv. */
function hasColourInComment(environment: Environment, directory: string): boolean {
  return /^\s*BRAND_COLOR\s*=\s*#[\da-f]{3}/im.test(textOfFile(environment, directory));
}

/** The settings that are right by themselves, so that a mistake in one hides none between others. */
function valuesWithout(wrong: ReadonlySet<string>, given: Environment): Partial<Values> {
  const right = Object.entries(given).filter(([name]) => !wrong.has(name));
  const { data = {} } = everySetting.partial().safeParse(Object.fromEntries(right));
  return Object.fromEntries(Object.entries(data).filter(([name]) => !wrong.has(name)));
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
      profile: values.JWT_PROFILE,
    },
    keys: {
      encryptionSecrets: values.KEY_ENCRYPTION_SECRET,
      rotationInterval: values.KEY_ROTATION_INTERVAL,
      publicationPeriod: values.KEY_PUBLICATION_PERIOD,
    },
    session: {
      idleTimeout: values.SESSION_IDLE_TIMEOUT,
      lifetime: values.SESSION_LIFETIME,
      sameSite: values.SESSION_COOKIE_SAMESITE,
    },
    tokenCookie: values.TOKEN_COOKIE,
    bypass: values.BYPASS_AUTH,
    registration: values.REGISTRATION,
    brand: {
      name: values.BRAND_NAME,
      logoFile: values.BRAND_LOGO_FILE,
      color: values.BRAND_COLOR,
    },
    inspector: (values.INSPECTOR ?? (values.NODE_ENV === 'production' ? 'off' : 'on')) === 'on',
    databaseUrl: values.DATABASE_URL,
    sessionStore: values.SESSION_STORE_URL,
    corsOrigins: values.CORS_ORIGINS,
    trustProxy: values.TRUST_PROXY,
    auditRetention: values.AUDIT_RETENTION,
    tls: certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile },
    workers: values.WORKERS,
    logLevel: values.LOG_LEVEL,
  });
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  }
  return Object.freeze(value);
}
