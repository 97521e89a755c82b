/** Loaded before any test file: whatever the shell says, the tests never run as production. */
process.env['NODE_ENV'] = 'test';
