import { Strategy } from 'passport-local';
import { authenticate } from '../../users/authenticate.ts';
import type { PasswordHasher } from '../../users/password.ts';
import type { UserStore } from '../../users/user-store.ts';

/**
 * Username or e-mail address and password. passport-local would look in the query string too and pass on
 * whatever it finds; the step in front of it lets only bounded strings from the body through.
 */
export function localStrategy(users: UserStore, passwords: PasswordHasher): Strategy {
  return new Strategy({ passReqToCallback: true }, (req, login, password, done) => {
    const line = req.knownDevice === true ? 'known' : 'anyone';
    authenticate(users, passwords, { login, password, line }).then(
      (found) => {
        if (found.user !== undefined) return done(null, { ...found, amr: 'pwd' });
        const { reason: message, userId } = found;
        const refusal = { message, userId };
        return done(null, false, refusal);
      },
      (error: unknown) => done(error),
    );
  });
}
