import type { RequestHandler } from 'express';
import session from 'express-session';
import { SettingsError } from '../core/errors.ts';
import { sessionCookieReader } from '../sessions/session-cookie.ts';
import type { Inspector } from '../tokens/inspector.ts';
import type { PresentedTokens } from '../tokens/presented-tokens.ts';
import type { StatusListTokens } from '../tokens/status-list-tokens.ts';
import { KnownDevices } from '../users/known-devices.ts';
import { type PasswordPolicy, passwordPolicy } from '../users/password-policy.ts';
import { createViews, type Views } from '../views/render.ts';
import { createHoldBack } from './hold-back.ts';
import { createPassport, type Passport } from './passport.ts';
import { openInspector } from './inspector.ts';
import { requireToken } from './require-token.ts';
import { createTokenAnswers } from './revocation.ts';
import type { Services } from './services.ts';
import {
  cookieScope,
  deviceCookieName,
  isSecure,
  sessionCookieName,
  sessionOptions,
} from './session.ts';
import type { Bypass } from './strategies/bypass.ts';

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
  readonly devices: KnownDevices;
  readonly statusListUri: (list: string) => string;
  readonly statusListTokens: StatusListTokens;
  readonly presentedTokens: PresentedTokens;
  readonly inspector: Inspector;
  readonly bypass: Bypass | undefined;
  readonly passwordProblem: PasswordPolicy;
  readonly readiness: Readiness;
  readonly holdBack: () => Promise<void>;
  readonly views: Views;
  readonly site: {
    readonly name: string;
    readonly publicUrl: string;
    readonly issuer: string;
    readonly secure: boolean;
    readonly production: boolean;
    readonly sessionCookie: string;
    readonly deviceCookie: string;
    readonly cookieScope: ReturnType<typeof cookieScope>;
    readonly tokenCookie: string | undefined;
    readonly registration: boolean;
    readonly inspector: boolean;
    readonly corsOrigins: readonly string[];
    readonly trustProxy: readonly string[];
  };
}

/**
 * @param holdBack waits before somebody is refused for coming too often
 * @throws {SettingsError} when the logo cannot be used, bypass is wanted where its code is not installed, or the secrets do not fit the keys.
 * @throws {StorageError} when a key is damaged, or the session store is not there in time
 */
export async function createWebServices(
  services: Services,
  holdBack: () => Promise<void> = createHoldBack(),
): Promise<WebServices> {
  const { settings, sessions, redis, keys, retention } = services;
  const views = createViews(settings.brand); // first: what is wrong with it is to be said at once
  await redis?.untilReady();
  await keys.startSigning();
  keys.startRounds();
  retention.start();
  const passport = createPassport({ ...services, lifetime: settings.session });
  return {
    ...services,
    sessionId: sessionCookieReader(sessionCookieName(settings), settings.sessionSecrets),
    session: session(sessionOptions(settings, sessions)),
    requireToken: requireToken(services.verifier, settings.tokenCookie),
    passport,
    devices: new KnownDevices({ ...services, secrets: settings.sessionSecrets }),
    ...createTokenAnswers(services),
    inspector: openInspector(services),
    bypass: settings.bypass ? await loadBypass(services, passport) : undefined,
    passwordProblem: passwordPolicy(settings.publicUrl),
    readiness: createReadiness(services),
    holdBack,
    views,
    site: {
      name: settings.brand.name,
      publicUrl: settings.publicUrl,
      issuer: settings.jwt.issuer,
      secure: isSecure(settings),
      production: settings.mode === 'production',
      sessionCookie: sessionCookieName(settings),
      deviceCookie: deviceCookieName(settings),
      cookieScope: cookieScope(settings),
      tokenCookie: settings.tokenCookie,
      registration: settings.registration === 'open',
      inspector: settings.inspector,
      corsOrigins: settings.corsOrigins,
      trustProxy: settings.trustProxy,
    },
  };
}

function createReadiness({ database, redis, keyRing, log }: Services): Readiness {
  const parts: Readonly<Record<string, () => Promise<unknown>>> = {
    database: () => database.ping(),
    ...(redis && { 'session store': () => redis.ping() }),
    async 'signing key'() {
      await keyRing.refresh();
      keyRing.signing();
    },
  };
  return {
    draining: false,
    async failures() {
      const failed = await Promise.all(
        Object.entries(parts).map(async ([name, test]) => {
          try {
            await test();
            return [];
          } catch (error) {
            log.error({ err: error }, `the ${name} cannot be used`);
            return [name];
          }
        }),
      );
      return failed.flat();
    },
  };
}

async function loadBypass(
  { users, audit, log, settings }: Services,
  passport: Passport,
): Promise<Bypass> {
  const code = await import('./strategies/bypass.ts').catch((cause: unknown) => {
    log.debug({ err: cause }, 'bypass could not be loaded');
    throw new SettingsError([
      'BYPASS_AUTH must not be true here: this build does not contain the bypass',
    ]);
  });
  return code.installBypass(passport, { users, audit, log, corsOrigins: settings.corsOrigins });
}
