import type { RequestHandler, Request } from 'express';
import type { Logger } from 'pino';
import type { Audit } from '../audit/audit.ts';
import type { SessionStore, SignIn } from '../sessions/session-store.ts';
import type { Inspector } from '../tokens/inspector.ts';
import type { Issuer } from '../tokens/issuer.ts';
import type { KeyRing } from '../tokens/key-ring.ts';
import type { ApiClient, ApiClients } from '../tokens/api-clients.ts';
import type { PresentedTokens } from '../tokens/presented-tokens.ts';
import type { StatusListTokens } from '../tokens/status-list-tokens.ts';
import type { StatusLists } from '../tokens/status-lists.ts';
import type { Attempts } from '../users/attempts.ts';
import type { KnownDevices } from '../users/known-devices.ts';
import type { PasswordPolicy } from '../users/password-policy.ts';
import type { PasswordHasher } from '../users/password.ts';
import type { UserStore } from '../users/user-store.ts';

/** What the routes work with. `createApp` gets it; nothing here is looked up anywhere else. */
export interface RouteServices {
  readonly log: Logger;
  readonly audit: Audit;
  readonly users: UserStore;
  readonly passwords: PasswordHasher;
  readonly attempts: Attempts;
  readonly devices: KnownDevices;
  readonly passwordProblem: PasswordPolicy;
  readonly sessions: SessionStore;
  /** Changes something of a user that tokens say, and revokes those that say what was before: both or neither. */
  readonly changeClaims: (
    userId: string,
    change: Parameters<SessionStore['revokeByUser']>[2] & {},
  ) => Promise<unknown>;
  readonly issuer: Issuer;
  readonly keyRing: KeyRing;
  readonly statusLists: StatusLists;
  /** Where the status list of that id is served. */
  readonly statusListUri: (list: string) => string;
  readonly statusListTokens: StatusListTokens;
  readonly presentedTokens: PresentedTokens;
  readonly inspector: Inspector;
  readonly apiClients: ApiClients;
  readonly readiness: Readiness;
  /** Waits before somebody is refused for coming too often. */
  readonly holdBack: () => Promise<void>;
  readonly views: PageRenderer;
  /** The id in the session cookie of a `Cookie` header, if its signature is good. */
  readonly sessionId: (cookies: string | undefined) => string | undefined;
  /** express-session, for the routes that sign in or log out. The others use `readSession`. */
  readonly session: RequestHandler;
  /** Lets only requests with a good token through, and sets `req.token`. */
  readonly requireToken: RequestHandler;
  readonly passport: PassportLike;
  readonly bypass: BypassLike | undefined;
  readonly site: Site;
}

/** Facts about this set-up that answers depend on. */
export interface Site {
  /** What the pages call this service. */
  readonly name: string;
  /** An origin, without a slash at the end. */
  readonly publicUrl: string;
  /** `iss` of the tokens. */
  readonly issuer: string;
  /** Whether people reach it over https, so that cookies are Secure. */
  readonly secure: boolean;
  readonly production: boolean;
  readonly sessionCookie: string;
  /** Says that somebody has logged in from here before. */
  readonly deviceCookie: string;
  /** Whether those two go along with requests from pages of other sites. */
  readonly cookieScope: { readonly sameSite: 'lax' | 'none'; readonly partitioned: boolean };
  readonly tokenCookie: string | undefined;
  /** Whether people may sign up. */
  readonly registration: boolean;
  /** Whether there is a page that takes tokens apart. */
  readonly inspector: boolean;
  readonly corsOrigins: readonly string[];
  readonly trustProxy: readonly string[];
}

export interface Readiness {
  /** True from the moment the process has been told to stop. */
  readonly draining: boolean;
  /** @returns the parts that do not work, by name; empty when all do. */
  failures(): Promise<string[]>;
}

export interface PageRenderer {
  readonly assets: readonly {
    path: string;
    type: string;
    content: Buffer;
    /** The same for whoever takes gzip, where that is less. */
    compressed: Buffer | undefined;
  }[];
  render(template: string, data: object): string;
}

/** Why a strategy knows nobody, and whose name it was given. Not for the caller. */
export interface Refusal {
  readonly message?: string;
  readonly userId?: string | undefined;
}

interface PassportLike {
  /** Gives a request the method `logIn`, as `authenticate` does. */
  initialize(options: { compat: boolean }): RequestHandler;
  authenticate(
    strategy: string,
    callback: (
      error: Error | null,
      identified?: Express.User | false | null,
      refusal?: Refusal,
    ) => void,
  ): RequestHandler;
}

export interface BypassLike {
  readonly watch: RequestHandler;
  isOn(): boolean;
  allows(req: Request): boolean;
}

declare global {
  namespace Express {
    interface Request {
      /** Names the request in the log and in the answer to an error. */
      id: string;
      /** Whether the user who logs in has done so from this device before. */
      knownDevice?: boolean;
      /** Whether a password that came with it has turned out to be wrong. */
      passwordWasWrong?: boolean;
      /** Who is signed in, behind `readSession`. */
      signIn?: SignIn | undefined;
      /** Who asks, behind the check of API clients. */
      apiClient?: ApiClient;
    }
  }
}
