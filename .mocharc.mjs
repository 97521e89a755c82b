/** A script and not JSON, because some options depend on how and where the tests run. */

// Mocha adds `spec` to the files on the command line. Whoever names a file wants only that one.
const namesFiles = process.argv.slice(2).some((argument) => argument.endsWith('.test.ts'));

export default {
  spec: namesFiles ? [] : ['test/**/*.test.ts'],
  require: ['./test/support/setup.ts'],
  timeout: 30_000,
  parallel: false,
  // Real processes on a machine that others use, too: one hiccup is told of by the reporter, a second one fails.
  reporter: './test/support/reporter.ts',
  retries: process.env.CI === undefined ? 0 : 1,
  // Mocha waits for whatever a test left open: a server that nobody closed shows as a run that hangs.
  exit: false,
  forbidOnly: process.env.CI !== undefined,
  // Where Redis, PostgreSQL and Chromium are promised, a test that skips itself has not been run: it fails.
  forbidPending: process.env.REQUIRE_SERVICES === '1',
};
