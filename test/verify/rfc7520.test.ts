import { createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { compactVerify } from 'jose';
import { z } from 'zod';
import { createVerifier } from '#verify';
import { failureOf } from '../support/failure.ts';

const { input, output } = z
  .object({
    input: z.object({
      payload: z.string(),
      key: z.object({ kid: z.string(), k: z.string() }),
      alg: z.literal('HS256'),
    }),
    output: z.object({ compact: z.string() }),
  })
  .parse(JSON.parse(readFileSync('test/vectors/rfc7520-4.4-hmac-sha2.json', 'utf8')));

const key = createSecretKey(input.key.k, 'base64url');

describe("RFC 7520's example of an HMAC (section 4.4)", () => {
  it('is verified by the library that our verifier stands on', async () => {
    const { payload } = await compactVerify(output.compact, key, { algorithms: ['HS256'] });
    expect(new TextDecoder().decode(payload)).to.equal(input.payload);
  });

  it('passes the signature check of our verifier, which then misses claims; altered, it fails there already', async () => {
    const trusted = { kid: input.key.kid, algorithm: input.alg, key };
    const verifier = createVerifier({ issuer: 'https://login.example.org', keys: [trusted] });
    expect(await failureOf(verifier.verify(output.compact))).to.include({ reason: 'malformed' });
    const altered = output.compact.replace('.SXTig', '.SXTih');
    expect(await failureOf(verifier.verify(altered))).to.include({ reason: 'bad_signature' });
  });
});
