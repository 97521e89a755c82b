/** Loaded into a service before its own code: SIGUSR2 makes it give back what it no longer needs, as V8 by itself does when it likes. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- so the flag makes it
const collect = runInNewContext('gc') as NodeJS.GCFunction;

process.on('SIGUSR2', () => {
  collect({ type: 'major', flavor: 'last-resort' });
});
