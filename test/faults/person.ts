import { z } from 'zod';
import type { StatusEntry } from '../../storage/status-entries.ts';
import { Client } from '../support/client.ts';
import { claimsOf } from '../support/session.ts';
import type { Dice } from './dice.ts';

/** A session that the service has acknowledged. */
export interface Known {
  readonly client: Client;
  /** Its public id. */
  readonly id: string;
  token: string;
  /** The service has acknowledged its end, or was found to have ended it. */
  ended: boolean;
  /** Whether the service was asked since. */
  seenEnded: boolean;
}

/** What a request is to bring about. Until it is answered nobody knows whether it did. */
export interface Change {
  readonly what: string;
  /** The sessions that it ends. */
  readonly ends: readonly Known[];
  /** The session whose tokens it revokes, without ending it. */
  readonly revokes?: Known;
  readonly password?: string;
}

/** Credentials of an API, as a header. */
export type Authorization = { Authorization: string };

const MOST_SESSIONS = 6;

/** An answer that the service should not have given. */
class WrongAnswer extends Error {}

/** Somebody who signs in and out, one request at a time, and remembers everything that was acknowledged. */
export class Person {
  readonly username: string;
  password: string;
  readonly sessions: Known[] = [];
  /** Tokens that have been revoked though their sessions go on. */
  readonly deadTokens: string[] = [];
  /** What was asked for and not answered. */
  pending: Change | undefined;
  /** The password and its hash that belonged together when they were last looked at. */
  seenPassword = '';
  /** How many requests have been answered. */
  answered = 0;
  readonly #dice: Dice;
  readonly #api: Authorization;
  #passwords = 0;

  constructor(username: string, password: string, dice: Dice, api: Authorization) {
    this.username = username;
    this.password = password;
    this.#dice = dice;
    this.#api = api;
  }

  get alive(): Known[] {
    return this.sessions.filter(({ ended }) => !ended);
  }

  /** Goes on until the service is gone. @throws when the service gives a wrong answer */
  async useUntilGone(url: string): Promise<void> {
    for (;;) {
      try {
        await this.#act(url);
      } catch (error) {
        if (error instanceof WrongAnswer) throw error;
        return; // the connection broke
      }
      this.answered += 1;
    }
  }

  #act(url: string): Promise<void> {
    const { alive } = this;
    if (alive.length === 0) return this.#bypass(url);
    if (alive.length >= MOST_SESSIONS) return this.#endOthers(url);
    const acts = [
      () => this.#bypass(url),
      () => this.#bypass(url),
      () => this.#login(url),
      () => this.#logOut(url),
      () => this.#endOne(url),
      () => this.#endOthers(url),
      () => this.#revokeToken(url),
      () => this.#changePassword(url),
      () => this.#changePassword(url),
    ];
    return this.#dice.pick(acts)();
  }

  #bypass(url: string): Promise<void> {
    return this.#signIn(url, (client) => client.get(`/auth/bypass?token=${this.username}`));
  }

  #login(url: string): Promise<void> {
    return this.#signIn(url, (client) => client.login(this.username, this.password));
  }

  async #signIn(url: string, ask: (client: Client) => Promise<Response>): Promise<void> {
    const client = new Client(url);
    const body = await this.#ask({ what: 'sign in', ends: [] }, () => ask(client), 200);
    const answer: unknown = JSON.parse(body);
    const token =
      typeof answer === 'object' && answer !== null && 'token' in answer
        ? String(answer.token)
        : '';
    this.sessions.push({
      client,
      id: String(claimsOf(token)['sid']),
      token,
      ended: false,
      seenEnded: false,
    });
  }

  async #logOut(url: string): Promise<void> {
    const known = this.#dice.pick(this.alive);
    const ask = () => at(url, known).post('/auth/logout');
    await this.#ask({ what: 'log out', ends: [known] }, ask, 204);
  }

  async #endOne(url: string): Promise<void> {
    const known = this.#dice.pick(this.alive);
    const ask = () =>
      at(url, this.#dice.pick(this.alive)).request('DELETE', `/auth/sessions/${known.id}`);
    await this.#ask({ what: 'end one', ends: [known] }, ask, 204);
  }

  async #endOthers(url: string): Promise<void> {
    const [here, ends] = this.#hereAndOthers();
    const ask = () => at(url, here).request('DELETE', '/auth/sessions?scope=others');
    await this.#ask({ what: 'end others', ends }, ask, 204);
  }

  async #changePassword(url: string): Promise<void> {
    const [here, ends] = this.#hereAndOthers();
    this.#passwords += 1;
    const password = `a gull stole umbrella ${this.#passwords}`;
    const change = { what: 'change the password', ends, password };
    const body = { current_password: this.password, new_password: password };
    await this.#ask(change, () => at(url, here).post('/auth/password', body), 204);
  }

  async #revokeToken(url: string): Promise<void> {
    const known = this.#dice.pick(this.alive);
    const form = new URLSearchParams({ token: known.token });
    const ask = () => new Client(url).request('POST', '/oauth/revoke', this.#api, form);
    await this.#ask({ what: 'revoke a token', ends: [], revokes: known }, ask, 200);
    await this.renewToken(url, known);
  }

  /** Gets another token for a session that goes on. */
  async renewToken(url: string, known: Known): Promise<void> {
    const response = await at(url, known).get('/auth/token');
    const body = await response.text();
    if (response.status !== 200) throw new WrongAnswer(`exchange: ${response.status} ${body}`);
    const answer: unknown = JSON.parse(body);
    if (typeof answer === 'object' && answer !== null && 'token' in answer) {
      known.token = String(answer.token);
    }
  }

  #hereAndOthers(): [Known, Known[]] {
    const here = this.#dice.pick(this.alive);
    return [here, this.alive.filter((known) => known !== here)];
  }

  async #ask(change: Change, ask: () => Promise<Response>, status: number): Promise<string> {
    this.pending = change;
    const response = await ask();
    const body = await response.text();
    if (response.status !== status) {
      throw new WrongAnswer(`${change.what}: ${response.status} ${body}`);
    }
    this.settle(true);
    return body;
  }

  /** Writes down whether the pending change has come about. */
  settle(done: boolean): void {
    const change = this.pending;
    this.pending = undefined;
    if (change === undefined || !done) return;
    for (const known of change.ends) known.ended = true;
    if (change.revokes) this.deadTokens.push(change.revokes.token);
    if (change.password !== undefined) this.password = change.password;
  }
}

/** The browser of that session, at the service of this moment. */
export function at(url: string, { client }: Pick<Known, 'client'>): Client {
  const other = new Client(url);
  for (const [name, value] of client.cookies) other.cookies.set(name, value);
  return other;
}

const status = z.object({
  status: z.object({ status_list: z.object({ idx: z.number(), uri: z.string() }) }),
});

/** The entry of a status list that a token carries. */
export function entryOf(token: string): StatusEntry {
  const { idx, uri } = status.parse(claimsOf(token)).status.status_list;
  return { list: uri.slice(uri.lastIndexOf('/') + 1), index: idx };
}
