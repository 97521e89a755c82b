import { expect } from 'chai';
import { ask } from '../../../commands/probe/ask.ts';
import { startApi } from '../../support/lax-api.ts';

describe('asking an API', () => {
  it('has an answer also where Node will not send a header', async () => {
    await using api = await startApi((_req, res) => res.end());
    const target = { url: new URL(api.url), method: 'GET', timeout: 5000 };
    const stop = new AbortController().signal;
    const wrong = {
      ERR_HTTP_TRAILER_INVALID: { trailer: 'x' },
      ERR_INVALID_ARG_TYPE: { host: ['a.example', 'b.example'] },
      ERR_INVALID_CHAR: { 'x-key': 'a\nb' },
    };
    for (const [says, headers] of Object.entries(wrong)) {
      const answer = await ask({ ...target, headers }, { authorization: [] }, stop);
      expect(answer).to.deep.equal({ failure: 'unreachable', says });
    }
    expect(api.requests).to.deep.equal([]);
    const good = await ask({ ...target, headers: {} }, { authorization: [] }, stop);
    expect(good).to.include({ status: 200 });
  });
});
