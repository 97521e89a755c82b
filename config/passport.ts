import { randomUUID } from 'node:crypto';
import type { Request } from 'express';
import passport from 'passport';
import type { Clock } from '../core/clock.ts';
import { endOf, type SessionLifetime } from '../sessions/lifetime.ts';
import type { Amr, SignIn } from '../sessions/session-store.ts';
import type { PasswordHasher } from '../users/password.ts';
import type { UserStore } from '../users/user-store.ts';
import { localStrategy } from './strategies/local.ts';

declare global {
  namespace Express {
    /** What a strategy answers: who it is, and how they proved it. */
    interface User {
      readonly user: import('../users/user-store.ts').User;
      readonly amr: Amr;
    }
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
  authenticator.serializeUser<SignIn, Request>((req, { user, amr }, done) => {
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
  });
  return authenticator;
}
