import type { Command } from 'commander';
import { isoTime, systemClock } from '../core/clock.ts';
import { fromNow } from '../core/durations.ts';
import { Problem } from '../core/errors.ts';
import { visible, visibleJson } from '../core/text.ts';
import { reasonInWords } from '../tokens/claim-reasons.ts';
import { explainClaims, explainHeader } from '../tokens/explain.ts';
import { withServices } from './context.ts';
import { argumentOrInput, print, printJson, say } from './terminal.ts';

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
      const { readPasted } = await import('../tokens/pasted-token.ts');
      const { header, claims, payload } = readPasted(await argumentOrInput(argument));
      if (options.json) return printJson({ header, claims: claims ?? payload });
      print(`header  ${visibleJson(header)}`);
      print(`claims  ${visibleJson(claims ?? payload)}`);
      for (const { name, time, warning } of [
        ...explainHeader(header),
        ...explainClaims(claims ?? {}),
      ]) {
        if (time !== undefined)
          print(
            `${name.padEnd(9)} ${isoTime(time)}, ${fromNow((time - systemClock.now()) / 1000)}`,
          );
        if (warning !== undefined) print(`${name.padEnd(9)} ${warning}`);
      }
      return say('Not checked: "coatcheck token verify" does that.');
    });
  token
    .command('verify [token]')
    .description(
      'check a token against the keys and the issuer of this service; exit code 1 if it is not good, with all the reasons',
    )
    .option('--json', 'print the claims as JSON')
    .action((argument: string | undefined, options: { json?: true }) =>
      withServices(async (services) => {
        const { openInspector } = await import('../config/inspector.ts');
        const pasted = await argumentOrInput(argument);
        const { jwt, verdict, reasons, now } = await openInspector(services).inspect(pasted);
        if (verdict === 'invalid') {
          const lines = reasons.map((reason) => reasonInWords(reason, now));
          throw new Problem('invalid_token', lines.join('\n'));
        }
        const claims = await services.verifier.verify(jwt);
        if (options.json) return printJson(claims);
        return print(`Good until ${isoTime(claims.exp * 1000)}. The user: ${visible(claims.sub)}.`);
      }),
    );
}
