import { expect } from 'chai';
import { isForAnySite } from './routes.ts';

/** An answer in whatever way it came: over `fetch`, or read from a socket byte by byte. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** How long any answer may take, in milliseconds. */
export const PATIENCE = 2000;

export async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, headers: response.headers, body: await response.text() };
}

/** What the oracle has to know of the request. */
export interface Asked {
  readonly path: string;
  readonly method?: string;
  readonly accept?: string | undefined;
}

/** What every answer of the app keeps to, whatever the request was. */
export function expectSound(answer: Answer, { path: target, method = 'GET', accept }: Asked): void {
  const path = target.replace(/^https?:\/\/[^/]+/i, '');
  const { status, headers } = answer;
  const page = accept?.includes('text/html') ?? false;
  expect(status < 500 || status === 503, `status ${status}: ${answer.body}`).to.equal(true);
  expectSecurityHeaders(headers, path);
  if (path.startsWith('/auth/')) expectNotStored(headers);
  if (status < 400) return;
  expect(headers.get('cache-control')).to.equal('no-store');
  if (method === 'HEAD') expect(answer.body).to.equal('');
  else if (path.startsWith('/oauth/') && [400, 401, 503].includes(status)) expectOAuthError(answer);
  else if (page) expectPage(answer);
  else expectProblem(answer);
}

/** security.md 25 on headers: every answer has them. */
function expectSecurityHeaders(headers: Headers, path: string): void {
  const policy = headers.get('content-security-policy') ?? '';
  expect(policy).to.include("default-src 'none'").and.include("frame-ancestors 'none'");
  expect(policy).to.not.include('unsafe');
  expect(headers.get('x-content-type-options')).to.equal('nosniff');
  const referrers = path.startsWith('/inspect') ? ['no-referrer', 'same-origin'] : ['same-origin'];
  expect(headers.get('referrer-policy')).to.be.oneOf(referrers);
  const readers = isForAnySite(path) ? ['same-origin', 'cross-origin'] : ['same-origin'];
  expect(headers.get('cross-origin-resource-policy')).to.be.oneOf(readers);
  expect(headers.has('x-powered-by')).to.equal(false);
}

function expectNotStored(headers: Headers): void {
  expect(headers.get('cache-control')).to.equal('no-store');
  expect(headers.has('etag')).to.equal(false);
}

function expectProblem({ status, headers, body }: Answer): void {
  expect(headers.get('content-type')).to.equal('application/problem+json; charset=utf-8');
  const problem: unknown = JSON.parse(body);
  expect(problem)
    .to.be.an('object')
    .that.has.all.keys('type', 'title', 'status', 'code', 'detail', 'request_id');
  expect(problem).to.have.property('status', status);
  for (const name of ['type', 'title', 'code', 'detail', 'request_id']) {
    expect(problem).to.have.property(name).that.is.a('string').and.is.not.empty;
  }
}

/** RFC 6749, section 5.2. */
function expectOAuthError({ headers, body }: Answer): void {
  expect(headers.get('content-type')).to.equal('application/json; charset=utf-8');
  expect(JSON.parse(body)).to.be.an('object').that.has.all.keys('error', 'error_description');
}

function expectPage({ headers, body }: Answer): void {
  expect(headers.get('content-type')).to.equal('text/html; charset=utf-8');
  expect(body)
    .to.include('<html lang="en">')
    .and.match(/<h1[ >]/);
}
