import type { RequestHandler } from 'express';
import { z } from 'zod';
import { Problem } from '../core/errors.ts';
import { seeOther } from '../core/http.ts';
import { isForm, optionalText, parseBody, PASSWORD_LENGTH, text } from './body.ts';
import type { RouteServices } from './services.ts';
import { startSession } from './sign-in.ts';
import { requiredSignIn, requiredViewer } from './steps.ts';

const registration = z.strictObject({
  username: text(64),
  email: optionalText(254),
  name: optionalText(128),
  password: text(PASSWORD_LENGTH),
  returnTo: optionalText(2048),
});

/** Adds the user and signs them in, as whoever knows the new password would. */
export function register(services: RouteServices): RequestHandler {
  const { users, passwords, passwordProblem } = services;
  return async (req, _res, next) => {
    const { password, ...typed } = parseBody(registration, req.body);
    const username = typed.username.trim();
    const email = typed.email?.trim();
    const name = typed.name?.trim();
    const problem = passwordProblem(password, [username, email, name]);
    if (problem !== undefined)
      throw new Problem('password_refused', problem, { field: 'password' });
    const user = await users.add({
      username,
      email,
      name,
      passwordHash: await passwords.hash(password),
    });
    await startSession(services, req, { user, amr: 'pwd' });
    next();
  };
}

const passwordChange = z.strictObject({
  current_password: text(PASSWORD_LENGTH),
  new_password: text(PASSWORD_LENGTH),
  username: optionalText(320), // password managers want the field; nothing is read from it
});

/** Changes the password and ends the user's other sessions: whoever else is in with the old one is out. */
export function changePassword(services: RouteServices): RequestHandler {
  const { users, passwords, sessions } = services;
  return async (req, res) => {
    const signIn = requiredSignIn(req);
    const user = await requiredViewer(req, services);
    const change = parseBody(passwordChange, req.body);
    const current = await users.passwordHash(user.id);
    if (!(await passwords.matches(current, change.current_password)) || current === null) {
      throw wrongPassword();
    }
    const problem = services.passwordProblem(change.new_password, [
      user.username,
      user.email,
      user.name,
    ]);
    if (problem !== undefined)
      throw new Problem('password_refused', problem, { field: 'new_password' });
    const replacement = await passwords.hash(change.new_password);
    if (!(await users.replacePassword(user.id, current, replacement))) throw wrongPassword();
    await sessions.revokeByUser(user.id, signIn.publicId);
    if (isForm(req)) return seeOther(res, '/account?changed=password');
    res.writeHead(204).end();
  };
}

function wrongPassword(): Problem {
  return new Problem('wrong_password', 'The current password is not right. Nothing was changed.', {
    field: 'current_password',
  });
}
