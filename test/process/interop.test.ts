import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { parse } from 'dotenv';
import { Client } from '../support/client.ts';
import { cleanEnvironment, ROOT, serve } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';

/** Programs as an API's authors would write them: the secret from the environment, tokens from standard input. */
const PROGRAMS = {
  jsonwebtoken: `
    import { text } from 'node:stream/consumers';
    import jwt from 'jsonwebtoken';
    const { SECRET, ISSUER } = process.env;
    for (const token of (await text(process.stdin)).split('\\n')) {
      try {
        console.log('good ' + jwt.verify(token, SECRET, { algorithms: ['HS256'], issuer: ISSUER }).username);
      } catch (error) { console.log('bad ' + error.name); }
    }`,
  jose: `
    import { text } from 'node:stream/consumers';
    import { jwtVerify } from 'jose';
    const { SECRET, ISSUER } = process.env;
    const key = new TextEncoder().encode(SECRET);
    for (const token of (await text(process.stdin)).split('\\n')) {
      try {
        const { payload } = await jwtVerify(token, key, { algorithms: ['HS256'], issuer: ISSUER });
        console.log('good ' + payload.username);
      } catch (error) { console.log('bad ' + error.name); }
    }`,
};

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

describe('a token in other hands', function () {
  this.timeout(30_000);
  let token: string;
  let secret: string;
  let issuer: string;

  before(async () => {
    using directory = temporaryDirectory();
    await using service = await serve({ cwd: directory.path });
    const client = new Client(service.url);
    await client.get('/auth/bypass?token=ada');
    token = await client.token();
    secret = parse(readFileSync(join(directory.path, '.env')))['JWT_SECRET_KEY'] ?? '';
    issuer = `http://localhost:${service.port}`;
  });

  for (const library of ['jsonwebtoken', 'jose'] as const) {
    it(`is verified by ${library} in a script of its own, with the secret`, async () => {
      expect(await verdicts(library, [token])).to.deep.equal(['good ada']);
      expect(await verdicts(library, [token], `${secret.slice(1)}0`)).to.match(/^bad /);
    });
  }

  it('is refused by jsonwebtoken with any one character changed', async () => {
    expect(await acceptedOf('jsonwebtoken')).to.deep.equal([]);
  });

  /**
   * 43 characters hold 258 bits, a signature 256. jose drops the last two: three other spellings of the same
   * signature pass. Nothing that was signed differs. `#verify` refuses these too.
   */
  it('is refused by jose with any one changed, but for the two bits of the last that mean nothing', async () => {
    const last = BASE64URL.indexOf(token.slice(-1));
    expect(last % 4, 'the spare bits are zero').to.equal(0);
    const spellings = [1, 2, 3].map((bits) => token.slice(0, -1) + BASE64URL.charAt(last + bits));
    expect(await acceptedOf('jose')).to.have.members(spellings);
  });

  /** Those of all changed tokens that a library takes. */
  async function acceptedOf(library: keyof typeof PROGRAMS): Promise<string[]> {
    const all = changed(token);
    expect(all).to.have.lengthOf.above(token.length);
    const answers = await verdicts(library, all);
    return all.filter((_, index) => answers[index]?.startsWith('good') ?? true);
  }

  async function verdicts(
    library: keyof typeof PROGRAMS,
    tokens: readonly string[],
    SECRET = secret,
  ): Promise<string[]> {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAMS[library]], {
      cwd: ROOT,
      env: cleanEnvironment({ SECRET, ISSUER: issuer }),
      stdio: ['pipe', 'pipe', 'inherit'],
      timeout: 30_000,
    });
    child.stdin.end(tokens.join('\n'));
    const lines = (await text(child.stdout)).trimEnd().split('\n');
    expect(lines).to.have.lengthOf(tokens.length);
    return lines;
  }
});

/** Each place with another character; the last of each part with every other, since not all its bits count. */
function changed(token: string): string[] {
  const ends = new Set([token.indexOf('.') - 1, token.lastIndexOf('.') - 1, token.length - 1]);
  return token.split('').flatMap((character, at) => {
    const others = BASE64URL.split('').filter((other) => other !== character);
    const chosen = ends.has(at) ? others : others.slice(at % 60, (at % 60) + 1);
    return chosen.map((other) => token.slice(0, at) + other + token.slice(at + 1));
  });
}
