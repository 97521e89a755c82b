import type { RequestHandler } from 'express';
import session from 'express-session';
import type { Logger } from 'pino';
import { createVerifier, type Verifier } from '#verify';
import { type Clock, systemClock } from '../core/clock.ts';
import { SettingsError } from '../core/errors.ts';
import { sessionCookieReader } from '../sessions/session-cookie.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import { SqlSessionStore } from '../sessions/sql-store.ts';
import { type Database, openDatabase } from '../storage/database.ts';
import { createIssuer, type Issuer } from '../tokens/issuer.ts';
import { hmacKeyRing } from '../tokens/key-ring.ts';
import { passwordProblem } from '../users/password-policy.ts';
import { PasswordHasher } from '../users/password.ts';
import { sqlUserStore, type UserStore } from '../users/user-store.ts';
import { createViews, type Views } from '../views/render.ts';
import { createLog } from './log.ts';
import { createPassport, type Passport } from './passport.ts';
import { requireToken } from './require-token.ts';
import { isSecure, sessionCookieName, sessionOptions } from './session.ts';
import type { Settings } from './settings.ts';
import type { Bypass } from './strategies/bypass.ts';

/** What commands need: the stores and the keys, without the web. */
export interface Services {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Logger;
  readonly database: Database;
  readonly users: UserStore;
  readonly passwords: PasswordHasher;
  readonly sessions: SessionStore;
  readonly issuer: Issuer;
  readonly verifier: Verifier;
  /** Closes the stores. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ServiceOptions {
  clock?: Clock;
  /** Default: JSON lines on standard output at `LOG_LEVEL`. */
  log?: Logger;
}

/**
 * Opens everything that the settings speak of. The one place that knows which engine is behind which port.
 * @throws {StorageError} when the database cannot be used.
 */
export async function createServices(
  settings: Settings,
  { clock = systemClock, log = createLog(settings.logLevel) }: ServiceOptions = {},
): Promise<Services> {
  const database = await openDatabase(settings.databaseUrl);
  return {
    settings,
    clock,
    log,
    database,
    users: sqlUserStore(database, clock),
    passwords: new PasswordHasher(),
    sessions: new SqlSessionStore(database, clock, settings.session),
    ...createTokenServices(settings, clock),
    [Symbol.asyncDispose]: () => database.close(),
  };
}

/** What signs tokens and what checks them: the settings alone say it, without a database. */
export function createTokenServices({ jwt }: Settings, clock: Clock = systemClock) {
  const keyRing = hmacKeyRing(jwt.algorithm, jwt.secret, jwt.previousSecrets);
  const { issuer } = jwt;
  return {
    issuer: createIssuer({ ...jwt, keyRing, clock }),
    verifier: createVerifier({ issuer, keys: keyRing.verifying, now: () => clock.now() }),
  };
}

/** Whether requests should be sent here. */
export interface Readiness {
  /** True from the moment the process has been told to stop. */
  draining: boolean;
  /** @returns the parts that do not work, by name; empty when all do. */
  failures(): Promise<string[]>;
}

/** What `createApp` needs on top: the session middleware, Passport, the pages, and facts about the site. */
export interface WebServices extends Services {
  readonly sessionId: (cookies: string | undefined) => string | undefined;
  readonly session: RequestHandler;
  readonly requireToken: RequestHandler;
  readonly passport: Passport;
  readonly bypass: Bypass | undefined;
  readonly passwordProblem: typeof passwordProblem;
  readonly readiness: Readiness;
  readonly views: Views;
  readonly site: {
    readonly publicUrl: string;
    readonly secure: boolean;
    readonly production: boolean;
    readonly sessionCookie: string;
    readonly tokenCookie: string | undefined;
    readonly registration: boolean;
    readonly corsOrigins: readonly string[];
    readonly trustProxy: readonly string[];
  };
}

/** @throws {SettingsError} when bypass is wanted where its code is not installed. */
export async function createWebServices(services: Services): Promise<WebServices> {
  const { settings, sessions } = services;
  const passport = createPassport({ ...services, lifetime: settings.session });
  return {
    ...services,
    sessionId: sessionCookieReader(sessionCookieName(settings), settings.sessionSecrets),
    session: session(sessionOptions(settings, sessions)),
    requireToken: requireToken(services.verifier, settings.tokenCookie),
    passport,
    bypass: settings.bypass ? await loadBypass(services, passport) : undefined,
    passwordProblem,
    readiness: createReadiness(services),
    views: createViews(),
    site: {
      publicUrl: settings.publicUrl,
      secure: isSecure(settings),
      production: settings.mode === 'production',
      sessionCookie: sessionCookieName(settings),
      tokenCookie: settings.tokenCookie,
      registration: settings.registration === 'open',
      corsOrigins: settings.corsOrigins,
      trustProxy: settings.trustProxy,
    },
  };
}

function createReadiness({ database, log }: Services): Readiness {
  return {
    draining: false,
    async failures() {
      try {
        await database.ping();
        return [];
      } catch (error) {
        log.error({ err: error }, 'the database does not answer');
        return ['database'];
      }
    },
  };
}

async function loadBypass({ users, log, settings }: Services, passport: Passport): Promise<Bypass> {
  const code = await import('./strategies/bypass.ts').catch((cause: unknown) => {
    log.debug({ err: cause }, 'bypass could not be loaded');
    throw new SettingsError([
      'BYPASS_AUTH must not be true here: this build does not contain the bypass',
    ]);
  });
  return code.installBypass(passport, users, log, settings.corsOrigins);
}
