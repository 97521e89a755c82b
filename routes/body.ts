import { isUtf8 } from 'node:buffer';
import express, { type Request, type RequestHandler } from 'express';
import { z } from 'zod';
import { Problem } from '../core/errors.ts';
import { doubledKey } from '../core/json.ts';

/** UTF-16 code units: room for the 1,024 characters of the longest password, each of them written as several. */
export const PASSWORD_LENGTH = 4096;

/** Bytes: far more than the longest credentials. */
const LIMIT = 16_384;

const parseJson = express.json({
  limit: LIMIT,
  inflate: false,
  strict: false,
  verify: refuseBadJsonBytes,
});
const parseForm = express.urlencoded({
  limit: LIMIT,
  inflate: false,
  extended: false,
  parameterLimit: LIMIT, // reached by bytes first
  verify: refuseBadFormBytes,
});

/** Reads a JSON or form body into `req.body`; any other content type is 415, and no body at all is `{}`. */
export const readBody: RequestHandler = (req, res, next) => {
  // the parsers would refuse it as well, but not before they had received all of it
  if (Number(req.headers['content-length']) > LIMIT) return next(tooLarge());
  const done = (error?: unknown) => {
    req.body ??= {};
    next(error);
  };
  if (req.is('application/json')) parseJson(req, res, done);
  else if (isForm(req)) parseForm(req, res, done);
  else if (req.headers['content-type'] === undefined && !hasBody(req)) done();
  else next(unsupported());
};

/** Whether a browser's form sent the request, so that a page is the answer. */
export function isForm(req: Request): boolean {
  return Boolean(req.is('application/x-www-form-urlencoded'));
}

function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/**
 * The connection is not closed: a client that is still sending would lose the answer with it. Node throws away what comes
 * after an answer, and waits no longer for it than for any request.
 */
function tooLarge(): Problem {
  return new Problem('payload_too_large', 'The body has more than 16 KiB.');
}

function unsupported(): Problem {
  return new Problem(
    'unsupported_media_type',
    'Send application/json or application/x-www-form-urlencoded.',
  );
}

function refuseBadJsonBytes(_req: unknown, _res: unknown, bytes: Buffer, charset: string): void {
  const key = doubledKey(utf8(bytes, charset));
  if (key !== undefined) throw invalid(`The body has a field twice: ${key}.`);
}

function refuseBadFormBytes(_req: unknown, _res: unknown, bytes: Buffer, charset: string): void {
  const form = utf8(bytes, charset);
  try {
    decodeURIComponent(form);
  } catch {
    throw invalid('The body is not a well-formed form.');
  }
  // The parser would leave it out in silence.
  if (new URLSearchParams(form).has('__proto__')) throw invalid('not a field here: __proto__.');
}

/** The parsers would take other charsets too, in which the checks here would read something else than they do. */
function utf8(bytes: Buffer, charset: string): string {
  if (charset !== 'utf-8') throw new Problem('unsupported_media_type', 'Send UTF-8.');
  if (!isUtf8(bytes)) throw invalid('The body is not valid UTF-8.');
  return bytes.toString('utf8');
}

function invalid(detail: string): Problem {
  return new Problem('invalid_request', detail);
}

/** Text of a bounded length, without NUL and lone surrogates, which no database and no hash takes alike. */
export function text(maximum: number) {
  return z
    .string({
      error: ({ input }) => (input === undefined ? 'is missing' : 'must be text, given once'),
    })
    .min(1, { error: 'is empty' })
    .max(maximum, { error: `is longer than ${maximum} characters` })
    .refine((value) => value.isWellFormed() && !value.includes('\0'), {
      error: 'has characters that are not text',
    });
}

/** A form sends an empty field for one that was left out. */
export function optionalText(maximum: number) {
  return z.preprocess(
    (value) => (value === '' || value === null ? undefined : value),
    text(maximum).optional(),
  );
}

/**
 * The body, if it has exactly the fields of the schema.
 * @throws {Problem} `invalid_request` naming what is wrong with each field, never their values.
 */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [first] = result.error.issues;
  const field = first?.path.length ? String(first.path[0]) : undefined;
  throw new Problem(
    'invalid_request',
    `${result.error.issues.slice(0, 5).map(inWords).join('; ')}.`,
    field === undefined ? {} : { field },
  );
}

function inWords(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    return `not a field here: ${issue.keys
      .slice(0, 5)
      .map((key) => key.slice(0, 40))
      .join(', ')}`;
  }
  return issue.path.length === 0
    ? 'the body must be an object'
    : `${issue.path.join('.')} ${issue.message}`;
}
