import { execFileSync } from 'node:child_process';
import { cpSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Emits the package twice, for `import` and for `require`, each with types of its own. */
const here = import.meta.dirname;
const tsc = join(
  dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
  'bin',
  'tsc',
);
const kinds = [
  { directory: 'dist/esm', type: 'module', options: ['--module', 'nodenext'] },
  {
    directory: 'dist/cjs',
    type: 'commonjs',
    options: ['--module', 'commonjs', '--moduleResolution', 'bundler'],
  },
];

rmSync(join(here, 'dist'), { recursive: true, force: true });
for (const { directory, type, options } of kinds) {
  const args = [tsc, '--project', 'tsconfig.build.json', '--outDir', directory, ...options];
  execFileSync(process.execPath, args, { cwd: here, stdio: 'inherit' });
  writeFileSync(join(here, directory, 'package.json'), `${JSON.stringify({ type })}\n`);
  for (const file of globSync(join(here, directory, '**/*.d.ts'))) {
    // tsc gives the imports of the code their new endings, but not those of the types
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/(from '\.[^']*)\.ts'/g, "$1.js'"));
  }
}
cpSync(join(here, '..', '..', 'LICENSE'), join(here, 'LICENSE'));
