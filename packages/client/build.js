import { execFileSync } from 'node:child_process';
import { cpSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Emits the package as modules, each with its types. */
const here = import.meta.dirname;
const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');

rmSync(join(here, 'dist'), { recursive: true, force: true });
const args = [tsc, '--project', 'tsconfig.build.json'];
execFileSync(process.execPath, args, { cwd: here, stdio: 'inherit' });
for (const file of globSync(join(here, 'dist', '*.d.ts'))) {
  // tsc gives the imports of the code their new endings, but not those of the types
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/(from '\.[^']*)\.ts'/g, "$1.js'"));
}
cpSync(join(here, '..', '..', 'LICENSE'), join(here, 'LICENSE'));
