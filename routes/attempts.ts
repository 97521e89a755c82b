import type { Request, Response } from 'express';
import { durationInWords } from '../core/durations.ts';
import type { AuditEvent } from '../audit/events.ts';
import { Problem } from '../core/errors.ts';
import { cookieValue } from '../core/http.ts';
import { networkOf } from '../core/network.ts';
import type { Bucket } from '../users/attempts.ts';
import { byNobody } from './on-record.ts';
import type { RouteServices } from './services.ts';
import { cookieAttributes } from './steps.ts';

/** An attempt, where it is counted, and for the record whose it is. */
export interface Attempt {
  readonly buckets: readonly Bucket[];
  readonly whose?: () => AuditEvent['subject'] | Promise<AuditEvent['subject']>;
}

/** Counts an attempt. @throws {Problem} `too_many_attempts` when a bucket is full; it is counted in none then */
export async function countAttempt(
  services: RouteServices,
  req: Request,
  { buckets, whose }: Attempt,
): Promise<void> {
  const { attempts, audit, log } = services;
  const refusal = await attempts.count(buckets);
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
export async function refuseSlowly({ holdBack }: RouteServices, problem: Problem): Promise<never> {
  await holdBack();
  throw problem;
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

const WRONG = new Set(['invalid_credentials', 'wrong_password']);

/**
 * Counts an attempt before `work` looks at a password, and takes it back unless that was wrong: what people type right,
 * and what the service had no time for, says nothing to an attacker. What was wrong before stays counted.
 */
export async function withAttempt(
  services: RouteServices,
  req: Request,
  attempt: Attempt,
  work: () => Promise<void>,
): Promise<void> {
  await countAttempt(services, req, attempt);
  const giveBack = () =>
    services.attempts.giveBack(attempt.buckets).catch((error: unknown) => {
      services.log.warn({ request: req.id, err: error }, 'an attempt stays counted');
    });
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Problem && WRONG.has(error.code))) await giveBack();
    throw error;
  }
  await giveBack();
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
  return [
    { kind: 'address', subject: callerNetwork(req) },
    { kind: 'account', subject: login },
  ];
}

/** The caller's network, as far as `TRUST_PROXY` lets a proxy say who that is. */
export function callerNetwork(req: Request): string {
  return networkOf(req.ip ?? '');
}

/** Lets the device try again another day, whatever others have tried until then. */
export async function rememberDevice(
  { devices, site }: RouteServices,
  res: Response,
  userId: string,
): Promise<void> {
  const { value, lifetime } = await devices.remember(userId);
  const scope =
    site.cookieScope.sameSite === 'none' ? site.cookieScope : ({ sameSite: 'strict' } as const);
  const attributes = { ...cookieAttributes(site), ...scope, maxAge: lifetime * 1000 };
  res.cookie(site.deviceCookie, value, attributes);
}
