import type { Request, RequestHandler } from 'express';
import { z } from 'zod';
import { Problem } from '../core/errors.ts';
import { seeOther } from '../core/http.ts';
import type { User } from '../users/user-store.ts';
import { callerBuckets, refuseWhenBusy, rememberDevice, withAttempt } from './attempts.ts';
import { isForm, optionalText, parseBody, PASSWORD_LENGTH, text } from './body.ts';
import { aboutUser, byNobody, byUser } from './on-record.ts';
import type { RouteServices } from './services.ts';
import { startSession } from './sign-in.ts';
import { requiredSignIn, requiredViewer, sessionRequired } from './steps.ts';

const registration = z.strictObject({
  username: text(64),
  email: optionalText(254),
  name: optionalText(128),
  password: text(PASSWORD_LENGTH),
  returnTo: optionalText(2048),
});

/** Adds the user and signs them in, as whoever knows the new password would. */
export function register(services: RouteServices): RequestHandler {
  const { users, audit, passwords, passwordProblem } = services;
  return async (req, res, next) => {
    const { password, ...typed } = parseBody(registration, req.body);
    const username = typed.username.trim();
    const email = typed.email?.trim();
    const name = typed.name?.trim();
    const problem = passwordProblem(password, [username, email, name]);
    if (problem !== undefined)
      throw new Problem('password_refused', problem, { field: 'password' });
    await refuseWhenBusy(services, req, 'anyone');
    // names that are taken count as well: whoever asks for one after another wants to know who is here
    const always = callerBuckets(req, 'registration');
    await withAttempt(services, req, { buckets: [], always }, async () => {
      const passwordHash = await passwords.hash(password);
      const user = await audit.recordWith({ ...byNobody(req), event: 'user.added' }, (write) =>
        users.add({ username, email, name, passwordHash }, (db, added) =>
          write(db, { subject: { kind: 'user', id: added.id, name: added.username } }),
        ),
      );
      await startSession(services, req, { user, amr: 'pwd' }, { device: 'new' });
      rememberDevice(services, res, user.id, passwordHash);
    });
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
  return async (req, res) => {
    const { publicId } = requiredSignIn(req);
    const user = await requiredViewer(req, services);
    const change = parseBody(passwordChange, req.body);
    // by session, so that whoever has stolen one locks nobody out of the others
    const buckets = [{ kind: 'password change', subject: publicId }] as const;
    const always = [{ kind: 'login', subject: user.username }] as const;
    const whose = () => aboutUser(user.id);
    await withAttempt(services, req, { buckets, always, whose }, async () => {
      const passwordHash = await replacePassword(services, req, user, change);
      rememberDevice(services, res, user.id, passwordHash);
    });
    if (isForm(req)) return seeOther(res, '/account?changed=password');
    res.writeHead(204).end();
  };
}

/** @returns the hash of the new one */
async function replacePassword(
  { users, audit, passwords, passwordProblem, sessions }: RouteServices,
  req: Request,
  { id, username, email, name }: User,
  change: z.output<typeof passwordChange>,
): Promise<string> {
  const { publicId } = requiredSignIn(req);
  const by = { ...byUser(req, id), session: publicId };
  const current = await users.passwordHash(id);
  if (!(await passwords.matches(current, change.current_password)) || current === null) {
    req.passwordWasWrong = true; // before anything can fail
    await audit.recordAttempt({ ...by, event: 'user.password_refused' });
    throw wrongPassword();
  }
  const problem = passwordProblem(change.new_password, [username, email, name]);
  if (problem !== undefined)
    throw new Problem('password_refused', problem, { field: 'new_password' });
  const replacement = await passwords.hash(change.new_password);
  await audit.recordWith({ ...by, event: 'user.password_changed' }, (write) =>
    sessions.revokeByUser(id, publicId, async (db) => {
      if (!(await users.holdActive(id, db))) throw sessionRequired(); // disabled meanwhile
      if (!(await users.replacePassword(id, current, replacement, db))) throw wrongPassword();
      await write(db);
    }),
  );
  return replacement;
}

function wrongPassword(): Problem {
  return new Problem('wrong_password', 'The current password is not right. Nothing was changed.', {
    field: 'current_password',
  });
}
