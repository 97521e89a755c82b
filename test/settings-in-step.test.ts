import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { loadSettings } from '../config/settings.ts';
import { schema } from '../config/settings-schema.ts';
import { temporaryDirectory } from './support/directory.ts';

const names = Object.keys(schema).toSorted();

/** The rows of the table of settings: names and default. */
const rows = readFileSync('docs/settings.md', 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => {
    const [, name = '', byDefault = ''] = line.split('|');
    const quoted = (cell: string) =>
      [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, text]) => text ?? []);
    return { names: quoted(name), defaults: quoted(byDefault), word: byDefault.trim() };
  });

/** The names that a file sets, in it or in a comment. */
const namesIn = (file: string) =>
  [...readFileSync(file, 'utf8').matchAll(/^#? ?([A-Z][A-Z0-9_]*)=/gm)].flatMap(
    ([, name]) => name ?? [],
  );

describe('the settings are the same', () => {
  for (const file of ['.env.example', '.env.test']) {
    it(`in the code and in ${file}`, () => {
      expect(namesIn(file).toSorted()).to.deep.equal(names);
    });
  }

  it('in the code and in docs/settings.md', () => {
    expect(rows.flatMap((row) => row.names).toSorted()).to.deep.equal(names);
  });

  describe('by default', () => {
    const secret = () => randomBytes(64).toString('hex');
    const required = { SESSION_SECRET: secret(), JWT_SECRET_KEY: secret() };
    let directory: ReturnType<typeof temporaryDirectory>;
    before(() => (directory = temporaryDirectory()));
    after(() => directory[Symbol.dispose]());
    const load = (environment: Record<string, string>) => loadSettings(environment, directory.path);

    it('have a default in the docs, or a word for it', () => {
      for (const row of rows) {
        if (row.defaults.length > 0)
          expect(row.defaults, row.names.join()).to.have.length(row.names.length);
        else expect(row.word, row.names.join()).to.be.oneOf(['none', 'required', 'off']);
      }
    });

    it('are what the docs say', () => {
      const base = { ...required, NODE_ENV: 'development' };
      const documented = Object.fromEntries(
        rows.flatMap((row) =>
          row.defaults.flatMap((text, index) => {
            const name = row.names[index] ?? '';
            return name === 'NODE_ENV'
              ? []
              : [
                  [
                    name,
                    text.replace('$PORT', '3000').replace(/^PUBLIC_URL$/, 'http://localhost:3000'),
                  ],
                ];
          }),
        ),
      );
      expect(Object.keys(documented)).to.include('JWT_EXPIRES_IN');
      expect(load({ ...base, ...documented })).to.deep.equal(load(base));
    });

    it('are production, as the docs say', () => {
      const production = {
        ...required,
        PUBLIC_URL: 'https://login.example.org',
        TRUST_PROXY: '::1',
      };
      const [mode] = rows.find((row) => row.names.includes('NODE_ENV'))?.defaults ?? [];
      expect(load(production).mode).to.equal(mode);
    });

    it('are required where the docs say so, and nowhere else', () => {
      const inDocs = rows.filter(({ word }) => word === 'required').flatMap((row) => row.names);
      expect(inDocs.toSorted()).to.deep.equal(Object.keys(required).toSorted());
      expect(() => load({ ...required, NODE_ENV: 'development' })).not.to.throw();
    });
  });
});
