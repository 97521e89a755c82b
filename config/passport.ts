import { randomUUID } from 'node:crypto';
import type { Request } from 'express';
import type { Transaction } from 'kysely';
import passport from 'passport';
import type { WriteEvent } from '../audit/audit.ts';
import type { Clock } from '../core/clock.ts';
import { wrongCredentials } from '../core/errors.ts';
import { endOf, type SessionLifetime } from '../sessions/lifetime.ts';
import type { Amr, SessionStore, SignIn } from '../sessions/session-store.ts';
import type { Schema } from '../storage/schema.ts';
import type { PasswordHasher } from '../users/password.ts';
import type { StatusLists } from '../tokens/status-lists.ts';
import type { User, UserStore } from '../users/user-store.ts';
import { localStrategy } from './strategies/local.ts';

/** What a strategy answers: who it is, and how they proved it. */
interface Identified {
  readonly user: User;
  readonly amr: Amr;
  /** The hash of the password, where that was the proof. */
  readonly passwordHash?: string;
  /** Whether the proof is good still, asked in the transaction of the session. Left out, whether the user is active. */
  readonly stillHolds?: (db: Transaction<Schema>) => Promise<boolean>;
  /** Puts the sign-in on record, together with its session. */
  readonly note?: WriteEvent;
}

declare global {
  namespace Express {
    interface User extends Identified {}
  }
}

export type Passport = InstanceType<typeof passport.Passport>;

export interface PassportServices {
  users: UserStore;
  passwords: PasswordHasher;
  clock: Clock;
  lifetime: SessionLifetime;
  statusLists: StatusLists;
  sessions: SessionStore;
}

/** A Passport of this app's own, so that two apps in one process do not share strategies. */
export function createPassport(services: PassportServices): Passport {
  const { users, passwords } = services;
  const authenticator = new passport.Passport();
  authenticator.use(localStrategy(users, passwords));
  authenticator.serializeUser(
    (req: Request, identified: Express.User, done: (error: unknown, signIn?: SignIn) => void) => {
      newSignIn(services, req, identified).then((signIn) => done(null, signIn), done);
    },
  );
  return authenticator;
}

async function newSignIn(
  { users, clock, lifetime, statusLists, sessions }: PassportServices,
  req: Request,
  { user, amr, note, stillHolds = (db) => users.holdActive(user.id, db) }: Express.User,
): Promise<SignIn> {
  const createdAt = clock.now();
  const { expiresAt } = endOf(lifetime, createdAt, createdAt);
  const publicId = randomUUID();
  const signIn: SignIn = {
    publicId,
    userId: user.id,
    amr,
    createdAt,
    expiresAt,
    address: req.ip ?? null,
    userAgent: req.get('user-agent')?.slice(0, 512) ?? null,
    status: await statusLists.allocate(expiresAt, { sessionId: publicId, userId: user.id }),
  };
  sessions.keepProvided(signIn, async (db) => {
    if (!(await stillHolds(db))) throw wrongCredentials();
  });
  if (note) sessions.noteWith(signIn, (db) => note(db, { session: publicId }));
  return signIn;
}
