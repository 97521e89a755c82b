import type { Request, RequestHandler } from 'express';
import { z } from 'zod';
import { Problem } from '../core/errors.ts';
import { seeOther } from '../core/http.ts';
import type { User } from '../users/user-store.ts';
import {
  callerBuckets,
  countAttempt,
  refuseWhenBusy,
  rememberDevice,
  withAttempt,
} from './attempts.ts';
import { isForm, optionalText, parseBody, PASSWORD_LENGTH, text } from './body.ts';
import { aboutUser, byNobody, bySession } from './on-record.ts';
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
    const user = await requiredViewer(req, services);
    const change = parseBody(passwordChange, req.body);
    await withCurrentPassword(services, req, user, change.current_password, async (current) => {
      const wanted = change.new_password;
      const passwordHash = await replacePassword(services, req, user, { current, wanted });
      rememberDevice(services, res, user.id, passwordHash);
    });
    if (isForm(req)) return seeOther(res, '/account?changed=password');
    res.writeHead(204).end();
  };
}

const emailChange = z.strictObject({
  email: optionalText(254),
  current_password: text(PASSWORD_LENGTH),
});

/**
 * Changes or removes the e-mail address: only where people register it themselves, since nobody checks it. See
 * docs/decisions/0011-people-change-an-address-that-they-gave.md. Whether another user has it is said to whoever knows
 * the password, and as often as to somebody who signs up.
 */
export function changeEmail(services: RouteServices): RequestHandler {
  const { users, audit, changeClaims, passwordProblem } = services;
  return async (req, res) => {
    const user = await requiredViewer(req, services);
    const { current_password: password, email: typed } = parseBody(emailChange, req.body);
    const email = typed?.trim();
    await withCurrentPassword(services, req, user, password, async (current) => {
      // only what the new address makes wrong: passwords that are old or were imported may be so already
      const problem = passwordProblem(password, [email]);
      if (problem !== undefined && passwordProblem(password, []) === undefined)
        throw new Problem('password_refused', problem, { field: 'email' });
      await countAttempt(services, req, { buckets: callerBuckets(req, 'registration') });
      const by = bySession(req, requiredSignIn(req));
      await audit.recordWith({ ...by, event: 'user.email_changed' }, (write) =>
        changeClaims(user.id, async (db) => {
          if (!(await users.holdActive(user.id, db, { passwordHash: current })))
            throw sessionRequired();
          await users.setEmail(user.id, email ?? null, db);
          await write(db);
        }),
      );
    });
    if (isForm(req)) return seeOther(res, '/account?changed=email');
    res.writeHead(204).end();
  };
}

/**
 * Does what only the owner of an account may, once the password is right. It is asked for by whoever has the session, and
 * may be tried in it so many times only.
 *
 * @param work is handed the hash that was right
 */
async function withCurrentPassword(
  services: RouteServices,
  req: Request,
  { id, username }: User,
  typed: string,
  work: (current: string) => Promise<void>,
): Promise<void> {
  const { users, audit, passwords } = services;
  const signIn = requiredSignIn(req);
  // by session, so that whoever has stolen one locks nobody out of the others
  const buckets = [{ kind: 'password change', subject: signIn.publicId }] as const;
  const always = [{ kind: 'login', subject: username }] as const;
  const whose = () => aboutUser(id);
  await refuseWhenBusy(services, req, 'anyone');
  await withAttempt(services, req, { buckets, always, whose }, async () => {
    const current = await users.passwordHash(id);
    if (!(await passwords.matches(current, typed)) || current === null) {
      req.passwordWasWrong = true; // before anything can fail
      await audit.recordAttempt({ ...bySession(req, signIn), event: 'user.password_refused' });
      throw wrongPassword();
    }
    await work(current);
  });
}

/** @returns the hash of the new one */
async function replacePassword(
  { users, audit, passwords, passwordProblem, sessions }: RouteServices,
  req: Request,
  { id, username, email, name }: User,
  { current, wanted }: { current: string; wanted: string },
): Promise<string> {
  const signIn = requiredSignIn(req);
  const problem = passwordProblem(wanted, [username, email, name]);
  if (problem !== undefined)
    throw new Problem('password_refused', problem, { field: 'new_password' });
  const replacement = await passwords.hash(wanted);
  await audit.recordWith({ ...bySession(req, signIn), event: 'user.password_changed' }, (write) =>
    sessions.revokeByUser(id, signIn.publicId, async (db) => {
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
