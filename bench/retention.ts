import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DAY } from '../core/clock.ts';
import type { Benchmark, Findings, Surroundings } from './benchmark.ts';
import { coatcheck } from './contenders.ts';
import { playRounds, prepare } from './exchange.ts';
import type { Results } from './exchange-report.ts';
import type { BenchOptions } from './options.ts';
import type { Figures } from './rounds.ts';
import { ServerProcess } from './server-process.ts';
import { median, ratios } from './statistics.ts';
import { renderTable, type Column } from './table.ts';

const EXPIRED = 100_000;

/** A server looks for something to do once a minute, in milliseconds. */
const LOOK_LIMIT = 90_000;

const CALM = 'calm';
const CLEANING = 'cleaning up';

const leastRate = 0.95;
const mostP99 = 1.25;

/** Two servers take turns: one has nothing to delete, the other has much, and is at it the whole time. */
export const retention: Benchmark = {
  summary: `the exchange while ${EXPIRED} expired sessions are deleted, against one that is left alone`,
  async run(options, surroundings) {
    const contenders = [CALM, CLEANING].map((name) => ({ ...coatcheck(), name }));
    const servers: ServerProcess[] = [];
    try {
      const contestants = [];
      for (const contender of contenders) {
        surroundings.progress(`starting ${contender.name}`);
        const server = await ServerProcess.start(contender, surroundings.signal);
        servers.push(server);
        contestants.push(await prepare(contender, server, options, surroundings));
      }
      using rows = new Rows(path.join(servers.at(-1)?.directory ?? '', 'bench.db'));
      rows.expire(EXPIRED);
      await cleaningBegins(rows, surroundings);
      const began = performance.now();
      const before = rows.count();
      const results = await playRounds(contestants, options, surroundings);
      const left = rows.count();
      if (left === 0)
        throw new Error('all was deleted before the last round: ask for fewer or shorter rounds');
      const deletedPerSecond = ((before - left) / (performance.now() - began)) * 1000;
      return findings(results, deletedPerSecond, options);
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  },
};

/** The expired sessions in the database of a server that runs. */
class Rows implements Disposable {
  readonly #database: DatabaseSync;

  constructor(file: string) {
    this.#database = new DatabaseSync(file, { timeout: 10_000 });
  }

  /** Adds them, ended in about the order in which they began, and has the next look of the server find them. */
  expire(count: number): void {
    const insert = this.#database.prepare(
      `insert into sessions (id_hash, public_id, user_id, amr, created_at, last_seen_at, idle_expires_at, expires_at,
         address, user_agent, data, status_list, status_index)
       values (?, ?, ?, 'pwd', ?, ?, ?, ?, '192.0.2.1', 'Mozilla/5.0 (X11; Linux x86_64)', '{"cookie":{}}', ?, 0)`,
    );
    this.#database.exec('begin immediate');
    for (let row = 0; row < count; row += 1) {
      const end = Date.now() - DAY * (2 + 30 * (1 - row / count) + Math.random());
      insert.run(
        randomUUID(),
        randomUUID(),
        randomUUID(),
        end - 7 * DAY,
        end - DAY,
        end,
        end,
        randomUUID(),
      );
    }
    this.#database.exec('delete from tasks; commit');
  }

  count(): number {
    const sql = 'select count(*) as count from sessions where idle_expires_at < ?';
    return Number(this.#database.prepare(sql).get(Date.now() - DAY)?.['count']);
  }

  [Symbol.dispose]() {
    this.#database.close();
  }
}

async function cleaningBegins(rows: Rows, { signal, progress }: Surroundings): Promise<void> {
  progress(`${CLEANING}: waiting until it begins with ${rows.count()} expired sessions`);
  const deadline = performance.now() + LOOK_LIMIT;
  while (rows.count() === EXPIRED) {
    if (performance.now() > deadline) throw new Error('nothing was deleted');
    await sleep(500, undefined, { signal });
  }
}

interface Row {
  readonly server: string;
  readonly figures: readonly Figures[];
}

function findings(results: Results, deletedPerSecond: number, options: BenchOptions): Findings {
  const rows = [...results].map(([server, figures]) => ({ server, figures }));
  const ratio = (pick: (one: Figures) => number) =>
    ratios((results.get(CLEANING) ?? []).map(pick), (results.get(CALM) ?? []).map(pick));
  const rate = ratio((one) => one.requestsPerSecond);
  const p99 = ratio((one) => one.p99Milliseconds);
  const { sessions, rounds, seconds, connections } = options;
  const heading =
    `The exchange while expired sessions are deleted, ${deletedPerSecond.toFixed(0)} a second: ${sessions} sessions, ` +
    `${connections} in flight, medians of ${rounds} rounds of ${seconds} s`;
  const spread = (name: string, { median: middle, min, max }: typeof rate) =>
    `${name}, ${CLEANING} / ${CALM}: ${middle.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
  return {
    text: [
      heading,
      '',
      renderTable(columns, rows),
      '',
      spread('requests/s', rate),
      spread('p99', p99),
    ].join('\n'),
    json: { sessions, rounds, seconds, connections, deletedPerSecond, rate, p99 },
    aims: [
      {
        aim: `at least ${leastRate} times the calm requests/s`,
        measured: rate.median,
        met: rate.median >= leastRate,
      },
      {
        aim: `at most ${mostP99} times the calm p99`,
        measured: p99.median,
        met: p99.median <= mostP99,
      },
    ],
  };
}

const figure = (heading: string, digits: number, pick: (one: Figures) => number): Column<Row> => ({
  heading,
  align: 'right',
  cell: ({ figures }) => median(figures.map(pick)).toFixed(digits),
});

const columns: readonly Column<Row>[] = [
  { heading: 'server', align: 'left', cell: ({ server }) => server },
  figure('requests/s', 0, (one) => one.requestsPerSecond),
  figure('p50 ms', 2, (one) => one.p50Milliseconds),
  figure('p99 ms', 2, (one) => one.p99Milliseconds),
  figure('CPU µs', 1, (one) => one.cpuMicroseconds),
];
