import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DAY, systemClock } from '../core/clock.ts';
import { openDatabase } from '../storage/database.ts';
import { compressedList, statusBits } from '../tokens/status-list-bits.ts';
import { sqlStatusLists } from '../tokens/status-lists.ts';

const REVOKED = 1_000;

/** How long the list of 2^17 entries takes to be read from the database and compressed, in milliseconds, round by round. */
export async function timeStatusList(rounds: number): Promise<readonly number[]> {
  const directory = mkdtempSync(join(tmpdir(), 'coatcheck-bench-'));
  const database = await openDatabase(`sqlite:${join(directory, 'bench.db')}`);
  try {
    const lists = sqlStatusLists(database, systemClock);
    for (let count = 0; count < REVOKED; count += 1) {
      await lists.revoke(
        await lists.allocate(systemClock.now() + DAY, { sessionId: 'one', userId: 'ada' }),
      );
    }
    const [list = ''] = await lists.ids();
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const began = performance.now();
      await compressedList(statusBits(lists.size, await lists.revokedIndices(list)));
      times.push(performance.now() - began);
    }
    return times;
  } finally {
    await database.close();
    rmSync(directory, { recursive: true, force: true });
  }
}
