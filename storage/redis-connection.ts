import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { createClient, ErrorReply } from '@redis/client';
import type { Logger } from 'pino';
import { monotonic } from '../core/clock.ts';
import { SettingsError, StorageError } from '../core/errors.ts';
import type { RedisAddress } from './redis-address.ts';
import { DeadlineError, faultIn, isFailedOver, isForSettings } from './redis-errors.ts';

/** How long a command may take, in milliseconds: a request that needs two of them is answered within two seconds. */
const DEADLINE = 900;
const LAST_PART = 200;

/** How long it may take until a connection is accepted, in milliseconds; then the deadline counts. */
const CONNECT_TIMEOUT = 2000;

/** How often a connection is asked for a sign of life, in milliseconds. */
const HEARTBEAT = 2000;

/** The longest pause between two attempts to connect, in milliseconds. */
const LONGEST_PAUSE = 1000;

/** How long a start waits for a Redis that is not there yet, in milliseconds. */
const PATIENCE = 30_000;

/** A script in Lua. Redis runs it as one step, nothing in between. */
export interface RedisScript {
  readonly source: string;
  readonly sha: string;
}

export function redisScript(source: string): RedisScript {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

type Client = ReturnType<typeof newClient>;

/**
 * One connection to Redis or Valkey. Every command has a deadline; while the connection is away each fails at once, and
 * it comes back by itself, however long that takes. Whatever fails does so with a `StorageError`.
 */
export class RedisConnection {
  readonly #address: RedisAddress;
  readonly #log: Logger;
  readonly #deadline: number;
  /** Made when it is needed first: most commands of the command line never ask. */
  #client: Client | undefined;
  #closed = false;
  /** Why there is no connection; nothing while there is one. */
  #fault: unknown;
  /** The outcome of the first attempt to connect: what is asked before waits for it. */
  readonly #tried = Promise.withResolvers<void>();
  #heartbeat: NodeJS.Timeout | undefined;

  /** @param deadline how long a command may take, in milliseconds */
  constructor(address: RedisAddress, log: Logger, deadline = DEADLINE) {
    this.#address = address;
    this.#deadline = deadline;
    this.#log = log;
  }

  /** What every key of ours begins with. */
  get prefix(): string {
    return this.#address.prefix;
  }

  /**
   * Waits for a Redis that cannot be reached, or is still starting.
   * @throws {SettingsError} when it refuses the credentials or the number of the database
   * @throws {StorageError} when it is not there in time
   */
  async untilReady(patience = PATIENCE): Promise<void> {
    for (const end = monotonic() + patience; ; await pause(LONGEST_PAUSE)) {
      try {
        await this.ping();
        return;
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        if (!error.passes) throw new SettingsError([`SESSION_STORE_URL: ${error.message}`]);
        if (monotonic() >= end) throw error;
        this.#log.warn(`${error.message} Waiting for it.`);
      }
    }
  }

  /** @throws {StorageError} when Redis does not answer */
  async ping(): Promise<void> {
    await this.run((client) => client.ping());
  }

  /** Runs a command. @throws {StorageError} */
  async run<T>(command: (client: Client) => Promise<T>): Promise<T> {
    if (!this.#closed) this.#client ??= this.#connect();
    await this.#tried.promise;
    const client = this.#client;
    try {
      if (client === undefined) throw new Error('the connection has been closed');
      return await withinDeadline(command(client), this.#deadline);
    } catch (error) {
      // nothing more may come of it, or only from a primary that is no more: what is asked next goes another way
      if (error instanceof DeadlineError || isFailedOver(error)) this.#replace(client, error);
      const cause = error instanceof ErrorReply ? error : (this.#fault ?? error);
      throw new StorageError(this.#sentence(cause), { cause, passes: !isForSettings(cause) });
    }
  }

  /** Runs a script, which is sent only when Redis does not have it. @throws {StorageError} */
  async script(
    { source, sha }: RedisScript,
    keys: string[],
    parameters: readonly (string | number)[],
  ): Promise<unknown> {
    const options = { keys, arguments: parameters.map(String) };
    return this.run(async (client) => {
      try {
        return await client.evalSha(sha, options);
      } catch (error) {
        if (!(error instanceof ErrorReply) || !error.message.startsWith('NOSCRIPT')) throw error;
        return client.eval(source, options);
      }
    });
  }

  close(): void {
    this.#closed = true;
    this.#tried.resolve();
    clearInterval(this.#heartbeat);
    if (this.#client) discard(this.#client);
  }

  #connect(): Client {
    // a connection that is dead and silent is given up before a request needs it
    this.#heartbeat ??= setInterval(() => {
      this.ping().catch(() => undefined); // what is wrong has been noted
    }, HEARTBEAT).unref();
    const client = newClient(this.#address);
    client.on('connect', () => {
      // something may take the connection and never say a word
      withinDeadline(once(client, 'ready'), this.#deadline).catch((error: unknown) => {
        if (error instanceof DeadlineError) this.#replace(client, error);
      });
    });
    client.on('ready', () => {
      if (this.#fault !== undefined) this.#log.info('The session store answers again.');
      this.#fault = undefined;
      this.#tried.resolve();
    });
    client.on('error', (error: unknown) => {
      if (client !== this.#client || this.#closed) return;
      if (!client.isReady) this.#note(error);
      // what cannot be read: the answers behind it might be taken for those of other commands
      else if (!(error instanceof ErrorReply)) this.#replace(client, error);
    });
    client.connect().catch(() => undefined); // the event has told
    return client;
  }

  /** Gives a connection up and makes another. */
  #replace(client: Client | undefined, error: unknown): void {
    if (client === undefined || client !== this.#client || this.#closed) return;
    this.#note(error);
    discard(client);
    this.#client = this.#connect();
  }

  #note(error: unknown): void {
    if (this.#fault === undefined) this.#log.error({ err: error }, this.#sentence(error));
    this.#fault = error;
    this.#tried.resolve();
  }

  #sentence(error: unknown): string {
    const { host, port, tls } = this.#address;
    return `The session store at ${host}:${port} ${faultIn(error, tls)}.`;
  }
}

function newClient({ tls, host, port, username, password, database }: RedisAddress) {
  return createClient({
    ...(password === undefined ? {} : { password, ...(username && { username }) }),
    database,
    name: 'coatcheck',
    socket: {
      host,
      port,
      ...(tls && { tls }),
      connectTimeout: CONNECT_TIMEOUT,
      reconnectStrategy: (retries) => Math.min(50 * 2 ** retries, LONGEST_PAUSE),
    },
    disableOfflineQueue: true,
    commandOptions: { timeout: 0 }, // the client's own ends when a command has been sent
    maintNotifications: 'disabled',
  });
}

/** A client that is connecting goes on, and would stay connected: it is ended then. */
function discard(client: Client): void {
  client.on('connect', () => client.destroy());
  client.destroy();
}

/**
 * The last part of the time begins only when this process gets round to it: one that was busy with something else may not
 * even have sent the command.
 * @throws {DeadlineError} when it takes too long
 */
function withinDeadline<T>(work: Promise<T>, deadline: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const expire = () => reject(new DeadlineError(`has not answered within ${deadline} ms`));
    let timer = setTimeout(() => {
      timer = setTimeout(expire, LAST_PART);
    }, deadline - LAST_PART);
    work.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}
