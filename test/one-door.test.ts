import { expect } from 'chai';
import { LintedTree } from './support/linted-tree.ts';

const ENVIRONMENT = `export const name = process.env['NAME'];
export const { env } = process;
`;
const TIME = `export const now = Date.now();
export const { now: reader } = Date;
export const tick = performance.now();
`;
const DATES = `export const today = new Date();
export const text = Date();
export const converted = new Date(0);
`;
const OUTPUT = `console.log('hello');
`;
const FLOATING = `async function later(): Promise<number> {
  return Promise.resolve(1);
}
later();
export const kept = await later();
`;

const everywhere = [
  'core',
  'storage',
  'audit',
  'users',
  'sessions',
  'tokens',
  'views',
  'routes',
  'config',
];
const outer = ['commands', 'bin'];
const free = ['test', 'bench', 'examples'];

describe('what has only one door', () => {
  let tree: LintedTree;

  before(async () => {
    const files = new Map([
      ['config/settings.ts', ENVIRONMENT + TIME],
      ['config/env-file.ts', ENVIRONMENT],
      ['core/clock.ts', TIME + DATES],
      ['packages/client/clock.ts', TIME],
      ['packages/verify/environment.ts', ENVIRONMENT + TIME],
      ['users/import-env.ts', "import { env } from 'node:process';\nexport const e = env;\n"],
      ['core/ring-a.ts', "import { b } from './ring-b.ts';\nexport const a = () => b;\n"],
      ['core/ring-b.ts', "import { a } from './ring-a.ts';\nexport const b = () => a;\n"],
      ['core/ring-c.ts', "import { a } from './ring-a.ts';\nexport const c = a;\n"],
    ]);
    for (const room of [...everywhere, ...outer, ...free, 'packages/verify', 'packages/client']) {
      files.set(`${room}/variables.ts`, ENVIRONMENT);
      files.set(`${room}/time.ts`, TIME);
      files.set(`${room}/dates.ts`, DATES);
      files.set(`${room}/output.ts`, OUTPUT);
      files.set(`${room}/floating.ts`, FLOATING);
    }
    tree = await LintedTree.of(files);
  });

  after(() => tree.remove());

  const closed = [...everywhere, ...outer, 'packages/verify', 'packages/client'];
  const properties = 'eslint(no-restricted-properties)';

  for (const room of closed) {
    it(`${room} may neither read the environment nor ask for the time`, () => {
      expect(tree.lines(properties, `${room}/variables.ts`)).to.deep.equal([1, 2]);
      expect(tree.lines(properties, `${room}/time.ts`)).to.deep.equal([1, 2, 3]);
      expect(tree.lines('coatcheck(no-current-date)', `${room}/dates.ts`)).to.deep.equal([1, 2]);
    });
  }

  for (const room of free) {
    it(`${room} may do both`, () => {
      for (const file of ['variables', 'time']) {
        expect(tree.lines(properties, `${room}/${file}.ts`)).to.deep.equal([]);
      }
      expect(tree.lines('coatcheck(no-current-date)', `${room}/dates.ts`)).to.deep.equal([]);
    });
  }

  it('config/settings.ts and config/env-file.ts read the environment, but not the time', () => {
    expect(tree.lines(properties, 'config/settings.ts')).to.deep.equal([3, 4, 5]);
    expect(tree.lines(properties, 'config/env-file.ts')).to.deep.equal([]);
  });

  it('so does environment.ts of a package', () => {
    expect(tree.lines(properties, 'packages/verify/environment.ts')).to.deep.equal([3, 4, 5]);
  });

  it('core/clock.ts asks for the time, and so does the clock of a package', () => {
    for (const file of ['core/clock.ts', 'packages/client/clock.ts']) {
      expect(tree.lines(properties, file)).to.deep.equal([]);
      expect(tree.lines('coatcheck(no-current-date)', file)).to.deep.equal([]);
    }
  });

  it('the environment cannot be imported either', () => {
    expect(tree.lines('eslint(no-restricted-imports)', 'users/import-env.ts')).to.deep.equal([1]);
  });

  it('only what talks to a terminal may use the console', () => {
    for (const room of [...everywhere, 'test', 'packages/verify', 'packages/client']) {
      expect(tree.lines('eslint(no-console)', `${room}/output.ts`), room).to.deep.equal([1]);
    }
    for (const room of [...outer, 'bench', 'examples']) {
      expect(tree.lines('eslint(no-console)', `${room}/output.ts`), room).to.deep.equal([]);
    }
  });

  it('a promise that nobody waits for is found in every room', () => {
    const rule = 'typescript(no-floating-promises)';
    for (const room of [...closed, ...free]) {
      expect(tree.lines(rule, `${room}/floating.ts`), room).to.deep.equal([4]);
    }
  });

  it('two files that import each other are found, a third that imports one of them is not', () => {
    expect(tree.lines('import(no-cycle)', 'core/ring-a.ts')).to.deep.equal([1]);
    expect(tree.lines('import(no-cycle)', 'core/ring-b.ts')).to.deep.equal([1]);
    expect(tree.lines('import(no-cycle)', 'core/ring-c.ts')).to.deep.equal([]);
  });
});
