export {
  createVerifier,
  type TrustedKey,
  type Verifier,
  type VerifierOptions,
} from './verifier.ts';
export { type Token, TokenError, type TokenErrorReason } from './token.ts';
export { bearerToken } from './bearer.ts';
