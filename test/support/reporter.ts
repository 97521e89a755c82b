import Mocha from 'mocha';

/**
 * What passed only when it was tried again, which `CI` allows once, is said at once and at the end, with what went wrong: it
 * wants to be looked at.
 */
export default class Reporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const again: string[] = [];
    runner.on('retry', (test: Mocha.Test, error: Error) => {
      again.push(`tried again: ${test.fullTitle()}\n${error.stack ?? error.message}\n`);
      process.stderr.write(again.at(-1) ?? '');
    });
    runner.once('end', () => again.forEach((one) => process.stderr.write(one)));
  }
}
