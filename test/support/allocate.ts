/** A process of its own: `node allocate.ts <url> <size> <count>` allocates status entries and prints them as JSON. */
import { systemClock } from '../../core/clock.ts';
import { StorageError } from '../../core/errors.ts';
import { openDatabase } from '../../storage/database.ts';
import { sqlStatusLists } from '../../tokens/status-lists.ts';

const [url = '', size, count] = process.argv.slice(2);
const database = await openDatabase(url);
const statusLists = sqlStatusLists(database, systemClock, Number(size));
const entries = [];
while (entries.length < Number(count)) {
  try {
    entries.push(
      await statusLists.allocate(systemClock.now() + 60_000, { sessionId: 'one', userId: 'ada' }),
    );
  } catch (error) {
    if (!(error instanceof StorageError)) throw error; // too many at once: whoever is told so tries again
  }
}
await database.close();
process.stdout.write(JSON.stringify(entries));
