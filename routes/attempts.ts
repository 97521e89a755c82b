import type { Request, Response } from 'express';
import { durationInWords } from '../core/durations.ts';
import type { AuditEvent } from '../audit/events.ts';
import { Problem } from '../core/errors.ts';
import { cookieValue } from '../core/http.ts';
import { networksOf } from '../core/network.ts';
import type { Bucket } from '../users/attempts.ts';
import type { Line } from '../users/password.ts';
import { byNobody } from './on-record.ts';
import type { RouteServices } from './services.ts';
import { cookieAttributes } from './steps.ts';

/** An attempt, where it is counted, and for the record whose it is. */
export interface Attempt {
  readonly buckets: readonly Bucket[];
  /** Where it counts whether it was right or wrong, unless the service had no time for it. */
  readonly always?: readonly Bucket[];
  readonly whose?: () => AuditEvent['subject'] | Promise<AuditEvent['subject']>;
}

/** Counts an attempt. @throws {Problem} `too_many_attempts` when a bucket is full; it is counted in none then */
export async function countAttempt(
  services: RouteServices,
  req: Request,
  { buckets, always = [], whose }: Attempt,
): Promise<void> {
  const { attempts, audit, log } = services;
  const refusal = await attempts.count([...buckets, ...always]);
  if (refusal === undefined) return;
  const { kind: limit, key, period, wait } = refusal;
  const seconds = Math.ceil(wait / 1000);
  log.warn({ request: req.id, limit, wait: seconds }, 'too many attempts');
  // once in a period: whoever is refused can ask again as often as they like
  await audit.recordOnce(
    `limit ${key}`,
    async () => ({
      ...byNobody(req),
      event: 'limit.reached',
      subject: await whose?.(),
      details: { limit },
    }),
    period,
  );
  return refuseSlowly(services, tooManyAttempts(seconds));
}

/** Refuses whoever comes too often, and has them wait for that. @throws that problem */
async function refuseSlowly({ holdBack }: RouteServices, problem: Problem): Promise<never> {
  await holdBack();
  throw problem;
}

/** Before anything is counted for a password that there is no time for. @throws {Problem} `overloaded` */
export async function refuseWhenBusy(
  services: RouteServices,
  req: Request,
  line: Line,
): Promise<void> {
  const busy = services.passwords.refusal(line);
  if (busy === undefined) return;
  await recordOverload(services, req);
  await refuseSlowly(services, busy);
}

/** So that an operator sees a storm, and owners who are turned away. */
function recordOverload({ audit }: RouteServices, req: Request): Promise<void> {
  return audit.recordAttempt({ ...byNobody(req), event: 'limit.overloaded' });
}

/** One sentence for all limits and names. In whole minutes where there are some: nobody counts 754 seconds. */
function tooManyAttempts(seconds: number): Problem {
  const wait = seconds > 60 ? Math.ceil(seconds / 60) * 60 : seconds;
  return new Problem(
    'too_many_attempts',
    `There have been too many attempts. Please try again in ${durationInWords(wait)}.`,
    { headers: { 'Retry-After': String(seconds) } },
  );
}

/**
 * Counts an attempt before `work` looks at a password, and takes it back unless that was wrong: what people type right,
 * and what the service had no time for, says nothing to an attacker. What was wrong stays counted, also when the
 * rest of the work then fails, and the answer does not say that it was.
 */
export async function withAttempt(
  services: RouteServices,
  req: Request,
  attempt: Attempt,
  work: () => Promise<void>,
): Promise<void> {
  await countAttempt(services, req, attempt);
  const { buckets, always = [] } = attempt;
  const giveBack = (which: readonly Bucket[]) =>
    services.attempts.giveBack(which).catch((error: unknown) => {
      services.log.warn({ request: req.id, err: error }, 'an attempt stays counted');
    });
  try {
    await work();
    await giveBack(buckets);
  } catch (error) {
    const isOverloaded = error instanceof Problem && error.code === 'overloaded';
    if (!req.passwordWasWrong) await giveBack(isOverloaded ? [...buckets, ...always] : buckets);
    if (isOverloaded) {
      await recordOverload(services, req);
      await refuseSlowly(services, error);
    }
    throw error;
  }
}

/**
 * Where an attempt to log in counts. A device of the user's own counts for itself alone, so that nobody elsewhere, nor in
 * the same network, can lock its owner out. The network goes first: from one that is full nobody can fill up an account.
 */
export async function loginBuckets(
  { devices, site }: RouteServices,
  req: Request,
  login: string,
): Promise<Bucket[]> {
  const shown = cookieValue(req.headers.cookie, site.deviceCookie);
  const device = await devices.recognise(shown, login);
  if (device !== undefined) return [{ kind: 'device', subject: device }];
  return [...callerBuckets(req, 'address'), { kind: 'account', subject: login }];
}

/** The buckets of the caller's network and of the block around it, as far as `TRUST_PROXY` lets a proxy say who that is. */
export function callerBuckets(
  req: Request,
  kind: 'address' | 'registration' | 'client address' | 'inspection',
): Bucket[] {
  const { network, block } = networksOf(req.ip ?? '');
  const own: Bucket = { kind, subject: network };
  // the network first: one that is full cannot fill up the block
  return block === undefined ? [own] : [own, { kind: `${kind} block`, subject: block }];
}

/**
 * Lets the device try again another day, whatever others have tried until then.
 * @param passwordHash of the password that whoever is here has shown to know
 */
export function rememberDevice(
  { devices, site }: RouteServices,
  res: Response,
  userId: string,
  passwordHash: string,
): void {
  const { value, lifetime } = devices.remember(userId, passwordHash);
  const scope =
    site.cookieScope.sameSite === 'none' ? site.cookieScope : ({ sameSite: 'strict' } as const);
  const attributes = { ...cookieAttributes(site), ...scope, maxAge: lifetime * 1000 };
  res.cookie(site.deviceCookie, value, attributes);
}
