import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { bundleOfClient } from '../support/bundle.ts';

describe('the size of @coatcheck/client', () => {
  it('is less than 3 kB, minified and gzipped', async () => {
    const code = await bundleOfClient();
    expect(code).to.include('/auth/token');
    expect(gzipSync(code, { level: 9 }).length).to.be.below(3000);
  });
});
