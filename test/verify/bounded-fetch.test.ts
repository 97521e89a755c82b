import { expect } from 'chai';
import { boundedFetch, type BoundedRequest } from '../../packages/verify/bounded-fetch.ts';
import { failureOf } from '../support/failure.ts';
import { type Publisher, startPublisher } from './published.ts';

describe('a document that is fetched', () => {
  let service: Publisher;
  before(async () => (service = await startPublisher()));
  after(() => service[Symbol.asyncDispose]());

  const request = (more: Partial<BoundedRequest> = {}) =>
    boundedFetch({
      url: `${service.url}/document`,
      accept: 'text/plain',
      fetch: globalThis.fetch,
      limit: 10,
      ...more,
    });

  it('comes with its headers', async () => {
    service.publish('/document', '0123456789', { 'Cache-Control': 'max-age=1' });
    const { body, headers } = await request();
    expect(body.toString()).to.equal('0123456789');
    expect(headers.get('cache-control')).to.equal('max-age=1');
    expect(service.accepted()).to.equal('text/plain');
  });

  it('may not have one byte more than allowed, however it is sent', async () => {
    service.publish('/document', '0123456789x');
    expect((await failureOf(request())).message).to.include('more than 10 bytes');
    service.publish('/document', (res) => {
      res.writeHead(200).write('012345');
      res.end('67890');
    });
    expect((await failureOf(request())).message).to.include('more than 10 bytes');
  });

  it('may not be endless', async () => {
    service.publish('/document', (res) => {
      res.writeHead(200);
      const more = () =>
        void (res.write('x'.repeat(1000)) ? setImmediate(more) : res.once('drain', more));
      more();
    });
    expect((await failureOf(request({ limit: 100_000 }))).message).to.include('more than 100000');
  });

  it('must begin in time', async () => {
    service.publish('/document', () => undefined);
    expect((await failureOf(request({ timeout: 30 }))).message).to.include('within 30 ms');
  });

  it('must end in time', async () => {
    service.publish('/document', (res) => void res.writeHead(200).write('0123'));
    expect((await failureOf(request({ timeout: 30 }))).message).to.include('within 30 ms');
  });

  it('must come in time from a fetch that does not know signals, too', async () => {
    const fetch = () => new Promise<Response>(() => undefined);
    expect((await failureOf(request({ fetch, timeout: 30 }))).message).to.include('within 30 ms');
  });

  it('may be empty', async () => {
    service.publish('/document', '');
    expect((await request()).body).to.have.length(0);
    const fetch = async () => new Response(null, { status: 200 });
    expect((await request({ fetch })).body).to.have.length(0);
  });

  it('is not looked for elsewhere', async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      service.publish('/document', (res) => res.writeHead(status, { Location: '/other' }).end());
      await failureOf(request());
    }
    expect(service.visits('/other')).to.equal(0);
    const fetch = async () =>
      Object.defineProperty(new Response('x'), 'redirected', { value: true });
    await failureOf(request({ fetch }));
  });
});
