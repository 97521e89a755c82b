import type { RequestHandler, Request } from 'express';
import type { Logger } from 'pino';
import type { SessionStore, SignIn } from '../sessions/session-store.ts';
import type { Issuer } from '../tokens/issuer.ts';
import type { PasswordHasher } from '../users/password.ts';
import type { UserStore } from '../users/user-store.ts';

/** What the routes work with. `createApp` gets it; nothing here is looked up anywhere else. */
export interface RouteServices {
  readonly log: Logger;
  readonly users: UserStore;
  readonly passwords: PasswordHasher;
  readonly passwordProblem: (
    password: string,
    own: readonly (string | null | undefined)[],
  ) => string | undefined;
  readonly sessions: SessionStore;
  readonly issuer: Issuer;
  readonly readiness: Readiness;
  readonly views: PageRenderer;
  /** The id in the session cookie of a `Cookie` header, if its signature is good. */
  readonly sessionId: (cookies: string | undefined) => string | undefined;
  /** express-session, for the routes that begin or end a session. The others use `readSession`. */
  readonly session: RequestHandler;
  /** Lets only requests with a good token through, and sets `req.token`. */
  readonly requireToken: RequestHandler;
  readonly passport: PassportLike;
  readonly bypass: BypassLike | undefined;
  readonly site: Site;
}

/** Facts about this set-up that answers depend on. */
export interface Site {
  /** An origin, without a slash at the end. */
  readonly publicUrl: string;
  /** Whether people reach it over https, so that cookies are Secure. */
  readonly secure: boolean;
  readonly production: boolean;
  readonly sessionCookie: string;
  readonly tokenCookie: string | undefined;
  /** Whether people may sign up. */
  readonly registration: boolean;
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
  readonly assets: readonly { path: string; type: string; content: Buffer }[];
  render(template: string, data: object): string;
}

interface PassportLike {
  /** Gives a request the method `logIn`, as `authenticate` does. */
  initialize(options: { compat: boolean }): RequestHandler;
  authenticate(
    strategy: string,
    callback: (error: Error | null, identified?: Express.User | false | null) => void,
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
      /** Who is signed in, behind `readSession`. */
      signIn?: SignIn | undefined;
    }
  }
}
