import { Strategy } from 'passport-local';
import { authenticate, type PasswordHasher } from '../../users/password.ts';
import type { UserStore } from '../../users/user-store.ts';

/**
 * Username or e-mail address and password. passport-local would look in the query string too and pass on
 * whatever it finds; the step in front of it lets only bounded strings from the body through.
 */
export function localStrategy(users: UserStore, passwords: PasswordHasher): Strategy {
  return new Strategy((login, password, done) => {
    authenticate(users, passwords, login, password).then(
      (found) => done(null, found === undefined ? false : { ...found, amr: 'pwd' }),
      (error: unknown) => done(error),
    );
  });
}
