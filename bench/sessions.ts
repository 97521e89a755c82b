import { Connection, type Answer } from './connection.ts';
import { get } from './request.ts';

/** A session as a client holds it. */
export interface OpenSession {
  readonly username: string;
  /** Ready for the Cookie field. */
  readonly cookie: string;
}

/** What `openSessions` needs to know. */
export interface SignIns {
  readonly port: number;
  readonly sessions: number;
  readonly signal: AbortSignal;
}

const signInsAtOnce = 16;

/** Many sessions to a user, as after months of use, but not all of one user. */
const sessionsPerUser = 100;

function nameOf(session: number, sessions: number): string {
  const users = Math.max(1, Math.ceil(sessions / sessionsPerUser));
  return `user${String(session % users).padStart(3, '0')}`;
}

/**
 * Signs in through the bypass until there are enough sessions.
 *
 * @throws Error with the answer, when a sign-in is refused
 */
export async function openSessions(signIns: SignIns): Promise<readonly OpenSession[]> {
  const opened: OpenSession[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    const connection = await Connection.open(signIns.port);
    try {
      while (next < signIns.sessions) {
        signIns.signal.throwIfAborted();
        opened.push(await signIn(connection, signIns.port, nameOf(next++, signIns.sessions)));
      }
    } finally {
      connection.close();
    }
  };
  await Promise.all(Array.from({ length: signInsAtOnce }, work));
  return opened;
}

async function signIn(
  connection: Connection,
  port: number,
  username: string,
): Promise<OpenSession> {
  const answer = await connection.send(get(port, `/auth/bypass?token=${username}`));
  const cookie = cookieOf(answer);
  if (answer.status !== 200 || cookie === undefined) {
    throw new Error(`signing ${username} in was answered ${describe(answer)}`);
  }
  return { username, cookie };
}

function cookieOf({ head }: Answer): string | undefined {
  return /\r\nset-cookie: *([^;\r]+)/i.exec(head)?.[1];
}

/** An answer for people: its status and the start of its body. */
export function describe({ status, body }: Answer): string {
  const text = body.toString('utf8', 0, 300).replaceAll(/\s+/g, ' ').trim();
  return text === '' ? `${status} without a body` : `${status}: ${text}`;
}
