import { TokenError, UnavailableError, type Verifier } from '#verify';

/** What becomes of a token: `accepted`, `unavailable`, or the reason why it is refused. */
export async function reasonOf(verifier: Verifier, jwt: string): Promise<string> {
  try {
    await verifier.verify(jwt);
    return 'accepted';
  } catch (error) {
    if (error instanceof TokenError) return error.reason;
    if (error instanceof UnavailableError) return 'unavailable';
    throw error;
  }
}
