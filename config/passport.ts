import { randomUUID } from 'node:crypto';
import type { Request } from 'express';
import passport from 'passport';
import type { Clock } from '../core/clock.ts';
import { endOf, type SessionLifetime } from '../sessions/lifetime.ts';
import type { Amr, SignIn } from '../sessions/session-store.ts';
import type { PasswordHasher } from '../users/password.ts';
import type { User, UserStore } from '../users/user-store.ts';
import { localStrategy } from './strategies/local.ts';

/** What a strategy answers: who it is, and how they proved it. */
interface Identified {
  readonly user: User;
  readonly amr: Amr;
  /** Whether the proof is good still, asked once the session is stored. Without it, it is. */
  readonly stillHolds?: () => Promise<boolean>;
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
}

/** A Passport of this app's own, so that two apps in one process do not share strategies. */
export function createPassport(services: PassportServices): Passport {
  const { users, passwords, clock, lifetime } = services;
  const authenticator = new passport.Passport();
  authenticator.use(localStrategy(users, passwords));
  authenticator.serializeUser(
    (req: Request, { user, amr }: Express.User, done: (error: null, signIn: SignIn) => void) => {
      const createdAt = clock.now();
      done(null, {
        publicId: randomUUID(),
        userId: user.id,
        amr,
        createdAt,
        expiresAt: endOf(lifetime, createdAt, createdAt).expiresAt,
        address: req.ip ?? null,
        userAgent: req.get('user-agent')?.slice(0, 512) ?? null,
      });
    },
  );
  return authenticator;
}
