import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseEnv } from 'dotenv';
import { SettingsError } from '../core/errors.ts';
import type { UserClaim } from '../tokens/claims.ts';
import type { HmacAlgorithm } from '../tokens/key-ring.ts';
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
  checkTogether(parsed.data ?? valuesWithout(wrong, given), (name, problem) =>
    problems.push(`${name} ${problem}`),
  );
  if (!parsed.success || problems.length > 0) throw new SettingsError([...new Set(problems)]);
  return settingsOf(parsed.data);
}

/** An empty value counts as not set, so that it hides none in the file. */
function withoutBlanks(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value?.trim()));
}

function withEnvFile(environment: Environment, directory: string): Environment {
  const file = join(directory, environment['NODE_ENV'] === 'test' ? '.env.test' : '.env');
  const merged = existsSync(file)
    ? { ...parseEnv(readFileSync(file)), ...withoutBlanks(environment) }
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

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  }
  return Object.freeze(value);
}
