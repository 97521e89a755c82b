import { createFetch, originOf } from './bearer-fetch.ts';
import type { Moment } from './clock.ts';
import { AuthError } from './error.ts';
import type { Platform } from './platform.ts';
import { ask as askService } from './service.ts';
import { isPassing, retryDelay, type Slot } from './slot.ts';
import { fieldsOf, readTicket, type Ticket, type User } from './ticket.ts';
import type { Auth, AuthOptions, AuthState, CallOptions, TokenOptions } from './types.ts';
import { within } from './waiting.ts';

/** A tab that has waited for its turn that long goes ahead: the one whose turn it is may be frozen. */
const LONGEST_TURN = 3000;
/** People go back and forth between windows all the time. */
const RECHECK = 3000;

/** Whose session this is, and the tokens that it was exchanged for. */
export function createAuthOn(platform: Platform, options: AuthOptions): Auth {
  const { now, later, random, timeLimit, isHidden } = platform;
  const {
    baseUrl,
    origins = [],
    timeout = 10_000,
    patience = 30_000,
    fetch: send = fetch,
  } = options;
  const base = originOf(baseUrl);
  const name = `coatcheck ${base}`;
  const listeners = new Set<() => void>();
  const slots = new Map<string, Slot>();
  /** Sessions that were signed out. Nothing that comes late brings them back. */
  const ended = new Set<string>();
  let state: AuthState = 'unknown';
  let user: User | undefined;
  let sid: string | undefined;
  /** Aborted when somebody signs in or out: what is under way then is about the past. */
  let generation = new AbortController();
  /** Resolved with whatever happens next. */
  let news = Promise.withResolvers<void>();
  let lastAsked = now();
  let lastAct: Promise<unknown> = Promise.resolve();
  let logouts = 0;
  let tabs: ReturnType<Platform['listen']> | undefined;
  const end = new AbortController();
  const closed = end.signal;

  /** Nothing is listened to before: on a server that renders pages it never is. */
  function start(): void {
    if (closed.aborted) throw new AuthError('closed');
    tabs ??= platform.listen(name, closed, hear, wake);
  }

  function publish(nextState: AuthState, nextUser?: User): void {
    news.resolve();
    news = Promise.withResolvers();
    if (JSON.stringify([nextState, nextUser]) === JSON.stringify([state, user])) return;
    state = nextState;
    user = nextUser;
    for (const listener of listeners) queueMicrotask(listener); // what one throws is not the others' problem
  }

  function slotOf(audience = options.audience ?? ''): Slot {
    const slot = slots.get(audience) ?? { audience, failures: 0, retryAt: 0 };
    slots.set(audience, slot);
    return slot;
  }

  function endGeneration(): void {
    generation.abort();
    generation = new AbortController();
    for (const slot of slots.values()) slot.stop?.();
    slots.clear();
    sid = undefined;
  }

  function ask(slot: Slot, announce = true): void {
    if (closed.aborted || slot.asking) return;
    slot.asking = true;
    lastAsked = now();
    const { audience, ticket } = slot;
    const { signal } = generation;
    const query = audience && `?audience=${encodeURIComponent(audience)}`;
    platform.inTurn(`${name} ${audience}`, timeLimit(LONGEST_TURN, signal), async () => {
      try {
        // another tab may have got one while this one waited for its turn
        if (signal.aborted || slot.ticket !== ticket) return;
        const next = await askForTicket(`/auth/token${query}`, signal);
        if (!signal.aborted) accept(audience, next, announce);
      } catch (error) {
        if (!signal.aborted && error instanceof AuthError) fail(slot, error);
      } finally {
        slot.asking = false;
      }
    });
  }

  const askWithin = (path: string, signal: AbortSignal, init?: RequestInit) =>
    askService(send, base + path, { ...init, signal: timeLimit(timeout, signal) });

  async function askForTicket(...request: Parameters<typeof askWithin>): Promise<Ticket> {
    const asked = now();
    const ticket = readTicket(await askWithin(...request), asked);
    if (ticket) return ticket;
    throw new AuthError('unexpected_answer');
  }

  function accept(audience: string, ticket: Ticket, announce = false): void {
    if (ended.has(ticket.sid)) {
      // the logout has not reached the service
      askWithin(`/auth/sessions/${ticket.sid}`, closed, { method: 'DELETE' }).catch(
        () => undefined,
      );
      return signOut();
    }
    if (sid && sid !== ticket.sid) {
      ended.add(sid);
      endGeneration();
    }
    sid = ticket.sid;
    const slot = slotOf(audience);
    const { token, asked, life } = ticket;
    slot.ticket = ticket;
    slot.failures = slot.retryAt = 0;
    schedule(slot, asked.monotonic + life * (0.75 + random() * 0.15));
    if (announce)
      tabs?.postMessage({ audience, token, expires_in: life / 1000, asked: asked.wall });
    return publish('signed-in', ticket.user);
  }

  /** Only the service's own word signs anybody out: a 401 of something in between says nothing about the session. */
  function fail(slot: Slot, error: AuthError): void {
    const { code, status } = error;
    if (status === 401 && code === 'session_required') return signOut();
    slot.error = error;
    slot.retryAt = now().monotonic + retryDelay(error, slot.failures++, random());
    if (code === 'invalid_target' || state === 'signed-out') return publish(state, user);
    schedule(slot, slot.retryAt);
    return publish('offline', user);
  }

  function schedule(slot: Slot, at: number): void {
    slot.stop?.();
    slot.stop = later(Math.max(1000, at - now().monotonic), () => {
      // to renew in a page that nobody sees would keep a session in use that is not
      if (slot.failures || !isHidden()) ask(slot);
    });
  }

  /** The tab may have been away: a session may have ended meanwhile, a token expired, the network come back. */
  function wake(): void {
    if (isHidden() || (state !== 'offline' && since(lastAsked) < RECHECK)) return;
    if (slots.size === 0) slotOf();
    for (const slot of slots.values()) {
      if (!isPaused(slot) || !slot.error?.retryAfter) ask(slot);
    }
  }

  const isPaused = ({ retryAt }: Slot) => retryAt > now().monotonic;

  /** By either clock: the one may have stood still while the device slept, the other one may have been set. */
  function since({ monotonic, wall }: Moment): number {
    const current = now();
    return Math.max(current.monotonic - monotonic, current.wall - wall);
  }

  /** In all tabs. Each passes it on, after whatever it may have said about that session before. */
  function signOut(): void {
    if (sid) {
      ended.add(sid);
      tabs?.postMessage({ out: sid });
    }
    endGeneration();
    publish('signed-out');
  }

  /** Whoever it was, only the service knows who it is now. */
  function doubt(): void {
    endGeneration();
    publish('unknown');
    ask(slotOf(), false); // announced, two tabs that disagree would go on for ever
  }

  /** What another tab says. It may be late, so that where it is about another session, only the service knows. */
  function hear(message: unknown): void {
    const { audience, asked, out } = fieldsOf(message);
    // empty: of a tab that did not know whose session it ended
    if (typeof out === 'string') {
      ended.add(out);
      if (out === sid) signOut();
      if (!out) doubt();
      return;
    }
    // a monotonic clock means nothing in another tab: only the device's own is common
    const { monotonic, wall } = now();
    const age = Math.max(0, wall - Number(asked));
    const ticket = readTicket(message, { monotonic: monotonic - age, wall: Number(asked) });
    if (!ticket || ended.has(ticket.sid)) return;
    const slot = slots.get(String(audience));
    if (state === 'signed-out' || (sid && sid !== ticket.sid)) {
      doubt();
    } else if (slot && ticket.iat > (slot.ticket?.iat ?? 0)) {
      if (!sid) endGeneration(); // what is under way may have left before somebody signed in
      accept(slot.audience, ticket);
    }
  }

  async function getToken({ audience, signal, refused }: TokenOptions = {}): Promise<string> {
    const began = now().monotonic;
    let limit: AbortSignal | undefined;
    for (let first = true; ; first = false) {
      signal?.throwIfAborted();
      start();
      if (state === 'signed-out' && !(first && refused !== undefined))
        throw new AuthError('session_required');
      const slot = slotOf(audience);
      const { ticket, error } = slot;
      const paused = isPaused(slot);
      if (ticket && ticket.token !== refused) {
        const { asked, life, token } = ticket;
        // a network may take longer than a token lives: to ask again and again would not help
        const isNew = !first && asked.monotonic >= began;
        const isGood = now().monotonic - asked.monotonic < life;
        if (isNew || (isGood && (paused || since(asked) < life))) return token;
      }
      if (!paused) ask(slot);
      else if (error && (!isPassing(error) || slot.retryAt > began + patience)) throw error;
      limit ??= timeLimit(patience, signal);
      await within(news.promise, limit, signal);
    }
  }

  /** One login or logout after the other: none undoes what came after it. */
  async function act<T>(
    { signal }: CallOptions = {},
    work: (limit: AbortSignal) => Promise<T>,
  ): Promise<T> {
    start();
    const limit = timeLimit(patience, signal);
    const mine = lastAct.then(() => work(limit));
    lastAct = mine.catch(() => undefined);
    return within(mine, limit, signal);
  }

  return {
    get state() {
      return state;
    },
    get user() {
      return user;
    },
    subscribe(listener) {
      const call = () => listeners.has(call) && listener();
      listeners.add(call);
      if (!closed.aborted) start();
      if (state === 'unknown') ask(slotOf());
      return () => listeners.delete(call);
    },
    getToken,
    fetch: createFetch([base, ...origins.map(originOf)], send, getToken),
    login(credentials, call) {
      const before = logouts;
      return act(call, async (limit) => {
        const ticket = await askForTicket('/auth/login', limit, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify(credentials),
        });
        start();
        if (logouts !== before) throw new AuthError('superseded');
        endGeneration();
        accept('', ticket, true);
        return ticket.user;
      });
    },
    async logout(call) {
      logouts += 1;
      const who = sid;
      signOut();
      await act(call, async (limit) => {
        await askWithin('/auth/logout', limit, { method: 'POST' });
        if (!who) tabs?.postMessage({ out: '' }); // the others know who it was
      });
    },
    close() {
      end.abort();
      tabs = undefined;
      endGeneration();
      news.resolve();
    },
  };
}
