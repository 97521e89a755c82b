import { setTimeout as delay } from 'node:timers/promises';

/** How long, in milliseconds, on average. */
const PAUSE = 1000;

/** So many at once: each of them costs a connection and what is known of its request. */
const MOST = 2000;

/**
 * Makes whoever is refused for coming too often wait for it. Many clients that do not heed `Retry-After`, and ask again as
 * soon as they are answered, would otherwise keep the process busy with saying no.
 *
 * @param pause in milliseconds, half as long to one and a half times as long
 * @param most who is one too many is answered at once
 */
export function createHoldBack(pause = PAUSE, most = MOST): () => Promise<void> {
  let held = 0;
  return async () => {
    if (held >= most) return;
    held += 1;
    const spread = 0.5 + Math.random(); // or those who came at once would come back at once
    await delay(pause * spread, undefined, { ref: false });
    held -= 1;
  };
}
