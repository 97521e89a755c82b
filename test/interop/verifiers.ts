import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { bodyOf } from '../support/client.ts';
import { cleanEnvironment, ROOT } from '../support/command.ts';
import { program, type Recipe } from './page.ts';

/** What an API knows of the service whose tokens it takes. */
export interface Trust {
  readonly algorithm: string;
  readonly typ: string;
  readonly issuer: string;
  readonly audience: string;
  /** Only with HMAC. */
  readonly secret?: string;
}

/** The username in a token that was accepted, or that it was refused. */
export type Verdict = string;
export const REFUSED: Verdict = 'refused';

export interface Verifier {
  readonly name: string;
  /** It takes nothing but access tokens of RFC 9068. */
  readonly accessTokensOnly?: true;
  /** It looks at the status list. */
  readonly looksAtStatus?: true;
  /** Skips the test, saying why, where this machine does not have what it takes. */
  needs(test: Mocha.Context): void;
  /** @throws when it says anything but yes or no */
  verdicts(trust: Trust, tokens: readonly string[]): Promise<Verdict[]>;
}

interface Interpreter {
  readonly commands: readonly string[];
  /** The option that a program follows. */
  readonly option: readonly string[];
  /** A program that ends well where the library is there. */
  readonly probe: string;
}

// Debian's own libraries are for Debian's own interpreter, which need not be the first on PATH.
const PYTHON: Interpreter = {
  commands: ['/usr/bin/python3', 'python3'],
  option: ['-c'],
  probe: 'import jwt, cryptography',
};
const RUBY: Interpreter = {
  commands: ['/usr/bin/ruby', 'ruby'],
  option: ['-e'],
  probe: 'require "jwt"',
};
const PERL: Interpreter = {
  commands: ['/usr/bin/perl', 'perl'],
  option: ['-e'],
  probe: 'use Crypt::JWT; use JSON',
};
const NODE: Interpreter = {
  commands: [process.execPath],
  option: ['--input-type=module', '--eval'],
  probe: '',
};

const node = (section: string): Recipe => ({ page: 'node.md', section, language: 'js' });

export const VERIFIERS: readonly Verifier[] = [
  script('jose', node('jose'), NODE),
  script('jsonwebtoken', node('jsonwebtoken'), NODE),
  middleware('express-oauth2-jwt-bearer', node('express-oauth2-jwt-bearer')),
  { ...script('PyJWT', { page: 'python.md', language: 'python' }, PYTHON), looksAtStatus: true },
  script('ruby-jwt', { page: 'ruby.md', language: 'ruby' }, RUBY),
  script('Crypt::JWT', { page: 'perl.md', language: 'perl' }, PERL),
];

/** The first of an interpreter's commands that has the library. */
function commandOf({ commands, option, probe }: Interpreter): string | undefined {
  return commands.find((command) => spawnSync(command, [...option, probe]).status === 0);
}

/** A program that reads tokens from standard input. All of them are given to one process. */
function script(name: string, recipe: Recipe, interpreter: Interpreter): Verifier {
  let command: string | undefined;
  return {
    name,
    needs(test) {
      command ??= commandOf(interpreter);
      if (command !== undefined) return;
      process.stderr.write(`${name} is not on this machine.\n`);
      test.skip();
    },
    async verdicts(trust, tokens) {
      const source = program(recipe, trust.algorithm, trust.typ);
      command ??= commandOf(interpreter) ?? name;
      const child = start(command, [...interpreter.option, source], trust);
      child.stdin.on('error', () => undefined); // it may end without having read everything
      child.stdin.end(tokens.map((token) => `${token}\n`).join(''));
      const ended = once(child, 'close');
      const [output, complaints] = await Promise.all([text(child.stdout), text(child.stderr)]);
      await ended;
      const lines = output.split('\n').slice(0, -1);
      const expected = lines.some((line) => line.startsWith('refused: ')) ? 1 : 0;
      if (lines.length !== tokens.length || child.exitCode !== expected || complaints !== '') {
        throw new Error(`${name} ended with ${String(child.exitCode)}:\n${output}${complaints}`);
      }
      return lines.map(verdictOf);
    },
  };
}

function verdictOf(line: string): Verdict {
  return line.startsWith('refused: ') ? REFUSED : usernameOf(JSON.parse(line));
}

function usernameOf(claims: unknown): Verdict {
  const isObject = typeof claims === 'object' && claims !== null;
  return isObject && 'username' in claims ? String(claims.username) : 'nobody';
}

/** A program that is an API and says at which address. */
function middleware(name: string, recipe: Recipe): Verifier {
  return {
    name,
    accessTokensOnly: true,
    needs: () => undefined,
    async verdicts(trust, tokens) {
      const source = program(recipe, trust.algorithm, trust.typ);
      const child = start(process.execPath, [...NODE.option, source], trust);
      try {
        child.stderr.resume();
        const url = await firstLine(child);
        const verdicts: Verdict[] = [];
        for (const token of tokens) verdicts.push(await answerTo(url, token));
        return verdicts;
      } finally {
        child.kill();
        await once(child, 'close');
      }
    },
  };
}

async function answerTo(url: string, token: string): Promise<Verdict> {
  const response = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
  if (response.ok) return usernameOf(await bodyOf(response));
  await response.body?.cancel();
  const challenge = response.headers.get('WWW-Authenticate') ?? '';
  if (response.status !== 401 || !challenge.startsWith('Bearer')) {
    throw new Error(`${response.status} is no way to refuse ${token}`);
  }
  return REFUSED;
}

async function firstLine(child: ChildProcess & { stdout: NodeJS.ReadableStream }): Promise<string> {
  const lines = createInterface({ input: child.stdout });
  const line = await lines[Symbol.asyncIterator]().next();
  if (line.done === true) throw new Error('the program ended before it listened');
  return line.value;
}

/** What the pages say to set, and nothing else. */
function start(command: string, args: readonly string[], trust: Trust) {
  const { issuer, audience, secret } = trust;
  return spawn(command, args, {
    cwd: ROOT,
    env: cleanEnvironment({
      ISSUER: issuer,
      AUDIENCE: audience,
      PORT: '0',
      ...(secret === undefined ? {} : { JWT_SECRET_KEY: secret }),
    }),
    stdio: 'pipe',
    timeout: 30_000,
  });
}
