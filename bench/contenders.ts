import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Place, Recipe } from './server-process.ts';

/** A server that takes part: how to start it, and what its tokens must hold. */
export interface Contender extends Recipe {
  /** What it signs with, so that the benchmark can check the tokens. */
  readonly ticketKey: string;
  /** The username in a token for a session that `username` opened. */
  readonly signsFor: (username: string) => string;
}

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const freshSecret = () => randomBytes(64).toString('hex');

function peer(name: string, file: string, readyStatus: number): Omit<Contender, 'signsFor'> {
  const ticketKey = freshSecret();
  const sessionSecret = freshSecret();
  return {
    name,
    ticketKey,
    command: [here(file)],
    environment: ({ port }) => ({
      NODE_ENV: 'test',
      PORT: String(port),
      SESSION_SECRET: sessionSecret,
      JWT_SECRET_KEY: ticketKey,
    }),
    ready: { path: '/auth/token', status: readyStatus },
  };
}

/** Signs and answers, nothing else: no session, so always the same user. */
export function limit(): Contender {
  return { ...peer('limit', 'peers/limit.ts', 200), signsFor: () => 'limit' };
}

/** What the tutorials build. */
export function tutorial(): Contender {
  return { ...peer('tutorial', 'peers/tutorial.js', 401), signsFor: (username) => username };
}

/**
 * This service with its defaults, in the one mode that lets a benchmark sign in without passwords.
 * It logs as it would in production; the log goes to /dev/null.
 */
export function coatcheck(): Contender {
  const ticketKey = freshSecret();
  const sessionSecret = freshSecret();
  return {
    name: 'coatcheck',
    ticketKey,
    command: [here('../bin/coatcheck.ts'), 'serve'],
    environment: ({ port, directory }: Place) => ({
      NODE_ENV: 'test',
      BYPASS_AUTH: 'true',
      HOST: '127.0.0.1',
      PORT: String(port),
      PUBLIC_URL: `http://localhost:${port}`,
      DATABASE_URL: `sqlite:${directory}/bench.db`,
      SESSION_SECRET: sessionSecret,
      JWT_SECRET_KEY: ticketKey,
      LOG_LEVEL: 'info',
    }),
    ready: { path: '/readyz', status: 200 },
    signsFor: (username) => username,
  };
}
