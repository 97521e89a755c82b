import { join } from 'node:path';
import { type Plugin, rolldown } from 'rolldown';
import { ROOT } from './command.ts';

const CLIENT = join(ROOT, 'packages', 'client');

/** What an app's bundler makes of `@coatcheck/client`: a module, minified. */
export function bundleOfClient(): Promise<string> {
  return bundle(join(CLIENT, 'index.ts'));
}

/** The same for an app that is written here, as a module that may import `@coatcheck/client` and other packages. */
export function bundleOfApp(source: string): Promise<string> {
  return bundle('app', {
    name: 'app',
    resolveId(id: string) {
      if (id === 'app') return join(ROOT, 'app.virtual.js');
      const [, part] = /^@coatcheck\/client(?:\/(\w+))?$/.exec(id) ?? [];
      return id.startsWith('@coatcheck/client') ? join(CLIENT, `${part ?? 'index'}.ts`) : undefined;
    },
    load: (id: string) => (id.endsWith('app.virtual.js') ? source : undefined),
  });
}

async function bundle(input: string, plugin?: Plugin): Promise<string> {
  const made = await rolldown({
    input,
    platform: 'browser',
    plugins: [plugin],
    transform: { define: { 'process.env.NODE_ENV': '"production"' } },
  });
  const { output } = await made.generate({ format: 'esm', minify: true, comments: false });
  await made.close();
  return output[0].code;
}
