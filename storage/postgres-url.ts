import { readFileSync } from 'node:fs';
import type { PoolConfig } from 'pg';
import { z } from 'zod';

/** As in libpq's list of the modes, without the two that go over to the open when somebody on the way wants it. */
const TLS_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const;

const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .refine((number) => number >= least && number <= most);

/**
 * What may stand behind the question mark. The two deadlines together leave a request that needs a new connection, on
 * which then nothing is answered, an answer of its own within two seconds.
 */
const parameters = z.strictObject({
  pool_size: whole(1, 1000).default(10),
  /** Seconds, as libpq has it; fractions too. */
  connect_timeout: z
    .string()
    .regex(/^\d{1,3}(\.\d{1,3})?$/)
    .transform((text) => Number(text) * 1000)
    .refine((milliseconds) => milliseconds >= 100)
    .default(600),
  /** Milliseconds, as the server has it. Longer than it takes to find a deadlock there (1000), which is then tried again. */
  statement_timeout: whole(100, 600_000).default(1200),
  application_name: z.string().min(1).max(63).default('coatcheck'),
  host: z.string().startsWith('/').optional(),
  sslmode: z.enum(TLS_MODES).default('disable'),
  sslrootcert: z.string().min(1).optional(),
  sslcert: z.string().min(1).optional(),
  sslkey: z.string().min(1).optional(),
});

type Parameters = z.output<typeof parameters>;

/** What is said of a value that the schema refuses. */
const EXPECTED: Readonly<Record<keyof Parameters, string>> = {
  pool_size: 'a whole number from 1 to 1000',
  connect_timeout: 'seconds from 0.1 to 999, such as 0.6',
  statement_timeout: 'milliseconds from 100 to 600000, such as 1200',
  application_name: 'a name of 1 to 63 characters',
  host: 'the directory of a Unix socket, such as /var/run/postgresql',
  sslmode: `one of ${TLS_MODES.join(', ')}`,
  sslrootcert: 'the path of a file',
  sslcert: 'the path of a file',
  sslkey: 'the path of a file',
};

/** Where a server of PostgreSQL is, and how it is spoken to. Times are milliseconds. */
export interface PostgresUrl {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly parameters: Parameters;
}

const FORM = 'postgres://<user>:<password>@<host>/<database>';
const ENCODING =
  'if the user or the password has one of : / ? # [ ] @ %, write it percent-encoded, such as %40 for @';

/** @returns the parts of the URL, or what is wrong with it: never a part of it, which could be the password */
export function parsePostgresUrl(text: string): PostgresUrl | string {
  const url = URL.parse(text);
  if (url === null || url.hash !== '') return `must be ${FORM}; ${ENCODING}`;
  const [user, password, database] = [url.username, url.password, url.pathname.slice(1)].map(
    decoded,
  );
  if (user === undefined || password === undefined || database === undefined) {
    return `has a % that encodes nothing: write it as %25`;
  }
  if (user === '') return `names no user: it must be ${FORM}`;
  if (database === '' || database.includes('/')) return `names no database: it must be ${FORM}`;
  const given = [...url.searchParams];
  const parsed = parameters.safeParse(Object.fromEntries(given));
  const names = given.map(([name]) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined && twice in EXPECTED) return `has the parameter ${twice} twice`;
  if (!parsed.success) return parameterProblem(parsed.error);
  const host = parsed.data.host ?? url.hostname.replace(/^\[(.+)\]$/, '$1');
  if (host === '') return `names no host: it must be ${FORM}`;
  const problem = tlsProblem(parsed.data);
  if (problem !== undefined) return problem;
  const port = url.port === '' ? 5432 : Number(url.port);
  return { host, port, user, password, database, parameters: parsed.data };
}

function parameterProblem({ issues }: z.ZodError): string {
  const name = issues[0]?.path[0];
  for (const [known, expected] of Object.entries(EXPECTED)) {
    if (name === known) return `has a wrong ${known}: it must be ${expected}`;
  }
  return `has a parameter that is not known; these are: ${Object.keys(EXPECTED).join(', ')}`;
}

function tlsProblem({ sslmode, sslrootcert, sslcert, sslkey }: Parameters): string | undefined {
  if (sslmode === 'disable' && (sslrootcert ?? sslcert ?? sslkey) !== undefined) {
    return 'names certificates, but no sslmode that uses them: add sslmode=verify-full';
  }
  if (sslmode === 'verify-ca' && sslrootcert === undefined) {
    return 'has sslmode=verify-ca without sslrootcert, so that a certificate of anybody would do: add sslrootcert, or take sslmode=verify-full';
  }
  if ((sslcert === undefined) !== (sslkey === undefined)) {
    return 'has only one of sslcert and sslkey: they go together';
  }
  return undefined;
}

/** As it may be shown: without the password, and without the parameters. */
export function shownPostgresUrl(text: string): string {
  const parsed = parsePostgresUrl(text);
  if (typeof parsed === 'string') return 'postgres';
  const { host, port, user, database } = parsed;
  const where = host.includes(':') ? `[${host}]` : host;
  return `postgres://${user}@${where}:${port}/${database}`;
}

/** @throws the system's error when a file of a certificate cannot be read */
export function tlsOptions(given: Parameters): PoolConfig['ssl'] {
  const { sslmode, sslrootcert, sslcert, sslkey } = given;
  if (sslmode === 'disable') return false;
  const files = {
    ...(sslrootcert === undefined ? {} : { ca: readFileSync(sslrootcert) }),
    ...(sslcert === undefined ? {} : { cert: readFileSync(sslcert) }),
    ...(sslkey === undefined ? {} : { key: readFileSync(sslkey) }),
  };
  if (sslmode === 'verify-full') return files;
  // as libpq: "require" asks who is there only if it has been told whom to believe, and never for the name
  if (sslrootcert === undefined) return { ...files, rejectUnauthorized: false };
  return { ...files, checkServerIdentity: () => undefined };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
