import { posix } from 'node:path';
import { expect } from 'chai';
import { LintedTree } from './support/linted-tree.ts';

const DOMAIN = ['users', 'sessions', 'tokens'];
const PACKAGES = ['packages/verify', 'packages/client'];
const BELOW_CONFIG = ['core', 'storage', 'audit', ...DOMAIN, ...PACKAGES, 'views'];

/** The table of docs/architecture.md: what of ours a room may import, and what of it as types only. */
const TABLE: Record<string, { values: string[]; types: string[] }> = {
  core: { values: [], types: [] },
  storage: { values: ['core'], types: [] },
  audit: { values: ['core', 'storage'], types: [] },
  users: { values: ['core', 'storage'], types: [] },
  sessions: { values: ['core', 'storage'], types: [] },
  tokens: { values: ['core', 'storage', 'audit', 'packages/verify'], types: [] },
  'packages/verify': { values: [], types: [] },
  'packages/client': { values: [], types: [] },
  views: { values: ['core'], types: [] },
  routes: { values: ['core'], types: ['audit', ...DOMAIN, 'views'] },
  config: { values: BELOW_CONFIG, types: [] },
  'app.ts': {
    values: ['core', 'routes'],
    types: ['storage', 'audit', ...DOMAIN, ...PACKAGES, 'views', 'config', 'commands', 'bin'],
  },
  commands: { values: [...BELOW_CONFIG, 'routes', 'config', 'app.ts', 'bin'], types: [] },
  bin: { values: [...BELOW_CONFIG, 'routes', 'config', 'app.ts', 'commands'], types: [] },
};
const ROOMS = Object.keys(TABLE);
const TARGETS = [...ROOMS, 'test', 'bench', 'examples'];

/** Which of these packages a room is refused. Rooms that are not named may use them all. */
const OTHERS = ['express', 'express-session', 'passport', 'passport-local', 'dotenv', 'jose'];
const REFUSED: Record<string, string[]> = {
  core: ['dotenv'],
  storage: ['dotenv'],
  audit: ['express', 'express-session', 'passport', 'passport-local', 'dotenv'],
  users: ['express', 'express-session', 'passport', 'passport-local', 'dotenv'],
  sessions: ['express', 'passport', 'passport-local', 'dotenv'],
  tokens: ['express', 'express-session', 'passport', 'passport-local', 'dotenv'],
  'packages/verify': ['express', 'express-session', 'passport', 'passport-local', 'dotenv'],
  'packages/client': OTHERS,
  views: ['dotenv'],
  routes: ['dotenv'],
  'app.ts': ['dotenv'],
};

const isFile = (room: string) => room.endsWith('.ts');

/** app.ts is a room of one file, which is why each kind of import gets a tree of its own. */
const fileIn = (room: string, name: string) => (isFile(room) ? room : `${room}/${name}.ts`);

function specifier(from: string, to: string): string {
  if (to === 'packages/verify' && from !== 'packages/client') return '#verify';
  const path = posix.relative(isFile(from) ? '.' : from, fileIn(to, 'x'));
  return path.startsWith('.') ? path : `./${path}`;
}

/** One import on each line, so that a line stands for what it imports. */
const asValues = (from: string[]) => from.map((path) => `import '${path}';\n`).join('');
const asTypes = (from: string[]) =>
  from.map((path, index) => `import type { T as T${index} } from '${path}';\n`).join('');

const list = (names: string[], none: string) => names.join(', ') || none;

describe('the layers', () => {
  const trees: LintedTree[] = [];

  async function refused(source: (room: string) => string): Promise<Map<string, number[]>> {
    const name = 'imports';
    const files = new Map(ROOMS.map((room) => [fileIn(room, name), source(room)]));
    const tree = await LintedTree.of(files);
    trees.push(tree);
    const rule = 'eslint(no-restricted-imports)';
    return new Map(ROOMS.map((room) => [room, tree.lines(rule, fileIn(room, name))]));
  }

  const pick = (names: string[], lines: number[] | undefined) =>
    names.filter((_, index) => lines?.includes(index + 1));
  const targetsOf = (room: string) => TARGETS.filter((target) => target !== room);

  let values: Map<string, number[]>;
  let types: Map<string, number[]>;
  let packages: Map<string, number[]>;

  before(async () => {
    const specifiers = (room: string) => targetsOf(room).map((target) => specifier(room, target));
    [values, types, packages] = await Promise.all([
      refused((room) => asValues(specifiers(room))),
      refused((room) => asTypes(specifiers(room))),
      refused(() => asValues(OTHERS)),
    ]);
  });

  after(async () => {
    await Promise.all(trees.map((tree) => tree.remove()));
  });

  for (const [room, may] of Object.entries(TABLE)) {
    it(`${room} may import ${list(may.values, 'no room')}`, () => {
      const expected = targetsOf(room).filter((target) => !may.values.includes(target));
      expect(pick(targetsOf(room), values.get(room))).to.deep.equal(expected);
    });

    it(`${room} may import types of ${list(may.types, 'no further room')}`, () => {
      const allowed = [...may.values, ...may.types];
      const expected = targetsOf(room).filter((target) => !allowed.includes(target));
      expect(pick(targetsOf(room), types.get(room))).to.deep.equal(expected);
    });

    it(`${room} is refused ${list(REFUSED[room] ?? [], 'no package')}`, () => {
      expect(pick(OTHERS, packages.get(room))).to.deep.equal(REFUSED[room] ?? []);
    });
  }
});

describe('the detours around the layers', () => {
  let tree: LintedTree;
  const line = (source: string) => `${source}\n`;

  before(async () => {
    tree = await LintedTree.of(
      new Map([
        ['users/dynamic.ts', line("await import('../tokens/x.ts');")],
        ['users/again.ts', line("export * from '../tokens/x.ts';")],
        ['users/winding.ts', line("import './../core/../tokens/x.ts';")],
        ['storage/migrations/deep.ts', line("import '../../users/x.ts';")],
        ['storage/migrations/own.ts', line("import '../schema.ts';\nimport '../../core/x.ts';")],
        ['config/strategies/deep.ts', line("import '../../routes/x.ts';\nimport '../session.ts';")],
        ['packages/verify/testing/own.ts', line("import '../index.ts';\nimport 'node:crypto';")],
        ['packages/verify/testing/out.ts', line("import '../../../core/x.ts';")],
        ['packages/client/node.ts', line("import 'node:crypto';\nimport './own.ts';")],
        ['tokens/around.ts', line("import '../packages/verify/index.ts';")],
        ['test/free.ts', line("import '../config/x.ts';\nimport '../bin/x.ts';")],
      ]),
    );
  });

  after(() => tree.remove());

  const expected: [string, string, number[]][] = [
    ['a dynamic import is an import', 'users/dynamic.ts', [1]],
    ['passing on what another room exports is an import', 'users/again.ts', [1]],
    ['a winding path is followed', 'users/winding.ts', [1]],
    ['a deeper folder belongs to its room', 'storage/migrations/deep.ts', [1]],
    ['a deeper folder may import what its room may', 'storage/migrations/own.ts', []],
    ['a strategy may import its room, but no route', 'config/strategies/deep.ts', [1]],
    ['packages/verify may import itself and Node', 'packages/verify/testing/own.ts', []],
    ['packages/verify may not reach out of itself', 'packages/verify/testing/out.ts', [1]],
    ['packages/client has no Node to import', 'packages/client/node.ts', [1]],
    ['tokens take packages/verify by its name', 'tokens/around.ts', [1]],
    ['a test may import any room', 'test/free.ts', []],
  ];
  for (const [sentence, file, lines] of expected) {
    it(sentence, () => {
      expect(tree.lines('eslint(no-restricted-imports)', file)).to.deep.equal(lines);
    });
  }
});
