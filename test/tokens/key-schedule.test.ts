import { expect } from 'chai';
import * as fc from 'fast-check';
import type { Algorithm } from '../../tokens/algorithms.ts';
import {
  goneFrom,
  type KeyTimes,
  newestOf,
  nextMove,
  pendingAt,
  retiresAt,
  rotatesAt,
  signerAt,
  signsFromIfPublished,
  signsFromIfShared,
  SKEW,
  stageAt,
  trustedAt,
} from '../../tokens/key-schedule.ts';
import { DAY, HOUR, MINUTE, SECOND } from '../support/clock.ts';

const PERIOD = 21 * MINUTE;
const SIX_HOURS = 21_600;
const START = Date.UTC(2026, 0, 1);

function key(sequence: number, signsFrom: number, more: Partial<KeyTimes> = {}): KeyTimes {
  return {
    sequence,
    kid: `k${sequence}`,
    algorithm: 'ES256',
    publishedAt: signsFrom - PERIOD,
    signsFrom,
    longestToken: SIX_HOURS,
    goneAt: null,
    ...more,
  };
}

describe('the schedule of keys', () => {
  const first = key(1, START);
  const second = key(2, START + DAY);
  const keys = [first, second];
  const states = (time: number) => keys.map((one) => stageAt(keys, one, time).state);

  it('takes each key from published over signing and retired to gone, at these milliseconds', () => {
    const gone = START + DAY + SIX_HOURS * SECOND + SKEW;
    expect(states(START)).to.deep.equal(['signing', 'published']);
    expect(states(START + DAY - 1)).to.deep.equal(['signing', 'published']);
    expect(states(START + DAY)).to.deep.equal(['retired', 'signing']);
    expect(states(gone - 1)).to.deep.equal(['retired', 'signing']);
    expect(states(gone)).to.deep.equal(['gone', 'signing']);
    expect(states(gone + 1000 * DAY)).to.deep.equal(['gone', 'signing']);
  });

  it('says of each since when and what comes next', () => {
    expect(stageAt(keys, first, START)).to.deep.equal({
      state: 'signing',
      since: START,
      next: { state: 'retired', at: START + DAY },
    });
    expect(stageAt(keys, second, START)).to.deep.equal({
      state: 'published',
      since: START + DAY - PERIOD,
      next: { state: 'signing', at: START + DAY },
    });
    expect(stageAt(keys, second, START + DAY).next).to.equal(undefined);
    expect(stageAt(keys, first, START + DAY)).to.deep.equal({
      state: 'retired',
      since: START + DAY,
      next: { state: 'gone', at: START + DAY + SIX_HOURS * SECOND + SKEW },
    });
  });

  it('rejects a key of an emergency at that moment, and lets one that never signed retire no other', () => {
    const emergency = START + HOUR;
    const rejected = { goneAt: emergency };
    const all = [key(1, START, rejected), key(2, START + DAY, rejected), key(3, emergency)];
    expect(trustedAt(all, emergency).map(({ kid }) => kid)).to.deep.equal(['k3']);
    for (const time of [emergency, START + DAY, START + 100 * DAY]) {
      expect(signerAt(all, time)?.kid).to.equal('k3');
    }
  });

  it('signs with the only key there is, even where the clock is behind the one that made it', () => {
    expect(signerAt([first], START - 5 * SECOND)).to.equal(first);
  });

  it('lets the first key sign at once, and every other after the period', () => {
    const rhythm = { publication: PERIOD };
    expect(signsFromIfPublished([], START, rhythm)).to.equal(START);
    expect(signsFromIfPublished([first], START + 5, rhythm)).to.equal(START + 5 + PERIOD);
  });

  it('does not believe a clock that is behind what others have written', () => {
    const only = key(1, START, { publishedAt: START });
    expect(signsFromIfPublished([only], START - 100 * DAY, { publication: PERIOD })).to.equal(
      START + PERIOD,
    );
    expect(signsFromIfShared([first, second], START)).to.equal(second.signsFrom);
    expect(signsFromIfShared([first, second], START + 2 * DAY)).to.equal(START + 2 * DAY);
  });

  it('publishes the next key so that it signs when the interval is over, and no other for a shared secret', () => {
    const rhythm = { publication: PERIOD, interval: 90 * DAY };
    expect(rotatesAt(keys, rhythm)).to.equal(second.signsFrom + 90 * DAY - PERIOD);
    expect(rotatesAt([key(1, START, { algorithm: 'HS256' })], rhythm)).to.equal(Infinity);
    expect(rotatesAt([], rhythm)).to.equal(Infinity);
  });

  describe('moves towards the settings:', () => {
    const at = START + HOUR;
    const secret = key(1, START, { algorithm: 'HS256' });

    it('nothing when the newest key is right', () => {
      expect(nextMove([first], at, { algorithm: 'ES256', kid: undefined })).to.equal(undefined);
      expect(nextMove([secret], at, { algorithm: 'HS256', kid: 'k1' })).to.equal(undefined);
    });

    it('another key for another algorithm, another secret, or none at all', () => {
      expect(nextMove([], at, { algorithm: 'ES256', kid: undefined })).to.equal('add');
      expect(nextMove([first], at, { algorithm: 'ES384', kid: undefined })).to.equal('add');
      expect(nextMove([secret], at, { algorithm: 'HS256', kid: 'other' })).to.equal('add');
    });

    it('withdraws one that waits and is not wanted, but not when it is about to sign', () => {
      const waiting = [secret, key(2, at + PERIOD)];
      const back = { algorithm: 'HS256', kid: 'k1' } as const;
      expect(nextMove(waiting, at, back)).to.equal('withdraw');
      expect(nextMove(waiting, at + PERIOD - 2 * SKEW, back)).to.equal('add');
      expect(nextMove(waiting, at + PERIOD, back)).to.equal('add');
    });
  });

  it('keeps its promises whatever happens: no key signs before caches can have it, none goes before its last token', () => {
    fc.assert(fc.property(fc.array(event, { maxLength: 60 }), offsets, play), { numRuns: 500 });
  });
});

/** How long whoever verifies may go by an old list of keys. */
const CACHE = 1200 * SECOND;

type Event =
  | { do: 'wait'; time: number }
  | { do: 'rotate' | 'schedule'; by: number }
  | { do: 'start'; by: number; algorithm: Algorithm; secret: string; expiresIn: number }
  | { do: 'set'; by: number; publication: number; interval: number }
  | { do: 'step'; by: number; offset: number };

const by = fc.nat({ max: 2 });
/** Clocks are at most half a minute wrong, so that no two are further apart than a minute. */
const offset = fc.integer({ min: -SKEW / 2, max: SKEW / 2 });
const offsets = fc.tuple(offset, offset, offset);
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({
    do: fc.constant('wait' as const),
    time: fc.oneof(fc.nat({ max: HOUR }), fc.nat({ max: 100 * DAY }), fc.nat({ max: 2 * PERIOD })),
  }),
  fc.record({ do: fc.constantFrom('rotate' as const, 'schedule' as const), by }),
  fc.record({
    do: fc.constant('start' as const),
    by,
    algorithm: fc.constantFrom('HS256' as const, 'ES256' as const, 'RS256' as const),
    secret: fc.constantFrom('a', 'b'),
    expiresIn: fc.integer({ min: 1, max: 86_400 }),
  }),
  fc.record({
    do: fc.constant('set' as const),
    by,
    publication: fc.integer({ min: PERIOD, max: DAY }),
    interval: fc.integer({ min: DAY, max: 100 * DAY }),
  }),
  fc.record({ do: fc.constant('step' as const), by, offset }),
);

interface Token {
  kid: string;
  exp: number;
}

/** Three processes on one table, each with its own clock and settings, and what they promise after every event. */
function play(events: readonly Event[], clocks: readonly [number, number, number]): void {
  let keys: KeyTimes[] = [];
  let now = START;
  let made = 0;
  const processes = clocks.map((wrong) => ({
    offset: wrong,
    expiresIn: SIX_HOURS,
    publication: PERIOD,
    interval: 90 * DAY,
  }));
  /** When, truly, everybody could first see a key; secrets and the very first key are known from the beginning. */
  const visible = new Map<string, number>();
  let tokens: Token[] = [];

  const add = (next: Omit<KeyTimes, 'sequence' | 'goneAt'>) => {
    keys = [...keys, { ...next, sequence: (keys.at(-1)?.sequence ?? 0) + 1, goneAt: null }];
  };
  const addPair = (process: (typeof processes)[number], algorithm: Algorithm) => {
    const clock = now + process.offset;
    made += 1;
    visible.set(`p${made}`, keys.length === 0 ? -Infinity : now);
    add({
      kid: `p${made}`,
      algorithm,
      publishedAt: clock,
      signsFrom: signsFromIfPublished(keys, clock, process),
      longestToken: process.expiresIn,
    });
  };
  const raise = (expiresIn: number, clock: number) => {
    keys = keys.map((one) =>
      goneFrom(keys, one) > clock && retiresAt(keys, one) + SKEW > clock
        ? { ...one, longestToken: Math.max(one.longestToken, expiresIn) }
        : one,
    );
  };

  for (const what of events) {
    const process = 'by' in what ? processes[what.by] : undefined;
    const clock = now + (process?.offset ?? 0);
    if (what.do === 'wait') now += what.time;
    else if (process === undefined) throw new Error('no such process');
    else if (what.do === 'step') process.offset = what.offset;
    else if (what.do === 'set') Object.assign(process, what);
    else if (what.do === 'start') {
      process.expiresIn = what.expiresIn;
      const kid = what.algorithm === 'HS256' ? what.secret : undefined;
      for (;;) {
        const move = nextMove(keys, clock, { algorithm: what.algorithm, kid });
        if (move === undefined) break;
        if (move === 'withdraw') {
          expect(newestOf(keys)).to.equal(pendingAt(keys, clock));
          keys = keys.slice(0, -1);
        } else if (kid === undefined) {
          addPair(process, what.algorithm);
        } else {
          visible.set(kid, -Infinity);
          const before = keys.filter((one) => one.kid === kid).map((one) => one.longestToken);
          add({
            kid,
            algorithm: 'HS256',
            publishedAt: clock,
            signsFrom: signsFromIfShared(keys, clock),
            longestToken: Math.max(process.expiresIn, ...before),
          });
        }
      }
    } else {
      const newest = newestOf(keys);
      const due = what.do === 'rotate' || rotatesAt(keys, process) <= clock;
      const isPair = newest !== undefined && newest.algorithm !== 'HS256';
      if (isPair && due && pendingAt(keys, clock) === undefined) addPair(process, newest.algorithm);
    }
    if (keys.length === 0) continue;

    for (const one of processes) {
      const itsClock = now + one.offset;
      raise(one.expiresIn, itsClock);
      const signer = signerAt(keys, itsClock);
      if (signer === undefined) throw new Error('nothing signs');
      expect(trustedAt(keys, itsClock)).to.include(signer);
      expect(now - (visible.get(signer.kid) ?? now), signer.kid).to.be.at.least(CACHE);
      tokens.push({ kid: signer.kid, exp: itsClock + one.expiresIn * SECOND });
    }
    for (const one of processes) {
      const itsClock = now + one.offset;
      const trusted = new Set(trustedAt(keys, itsClock).map(({ kid }) => kid));
      for (const { kid, exp } of tokens) if (exp > itsClock) expect(trusted).to.include(kid);
    }
    tokens = tokens.filter(({ exp }) => exp > now - SKEW);
  }
}
