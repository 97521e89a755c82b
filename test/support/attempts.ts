import type { Bucket } from '../../users/attempts.ts';
import type { TestApp } from './app.ts';

/** Tries until there is no room, as an attacker does, without the hashes that this would cost over HTTP. */
export async function fillUp({ services }: TestApp, bucket: Bucket): Promise<void> {
  while ((await services.attempts.count([bucket])) === undefined);
}
