/** Loaded before any test file: whatever the shell says, the tests never run as production. */
process.env['NODE_ENV'] = 'test';

const secondTries: string[] = [];

/** What passed only when it was tried again, which `CI` allows once, is said at the end: it wants to be looked at. */
export const mochaHooks: Mocha.RootHookObject = {
  afterEach(this: Mocha.Context) {
    const test = this.currentTest;
    // Mocha has `currentRetry`, its types do not.
    if (test?.isPassed() === true && Reflect.get(test, '_currentRetry') > 0) {
      secondTries.push(test.fullTitle());
    }
  },
  afterAll() {
    for (const title of secondTries) process.stderr.write(`passed at the second try: ${title}\n`);
  },
};
