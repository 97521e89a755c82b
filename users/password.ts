import { availableParallelism } from 'node:os';
import { randomBytes } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import { monotonic } from '../core/clock.ts';
import { Problem } from '../core/errors.ts';
import { formsOf, readHash } from './password-hashes.ts';

/** argon2id (the package's default) as OWASP's Password Storage Cheat Sheet has it: 19 MiB, 2 passes, 1 lane. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** How today's hashes begin. */
const TODAYS = `$argon2id$v=19$m=${PARAMETERS.memoryCost},t=${PARAMETERS.timeCost},p=${PARAMETERS.parallelism}$`;

/**
 * How many may wait for a core, in the order in which they are served: whoever has waited once already, devices that are
 * known, anyone. Strangers who fill their line keep nobody out who has logged in from here before.
 */
const LINES = { again: Infinity, known: 16, anyone: 64 } as const;
export type Line = keyof typeof LINES;

/**
 * Whoever would wait longer than that, in milliseconds, is better told to come back. They are told when a core is free
 * again: after one check more at the most, which takes up to two seconds if the hash is from elsewhere (see users/hashes).
 */
const LONGEST_WAIT = 5000;

/** Of the four threads of Node's pool one is left to files, names and certificates. */
const MOST_THREADS = 3;

/** All processes together leave one core to everything else, as long as each of them can hash at all. */
export function hashesAtOnce(cores: number, processes: number): number {
  return Math.max(1, Math.min(MOST_THREADS, Math.floor((cores - 1) / processes)));
}

/** Hashes and checks passwords, only a few at a time: each takes a core for some 20 ms and 19 MiB. */
export class PasswordHasher {
  readonly #slots: Slots;
  readonly #dummy: Promise<string>;

  /**
   * @param processes how many share the cores of this machine
   * @param longestWait for a core, in milliseconds
   */
  constructor(processes = 1, longestWait = LONGEST_WAIT) {
    this.#slots = new Slots(hashesAtOnce(availableParallelism(), processes), longestWait);
    this.#dummy = this.hash(randomBytes(32).toString('hex'));
  }

  /**
   * For whoever is about to do something on the way to a hash that then would not come.
   * @returns `overloaded` when too many are waiting already
   */
  refusal(line: Line): Problem | undefined {
    return this.#slots.isFull(line) ? overloaded() : undefined;
  }

  /**
   * @returns a PHC string.
   * @throws {Problem} `overloaded` when too many are waiting already.
   */
  hash(password: string): Promise<string> {
    return this.#slots.run('anyone', () => hashOf(password));
  }

  /**
   * A hash of today's kind for a right password, if the one that it was checked against is of another kind. Whoever
   * needs it has waited once, and goes first, also where all places to wait are taken.
   */
  async renewed(passwordHash: string, password: string): Promise<string | undefined> {
    if (passwordHash.startsWith(TODAYS)) return undefined;
    return this.#slots.run('again', () => hashOf(password));
  }

  /**
   * Whether the password is the one behind the hash. Without a hash it takes just as long and says no, so
   * that the time of an answer does not tell which names exist. A hash from elsewhere takes its own time, until it
   * is renewed: docs/importing-users.md says what that tells.
   */
  async matches(
    passwordHash: string | null,
    password: string,
    line: Line = 'anyone',
  ): Promise<boolean> {
    const dummy = await this.#dummy;
    const check = async () => {
      try {
        if (passwordHash !== null) return await isBehind(passwordHash, password);
      } catch {
        // it cannot be checked, as after a row was edited by hand: it is nobody's
      }
      await isBehind(dummy, password);
      return false;
    };
    return this.#slots.run(line, check, placesOf(passwordHash, password));
  }
}

function hashOf(password: string): Promise<string> {
  return hash(password.normalize('NFC'), PARAMETERS);
}

/** How many places to wait a check takes: two where the password may have to be tried in two forms. */
function placesOf(passwordHash: string | null, password: string): number {
  const isFromElsewhere = passwordHash !== null && !passwordHash.startsWith(TODAYS);
  return isFromElsewhere ? formsOf(password).length : 1;
}

async function isBehind(passwordHash: string, password: string): Promise<boolean> {
  if (passwordHash.startsWith(TODAYS)) return verify(passwordHash, password.normalize('NFC'));
  const check = readHash(passwordHash);
  if (typeof check === 'string') throw new Error(check); // the import would have refused it
  return check(password);
}

/** Lets so many run at once, and others wait so long. */
class Slots {
  readonly #waiting: Readonly<Record<Line, Waiting[]>> = { again: [], known: [], anyone: [] };
  readonly #longestWait: number;
  #free: number;

  constructor(atOnce: number, longestWait: number) {
    this.#free = atOnce;
    this.#longestWait = longestWait;
  }

  isFull(line: Line, places = 1): boolean {
    const taken = this.#waiting[line].reduce((sum, one) => sum + one.places, 0);
    return this.#free === 0 && taken + places > LINES[line];
  }

  /** @param places that it takes in the line, while it waits */
  async run<T>(line: Line, task: () => Promise<T>, places = 1): Promise<T> {
    if (this.isFull(line, places)) throw overloaded();
    if (this.#free > 0) {
      this.#free -= 1;
    } else {
      const since = monotonic();
      await new Promise<void>((enter, refuse) => {
        this.#waiting[line].push({ places, since, enter, refuse });
      });
    }
    try {
      return await task();
    } finally {
      this.#leave();
    }
  }

  /** Lets the next one in who has not waited too long. */
  #leave(): void {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (monotonic() - next.since <= this.#longestWait) return next.enter();
      next.refuse(overloaded());
    }
    this.#free += 1;
  }

  #next(): Waiting | undefined {
    const { again, known, anyone } = this.#waiting;
    return again.shift() ?? known.shift() ?? anyone.shift();
  }
}

interface Waiting {
  readonly places: number;
  readonly since: number;
  enter(): void;
  refuse(problem: Problem): void;
}

function overloaded(): Problem {
  return new Problem(
    'overloaded',
    'Too many people are signing in at this moment. Please try again in a few seconds.',
  );
}
