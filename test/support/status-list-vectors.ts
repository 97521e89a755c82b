import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ROOT } from './command.ts';

const FILE = join(ROOT, 'test', 'vectors', 'token-status-list.json');

/** The test vectors of draft-ietf-oauth-status-list-21, section 4.1 and the appendix. */
export const { vectors } = z
  .object({
    vectors: z.array(
      z.object({
        name: z.string(),
        bits: z.number(),
        lst: z.string(),
        entries: z.number(),
        nonzero: z.record(z.string(), z.number()),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(FILE, 'utf8')));
