import { AuthError } from './error.ts';

/**
 * Waits for a promise until the limit is aborted. What the promise stands for goes on, for others.
 *
 * @param signal part of the limit: when that was it, its reason is thrown
 */
export async function within<T>(
  promise: Promise<T>,
  limit: AbortSignal,
  signal: AbortSignal | undefined,
): Promise<T> {
  const end = new Promise<void>((resolve) => {
    if (limit.aborted) resolve();
    limit.addEventListener('abort', () => resolve());
  });
  return Promise.race([
    promise,
    end.then(() => {
      signal?.throwIfAborted();
      throw new AuthError('unreachable');
    }),
  ]);
}
