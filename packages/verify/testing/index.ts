export { createTestIssuer, type TestIssuer, type TestIssuerOptions } from './test-issuer.ts';
export type { TestTokenOptions } from './test-tokens.ts';
