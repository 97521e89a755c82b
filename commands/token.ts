import type { Command } from 'commander';
import { isoTime } from '../core/clock.ts';
import { Problem } from '../core/errors.ts';
import { visible } from '../core/text.ts';
import { withServices } from './context.ts';
import { argumentOrInput, print, printJson, say, visibleJson } from './terminal.ts';

const TIMES = ['iat', 'exp', 'nbf', 'auth_time'];

export function tokenCommand(program: Command): void {
  const token = program.command('token').description('take tokens apart and check them');
  token
    .command('inspect [token]')
    .description('show what a token says, without checking it; nothing leaves this machine')
    .option('--json', 'print header and claims as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  curl -b jar http://localhost:3000/auth/token | jq -r .token | coatcheck token inspect',
    )
    .action(async (argument: string | undefined, options: { json?: true }) => {
      const { header, claims } = takeApart(withoutScheme(await argumentOrInput(argument)));
      if (options.json) return printJson({ header, claims });
      print(`header  ${visibleJson(header)}`);
      print(`claims  ${visibleJson(claims)}`);
      for (const name of TIMES) {
        const value = claims[name];
        if (typeof value === 'number' && Math.abs(value) < 8.64e12)
          print(`${name.padEnd(9)} ${isoTime(value * 1000)}`);
      }
      return say('Not checked: "coatcheck token verify" does that.');
    });
  token
    .command('verify [token]')
    .description(
      'check a token against the keys and the issuer of this service; exit code 1 if it is not good',
    )
    .option('--json', 'print the claims as JSON')
    .action((argument: string | undefined, options: { json?: true }) =>
      withServices(async ({ verifier }) => {
        const claims = await verifier.verify(withoutScheme(await argumentOrInput(argument)));
        if (options.json) return printJson(claims);
        return print(`Good until ${isoTime(claims.exp * 1000)}. The user: ${visible(claims.sub)}.`);
      }),
    );
}

/** A whole Authorization header is pasted as easily as the token in it. */
export function withoutScheme(text: string): string {
  return text.replace(/^(authorization: *)?bearer +/i, '');
}

/** @throws {Problem} for what is no token */
export function takeApart(token: string): {
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
} {
  const [header, claims, signature, ...rest] = token.split('.');
  if (header === undefined || claims === undefined || signature === undefined || rest.length > 0) {
    throw notAToken();
  }
  return { header: jsonObject(header), claims: jsonObject(claims) };
}

function jsonObject(part: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // told below
  }
  throw notAToken();
}

function notAToken(): Problem {
  return new Problem(
    'invalid_request',
    'That is no token: a JWT is three parts of base64url with dots between them.',
  );
}
